/*
 * edu.h - ioctls of /dev/edu: QEMU's "edu" PCI device, whose DMA engine moves data between its small buffer
 * and *pinned* pages of the caller.  Shared with user programs; every member is 64 bits wide, so both word
 * sizes have the same layout.
 *
 * Errors: EFAULT (bad argument or user address), EINVAL (flags, ranges), ENOENT (no such pin of this open
 * file), EOVERFLOW (addr + len wraps), EACCES (DMA into a read pin), EBUSY (unpin during DMA), ENOMEM, EINTR
 * (killed), EIO (the device does not answer), ENOTTY (unknown request).
 * Closing the file unpins everything that it pinned.
 */
#ifndef KERNEL_UAPI_EDU_H
#define KERNEL_UAPI_EDU_H

#include <stdint.h>

/* The device's buffer: DMA may touch bytes 0 .. EDU_BUFFER_SIZE - 1 (the 4,096th is out of its own bounds). */
#define EDU_BUFFER_SIZE 4095

struct edu_ident {
	uint64_t ident;       /* 0x010000ed */
	uint64_t live;        /* the device's complement of 0x12345678: 0xedcba987 */
	uint64_t irq;         /* 1 line, 2 MSI, 3 MSI-X */
	uint64_t dma_mask;    /* highest address it can reach; frames above go through a bounce page */
	uint64_t buffer_size; /* EDU_BUFFER_SIZE */
};

struct edu_factorial {
	uint64_t n;      /* in: 32 bits */
	uint64_t result; /* out: n! modulo 2^32 */
};

/* What an open device that does DMA (/dev/edu, /dev/dma) has in common: PIN, UNPIN, STAT. */
enum {
	EDU_PIN_WRITE = 1,
	EDU_PIN_LONGTERM = 2,
	EDU_PIN_FAST = 4,      /* without a lock, as far as that goes */
	EDU_PIN_FAST_ONLY = 8, /* no further: npages may be 0 */
	EDU_PIN_FORCE = 16,    /* whatever the protection, in private mappings */
	EDU_PIN_FLAGS = 31
};
struct edu_pin {
	uint64_t addr, len; /* in: any alignment */
	uint64_t flags;     /* in: EDU_PIN_* */
	uint64_t id;        /* out: 0 when npages is 0 */
	uint64_t npages;    /* out: may be fewer than asked for: the rest could not be pinned; len 0: 0 */
};

struct edu_dma {
	uint64_t id;            /* in */
	uint64_t offset;        /* in: from the pinned addr */
	uint64_t buffer_offset; /* in: in the device's buffer */
	uint64_t length;        /* in */
	uint64_t done;          /* out: bytes moved, also when it failed */
};

/* A transfer with the caller's own addresses, through an IOMMU: nothing is pinned, and what happens to the memory meanwhile
 * happens to the device's view of it.  The addresses are those of the process that made such a transfer first.
 * EOPNOTSUPP: no IOMMU; EPERM: another process; EAGAIN: the pages do not stay long enough; EBUSY: too many users. */
struct edu_user_dma {
	uint64_t addr, length;  /* in */
	uint64_t buffer_offset; /* in */
	uint64_t to_device;     /* in: not 0: the device reads */
	uint64_t faults;        /* out: how often the device met a page that was not there */
};

struct edu_unpin {
	uint64_t id;
	uint64_t dirty; /* not 0: the device stored (known anyway when it was by EDU_IOC_DMA_FROM_DEVICE) */
};

enum {
	EDU_STAT_PRESENT = 1,
	EDU_STAT_DIRTY = 2,
	EDU_STAT_WRITEBACK = 4,
	EDU_STAT_ANON = 8,
	EDU_STAT_EXCLUSIVE = 16,
	EDU_STAT_LEASED = 32,
	EDU_STAT_ZERO = 64,   /* the shared page of zeros: its counts mean nothing */
	EDU_STAT_CACHED = 128 /* belongs to a file's page cache */
};
struct edu_stat {
	uint64_t addr;  /* in: when id is 0: the page mapped there in the caller */
	uint64_t id;    /* in: or page number index of this pin */
	uint64_t index; /* in */
	uint64_t flags; /* out: EDU_STAT_*; without PRESENT the rest of the page's state is 0 */
	uint64_t pins_w, pins_r, mapcount, refs, pfn;
	uint64_t acquired; /* out: pins ever taken and given back, whole system */
	uint64_t released;
};

struct edu_totals {
	uint64_t to_device, from_device; /* transfers */
	uint64_t bytes;
	uint64_t bounced; /* of the transfers: through the bounce page */
	uint64_t interrupts;
	uint64_t lost; /* ends that no interrupt told */
};

/* Linux's encoding of _IOWR('E', nr, type), in plain arithmetic. */
#define EDU_IOC(nr, type) (3u << 30 | (uint32_t)sizeof(type) << 16 | 'E' << 8 | (nr))
#define EDU_IOC_IDENT EDU_IOC(0, struct edu_ident)
#define EDU_IOC_FACTORIAL EDU_IOC(1, struct edu_factorial)
#define EDU_IOC_PIN EDU_IOC(2, struct edu_pin)
#define EDU_IOC_UNPIN EDU_IOC(3, struct edu_unpin)
#define EDU_IOC_DMA_TO_DEVICE EDU_IOC(4, struct edu_dma)
#define EDU_IOC_DMA_FROM_DEVICE EDU_IOC(5, struct edu_dma)
#define EDU_IOC_STAT EDU_IOC(6, struct edu_stat)
#define EDU_IOC_TOTALS EDU_IOC(7, struct edu_totals)
#define EDU_IOC_DMA_USER EDU_IOC(8, struct edu_user_dma)

#endif
