/*
 * op.h - the operations of the model-based tester, and how bytes become them.
 *
 * A sequence is a header (mode, seed) and operations of OP_BYTES bytes each.  Every string of bytes is a valid
 * sequence: every operand is taken modulo what there is, so a fuzzer may do with it what it likes, and the shrinker
 * too.  Pages and addresses are those of a small window (MODEL_BASE, MODEL_PAGES) that lies across boundaries of page
 * tables of every level.
 */
#ifndef TESTS_MODEL_OP_H
#define TESTS_MODEL_OP_H

#include <arch/pgtable.h>
#include "kernel/lib/types.h"

/* The window: around an address where tables of every level end. */
#define MODEL_PAGES 32
#if defined(PTE_FORMAT_tiny2)
#define MODEL_MIDDLE ((vaddr_t)0x80000)
#elif defined(PTE_FORMAT_tiny4)
#define MODEL_MIDDLE ((vaddr_t)0x200000)
#elif defined(PTE_FORMAT_pae) || defined(PTE_FORMAT_i386)
#define MODEL_MIDDLE ((vaddr_t)0x40000000)
#else
#define MODEL_MIDDLE ((vaddr_t)0x8000000000)
#endif
#define MODEL_BASE (MODEL_MIDDLE - MODEL_PAGES / 2 * PAGE_SIZE)
#define MODEL_END (MODEL_BASE + MODEL_PAGES * PAGE_SIZE)

#define MODEL_SPACES 3
#define MODEL_CPUS 4
#define MODEL_FILES 2   /* one on a disk, one in memory; shared anonymous memory makes more objects */
#define MODEL_OBJECTS 6 /* both kinds */
#define MODEL_FILE_PAGES 12
#define MODEL_FILE_START 8 /* pages of a file at first */
#define MODEL_PINS 6

enum op_kind {
	OP_MAP_PRIVATE, /* anonymous */
	OP_MAP_SHARED,  /* anonymous */
	OP_MAP_FILE,
	OP_UNMAP,
	OP_PROTECT,
	OP_REMAP, /* remap_file_pages */
	OP_FORK,
	OP_EXIT,
	OP_READ, /* by a user program: a touch */
	OP_WRITE,
	OP_EXEC,
	OP_MSYNC,
	OP_FILE_WRITE, /* by a system call */
	OP_FILE_READ,
	OP_TRUNCATE, /* or extend */
	OP_PUNCH,
	OP_DONTNEED,
	OP_FORKING, /* MADV_DONTFORK, MADV_DOFORK */
	OP_POPULATE,
	OP_MINCORE,
	OP_MREMAP,
	OP_LOCK,
	OP_UNLOCK,
	OP_PIN,
	OP_UNPIN,
	OP_DEVICE, /* the device behind a pin stores, or reads */
	OP_WRITEBACK,
	OP_AGE,     /* accessed bits are cleared, as reclaim does */
	OP_ACCESS,  /* the kernel reads or writes another address space */
	OP_RECLAIM, /* pages out, prefetched, called cold, moved, merged; swapoff and swapon; compaction */
	OP_AUDIT,
	OP_KINDS
};

/* op.flags */
enum op_flag {
	/* MAP_*: how the address is chosen, two bits */
	OPF_PLACE = 3,
	OPF_PLACE_NOREPLACE = 2,
	OPF_PLACE_HINT = 3, /* 0, 1: MAP_FIXED */
	OPF_POPULATE = 4,
	OPF_LOCKED = 8,
	OPF_SHARED = 16, /* MAP_FILE */
	/* REMAP */
	OPF_CHGPROT = 1,
	OPF_NONBLOCK = 2,
	OPF_FAR = 4, /* an offset that no file reaches */
	OPF_HOW = 24,
	OPF_HOW_VECTOR = 16,  /* with CHGPROT: page by page, in one call */
	OPF_HOW_KEEPOFF = 24, /* with CHGPROT: the offsets stay */
	/* MREMAP: kinds of request, three bits */
	OPF_MREMAP = 7,
	/* PIN */
	OPF_PIN_WRITE = 1,
	OPF_PIN_LONGTERM = 2,
	/* MSYNC: the MS_* bits */
	OPF_MSYNC = 7,
	/* POPULATE, ACCESS, DEVICE, UNPIN(dirty), FORKING(do) */
	OPF_STORE = 1,
	/* AGE, in concurrent mode: first make entries that nobody has stored through */
	OPF_FRESH = 1,
};

/* Arguments that are wrong or odd on purpose. */
enum op_twist {
	TWIST_NONE,
	TWIST_START, /* the address is not aligned */
	TWIST_SHORT, /* the length is not a multiple of a page: 1 byte less */
	TWIST_LONG,  /* 100 bytes more */
	TWIST_EMPTY, /* no length */
	TWIST_WRAP,  /* a length that leaves the address space */
	TWIST_BIT,   /* a protection or flag that does not exist */
	TWISTS
};

/* What a file mapping may ever be, as its open mode, seals and mount say. */
enum op_open { OPEN_ALL, OPEN_READONLY, OPEN_NOEXEC, OPEN_SEALED };

struct op {
	enum op_kind kind;
	unsigned space, cpu;
	unsigned page, pages; /* of the window; page + pages <= MODEL_PAGES */
	unsigned prot;        /* PROT_* */
	unsigned flags;       /* OPF_* */
	unsigned object;      /* a file */
	enum op_open open;
	unsigned to;    /* another page of the window, or of a file */
	unsigned cell;  /* which part of a page */
	unsigned value; /* what is stored: never 0 */
	enum op_twist twist;
};

#define OP_BYTES 8
#define SEQUENCE_HEADER 5
#define SEQUENCE_OPS 200

/* Modes: how a sequence is run. */
enum { MODE_CONCURRENT = 1 };

struct sequence {
	unsigned mode;
	u32 seed; /* of the scheduler */
	unsigned nr;
	unsigned char ops[SEQUENCE_OPS][OP_BYTES];
};

/* Any bytes are a sequence. */
void sequence_decode(struct sequence *s, const unsigned char *bytes, size_t n);
/* Returns how many bytes, at most SEQUENCE_HEADER + SEQUENCE_OPS * OP_BYTES. */
size_t sequence_encode(const struct sequence *s, unsigned char *bytes);
/* The sequence of @seed, of @nr random operations. */
void sequence_random(struct sequence *s, u32 seed, unsigned nr, unsigned mode);

struct op op_decode(const unsigned char bytes[OP_BYTES]);
/* As a line of C, more or less. */
void op_print(const struct op *op, char *to, size_t n);

#endif
