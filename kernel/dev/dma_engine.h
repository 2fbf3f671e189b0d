/*
 * dma_engine.h - a device that stores: a kernel thread that writes into frames and knows no address space.
 *
 * Layer 9 (kernel/dev).  The node /dev/dma is kernel/fs/dev_dma.c.
 */
#ifndef KERNEL_DEV_DMA_ENGINE_H
#define KERNEL_DEV_DMA_ENGINE_H

#include "mm/phys/page.h"

struct dma_engine;

/* What is stored where. */
struct dma_job {
	struct page **pages; /* pinned to be written until the engine is stopped; the caller's */
	u64 offset;          /* of the first byte, from the beginning of pages[0]; a multiple of 8 */
	u64 length;
	u64 first;    /* round n stores first + n */
	u64 pause_ns; /* between two rounds */
};

/* Begin. ERR_PTR(-ENOMEM). */
struct dma_engine *dma_engine_start(const struct dma_job *job);
/* What its first round stores. */
u64 dma_engine_first(const struct dma_engine *e);
/* End the round under way, and be gone: how many rounds there were. => sleeps */
u64 dma_engine_stop(struct dma_engine *e);

/* One store, one load. => @at: a multiple of 8, within the pages */
void dma_store(struct page **pages, u64 at, u64 value);
u64 dma_load(struct page **pages, u64 at);

#endif
