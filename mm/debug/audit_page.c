/*
 * audit_page.c - the auditor on frame records: mapcount against entries, references against their reasons.
 * Layer 8 (mm/debug).  Interface: audit.h.
 *
 *	mapcount = entries found
 *	refs     = mapcount + 1 if cached + pins + 1 under writeback + borrowers (calls under way)
 */
#include "kernel/lib/hash.h"
#include "mm/debug/audit.h"

static void check_counts(struct audit *a, const struct page *page, u32 entries)
{
	pfn_t pfn = page_to_pfn(page);
	int pins = page->pins_w + page->pins_r;
	bool cached = page_object(page) || page_test(page, PG_SWAPCACHE);
	int known = page->mapcount + cached + pins + (page_test(page, PG_WRITEBACK) ? 1 : 0);

	if (page->mapcount != (int)entries)
		audit_error(a, "page %lx: mapcount %d, but %u entries map it", pfn, page->mapcount, entries);
	if (page->pins_w < 0 || page->pins_r < 0)
		audit_error(a, "page %lx: pins %d for writing, %d for reading", pfn, page->pins_w, page->pins_r);
	if (page_test(page, PG_ANON_EXCLUSIVE) && page->mapcount > 1)
		audit_error(a, "page %lx: exclusive, mapcount %d", pfn, page->mapcount);
	if (page_test(page, PG_ANON_EXCLUSIVE) && !page_test(page, PG_ANON))
		audit_error(a, "page %lx: exclusive, but not anonymous: flags %lx", pfn, page->flags);
	if (page->refs < known)
		audit_error(a, "page %lx: %d references, but mapcount %d, %d pins, %scached, flags %lx", pfn, page->refs,
		            page->mapcount, pins, cached ? "" : "not ", page->flags);
	if (a->leaks && page->refs > known && (page_test(page, PG_ANON) || cached))
		audit_error(a, "page %lx leaks: %d references, but mapcount %d, %d pins, %scached, flags %lx index %lx", pfn,
		            page->refs, page->mapcount, pins, cached ? "" : "not ", page->flags, page->index);
}

/* A page of the kernel's own, or of nobody. */
static void check_private(struct audit *a, const struct page *page, u32 entries)
{
	if (entries || page->mapcount)
		audit_error(a, "page %lx: of no address space and no object, but mapcount %d, %u entries", page_to_pfn(page),
		            page->mapcount, entries);
}

/* The first page met of each object leads to it; the page lock keeps it alive. */
static void visit_object(struct audit *a, struct page *page)
{
	struct vm_object *obj;

	if (!page_try_get(page))
		return;
	if (page_try_lock(page)) {
		obj = page_object(page);
		if (obj && !page_test(page, PG_SLAB))
			audit_object(a, obj);
		page_unlock(page);
	}
	page_put(page);
}

static bool object_seen(const struct audit *a, const struct vm_object *obj)
{
	return a->seen[hash_ptr(obj, 12)] == obj;
}

static void check_frame(struct audit *a, struct page *page)
{
	u32 entries = *audit_tally(a, page_to_pfn(page));
	unsigned long flags = READ_ONCE(page->flags);

	if (flags & (BIT(PG_TABLE) | BIT(PG_SLAB) | BIT(PG_BUDDY) | BIT(PG_RESERVED)) || READ_ONCE(page->refs) <= 0)
		return; /* an entry that maps one of these was reported where it was found */
	a->out->pages++;
	if (!(flags & BIT(PG_ANON)) && !READ_ONCE(page->object)) {
		check_private(a, page, entries);
		return;
	}
	check_counts(a, page, entries);
	if (!(flags & BIT(PG_ANON)) && !object_seen(a, READ_ONCE(page->object)))
		visit_object(a, page);
}

void audit_pages(struct audit *a)
{
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++)
		check_frame(a, pfn_to_page(pfn));
}
