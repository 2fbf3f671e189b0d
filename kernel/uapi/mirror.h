/*
 * mirror.h - ioctls of /dev/mirror: a device in software that translates by a table of its own and pins nothing.
 * Shared with user programs; every member is 64 bits wide, so both word sizes have the same layout.
 *
 * An open file is a device of its own: it mirrors the address space of who opened it, from its own thread, on some other CPU
 * where there is one.  The first three requests have the numbers and the structure of Linux's test driver for the same
 * purpose (lib/test_hmm_uapi.h).
 *
 * Errors: EFAULT (bad argument, an address that the program itself could not access, the address space has ended), EINVAL
 * (flags, alignment), EOVERFLOW (no such range), ENOMEM, EINTR (killed), ENOTTY (unknown request).
 */
#ifndef KERNEL_UAPI_MIRROR_H
#define KERNEL_UAPI_MIRROR_H

#include <stdint.h>

/* READ: the device copies npages pages from addr to the caller's ptr; WRITE: the other way round.
 * SNAPSHOT: what the device's table has, one byte a page to ptr: MIRROR_PROT_*. */
struct hmm_dmirror_cmd {
	uint64_t addr;   /* in: page-aligned */
	uint64_t ptr;    /* in */
	uint64_t npages; /* in */
	uint64_t cpages; /* out: pages copied, also when it failed */
	uint64_t faults; /* out: translations that had to be made for it */
};
enum {
	MIRROR_PROT_NONE = 0,
	MIRROR_PROT_READ = 1,
	MIRROR_PROT_WRITE = 2,
	MIRROR_PROT_ZERO = 0x10,
	MIRROR_PROT_ERROR = 0xff
};

/* Words of 32 bits, one after the other, each in one piece: number i at addr + i % span * stride. */
enum { MIRROR_RUN_WRITE = 1 };
struct mirror_run {
	uint64_t addr;   /* in: a multiple of 4 */
	uint64_t stride; /* in: the same */
	uint64_t span;   /* in: places; at least 1 */
	uint64_t count;  /* in: words, MIRROR_RUN_MAX at most */
	uint64_t flags;  /* in: MIRROR_RUN_WRITE */
	uint64_t value;  /* in: what to store: value + i */
	uint64_t ptr;    /* in: loads: where to put the words, as an array of uint32_t */
	uint64_t done;   /* out: words, also when it failed */
	uint64_t faults; /* out */
};
#define MIRROR_RUN_MAX 1024

/* Mirror another range of the caller's address space, or in another way, from now on.  EBUSY: the device is at work. */
enum {
	MIRROR_ACKNOWLEDGE =
		1, /* it drops translations when a change is announced, and that takes ack_us (debug kernels; else 0) */
};
struct mirror_subscribe {
	uint64_t addr, len; /* in */
	uint64_t flags;     /* in */
	uint64_t ack_us;    /* in */
};

struct mirror_stat {
	uint64_t faults, retries; /* translations made; attempts that came too late and began again */
	uint64_t sptes;           /* translations now */
	uint64_t invalidations;   /* that hit our range */
	uint64_t starts, ends;    /* announcements to an acknowledging mirror, and their ends */
	uint64_t refused;         /* that it would have had to sleep for */
	uint64_t in_flight;       /* announced and not ended, whole address space */
	uint64_t releases;
	uint64_t tlb_hits, tlb_flushes; /* of the device */
	uint64_t subscriptions;         /* whole system, as the rest */
	uint64_t all_ranges, all_callbacks, all_retries;
};

/* Was [addr, addr + len) used through any secondary MMU of the caller's address space? */
struct mirror_young {
	uint64_t addr, len; /* in */
	uint64_t clear;     /* in: not 0: forget it */
	uint64_t young;     /* out */
};

/* Linux's encoding of _IOWR('H', nr, type), in plain arithmetic. */
#define MIRROR_IOC(nr, type) (3u << 30 | (uint32_t)sizeof(type) << 16 | 'H' << 8 | (nr))
#define HMM_DMIRROR_READ MIRROR_IOC(0, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_WRITE MIRROR_IOC(1, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_SNAPSHOT MIRROR_IOC(4, struct hmm_dmirror_cmd)
#define MIRROR_IOC_RUN MIRROR_IOC(0x40, struct mirror_run)
#define MIRROR_IOC_SUBSCRIBE MIRROR_IOC(0x41, struct mirror_subscribe)
#define MIRROR_IOC_STAT MIRROR_IOC(0x42, struct mirror_stat)
#define MIRROR_IOC_YOUNG MIRROR_IOC(0x43, struct mirror_young)

#endif
