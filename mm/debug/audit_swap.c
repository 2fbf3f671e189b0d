/*
 * audit_swap.c - the auditor on swap slots: each one's count against the entries found, each cached page against its slot.
 * Layer 8 (mm/debug).  Interface: audit.h.  Takes area locks, one at a time.
 *
 *	count of a slot = entries found, and objects that keep a page there
 *	taken           = count or a cached page; else it leaks
 */
#include "kernel/lib/string.h"
#include "mm/debug/audit.h"
#include "mm/object/object_swap.h"
#include "mm/phys/slab.h"

static unsigned long chunks_of(const struct audit *a)
{
	return a->swap_first[SWAP_AREAS];
}

/* Slots of an area, header included; 0: not in use. */
static unsigned long slots_of(unsigned type)
{
	struct swap_area_stat st;

	return swap_area_stat(type, &st) ? st.slots : 0;
}

bool audit_swap_begin(struct audit *a)
{
	for (unsigned type = 0; type < SWAP_AREAS; type++)
		a->swap_first[type + 1] = a->swap_first[type] + DIV_ROUND_UP(slots_of(type), SWAP_TALLY_CHUNK);
	a->swap = kzalloc((chunks_of(a) + 1) * sizeof(*a->swap), GFP_KERNEL);
	for (unsigned long i = 0; a->swap && i < chunks_of(a); i++) {
		a->swap[i] = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!a->swap[i])
			return false;
	}
	return a->swap != NULL;
}

void audit_swap_end(struct audit *a)
{
	for (unsigned long i = 0; a->swap && i < chunks_of(a); i++)
		kfree(a->swap[i]);
	kfree(a->swap);
}

void audit_swap_forget(struct audit *a)
{
	for (unsigned long i = 0; i < chunks_of(a); i++)
		memset(a->swap[i], 0, PAGE_SIZE);
}

/* NULL: there was no such slot when the audit began. */
static u16 *tally(struct audit *a, swap_entry_t entry)
{
	unsigned type = swap_word_type(entry.v);
	unsigned long chunk = type < SWAP_AREAS ? a->swap_first[type] + swap_word_slot(entry.v) / SWAP_TALLY_CHUNK : 0;

	if (type >= SWAP_AREAS || chunk >= a->swap_first[type + 1])
		return NULL;
	return &a->swap[chunk][swap_word_slot(entry.v) % SWAP_TALLY_CHUNK];
}

void audit_swap_entry(struct audit *a, swap_entry_t entry)
{
	u16 *n = tally(a, entry);

	if (n)
		++*n;
	else
		audit_error(a, "an entry refers to slot %lx, which does not exist", entry.v);
}

static void check_page(struct audit *a, swap_entry_t entry, const struct page *page)
{
	if (!page_test(page, PG_SWAPCACHE) || !page_test(page, PG_ANON) || page->private != entry.v || page->refs <= 0)
		audit_error(a, "slot %lx has page %lx cached, which says slot %lx, flags %lx, %d references", entry.v,
		            page_to_pfn(page), page->private, page->flags, page->refs);
}

/* Does anything hold the slot? */
static bool check_slot(struct audit *a, swap_entry_t entry)
{
	struct page *page;
	unsigned count;
	u16 *found = tally(a, entry);

	if (!found || !swap_slot_look(entry, &count, &page))
		return false;
	if (count != *found)
		audit_error(a, "slot %lx counts %u entries, %u refer to it", entry.v, count, *found);
	if (page)
		check_page(a, entry, page);
	return count || page;
}

static void check_area(struct audit *a, unsigned type)
{
	struct swap_area_stat st;
	unsigned long slot = 0, used = 0, held = 0;

	if (!swap_area_stat(type, &st))
		return;
	for (slot = 0; slot < st.slots; slot++)
		held += check_slot(a, (swap_entry_t){swap_word(type, slot)});
	for (slot = 0; swap_area_next_used(type, &slot); slot++)
		used++;
	if (used != st.used)
		audit_error(a, "swap area %u counts %lu slots as taken and has %lu", type, st.used, used);
	if (used != held)
		audit_error(a, "swap area %u has %lu slots taken, but entries and cached pages for %lu", type, used, held);
}

static void count_slot(void *ctx, swap_entry_t entry)
{
	audit_swap_entry(ctx, entry);
}

void audit_swap(struct audit *a)
{
	object_swap_each(count_slot, a);
	for (unsigned type = 0; type < SWAP_AREAS; type++)
		check_area(a, type);
}
