/*
 * unmap.c - take one page out of every address space.
 *
 * Layer 5b (mm/object).  Interface: unmap.h.  Lock order: page lock, maps.lock or the family's lock, PTL.
 */
#include "mm/object/unmap.h"

enum unmap_result page_unmap(struct page *page)
{
	return __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) ? UNMAP_MAPPED : UNMAP_DONE;
}

unsigned page_referenced(struct page *page, bool *locked)
{
	*locked = false;
	return 0;
}
