/*
 * test_rmap_anon.c - mm/rmap/anon.c: families, chains across fork, splits, merges and moves; the walk finds every mapping.
 *
 * machine: all
 */
#include "tests/unit/sim_swap.h"

static vaddr_t a;

static struct vma *range_of(struct mm *mm, vaddr_t va)
{
	struct vma *vma = vma_find(mm, va);

	CHECK(vma && vma->start <= va);
	return vma;
}

static unsigned chain_of(struct mm *mm, vaddr_t va)
{
	unsigned n = 0;
	struct list *l;

	for (l = range_of(mm, va)->anon.members.next; l != &range_of(mm, va)->anon.members; l = l->next)
		n++;
	return n;
}

static bool count_visit(const struct rmap_hit *hit, void *ctx)
{
	++*(unsigned *)ctx;
	return true;
}

/* How many entries the walk finds. */
static unsigned mappings(struct page *page)
{
	unsigned n = 0;

	page_lock(page);
	CHECK(rmap_try_walk_anon(page, RMAP_CHANGES, count_visit, &n));
	page_unlock(page);
	return n;
}

static void first_page_makes_a_family(void *arg)
{
	enter_space();
	a = map_pages(4, MAP_PRIVATE, NULL, 0);
	CHECK(chain_of(sim_mm(), a) == 0 && load_word(a) == 0 &&
	      chain_of(sim_mm(), a) == 0); /* the zero page is nobody's */
	store_word(a, 1);
	CHECK(chain_of(sim_mm(), a) == 1 && frame_at(a)->family == range_of(sim_mm(), a)->anon.own);
	CHECK(frame_at(a)->family->root == frame_at(a)->family && mappings(frame_at(a)) == 1);
}

/* A child is of its parent's families, and makes its own with its first page. */
static void fork_chains(void *arg)
{
	struct mm *mm[4];
	u64 word = 1;

	a = enter_filled(2);
	mm[0] = sim_mm();
	for (unsigned i = 1; i < 4; i++) {
		mm[i] = mm_fork(mm[i - 1]);
		CHECK(!IS_ERR(mm[i]) && chain_of(mm[i], a) == i && !range_of(mm[i], a)->anon.own);
		CHECK(mm_access(mm[i], a + P(1), &word, 8, true) == 8 && chain_of(mm[i], a) == i + 1);
	}
	CHECK(frame_at(a)->mapcount == 4 && mappings(frame_at(a)) == 4);
	for (unsigned i = 1; i < 4; i++) {
		struct page *own = pfn_to_page((pfn_t)sim_entry(mm[i], a + P(1)).payload);

		CHECK(mappings(own) == 1 && own->family->root == frame_at(a)->family);
	}
	mm_put(mm[2]); /* in the middle */
	CHECK(mappings(frame_at(a)) == 3 && !sim_audit(false));
	mm_put(mm[1]);
	mm_put(mm[3]);
}

/* Who lives on in its child for ever does not pay for all ancestors. */
static void chains_end(void *arg)
{
	struct mm *mm, *next;
	u64 word = 0;

	a = enter_filled(1);
	mm = mm_fork(sim_mm());
	for (u64 i = 0; i < 20; i++) {
		CHECK(mm_access(mm, a, &i, 8, true) == 8);
		next = mm_fork(mm);
		CHECK(chain_of(mm, a) <= 8);
		mm_put(mm);
		mm = next;
	}
	CHECK(mm_access(mm, a, &word, 8, false) == 8 && word == 19);
	mm_put(mm);
}

static void split_and_merge(void *arg)
{
	enter_space();
	a = map_pages(9, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 9; i++)
		store_word(a + P(i), i);
	CHECK(!mm_mprotect(sim_mm(), a + P(3), P(3), PROT_READ) && sim_mm()->nr_vmas == 3);
	for (unsigned i = 0; i < 9; i++)
		CHECK(mappings(frame_at(a + P(i))) == 1);
	CHECK(!mm_mprotect(sim_mm(), a + P(3), P(3), RW) && sim_mm()->nr_vmas == 1 && chain_of(sim_mm(), a) == 1);
	for (unsigned i = 0; i < 9; i++)
		CHECK(mappings(frame_at(a + P(i))) == 1);
}

/* Parts that are touched for the first time while they differ only in protection can still become one. */
static void neighbours_share(void *arg)
{
	enter_space();
	a = map_pages(3, MAP_PRIVATE, NULL, 0);
	CHECK(!mm_mprotect(sim_mm(), a, P(1), PROT_READ | PROT_WRITE | PROT_EXEC));
	store_word(a, 1);
	store_word(a + P(2), 1);
	CHECK(range_of(sim_mm(), a)->anon.own == range_of(sim_mm(), a + P(2))->anon.own);
	CHECK(!mm_mprotect(sim_mm(), a, P(1), RW) && sim_mm()->nr_vmas == 1);
	CHECK(mappings(frame_at(a)) == 1 && mappings(frame_at(a + P(2))) == 1);
}

static void moved(void *arg)
{
	struct page *page;
	long to;

	a = enter_filled(4);
	page = frame_at(a + P(1));
	to = mm_mremap(sim_mm(), a, P(4), P(8), MREMAP_MAYMOVE, 0);
	CHECK(!IS_ERR_VALUE(to) && frame_at((vaddr_t)to + P(1)) == page && mappings(page) == 1);
	store_word((vaddr_t)to + P(6), 1);
	CHECK(mappings(frame_at((vaddr_t)to + P(6))) == 1 && !sim_audit(false));
}

/* Nobody maps it: nobody is asked. */
static void unmapped_page(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);
	struct page *page;

	a = enter_filled(1);
	page_out(a, 1);
	swap_prefetch(slot_at(a));
	page = swap_read(slot_at(a));
	CHECK(!IS_ERR_OR_NULL(page) && page->mapcount == 0 && mappings(page) == 0);
	page_put(page);
	CHECK(!sim_swap_off(swap));
}

/* Who holds the lineage's lock himself is not waited for. */
static void lock_is_tried(void *arg)
{
	struct page *page;
	unsigned n = 0;

	a = enter_filled(1);
	page = frame_at(a);
	page_lock(page);
	rwsem_write_lock(&page->family->root->lock);
	CHECK(!rmap_try_walk_anon(page, RMAP_CHANGES, count_visit, &n) && n == 0);
	rwsem_write_unlock(&page->family->root->lock);
	page_unlock(page);
}

static long fault_one(void)
{
	u64 word = 1;

	return sim_store(a, &word, 8) == FAULT_OK ? 0 : -ENOMEM;
}

static long fork_one(void)
{
	struct mm *child = mm_fork(sim_mm());

	if (IS_ERR(child))
		return PTR_ERR(child);
	mm_put(child);
	return 0;
}

static long split_one(void)
{
	long err = mm_mprotect(sim_mm(), a + P(1), P(1), PROT_READ);

	if (!err)
		CHECK(!mm_mprotect(sim_mm(), a + P(1), P(1), RW));
	return err;
}

static void nothing(void)
{
}

static void no_memory(void *arg)
{
	enter_space();
	a = map_pages(3, MAP_PRIVATE, NULL, 0);
	CHECK(each_fails("slab_alloc", fault_one, nothing) >= 2);
	each_fails("slab_alloc", fork_one, nothing);
	each_fails("slab_alloc", split_one, nothing);
}

/* Many at once: one family. */
static void touch(void *arg)
{
	store_word(a + P((unsigned long)arg), 1);
}

static void prepared_once(void *arg)
{
	struct sim_thread *t[4];

	enter_space();
	a = map_pages(4, MAP_PRIVATE, NULL, 0);
	for (unsigned long i = 0; i < 4; i++)
		t[i] = sim_spawn(sim_mm(), (int)i, touch, (void *)i);
	for (unsigned i = 0; i < 4; i++)
		sim_join(t[i]);
	CHECK(chain_of(sim_mm(), a) == 1);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(first_page_makes_a_family);
	CASE(fork_chains);
	CASE(chains_end);
	CASE(split_and_merge);
	CASE(neighbours_share);
	CASE(moved);
	CASE(unmapped_page);
	CASE(lock_is_tried);
	CASE(no_memory);
	CASE(prepared_once);
	return sim_end();
}
