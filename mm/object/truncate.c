/*
 * truncate.c - a file becomes shorter (or gets a hole): its pages leave every address space and the cache.
 *
 * Layer 5b (mm/object).  Interface: object.h.
 * Lock order: inode lock (caller), invalidate_lock for writing, then maps.lock, PTL; then page locks.
 *
 * A fault holds invalidate_lock for reading from its look at the size until its entry is set.  So once we
 * hold it for writing and have changed the size, unmapping once is enough: nobody can map a page beyond the
 * end again, and no private copy of one can appear.  (Linux unmaps twice because a copy can.)
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/string.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/object_swap.h"
#include "mm/object/pagecache.h"
#include "mm/object/zap.h"

/* Pages [first, last] of the object, with or without private copies of them. */
struct unmap {
	struct object_maps *maps;
	pgoff_t first, last;
	bool keep_copies;
};

static void unmap_link(const struct unmap *u, struct rmap_link *link)
{
	vaddr_t start = rmap_link_va(link, max(u->first, (pgoff_t)link->node.first));
	vaddr_t end = rmap_link_va(link, min(u->last, (pgoff_t)link->node.last)) + PAGE_SIZE;
	struct mmu_gather g;
	struct zap z = {.gather = &g,
	                .maps = u->maps,
	                .va = link->va,
	                .pgoff = link->node.first,
	                .mode = ZAP_DROP,
	                .keep_grants = link->flags & RMAP_KEEP_GRANTS,
	                .keep_copies = u->keep_copies,
	                .keep_strangers = true,
	                .index = link->nonlinear};

	mmu_gather_begin(&g, link->pt, start, end, MMU_CLEAR);
	zap_range(&z, start, end);
	mmu_gather_finish(&g);
}

/* The one entry of @node: off position, so a page there leaves a file entry. */
static void unmap_node(const struct unmap *u, struct nonlinear_index *idx, struct nonlinear_node *node)
{
	struct mmu_gather g;
	struct zap z = {.gather = &g,
	                .maps = u->maps,
	                .va = node->va,
	                .pgoff = node->pgoff,
	                .mode = ZAP_DROP,
	                .keep_grants = true,
	                .index = idx};

	mmu_gather_begin(&g, idx->pt, node->va, node->va + PAGE_SIZE, MMU_CLEAR);
	zap_range(&z, node->va, node->va + PAGE_SIZE);
	mmu_gather_finish(&g);
}

static void unmap_nonlinear(const struct unmap *u, struct nonlinear_index *idx)
{
	struct nonlinear_cursor c;
	struct nonlinear_node *n;

	nonlinear_index_begin(&c, idx, u->first, u->last);
	while ((n = nonlinear_index_next(&c)))
		unmap_node(u, idx, n);
}

static void unmap_everywhere(const struct unmap *u)
{
	struct nonlinear_index *idx;

	rwsem_write_lock(&u->maps->lock);
	for (struct itree_node *n = itree_first(&u->maps->linear, u->first, u->last); n;
	     n = itree_next(n, u->first, u->last))
		unmap_link(u, container_of(n, struct rmap_link, node));
	list_for_each_entry(idx, &u->maps->nonlinear, link)
		unmap_nonlinear(u, idx);
	rwsem_write_unlock(&u->maps->lock);
}

static bool all_zero(const char *p, size_t n)
{
	while (n && !*p)
		p++, n--;
	return n == 0;
}

int object_zero(struct vm_object *obj, loff_t from, loff_t to)
{
	unsigned offset = (unsigned)(from & (PAGE_SIZE - 1)), length = (unsigned)(to - from);
	struct page *page;
	int err = 0;
	char *va;

	if (from >= to)
		return 0;
	if (obj->ops->absent_is_zero && object_blank(obj, (pgoff_t)((u64)from >> PAGE_SHIFT)))
		return 0;
	page = pagecache_read(obj, (pgoff_t)((u64)from >> PAGE_SHIFT));
	if (IS_ERR(page))
		return (int)PTR_ERR(page);
	page_lock(page);
	va = page_kmap(page);
	/* Only what is not zero already: a hole must not get a block for it, nor a page that was only preallocated zeros. */
	if (page->object == obj && page_test(page, PG_UPTODATE) && !all_zero(va + offset, length)) {
		err = pagecache_reserve(obj, page);
		if (!err) {
			memset(va + offset, 0, length);
			pagecache_set_dirty(page);
		}
	}
	page_kunmap(va);
	page_unlock(page);
	page_put(page);
	return err;
}

void object_truncate(struct vm_object *obj, loff_t size)
{
	loff_t old = obj->size;
	struct unmap u = {.maps = &obj->maps, .first = (pgoff_t)((u64)(size + PAGE_SIZE - 1) >> PAGE_SHIFT), .last = ~0UL};

	if (MUTATION(18) && size < old) { /* M18: unmapped once, while a fault can still map it again */
		unmap_everywhere(&u);
		SYNC_POINT("truncate-unmapped");
	}
	rwsem_write_lock(&obj->invalidate_lock);
	/* A mapping may have stored beyond the end within the last page: that must not become file content. */
	(void)object_zero(obj, min(old, size), ALIGN_UP(min(old, size), (loff_t)PAGE_SIZE));
	WRITE_ONCE(obj->size, size);
	if (size <= old) { /* (there may be pages beyond the end: FALLOC_FL_KEEP_SIZE) */
		if (!MUTATION(18)) {
			unmap_everywhere(&u);
			SYNC_POINT("truncate-unmapped");
		}
		pagecache_drop(obj, u.first, u.last);
	}
	rwsem_write_unlock(&obj->invalidate_lock);
}

int object_punch_blocks(struct vm_object *obj, pgoff_t first, pgoff_t last,
                        int (*free_blocks)(struct vm_object *obj, pgoff_t first, pgoff_t last))
{
	struct unmap u = {.maps = &obj->maps, .first = first, .last = last, .keep_copies = true};
	int err = 0;

	rwsem_write_lock(&obj->invalidate_lock);
	unmap_everywhere(&u);
	pagecache_drop(obj, first, last);
	if (free_blocks) {
		err = free_blocks(obj, first, last);
		pagecache_drop(obj, first, last); /* what read(2) has brought in meanwhile */
	}
	rwsem_write_unlock(&obj->invalidate_lock);
	return err;
}

void object_punch(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	(void)object_punch_blocks(obj, first, last, NULL);
}

/* => invalidate_lock held for writing and the pages mapped nowhere: no new pin can come */
static bool any_write_pin(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock), index = first;
	const struct page *page;
	bool found = false;

	for (; !found && (page = radix_next(&obj->pages, &index)) && index <= last; index++) {
		found = page_write_pinned(page);
		if (index == last)
			break;
	}
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return found;
}

int object_evict_begin(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	struct unmap u = {.maps = &obj->maps, .first = first, .last = last, .keep_copies = true};
	int err;

	rwsem_write_lock(&obj->invalidate_lock);
	/* Unmapped before it is written: what a mapping stored beside the part that is going to change is kept. */
	unmap_everywhere(&u);
	err = any_write_pin(obj, first, last) ? -EBUSY : object_writeback(obj, first, last, true);
	if (err)
		rwsem_write_unlock(&obj->invalidate_lock);
	else
		pagecache_drop(obj, first, last);
	return err;
}

void object_evict_end(struct vm_object *obj)
{
	rwsem_write_unlock(&obj->invalidate_lock);
}
