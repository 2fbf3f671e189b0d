/*
 * ops_reclaim.c - pages leave memory and come back, go to other frames, are merged.  No program can tell, but by asking mincore(2): the oracle is not told.
 */
#include "tests/model/ops.h"

#include "mm/service/migrate.h"
#include "mm/service/pageout.h"

#define SWAP_PAGES 100 /* fewer than the spaces may want */

void reclaim_begin(struct drive *d)
{
	d->swap = sim_swap_on(SWAP_PAGES, 0);
}

void reclaim_end(struct drive *d)
{
	if (d->swap && sim_swap_off(d->swap))
		drive_fail(d, "swapoff failed");
}

/* With a failing allocation it may have to give up; then the area is in use as before. */
static void off_and_on(struct drive *d)
{
	if (!d->swap || !sim_swap_off(d->swap))
		d->swap = sim_swap_on(SWAP_PAGES, 0);
	else if (!d->inject)
		drive_fail(d, "swapoff failed");
}

void do_reclaim(struct drive *d, const struct op *op, unsigned space)
{
	vaddr_t start = MODEL_BASE + op->page * PAGE_SIZE, end = start + op->pages * PAGE_SIZE;

	d->reclaimed = true;
	drive_acting(d);
	switch (op->value % 8) {
	case 0:
		off_and_on(d);
		break;
	case 1:
		(void)mm_madvise(d->mm[space], start, end - start, MADV_WILLNEED);
		break;
	case 2:
		(void)mm_madvise(d->mm[space], start, end - start, MADV_COLD);
		break;
	case 3:
		for (vaddr_t va = start; va < end; va += PAGE_SIZE)
			(void)mm_migrate(d->mm[space], va);
		break;
	case 4:
		(void)mm_merge(d->mm[space], start, end - PAGE_SIZE);
		break;
	case 5:
		if (op->page % 4 == 0) {
			(void)compact_memory(3);
			break;
		}
		/* fall through */
	default:
		mm_page_out(d->mm[space], start, end);
	}
	drive_acted(d);
}
