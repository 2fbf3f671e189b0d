/*
 * virt.h - a guest's processor: its registers, and running it until something ends that.  Layer 1.
 *
 * The machine translates a guest's physical addresses by tables that its host owns (nested paging); who fills them, and
 * what an exit means, is the business of kernel/dev/vmm.c.  A machine that has no such thing says so in virt_available().
 */
#ifndef ARCH_VIRT_H
#define ARCH_VIRT_H

#include "kernel/lib/types.h"

struct virt_segment {
	u64 base;
	u32 limit;
	u16 selector, attributes; /* type 3:0, S, DPL 6:5, P; AVL 8, L, D, G */
};

struct virt_regs {
	u64 gpr[16]; /* numbered as instructions do: ax cx dx bx sp bp si di r8 ... */
	u64 ip, flags;
};

enum virt_segment_name {
	VIRT_ES,
	VIRT_CS,
	VIRT_SS,
	VIRT_DS,
	VIRT_FS,
	VIRT_GS,
	VIRT_GDT,
	VIRT_LDT,
	VIRT_IDT,
	VIRT_TR,
	VIRT_SEGMENTS,
};

struct virt_system {
	struct virt_segment segment[VIRT_SEGMENTS];
	u64 cr0, cr2, cr3, cr4, efer;
};

enum virt_reason {
	VIRT_AGAIN,    /* an interrupt of the host's, or a trifle that is done: run it again */
	VIRT_HALT,     /* it waits for an interrupt */
	VIRT_PORT,     /* it used a port */
	VIRT_MEMORY,   /* the nested tables do not allow the access */
	VIRT_SHUTDOWN, /* a fault in a fault in a fault */
	VIRT_INVALID,  /* no processor can be in the state that it was given; it is as after reset now */
	VIRT_OTHER,    /* an instruction that nobody here does for it */
};

struct virt_exit {
	enum virt_reason reason;
	u64 code;        /* the machine's own */
	u64 address;     /* MEMORY: guest-physical */
	bool write;      /* MEMORY: a store, or a walk of the guest's own tables */
	bool input;      /* PORT */
	u16 port, width; /* PORT: bytes */
	u32 value;       /* PORT, output */
};

struct virt_cpu;
#define VIRT_CPU_ORDER 2 /* contiguous pages that it is made of */
#define VIRT_LEVELS 4    /* of the nested tables: 512 entries of 64 bits each */

bool virt_available(void);
/* A processor as after reset, in zeroed pages; its memory is what the tables at @root say. => virt_available() */
struct virt_cpu *virt_cpu_init(void *pages, paddr_t root);
/* Run it. @flush: it has translations in this CPU's TLB no more. => interrupts off; they end the run */
void virt_cpu_run(struct virt_cpu *v, bool flush, struct virt_exit *exit);
/* What an input instruction gets. */
void virt_cpu_input(struct virt_cpu *v, unsigned width, u32 value);

void virt_get_regs(const struct virt_cpu *v, struct virt_regs *r);
void virt_set_regs(struct virt_cpu *v, const struct virt_regs *r);
void virt_get_system(const struct virt_cpu *v, struct virt_system *s);
/* -EINVAL: bits that no guest has here */
int virt_set_system(struct virt_cpu *v, const struct virt_system *s);

/* Entries of the nested tables: of another table, of a page; none is 0.  VIRT_ACCESSED: set by hardware. */
u64 virt_table_entry(paddr_t pa);
u64 virt_page_entry(paddr_t pa, bool write);
extern const u64 virt_accessed;

#endif
