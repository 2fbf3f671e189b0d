/*
 * unmap.h - take one page out of every address space, so that its frame can be had back.  Layer 5b.
 *
 * What an entry leaves behind:
 *
 *   cached page, linear                    nothing: a fault finds the page again by its offset
 *   cached page, off position or with      a file entry: offset and grants stay (RF.36)
 *     grants of its own
 *   anonymous, in the swap cache           a swap entry: slot, grants, exclusive bit
 *   anonymous, freed by MADV_FREE, clean   nothing
 *
 * A dirty bit goes from the entry's last value to the page.  When the function returns every TLB has forgotten the entries,
 * or, with a debt, will have when that is paid: only then may the page be unlocked, written, freed or given up.
 */
#ifndef MM_OBJECT_UNMAP_H
#define MM_OBJECT_UNMAP_H

#include "mm/object/object.h"
#include "mm/pgtable/debt.h"

enum unmap_result {
	UNMAP_DONE,   /* no entry maps it, and until the page lock is given back none will */
	UNMAP_MAPPED, /* some entry still does: pinned, in use, raced with fork or mremap, or not in the swap cache; or the
	               * reverse map is locked, perhaps by the caller himself: it is only tried */
	UNMAP_LOCKED, /* an mlocked range maps it: nothing more was done */
};

/*
 * => page locked and referenced, not under writeback; sleeps for nothing
 * A page under a DMA pin stays mapped where it is.  An anonymous page must be in the swap cache (swap_add()), or
 * PG_SWAPBACKED must be clear (MADV_FREE): then the caller has isolated it from its list, UNMAP_DONE also says that it is
 * clean and may be thrown away, and UNMAP_MAPPED may have set the flag again, so that it goes back where it belongs.
 * @debt: flushes may be put off; NULL: none is.
 */
enum unmap_result page_unmap(struct page *page, struct tlb_debt *debt);

/* Every entry that maps the page, of whatever kind it is. False, and none was visited: the reverse map is locked. => page locked */
bool page_walk_entries(struct page *page, enum rmap_intent intent, rmap_visit_t *visit, void *ctx);

/* How many entries map the page and were used since the last call: their accessed bits are cleared, without a flush.
 * Sets *@locked if an mlocked range maps it. 1 if the reverse map is locked. => page locked; sleeps for nothing */
unsigned page_referenced(struct page *page, bool *locked);

#endif
