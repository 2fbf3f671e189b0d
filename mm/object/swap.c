/*
 * swap.c - slots and the swap cache.
 *
 * Layer 5b (mm/object).  Interface: swap.h.
 */
#include "mm/object/swap.h"

#include "kernel/lib/assert.h"

bool swap_add(struct page *page)
{
	return false; /* no area is in use */
}

void swap_write(struct swap_io *io, struct page *page)
{
	BUG_ON(true); /* no page is in the swap cache */
}

void swap_submit(struct swap_io *io)
{
	ASSERT(io->nr == 0);
}

bool swap_evict(struct page *page)
{
	return false;
}

bool swap_try_free(struct page *page)
{
	return true;
}

void swap_stat(struct swap_stat *st)
{
	*st = (struct swap_stat){0};
}

bool swap_has_room(void)
{
	return false;
}
