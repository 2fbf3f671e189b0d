/*
 * outer_table.c - page tables for somebody else.  Layer 7 (mm/service).  Interface: outer_table.h.
 */
#include "mm/service/outer_table.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/sync/lockrank.h"

#define ENTRIES 512
#define ADDRESS_MASK 0x000ffffffffff000

int outer_table_init(struct outer_table *t, unsigned levels, u64 (*table_entry)(paddr_t pa))
{
	struct page *root = page_alloc(0, GFP_KERNEL | GFP_ZERO);

	if (!root)
		return -ENOMEM;
	*t = (struct outer_table){.levels = levels, .table_entry = table_entry, .root = page_address(root), .tables = 1};
	spin_init(&t->lock, LOCK_NONE);
	return 0;
}

static u64 *below(u64 entry)
{
	return phys_to_virt(entry & ADDRESS_MASK);
}

static void free_level(u64 *table, unsigned level)
{
	for (unsigned i = 0; level > 0 && i < ENTRIES; i++)
		if (table[i])
			free_level(below(table[i]), level - 1);
	page_free(virt_to_page(table), 0);
}

void outer_table_free(struct outer_table *t)
{
	free_level(t->root, t->levels - 1);
	t->root = NULL;
}

static u64 *slot(u64 *table, unsigned level, u64 address)
{
	return table + (address >> OUTER_SHIFT(level)) % ENTRIES;
}

/* Put the zeroed page @new below @entry, if another was not faster. */
static void put_in(struct outer_table *t, u64 *entry, struct page *new)
{
	bool used;

	spin_lock(&t->lock);
	used = *entry == 0;
	if (used) {
		__atomic_thread_fence(__ATOMIC_RELEASE); /* the zeros first */
		WRITE_ONCE(*entry, t->table_entry(page_to_phys(new)));
		t->tables++;
	}
	spin_unlock(&t->lock);
	if (!used)
		page_free(new, 0);
}

int outer_table_prepare(struct outer_table *t, u64 address)
{
	u64 *table = t->root;

	ASSERT(address < outer_table_end(t));
	for (unsigned level = t->levels - 1; level > 0; level--) {
		u64 *entry = slot(table, level, address);

		if (!READ_ONCE(*entry)) {
			struct page *new = page_alloc(0, GFP_KERNEL | GFP_ZERO | GFP_NOWARN);

			if (!new)
				return -ENOMEM;
			put_in(t, entry, new);
		}
		table = below(READ_ONCE(*entry));
	}
	return 0;
}

u64 *outer_table_entry(const struct outer_table *t, u64 address)
{
	u64 *table = t->root;

	for (unsigned level = t->levels - 1; level > 0; level--) {
		u64 entry = READ_ONCE(*slot(table, level, address));

		if (!entry)
			return NULL;
		table = below(entry);
	}
	return slot(table, 0, address);
}
