/*
 * vmm.h - ioctls of /dev/vmm: a virtual machine whose memory is a range of the program's own, translated by nested tables
 * that are filled on demand and pin nothing.  x86-64, on processors with AMD's SVM; elsewhere there is no such node.
 * Every member is 64 bits wide.
 *
 * Errors: EFAULT (bad argument; the guest touched memory that the program itself could not access), EINVAL (range not
 * page-aligned, too large, none), EBUSY (there is one already; it runs in another thread), ENODEV (none was created; it has
 * crashed), ENOMEM, EINTR (a signal: run it again), ENOTTY.
 */
#ifndef KERNEL_UAPI_VMM_H
#define KERNEL_UAPI_VMM_H

#include <stdint.h>

/* Guest-physical 0 .. size - 1 is the caller's [addr, addr + size). */
struct vmm_create {
	uint64_t addr, size; /* in */
};
#define VMM_SIZE_MAX (64u << 20)

enum { VMM_EXIT_IO = 1, VMM_EXIT_HALT, VMM_EXIT_CALL, VMM_EXIT_SHUTDOWN, VMM_EXIT_MEMORY, VMM_EXIT_OTHER };

/* Run until the guest needs us.  It begins in 32-bit code without paging, in flat segments; its other state stays with
 * it from one run to the next. */
struct vmm_run {
	uint64_t ax, bx, cx, dx, si, di, bp, sp, r8, r9, r10, r11, r12, r13, r14, r15, ip; /* in, out */
	uint64_t flags;                                                                    /* out */
	uint64_t exit;                                                                     /* out: VMM_EXIT_* */
	uint64_t address;          /* out: MEMORY: guest-physical, beyond its memory; OTHER: the processor's code */
	uint64_t port, width, out; /* out: IO: `out` instruction or `in`; the value is in ax */
};

struct vmm_stat {
	uint64_t entries, faults, retries, invalidations, translations;
};

/* Linux's encoding of _IOWR('V', nr, type), in plain arithmetic. */
#define VMM_IOC(nr, type) (3u << 30 | (uint32_t)sizeof(type) << 16 | 'V' << 8 | (nr))
#define VMM_IOC_CREATE VMM_IOC(0, struct vmm_create)
#define VMM_IOC_RUN VMM_IOC(1, struct vmm_run)
#define VMM_IOC_STAT VMM_IOC(2, struct vmm_stat)

#endif
