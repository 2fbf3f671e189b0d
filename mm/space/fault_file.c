/*
 * fault_file.c - cases B and C: pages of an object.
 *
 * Layer 6 (mm/space).  Lock order: mm->lock, invalidate_lock (read), page lock, PTL.
 *
 * invalidate_lock is held from the look at the size until the entry is set: truncate takes it for writing,
 * so an entry that we set is either unmapped by it or was set after it.
 */
#include "mm/space/fault.h"

#include "mm/object/migrate.h"
#include "mm/object/object_swap.h"
#include "mm/object/pagecache.h"
#include "mm/object/readahead.h"

/* The entry that shows @page; RW only where a store needs no notice. */
static pte_t make_entry(const struct fault *f, struct page *page, unsigned grant, bool writable)
{
	pte_t pte = pte_mk_page(page_to_pfn(page), grant);

	if (writable && (grant & GRANT_W))
		pte = pte_mkwrite(pte);
	return fault_keep_wp(f, f->access == FAULT_WRITE && writable ? pte_mkdirty(pte) : pte);
}

/* Replace @seen (no page) by an entry for @page; the entry takes over one reference if it is set. */
static void install(struct fault *f, pte_t seen, struct page *page, pte_t pte)
{
	struct pt_slot slot = fault_lock_same(f, seen);

	if (!slot.hw)
		return;
	page_get(page);
	__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	pgtable_account(f->pt, 1);
	hw_pte_set(slot.hw, pte);
	TRACE(TRACE_SET, f->pt, f->va, pte_pfn(pte), pte_trace(seen), pte_trace(pte));
	pt_unlock(slot);
}

static enum fault_result map_readable(struct fault *f, pte_t seen, struct page *page, unsigned grant)
{
	install(f, seen, page, make_entry(f, page, grant, !vma_private(f->vma) && !vma_notifies_writes(f->vma)));
	return FAULT_OK;
}

/* The first store to a shared page: the page lock is held from the reservation until the entry is writable,
 * so that writeback's mkclean comes either before the reservation or after the entry. */
static enum fault_result map_writable(struct fault *f, pte_t seen, struct page *page, unsigned grant)
{
	int err = 0;

	if (!vma_notifies_writes(f->vma)) {
		install(f, seen, page, make_entry(f, page, grant, true));
		return FAULT_OK;
	}
	page_lock(page);
	if (page->object == f->vma->object) {
		err = pagecache_mkwrite(page->object, page);
		if (!err)
			install(f, seen, page, make_entry(f, page, grant, true));
	}
	page_unlock(page);
	return fault_error(err);
}

/* The first store to a private mapping of a file page: straight to a copy. */
static enum fault_result map_copy(struct fault *f, pte_t seen, struct page *page, unsigned grant)
{
	struct page *copy;
	struct pt_slot slot;

	if (vma_anon_prepare(f->vma))
		return FAULT_OOM;
	copy = page_alloc(0, GFP_USER);
	if (!copy)
		return FAULT_OOM;
	page_copy(copy, page);
	fault_adopt(f, copy);
	slot = fault_lock_to_copy(f, seen);
	if (!slot.hw) {
		copy->mapcount = 0;
		page_put(copy);
		return FAULT_OK;
	}
	pte_t pte = pte_mk_page(page_to_pfn(copy), grant);

	if (f->access == FAULT_WRITE)
		pte = pte_mkdirty(pte_mkwrite(pte));
	pte = fault_keep_wp(f, pte);
	pgtable_settle(f->pt); /* nobody goes on reading the file's page beside the copy */
	hw_pte_set(slot.hw, pte);
	lru_add(copy);
	TRACE(TRACE_SET, f->pt, f->va, pte_pfn(pte), pte_trace(seen), pte_trace(pte));
	pgtable_account(f->pt, 1);
	fault_unlock_copied(f, slot, page);
	return FAULT_OK;
}

static enum fault_result map_page(struct fault *f, pte_t seen, struct page *page, unsigned grant)
{
	if (vma_private(f->vma) && (f->access == FAULT_WRITE || f->unshare))
		return map_copy(f, seen, page, grant);
	if (f->access == FAULT_WRITE)
		return map_writable(f, seen, page, grant);
	return map_readable(f, seen, page, grant);
}

/* The page at @pgoff if it is there, or can be made without a device; NULL: @f->io says what to wait for. */
static struct page *page_at_hand(struct fault *f, pgoff_t pgoff)
{
	struct vm_object *obj = f->vma->object;
	struct page *page;

	if (!obj->tracks_dirty && likely(!object_slot(obj, pgoff).v))
		return pagecache_read(obj, pgoff);
	page = pagecache_find(obj, pgoff);
	if (likely(page && page_test(page, PG_UPTODATE)))
		return page;
	if (page)
		page_put(page);
	*f->io = (struct fault_io){.file = f->vma->file, .object = obj, .pgoff = pgoff, .vm_flags = f->vma->flags};
	mm_file_ops->get(f->io->file);
	return NULL;
}

/* What madvise(2) said of the mapping comes before what posix_fadvise(2) said of the file. */
static void read_ahead(const struct fault_io *io)
{
	struct readahead *ra = mm_file_ops->readahead(io->file);
	struct readahead own = *ra;

	if (io->pgoff >= object_size_pages(io->object))
		return;
	if (!(io->vm_flags & (VM_SEQ_READ | VM_RAND_READ))) {
		readahead_access(io->object, ra, io->pgoff, 1);
		return;
	}
	own.mode = io->vm_flags & VM_RAND_READ ? READAHEAD_RANDOM : READAHEAD_SEQUENTIAL;
	readahead_access(io->object, &own, io->pgoff, 1);
	own.mode = ra->mode;
	*ra = own;
}

void fault_abandon(struct fault_io *io)
{
	if (unlikely(io->uffd.uffd))
		uffd_unqueue(&io->uffd);
	else if (io->file)
		mm_file_ops->put(io->file);
}

enum fault_result fault_wait(struct fault_io *io)
{
	enum fault_result result = FAULT_OK;
	struct page *page;

	if (unlikely(io->uffd.uffd))
		return uffd_wait(&io->uffd);
	if (io->swap)
		return fault_wait_swap(io);
	if (io->migrating) {
		page_wait_migration(io->migrating);
		if (MUTATION(183))
			page_put(io->migrating);
		return FAULT_OK;
	}
	read_ahead(io);
	rwsem_read_lock(&io->object->invalidate_lock);
	if (io->pgoff < object_size_pages(io->object)) {
		page = pagecache_read(io->object, io->pgoff);
		if (IS_ERR(page))
			result = fault_error(PTR_ERR(page));
		else
			page_put(page);
	}
	rwsem_read_unlock(&io->object->invalidate_lock);
	mm_file_ops->put(io->file);
	return result;
}

/*
 * Does a program answer for page @pgoff of a file in memory?  Then *@reason says what is asked.  What a private entry off
 * position stands for is not: no answer could put a page there.  => invalidate_lock
 */
static bool asks(const struct fault *f, pte_t seen, pgoff_t pgoff, unsigned *reason)
{
	struct vm_object *obj = f->vma->object;
	struct page *page;

	if (likely(!(f->vma->flags & (VM_UFFD_MISSING | VM_UFFD_MINOR))) || obj->tracks_dirty)
		return false;
	if (vma_private(f->vma) && pte_is_file(seen))
		return false;
	if (object_slot(obj, pgoff).v)
		return false; /* it is the file's, and comes by itself */
	page = pagecache_find(obj, pgoff);
	*reason = page ? UFFDX_FAULT_MINOR : 0;
	if (page)
		page_put(page);
	return f->vma->flags & (page ? VM_UFFD_MINOR : VM_UFFD_MISSING);
}

enum fault_result fault_file(struct fault *f, pte_t seen, pgoff_t pgoff, unsigned grant)
{
	struct vm_object *obj = f->vma->object;
	enum fault_result result;
	struct page *page;
	unsigned reason;

	rwsem_read_lock(&obj->invalidate_lock);
	if (pgoff >= object_size_pages(obj)) {
		result = FAULT_SIGBUS;
	} else if (unlikely(asks(f, seen, pgoff, &reason))) {
		result = fault_uffd(f, seen, reason);
	} else {
		page = page_at_hand(f, pgoff);
		if (!page) {
			result = FAULT_RETRY;
		} else if (IS_ERR(page)) {
			result = fault_error(PTR_ERR(page));
		} else {
			result = map_page(f, seen, page, grant);
			page_put(page);
		}
	}
	rwsem_read_unlock(&obj->invalidate_lock);
	return result;
}

/* Case C: a store through a shared entry that is granted W but has no hardware RW. */
static enum fault_result mkwrite_page(struct fault *f, pte_t seen, struct page *page)
{
	struct pt_slot slot;
	int err = pagecache_mkwrite(page->object, page);

	if (err)
		return fault_error(err);
	slot = fault_lock_same(f, seen);
	if (slot.hw) {
		hw_pte_get_and_clear(slot.hw);
		hw_pte_set(slot.hw, pte_mkdirty(pte_mkyoung(pte_mkwrite(seen))));
		pgtable_forget_weaker(f->va);
		pt_unlock(slot);
	}
	return FAULT_OK;
}

enum fault_result fault_mkwrite(struct fault *f, pte_t seen)
{
	struct vm_object *obj = f->vma->object;
	enum fault_result result = FAULT_OK;
	struct pt_slot slot = fault_lock_same(f, seen);
	struct page *page;

	if (!slot.hw)
		return FAULT_OK;
	page = pfn_to_page(pte_pfn(seen));
	page_get(page);
	pt_unlock(slot);
	rwsem_read_lock(&obj->invalidate_lock);
	page_lock(page);
	if (page->object == obj)
		result = mkwrite_page(f, seen, page);
	page_unlock(page);
	rwsem_read_unlock(&obj->invalidate_lock);
	page_put(page);
	return result;
}
