/*
 * dev_dma.h - the node /dev/dma, and what answers Linux's gup_test requests there.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_DEV_DMA_H
#define KERNEL_FS_DEV_DMA_H

#include "kernel/lib/types.h"

void dev_dma_init(void); /* => after vfs_init() */

/* -- private to dev_dma.c and gup_test.c ----------------------------------------------------------------------------- */
struct page;
/* The pages of PIN_LONGTERM_TEST_START; one user at a time. */
struct gup_longterm {
	struct page **pages;
	unsigned long nr;
	unsigned flags;
};
/* -ENOTTY: none of gup_test's. => the caller keeps others from @lt; may sleep */
long gup_test_ioctl(struct gup_longterm *lt, unsigned cmd, unsigned long user);
void gup_longterm_stop(struct gup_longterm *lt);

#endif
