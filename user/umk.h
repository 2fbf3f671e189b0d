/*
 * umk.h - a user-mode kernel's memory: an emulated MMU for a toy guest, in ring 3 (T0-28; docs/umk.md).
 *
 *   guest RAM    a file of GUEST_FRAMES pages, mapped once as a whole: `ram`, how its kernel sees it
 *   window       GUEST_PAGES pages of PROT_NONE: the guest's virtual memory, how its programs see it
 *   soft TLB     the pages of the window that show a frame; filled by faults, emptied when the guest says so
 *
 * The same source runs on any Linux; how the window is changed is the choice of one struct window_ops.
 */
#ifndef USER_UMK_H
#define USER_UMK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define GUEST_PAGE 4096u
#define GUEST_FRAMES 4096u
#define GUEST_PAGES 4096u
#define GUEST_CONTEXTS 4u

/*
 * The guest's tables lie in its RAM: a directory of 1,024 entries, each for 1,024 pages, and tables below.  The MMU
 * sets A at every access and D at every store, and keeps what it found until it is told to forget.
 */
typedef uint32_t gpte_t;
enum gpte_bit {
	GPTE_V = 0x001, /* valid; the others mean nothing otherwise */
	GPTE_R = 0x002,
	GPTE_W = 0x004,
	GPTE_A = 0x020,
	GPTE_D = 0x040,
	GPTE_FLAGS = 0xfff, /* above: the frame */
};
#define GPTE_SHIFT 12
#define GPTE_INDEX_BITS 10
#define GPTE_PER_TABLE (1u << GPTE_INDEX_BITS)

/* -- the window (umk_window.c) ------------------------------------------------------------------------------------ */

/* One page of it is to show a frame; PROT_NONE: nothing. */
struct window_change {
	uint16_t page, frame;
	int prot;
};

struct window_ops {
	const char *name;
	bool batches; /* apply() is one call for all */
	bool (*available)(void);
	/* Each returns 0, or -1 with errno. */
	int (*show)(unsigned page, unsigned frame, int prot);
	int (*allow)(unsigned page, unsigned frame, int prot); /* what is shown, with another protection */
	int (*hide)(unsigned page);
	/* At a context switch.  Where it does not batch, all changes hide, and nothing else is shown then. */
	int (*apply)(const struct window_change *changes, unsigned n);
};

extern const struct window_ops window_remap;  /* remap_file_pages and MAP_CHGPROT: Pteron */
extern const struct window_ops window_vector; /* the same, and remap_vector for many pages at once */
extern const struct window_ops window_mmap;   /* mmap and mprotect, as on any Unix */
extern const struct window_ops *const window_kinds[];
extern const unsigned window_nkinds;

extern uint8_t *ram, *window;
bool window_make(void); /* and ram, zeroed. false: errno */
void window_drop(void);
unsigned window_vmas(void); /* lines of /proc/self/maps that it takes */

/* -- the MMU (umk_mmu.c) ----------------------------------------------------------------------------------------------- */

enum guest_fault { GUEST_OK, GUEST_NOT_MAPPED, GUEST_FORBIDDEN, GUEST_HOST_FAILED };

struct mmu_counts {
	unsigned long faults, filled, invalidated, switches, switched;
};
extern struct mmu_counts mmu_counts;

bool mmu_start(const struct window_ops *ops); /* catches SIGSEGV; no context is loaded */
void mmu_stop(void);
void mmu_load(unsigned context, unsigned directory); /* another guest address space: its number and its directory */
void mmu_invalidate(unsigned page);                  /* its entry in the loaded tables has changed */
const char *mmu_error(void);                         /* the first thing that went wrong on the host's side, or NULL */
/* What page @page of the window should show now: its frame and protection; false: nothing. */
bool mmu_cached(unsigned page, unsigned *frame, int *prot);

/* One access of a guest program, at byte @at of its memory. */
enum guest_fault guest_load(uint32_t at, uint32_t *value);
enum guest_fault guest_store(uint32_t at, uint32_t value);

/* -- the guest's kernel (umk_guest.c) ------------------------------------------------------------------------------------ */

bool guest_boot(void); /* empty address spaces, context 0 loaded */
/* A frame that nobody has, or 0. */
unsigned guest_frame(void);
void guest_frame_free(unsigned frame);
bool guest_map(unsigned context, unsigned page, unsigned frame, unsigned rights); /* false: no frame for a table */
/* They return the entry as it was. */
gpte_t guest_unmap(unsigned context, unsigned page);
gpte_t guest_protect(unsigned context, unsigned page, unsigned rights);
gpte_t guest_age(unsigned context, unsigned page); /* A and D are forgotten */
gpte_t guest_entry(unsigned context, unsigned page);
void guest_switch(unsigned context);
extern unsigned guest_current;

/* -- random operations against an oracle (umk_run.c) ------------------------------------------------------------------------ */

struct umk_result {
	unsigned long ops, accesses, denied, maps, unmaps, protects, ages, switches;
	unsigned long mismatches;
	unsigned vmas_least, vmas_most; /* seen during the run */
	char first[160];                /* what the first mismatch was */
};
/* On a window of @ops's kind; false: it could not be made (errno). */
bool umk_run(const struct window_ops *ops, unsigned long n, uint32_t seed, struct umk_result *result);
/* Parts of it, for who measures: prepare, then run some more, then check all and give everything back. */
bool umk_begin(const struct window_ops *ops, uint32_t seed);
void umk_operations(unsigned long n, struct umk_result *result);
void umk_end(struct umk_result *result);

#endif
