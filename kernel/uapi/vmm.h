/*
 * vmm.h - ioctls of /dev/vmm: a virtual machine whose memory is the caller's, pinned nowhere.
 * Shared with user programs; every member has its natural alignment, so both word sizes have the same layout.
 *
 * An open file is a machine with one processor, as after reset; closing the file ends it.  A slot shows a range of the
 * caller's address space to the guest: whatever the program does to that range (stores, munmap, mprotect, fork, ...) the
 * guest sees at once, and what the guest stores the program sees.
 *
 * Errors: ENODEV (open: no such processor), EFAULT (bad argument), EINVAL (alignment, flags; a processor state that cannot be:
 * the processor is reset then), EEXIST (slots overlap), ENOSPC (too many slots), ENOENT (no such slot), EOVERFLOW (not a range
 * of user addresses), ENOMEM, EINTR (a signal: run again), ENOTTY.
 */
#ifndef KERNEL_UAPI_VMM_H
#define KERNEL_UAPI_VMM_H

#include <stdint.h>

#define VMM_SLOTS 8
#define VMM_ADDRESS_MAX (1ull << 40) /* of guest-physical addresses */

/* Guest-physical [gpa, gpa + len) is [addr, addr + len) of the caller: all multiples of 4096. */
enum { VMM_READ_ONLY = 1 };
struct vmm_map {
	uint64_t gpa, addr, len; /* in */
	uint64_t flags;          /* in: VMM_READ_ONLY */
};
struct vmm_unmap {
	uint64_t gpa; /* in: where the slot begins */
};

struct vmm_regs {
	uint64_t gpr[16]; /* ax cx dx bx sp bp si di r8 ... r15 */
	uint64_t ip, flags;
};

enum { VMM_ES, VMM_CS, VMM_SS, VMM_DS, VMM_FS, VMM_GS, VMM_GDT, VMM_LDT, VMM_IDT, VMM_TR, VMM_SEGMENTS };
struct vmm_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector, attributes; /* type 3:0, S, DPL 6:5, P; AVL 8, L, D, G */
};
struct vmm_system {
	struct vmm_segment segment[VMM_SEGMENTS];
	uint64_t cr0, cr2, cr3, cr4, efer;
};

enum {
	VMM_EXIT_HALT = 1,
	VMM_EXIT_OUT,    /* port, width (bytes), value */
	VMM_EXIT_IN,     /* port, width; value of the next run is what the guest gets */
	VMM_EXIT_MEMORY, /* address, write; error: ENXIO (no slot there), EFAULT (the program has no such access itself) */
	VMM_EXIT_SHUTDOWN, /* triple fault */
	VMM_EXIT_OTHER     /* an instruction that is not done here; code: the processor's exit code */
};
struct vmm_run {
	uint64_t value; /* in, after VMM_EXIT_IN; out */
	uint64_t reason, code;
	uint64_t port, width;
	uint64_t address, write, error;
};

struct vmm_stat {
	uint64_t runs;          /* of the processor, each until something ended it */
	uint64_t interrupts;    /* that ended them, the host's */
	uint64_t faults;        /* translations made */
	uint64_t retries;       /* attempts that came too late and began again */
	uint64_t sptes;         /* translations now */
	uint64_t invalidations; /* that hit a slot */
	uint64_t flushes;       /* of the guest's TLB, for them */
	uint64_t kicks;         /* for which it was stopped on another CPU */
	uint64_t tables;        /* pages of nested tables */
};

/* Linux's encoding of _IOWR('V', nr, type), in plain arithmetic. */
#define VMM_IOC(nr, type) (3u << 30 | (uint32_t)sizeof(type) << 16 | 'V' << 8 | (nr))
#define VMM_IOC_MAP VMM_IOC(0, struct vmm_map)
#define VMM_IOC_UNMAP VMM_IOC(1, struct vmm_unmap)
#define VMM_IOC_GET_REGS VMM_IOC(2, struct vmm_regs)
#define VMM_IOC_SET_REGS VMM_IOC(3, struct vmm_regs)
#define VMM_IOC_GET_SYSTEM VMM_IOC(4, struct vmm_system)
#define VMM_IOC_SET_SYSTEM VMM_IOC(5, struct vmm_system)
#define VMM_IOC_RUN VMM_IOC(6, struct vmm_run)
#define VMM_IOC_STAT VMM_IOC(7, struct vmm_stat)

#endif
