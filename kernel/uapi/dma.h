/*
 * dma.h - ioctls of /dev/dma: devices in software that store into *pinned* pages of the caller, behind every page table's back.
 *
 * Layer: shared with user programs.  PIN, UNPIN and STAT are those of edu.h (EDU_IOC_PIN, ...), and so are the errors; besides
 * EBUSY: an engine runs on that pin already; ENOENT: none does.  Linux's gup_test requests are answered too (gup_test.h).
 *
 * An engine is a kernel thread.  In its round n it stores first + n into every u64 of the range, page by page; STOP lets it end the
 * round, so that all of them hold `last` then.  Closing the file (and so the death of its last user) stops engines, then unpins.
 */
#ifndef KERNEL_UAPI_DMA_H
#define KERNEL_UAPI_DMA_H

#include "kernel/uapi/edu.h"

struct dma_start {
	uint64_t id;     /* in: of a pin to write */
	uint64_t offset; /* in: from the pinned addr; both multiples of 8, as the address is */
	uint64_t length; /* in */
	uint64_t first;  /* in */
	uint64_t pause;  /* in: microseconds between two rounds; 0: none */
};

struct dma_stop {
	uint64_t id;     /* in */
	uint64_t rounds; /* out: complete ones */
	uint64_t last;   /* out: what the last one stored */
};

/* One aligned u64, now. */
struct dma_word {
	uint64_t id, offset; /* in */
	uint64_t value;      /* WRITE: in, READ: out */
};

/* Linux's encoding of _IOWR('D', nr, type), in plain arithmetic. */
#define DMA_IOC(nr, type) (3u << 30 | (uint32_t)sizeof(type) << 16 | 'D' << 8 | (nr))
#define DMA_IOC_START DMA_IOC(0, struct dma_start)
#define DMA_IOC_STOP DMA_IOC(1, struct dma_stop)
#define DMA_IOC_WRITE DMA_IOC(2, struct dma_word)
#define DMA_IOC_READ DMA_IOC(3, struct dma_word)

#endif
