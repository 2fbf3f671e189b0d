/*
 * zap.c - empty the entries of a range.
 *
 * Layer 5b (mm/object).  Interface: zap.h.  Works under one PTL at a time.
 *
 *   entry              UNMAP                          DROP (madvise DONTNEED, truncate)
 *   none               -                              -
 *   file entry         none; off position: node freed stays
 *   zero page          none                           none
 *   private copy       none; off position: node freed as a cached page (stays, with keep_copies; see below)
 *   swap, marker       the same, and the slot is counted down
 *   cached page        none; off position: node freed off position or own grants: file entry; else none, or a
 *                                                     note if it was write-protected by userfaultfd
 *   migration entry    as the page's                  as the page's
 *   such a note        none                           stays in mappings of files
 *
 * A private copy that stands in for a page off position is not touched by a truncate of what lies at its linear position
 * (keep_strangers), nor by one of that page: only who drops the address drops it.
 *
 * Dirty bits: the value that the atomic clear returns is the only one believed.
 */
#include "mm/object/zap.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"
#include "mm/object/migrate.h"
#include "mm/object/pagecache.h"
#include "mm/object/pin_witness.h"
#include "mm/object/swap.h"
#include "mm/pgtable/huge.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/pgtable/pte_uffd.h"
#include "mm/phys/lru.h"

/* The entry at @va no longer stands for @pgoff. */
static void forget_offset(struct zap *z, vaddr_t va, pgoff_t pgoff)
{
	if (z->index && pgoff != zap_linear_pgoff(z, va))
		nonlinear_node_free(nonlinear_index_del(z->index, pgoff, va));
}

static void zap_file_entry(struct zap *z, struct hw_pte *hw, vaddr_t va, pte_t pte)
{
	if (z->mode == ZAP_DROP)
		return;
	hw_pte_set(hw, pte_none());
	forget_offset(z, va, pte_file_pgoff(pte));
}

/* What a private copy in a mapping of a file leaves behind. */
static void zap_copy(struct zap *z, struct hw_pte *hw, vaddr_t va, pte_t old)
{
	pgoff_t linear = zap_linear_pgoff(z, va), pgoff = nonlinear_index_copied(z->index, va, linear);

	if (z->mode == ZAP_UNMAP) {
		forget_offset(z, va, pgoff);
		return;
	}
	if (pgoff != linear)
		nonlinear_index_from_copy(z->index, pgoff, va);
	if (pgoff != linear || z->keep_grants)
		hw_pte_set(hw, pte_mk_file(pgoff, pte_grant(old)));
}

/* A page that does not stand where the file says, and is not among those that are to go: its node finds it if it is. */
static bool keeps_stranger(const struct zap *z, vaddr_t va, const struct page *page)
{
	return z->keep_strangers && z->index && page->index != zap_linear_pgoff(z, va);
}

static bool keeps_copy(const struct zap *z, vaddr_t va)
{
	pgoff_t linear = zap_linear_pgoff(z, va);

	return z->keep_copies || (z->keep_strangers && z->index && nonlinear_index_copied(z->index, va, linear) != linear);
}

/* What a cached page leaves behind. */
static void leave_cached(struct zap *z, struct hw_pte *hw, vaddr_t va, pte_t old, struct page *page)
{
	if (z->mode == ZAP_UNMAP)
		forget_offset(z, va, page->index);
	else if (z->keep_grants || (z->index && page->index != zap_linear_pgoff(z, va)))
		hw_pte_set(hw, MUTATION(14) ? pte_mk_file(page->index, pte_grant(old) & ~GRANT_X) /* M14: drop X */
		                            : pte_leave_file(old, page->index));
	else if (unlikely(pte_uffd_wp(old)))
		hw_pte_set(hw, pte_mk_uffd_note(pte_grant(old)));
}

static void zap_cached(struct zap *z, struct hw_pte *hw, vaddr_t va, pte_t old, struct page *page)
{
	if (pte_dirty(old))
		pagecache_dirty_from_pte(page);
	z->lost_writer |= pte_hw_write(old);
	if (DEBUG && pte_hw_write(old))
		pin_witness_zapped(page);
	leave_cached(z, hw, va, old, page);
}

static void zap_page(struct zap *z, struct hw_pte *hw, vaddr_t va, pte_t pte)
{
	struct page *page;

	if (pte_special(pte)) {
		hw_pte_get_and_clear(hw);
		mmu_gather_entry(z->gather, va);
		return;
	}
	page = pfn_to_page(pte_pfn(pte));
	if (page_test(page, PG_ANON) ? keeps_copy(z, va) : keeps_stranger(z, va, page))
		return;
	if (MUTATION(1)) /* M1: flush before clear (and not after: gather.c) */
		pgtable_flush_early(z->gather->pt, va);
	pte = hw_pte_get_and_clear(hw);
	TRACE(TRACE_CLEAR, z->gather->pt, va, page_to_pfn(page), pte_trace(pte), 0);
	if (!page_test(page, PG_ANON))
		zap_cached(z, hw, va, pte, page);
	else if (z->index)
		zap_copy(z, hw, va, pte);
	__atomic_fetch_sub(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	lru_rescue(page);
	if (page_test(page, PG_SWAPCACHE))
		swap_drop_unused(page);
	pgtable_account(z->gather->pt, -1);
	mmu_gather_page(z->gather, va, page);
}

/* A page on its way to another frame: who moves it flushes its old translations, and told the page if an entry of a file's
 * was dirty. */
static void zap_migrating(struct zap *z, struct hw_pte *hw, vaddr_t va, pte_t pte)
{
	struct page *page = pte_migrating(pte);

	if (page_test(page, PG_ANON) && keeps_copy(z, va))
		return;
	hw_pte_set(hw, pte_none());
	if (!page_test(page, PG_ANON))
		leave_cached(z, hw, va, pte, page);
	else if (z->index)
		zap_copy(z, hw, va, pte);
	migration_entry_gone(z->gather->pt, pte);
}

/* A private page in a slot, or a note about a lost one. */
static void zap_soft(struct zap *z, struct hw_pte *hw, vaddr_t va, pte_t pte)
{
	if (keeps_copy(z, va) || (z->mode == ZAP_DROP && z->maps && pte_is_uffd_note(pte)))
		return;
	hw_pte_set(hw, pte_none());
	if (z->index)
		zap_copy(z, hw, va, pte);
	if (!pte_is_swap(pte))
		return;
	pgtable_account_swap(z->gather->pt, -1);
	swap_put(pte_swap_entry(pte));
}

static int zap_extent(struct pt_extent *x, void *ctx)
{
	struct zap *z = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = pt_extent_skip_none(x);

		if (pte_is_none(pte))
			break;
		if (pte_has_page(pte))
			zap_page(z, x->hw, x->va, pte);
		else if (pte_is_file(pte))
			zap_file_entry(z, x->hw, x->va, pte);
		else if (pte_is_migration(pte))
			zap_migrating(z, x->hw, x->va, pte);
		else if (pte_is_swap(pte) || pte_is_marker(pte))
			zap_soft(z, x->hw, x->va, pte);
	}
	/*
	 * Writeback may clean such a page as soon as this table is unlocked: no CPU may be able to store into it then
	 * through what its TLB remembers, or the store would be lost (RF.12).
	 */
	if (z->lost_writer) {
		mmu_gather_flush_tlb(z->gather);
		z->lost_writer = false;
	}
	return 0;
}

/* All of it goes at once; a part is a matter of base entries.  Only anonymous memory has such. => pt->lock held */
static int zap_huge(struct pt_huge *h, void *ctx)
{
	struct zap *z = ctx;
	struct page *deposit;
	pte_t old;

	if (!pt_huge_whole(h) || MUTATION(1))
		return PT_WALK_SPLIT;
	ASSERT(!z->maps);
	old = pt_clear_huge(h, &deposit);
	TRACE(TRACE_CLEAR, h->pt, h->base, pte_pfn(old), pte_trace(old), 0);
	pt_deposit_free(deposit); /* it was in no tree */
	mmu_gather_entry(z->gather, h->base);
	mmu_gather_entry(z->gather, h->end - PAGE_SIZE);
	if (pte_special(old))
		return 0;
	pgtable_account(h->pt, -(long)PT_HUGE_PAGES);
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++) {
		struct page *page = pfn_to_page(pte_pfn(old)) + i;

		__atomic_fetch_sub(&page->mapcount, 1, __ATOMIC_SEQ_CST);
		lru_rescue(page);
		if (page_test(page, PG_SWAPCACHE))
			swap_drop_unused(page);
		mmu_gather_page(z->gather, h->base + i * PAGE_SIZE, page);
	}
	return 0;
}

void zap_range(struct zap *z, vaddr_t start, vaddr_t end)
{
	ASSERT(!z->index || rwsem_write_held(&z->maps->lock));
	pt_walk_huge(z->gather->pt, start, end, zap_extent, zap_huge, z);
}
