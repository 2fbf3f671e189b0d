/*
 * audit_object.c - the auditor on one object: its page cache tree, its marks, its counters.
 * Layer 8 (mm/debug).  Interface: audit.h.  Takes pages_lock with interrupts off.
 */
#include "kernel/lib/hash.h"
#include "mm/debug/audit.h"

STATIC_ASSERT(SEEN_SIZE == 1 << 12);

/* True the first time; a collision makes us look twice, which is harmless. */
static bool first_visit(struct audit *a, const struct vm_object *obj)
{
	const void **slot = &a->seen[hash_ptr(obj, 12)];

	if (*slot == obj)
		return false;
	*slot = obj;
	return true;
}

/* => pages_lock; nothing sleeps, so the page stays */
static void check_cached(struct audit *a, struct vm_object *obj, const struct page *page, pgoff_t index)
{
	bool dirty = radix_marked(&obj->pages, index, RADIX_MARK_DIRTY);
	bool writeback = radix_marked(&obj->pages, index, RADIX_MARK_WRITEBACK);

	if (page->object != obj || page->index != index)
		audit_error(a, "object %p has page %lx at %lx, which says %p, %lx", obj, page_to_pfn(page), index, page->object,
		            page->index);
	if (page_test(page, PG_BUDDY) || page->refs <= 0)
		audit_error(a, "object %p has the free frame %lx at %lx", obj, page_to_pfn(page), index);
	if (obj->tracks_dirty && page_test(page, PG_DIRTY) && !dirty)
		audit_error(a, "object %p: page %lx at %lx is dirty without a mark", obj, page_to_pfn(page), index);
	if (page_test(page, PG_WRITEBACK) != writeback)
		audit_error(a, "object %p: page %lx at %lx is %sunder writeback, the mark says otherwise", obj,
		            page_to_pfn(page), index, writeback ? "not " : "");
}

static void check_pages(struct audit *a, struct vm_object *obj)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	unsigned long nr = 0, nr_writeback = 0, index = 0;
	const struct page *page;

	for (; (page = radix_next(&obj->pages, &index)); index++) {
		nr++;
		nr_writeback += page_test(page, PG_WRITEBACK);
		check_cached(a, obj, page, index);
		if (index == ~0UL)
			break;
	}
	if (nr != obj->nr_pages)
		audit_error(a, "object %p counts %lu pages and has %lu", obj, obj->nr_pages, nr);
	if (nr_writeback != obj->nr_writeback)
		audit_error(a, "object %p counts %lu pages under writeback and has %lu", obj, obj->nr_writeback, nr_writeback);
	if (obj->tracks_dirty && radix_any_marked(&obj->pages, RADIX_MARK_DIRTY) && list_empty(&obj->dirty_link))
		audit_error(a, "object %p has dirty pages and is not on the flusher's list", obj);
	spin_unlock_irqrestore(&obj->pages_lock, flags);
}

static void check_links(struct audit *a, struct vm_object *obj)
{
	unsigned long links = 0;
	struct itree_node *n;

	if (!rwsem_read_trylock(&obj->maps.lock))
		return; /* busy: its vmas are checked one by one anyway */
	itree_for_each(n, &obj->maps.linear, 0, ~0UL)
		links++;
	if (links != obj->maps.nr_links)
		audit_error(a, "object %p counts %lu mappings and has %lu", obj, (unsigned long)obj->maps.nr_links, links);
	rwsem_read_unlock(&obj->maps.lock);
}

void audit_object(struct audit *a, struct vm_object *obj)
{
	if (!first_visit(a, obj))
		return;
	check_pages(a, obj);
	check_links(a, obj);
}
