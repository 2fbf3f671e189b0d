/*
 * test_huge.c - mm/space with huge pages: faults, the zero page, fork, and whatever else meets a huge entry (T2-15, T2-16,
 * T3-22, T4-14).
 *
 * machine: all
 */
#include "mm/phys/vmstat.h"
#include "mm/service/pin.h"
#include "mm/space/huge.h"
#include "tests/unit/sim_swap.h"

#define BUSY_BIG (&(struct sim_config){.ram_pages = 24576})
#define N PT_HUGE_PAGES
#define LAST ((vaddr_t)(N - 1) << PAGE_SHIFT)

static struct mm *mm;

/* So many spans of memory that wants to be huge, from an aligned address on. */
static vaddr_t map_at(vaddr_t at, unsigned spans)
{
	vaddr_t size = spans * PT_HUGE_SIZE;

	CHECK(sim_mmap(mm, at, size, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)at);
	CHECK(mm_madvise(mm, at, size, MADV_HUGEPAGE) == 0);
	return at;
}

static vaddr_t middle(void)
{
	return ALIGN_DOWN((vaddr_t)USER_END / 2, PT_HUGE_SIZE);
}

static vaddr_t map_huge(unsigned spans)
{
	mm = enter_space();
	return map_at(middle(), spans);
}

static bool huge_at(struct mm *space, vaddr_t va)
{
	struct pt_huge h;
	bool huge = pt_lock_huge(&space->pt, va, &h);

	if (huge)
		pt_unlock_huge(&h);
	return huge;
}

static void fill(vaddr_t a)
{
	for (unsigned i = 0; i < N; i++)
		store_word(a + P(i), i + 1);
}

static void check_filled(vaddr_t a)
{
	for (unsigned i = 0; i < N; i++)
		if (load_word(a + P(i)) != i + 1)
			sim_fail("page %u has %llx", i, (unsigned long long)load_word(a + P(i)));
}

/* -- faults ---------------------------------------------------------------------------------------------------------- */

static void a_store_makes_a_huge_page(void *arg)
{
	vaddr_t a = map_huge(2);
	struct page *page;

	store_word(a + P(1), 7);
	CHECK(huge_at(mm, a) && !huge_at(mm, a + PT_HUGE_SIZE));
	CHECK(mm->pt.nr_pages == N && vm_event_sum(VM_THP_FAULT_ALLOC) == 1);
	CHECK(load_word(a + P(1)) == 7 && load_word(a) == 0 && load_word(a + LAST + 8) == 0);
	page = frame_at(a + LAST);
	CHECK(page == frame_at(a) + N - 1 && page->refs == 1 && page->mapcount == 1 && page_test(page, PG_ANON_EXCLUSIVE));
	CHECK(page->index == frame_at(a)->index + N - 1 && page_test(page, PG_LRU));
	CHECK(huge_at(mm, a) && !sim_audit(false));
	CHECK(mm_munmap(mm, a, PT_HUGE_SIZE) == 0 && mm->pt.nr_pages == 0 && mm->pt.nr_huge == 0);
}

static void who_does_not_want_one_gets_base_pages(void *arg)
{
	vaddr_t a;

	mm = enter_space();
	a = middle();
	CHECK(sim_mmap(mm, a, PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)a);
	store_word(a, 1);
	CHECK(!mm->pt.nr_huge && mm->pt.nr_pages == 1);
	CHECK(mm_munmap(mm, a, PT_HUGE_SIZE) == 0);
	a = map_at(a, 2);
	CHECK(mm_munmap(mm, a, PAGE_SIZE) == 0); /* the first span is not whole any more */
	store_word(a + P(1), 1);
	CHECK(!mm->pt.nr_huge);
	CHECK(mm_madvise(mm, a + PT_HUGE_SIZE, PT_HUGE_SIZE, MADV_NOHUGEPAGE) == 0);
	store_word(a + PT_HUGE_SIZE, 1);
	CHECK(!mm->pt.nr_huge);
	thp_mode = THP_ALWAYS;
	a = middle();
	CHECK(sim_mmap(mm, a, PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)a);
	store_word(a, 1);
	CHECK(mm->pt.nr_huge == 1);
	thp_mode = THP_MADVISE;
}

/* Each allocation that a huge fault makes may fail: then base pages serve. */
static void without_memory_base_pages_serve(void *arg)
{
	for (unsigned n = 1;; n++) {
		vaddr_t a = map_huge(1);

		sim_failpoint("page_alloc", n);
		store_word(a, n);
		if (sim_failpoint_end("page_alloc") < n)
			break;
		CHECK(load_word(a) == n && !sim_audit(false));
	}
	CHECK(mm->pt.nr_huge == 1);
}

static void a_load_maps_the_huge_zero_page(void *arg)
{
	vaddr_t a = map_huge(2);

	CHECK(load_word(a + LAST) == 0 && load_word(a + PT_HUGE_SIZE) == 0);
	CHECK(mm->pt.nr_huge == 2 && mm->pt.nr_pages == 0 && vm_event_sum(VM_THP_ZERO_PAGE_ALLOC) == 1);
	CHECK(frame_at(a) == zero_page && sim_entry(mm, a).special && !sim_audit(false));
	store_word(a + P(1), 5);
	CHECK(huge_at(mm, a) && mm->pt.nr_pages == N && load_word(a + P(1)) == 5 && load_word(a) == 0);
	sim_failpoint("page_alloc", 1); /* no frames: the zero page is split, one base page made */
	store_word(a + PT_HUGE_SIZE, 6);
	CHECK(sim_failpoint_end("page_alloc") >= 1);
	CHECK(!huge_at(mm, a + PT_HUGE_SIZE) && mm->pt.nr_pages == N + 1);
	CHECK(load_word(a + PT_HUGE_SIZE) == 6 && load_word(a + PT_HUGE_SIZE + P(1)) == 0 && !sim_audit(false));
}

/* A pin that only reads makes memory of its own too. */
static void other_accesses(void *arg)
{
	vaddr_t a = map_huge(2);
	u64 word = 9;

	CHECK(mm_access(mm, a + P(1), &word, sizeof(word), MM_ACCESS_WRITE) == sizeof(word) && huge_at(mm, a));
	CHECK(load_word(a + P(1)) == 9);
	CHECK(mm_populate(mm, a, a + 2 * PT_HUGE_SIZE, FAULT_WRITE) == 0 && mm->pt.nr_huge == 2);
	CHECK(mm->pt.nr_pages == 2 * N && mm_mprotect(mm, a, PT_HUGE_SIZE, 0) == 0 && huge_at(mm, a));
	CHECK(sim_load(a, &word, sizeof(word)) == FAULT_ACCERR && huge_at(mm, a));
}

/* -- taking away ------------------------------------------------------------------------------------------------------- */

static void parts_split_it(void *arg)
{
	vaddr_t a = map_huge(1);

	fill(a);
	CHECK(mm_madvise(mm, a + P(1), PAGE_SIZE, MADV_DONTNEED) == 0);
	CHECK(!mm->pt.nr_huge && mm->pt.nr_pages == N - 1 && load_word(a + P(1)) == 0 && load_word(a) == 1);
	CHECK(N == 2 || load_word(a + LAST) == N);
	CHECK(mm_munmap(mm, a, PT_HUGE_SIZE) == 0);
	a = map_at(a, 1);
	fill(a);
	CHECK(mm_munmap(mm, a + PT_HUGE_SIZE / 2, PT_HUGE_SIZE / 2) == 0);
	CHECK(!mm->pt.nr_huge && mm->pt.nr_pages == N / 2 && load_word(a + PT_HUGE_SIZE / 2 - P(1)) == N / 2);
	CHECK(!sim_audit(false));
}

/* CPUs that have used the huge page forget every part of it. */
static void other_cpus_forget(void *arg)
{
	vaddr_t a = map_huge(1);
	u64 word = 3;

	fill(a);
	sim_move(1);
	check_filled(a);
	sim_move(2);
	CHECK(mm_madvise(mm, a, PT_HUGE_SIZE, MADV_DONTNEED) == 0 && !mm->pt.nr_huge && !mm->pt.nr_pages);
	sim_move(1);
	CHECK(load_word(a) == 0 && load_word(a + LAST) == 0);
	store_word(a, 1);
	sim_move(0);
	CHECK(mm_mprotect(mm, a, PT_HUGE_SIZE, PROT_READ) == 0);
	sim_move(1);
	CHECK(sim_store(a, &word, sizeof(word)) == FAULT_ACCERR && load_word(a) == 1);
}

static void protections_of_all_of_it(void *arg)
{
	vaddr_t a = map_huge(1);
	u64 word = 3;

	fill(a);
	CHECK(mm_mprotect(mm, a, PT_HUGE_SIZE, PROT_READ) == 0 && huge_at(mm, a));
	CHECK(sim_store(a + P(1), &word, sizeof(word)) == FAULT_ACCERR);
	CHECK(mm_mprotect(mm, a, PT_HUGE_SIZE, 0) == 0 && huge_at(mm, a));
	CHECK(sim_load(a, &word, sizeof(word)) == FAULT_ACCERR && !sim_audit(false));
	CHECK(mm_mprotect(mm, a, PT_HUGE_SIZE, RW) == 0 && huge_at(mm, a) && sim_entry(mm, a).write);
	check_filled(a);
	CHECK(mm_mprotect(mm, a, PAGE_SIZE, PROT_READ) == 0 && !huge_at(mm, a));
	CHECK(sim_store(a, &word, sizeof(word)) == FAULT_ACCERR && !sim_audit(false));
	check_filled(a);
	store_word(a + P(1), 2);
}

/* -- fork ---------------------------------------------------------------------------------------------------------------- */

static struct mm *do_fork(void)
{
	struct mm *child = mm_fork(mm);

	if (IS_ERR(child))
		sim_fail("fork: %ld", PTR_ERR(child));
	return child;
}

static void both_have_it_after_fork(void *arg)
{
	vaddr_t a = map_huge(2);
	struct mm *child;

	fill(a);
	CHECK(load_word(a + PT_HUGE_SIZE) == 0);
	child = do_fork();
	CHECK(mm->pt.nr_huge == 2 && child->pt.nr_huge == 2 && child->pt.nr_pages == N && frame_at(a)->mapcount == 2);
	CHECK(!sim_entry(mm, a).write && !page_test(frame_at(a), PG_ANON_EXCLUSIVE) && !sim_audit(false));
	store_word(a + P(1), 77); /* a base page is copied */
	CHECK(!huge_at(mm, a) && huge_at(child, a) && load_word(a + P(1)) == 77 && load_word(a) == 1);
	mm_get(mm);
	sim_use(child);
	check_filled(a);
	sim_use(mm);
	mm_put(mm);
	CHECK(!sim_audit(false));
	mm_put(child);
	store_word(a, 5);
	CHECK(load_word(a) == 5 && mm->pt.nr_pages == N);
}

/* The last one that has it makes it writable as a whole. */
static void the_last_one_keeps_it(void *arg)
{
	vaddr_t a = map_huge(1);
	struct mm *child;

	fill(a);
	child = do_fork();
	mm_put(child);
	CHECK(frame_at(a)->mapcount == 1 && !sim_entry(mm, a).write);
	store_word(a + P(1), 2);
	CHECK(huge_at(mm, a) && sim_entry(mm, a).write && page_test(frame_at(a), PG_ANON_EXCLUSIVE));
	check_filled(a);
}

/* T1-23: a pin on one page keeps that page for the parent, and no part of the rest. */
static void a_pinned_part(void *arg)
{
	vaddr_t a = map_huge(1);
	struct page *page;
	struct mm *child;
	u64 word = 0;

	fill(a);
	CHECK(pin_user_pages(mm, a + P(1), 1, FOLL_WRITE, &page) == 1 && page == frame_at(a + P(1)));
	CHECK(page->pins_w == 1 && frame_at(a)->pins_w == 0 && huge_at(mm, a));
	child = do_fork();
	CHECK(frame_at(a + P(1)) == page && page->mapcount == 1 && page_test(page, PG_ANON_EXCLUSIVE));
	CHECK(mm_access(child, a + P(1), &word, sizeof(word), MM_ACCESS_READ) == sizeof(word) && word == 2);
	store_word(a + P(1), 99);
	CHECK(frame_at(a + P(1)) == page && !sim_audit(false));
	CHECK(mm_access(child, a + P(1), &word, sizeof(word), MM_ACCESS_READ) == sizeof(word) && word == 2);
	mm_put(child);
	CHECK(mm_collapse(mm, a, a + PT_HUGE_SIZE) == -EAGAIN && frame_at(a + P(1)) == page);
	CHECK(mm_madvise(mm, a, PAGE_SIZE, MADV_DONTNEED) == 0 && load_word(a + P(1)) == 99 && page->pins_w == 1);
	unpin_user_pages(&page, 1, FOLL_WRITE, true);
	CHECK(mm_collapse(mm, a, a + PT_HUGE_SIZE) == 0 && huge_at(mm, a) && load_word(a + P(1)) == 99);
}

/* -- moving ---------------------------------------------------------------------------------------------------------------- */

static void mremap_moves_it_whole(void *arg)
{
	vaddr_t a = map_huge(1), b = a - 2 * PT_HUGE_SIZE;
	struct page *page;

	fill(a);
	page = frame_at(a);
	CHECK(mm_mremap(mm, a, PT_HUGE_SIZE, PT_HUGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, b) == (long)b);
	CHECK(huge_at(mm, b) && mm->pt.nr_huge == 1 && frame_at(b) == page && !sim_audit(false));
	check_filled(b);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_MAPERR);
	CHECK(mm_mremap(mm, b, PT_HUGE_SIZE, PT_HUGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, a + P(1)) == (long)(a + P(1)));
	CHECK(!mm->pt.nr_huge && frame_at(a + P(1)) == page && !sim_audit(false));
	check_filled(a + P(1));
}

/* What was moved can be collapsed, split and forked like what was made there. */
static void after_a_move(void *arg)
{
	vaddr_t a = map_huge(1), b = a - 2 * PT_HUGE_SIZE;
	struct mm *child;

	fill(a);
	CHECK(mm_mremap(mm, a, PT_HUGE_SIZE, PT_HUGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, b) == (long)b);
	pt_split_huge(&mm->pt, b);
	CHECK(mm_collapse(mm, b, b + PT_HUGE_SIZE) == 0 && huge_at(mm, b));
	child = do_fork();
	CHECK(huge_at(child, b) && !sim_audit(false));
	check_filled(b);
	mm_put(child);
}

/* -- collapse ---------------------------------------------------------------------------------------------------------------- */

static void base_pages_become_one(void *arg)
{
	unsigned long tables;
	vaddr_t a;

	mm = enter_space();
	a = middle();
	CHECK(sim_mmap(mm, a, PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)a);
	CHECK(mm_collapse(mm, a, a + PAGE_SIZE) == 0 && mm_collapse(mm, a, a + 2 * PT_HUGE_SIZE) == -ENOMEM);
	store_word(a, 1);
	CHECK(load_word(a + P(1)) == 0); /* the zero page; the rest was never touched */
	tables = mm->pt.nr_tables;
	sim_move(1);
	store_word(a, 2);
	sim_move(2);
	CHECK(mm_madvise(mm, a, PT_HUGE_SIZE, MADV_COLLAPSE) == 0 && huge_at(mm, a));
	CHECK(mm->pt.nr_tables == tables - 1 && mm->pt.nr_pages == N && vm_event_sum(VM_THP_COLLAPSE_ALLOC) == 1);
	CHECK(!sim_audit(false) && mm_collapse(mm, a, a + PT_HUGE_SIZE) == 0);
	sim_move(1);
	CHECK(load_word(a) == 2 && load_word(a + P(1)) == 0 && load_word(a + LAST) == 0);
	store_word(a + LAST, 4);
	CHECK(load_word(a + LAST) == 4);
	CHECK(mm_madvise(mm, a, PT_HUGE_SIZE, MADV_NOHUGEPAGE) == 0 && mm_collapse(mm, a, a + PT_HUGE_SIZE) == -EINVAL);
}

/* What others have too stays as it is. */
static void shared_pages_stay(void *arg)
{
	struct mm *child;
	struct page *page;
	vaddr_t a;

	mm = enter_space();
	a = middle();
	CHECK(sim_mmap(mm, a, PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)a);
	fill(a);
	child = do_fork();
	page = frame_at(a);
	CHECK(mm_collapse(mm, a, a + PT_HUGE_SIZE) == -EAGAIN && frame_at(a) == page && !mm->pt.nr_huge);
	check_filled(a);
	CHECK(!sim_audit(false));
	mm_put(child);
	CHECK(mm_collapse(mm, a, a + PT_HUGE_SIZE) == 0 && huge_at(mm, a));
	check_filled(a);
}

/* -- all at once --------------------------------------------------------------------------------------------------------------- */

static vaddr_t shared_at;
static bool over;

/* Its own word of each page, counted up: none may be lost. */
static void count_up(void *arg)
{
	vaddr_t word = (vaddr_t)(uintptr_t)arg * 8;

	for (u64 round = 1; round <= 12; round++)
		for (unsigned i = 0; i<N; i += N> 8 ? N / 8 : 1) {
			u64 was = load_word(shared_at + P(i) + word);

			if (was != round - 1)
				sim_fail("page %u, word %lu: %llu in round %llu", i, (unsigned long)word, (unsigned long long)was,
				         (unsigned long long)round);
			store_word(shared_at + P(i) + word, round);
		}
}

static void split_and_collapse(void *arg)
{
	while (!over) {
		if (sim_below(2))
			(void)mm_collapse(mm, shared_at, shared_at + PT_HUGE_SIZE);
		else if (sim_below(2))
			(void)sim_touch(shared_at + P(sim_below(N)), FAULT_READ);
		rwsem_read_lock(&mm->lock);
		pt_split_huge(&mm->pt, shared_at);
		rwsem_read_unlock(&mm->lock);
		if (!sim_below(4)) {
			struct mm *child = mm_fork(mm);

			if (!IS_ERR(child))
				mm_put(child);
		}
		sim_yield();
	}
}

/* T4-14: tables come and go under faulting threads. */
static void storm(void *arg)
{
	struct sim_thread *threads[3], *other;

	shared_at = map_huge(1);
	over = false;
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		threads[i] = sim_spawn(mm, (int)i, count_up, (void *)(uintptr_t)i);
	other = sim_spawn(mm, 3, split_and_collapse, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		sim_join(threads[i]);
	over = true;
	sim_join(other);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(load_word(shared_at + i * 8) == 12);
}

static void split_it(void *arg)
{
	rwsem_read_lock(&mm->lock);
	pt_split_huge(&mm->pt, shared_at);
	rwsem_read_unlock(&mm->lock);
}

static int count_extent(struct pt_extent *x, void *ctx)
{
	*(unsigned long *)ctx += (x->end - x->va) >> PAGE_SHIFT;
	return 0;
}

/* Whenever somebody else splits the last huge entry there is: who asks for a page's entry, or walks over all, finds it. */
static void found_while_it_splits(void *arg)
{
	mm = enter_space();
	shared_at = middle();
	for (unsigned round = 0; round < 60; round++) {
		unsigned long pages = 0;
		struct sim_thread *other;

		map_at(shared_at, 1);
		store_word(shared_at, 1);
		CHECK(mm->pt.nr_huge == 1);
		other = sim_spawn(mm, 1, split_it, NULL);
		rwsem_read_lock(&mm->lock);
		if (round % 2)
			CHECK(pt_find(&mm->pt, shared_at + LAST).hw);
		pt_walk(&mm->pt, shared_at, shared_at + PT_HUGE_SIZE, count_extent, &pages);
		rwsem_read_unlock(&mm->lock);
		CHECK(pages == N);
		sim_join(other);
		CHECK(mm_munmap(mm, shared_at, PT_HUGE_SIZE) == 0);
	}
}

/* Two threads fault at once: one huge page comes of it. */
static void touch_last(void *arg)
{
	store_word(shared_at + LAST, 2);
}

/* Who asks how much a page is used looks at the huge entry, whose accessed bit is the first page's; who takes a page away has
 * it split first. */
static void reclaim_of_a_part(void *arg)
{
	struct sim_swap *swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	vaddr_t a = map_huge(1);
	struct page *first, *page;
	bool locked;

	fill(a);
	first = frame_at(a);
	page = first + 1;
	CHECK(page_try_lock(page) && page_try_lock(first));
	CHECK(page_referenced(page, &locked) == 1 && !locked && page_referenced(page, &locked) == 1);
	CHECK(page_referenced(first, &locked) == 1 && page_referenced(first, &locked) == 0);
	CHECK(page_referenced(page, &locked) == 0);
	page_unlock(first);
	CHECK(swap_add(page) && page_unmap(page, NULL) == UNMAP_DONE && page->mapcount == 0);
	page_unlock(page);
	CHECK(!huge_at(mm, a) && kind_at(a + P(1)) == PTE_KIND_SWAP && kind_at(a) == PTE_KIND_PAGE);
	check_filled(a);
	CHECK(mm_munmap(mm, a, PT_HUGE_SIZE) == 0 && sim_swap_off(swap) == 0);
}

static void two_faults_at_once(void *arg)
{
	struct sim_thread *other;

	shared_at = map_huge(1);
	other = sim_spawn(mm, 1, touch_last, NULL);
	store_word(shared_at, 1);
	sim_join(other);
	CHECK(mm->pt.nr_huge == 1 && mm->pt.nr_pages == N);
	CHECK(load_word(shared_at) == 1 && load_word(shared_at + LAST) == 2);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_WITH(CALM_BIG, a_store_makes_a_huge_page);
	CASE_WITH(CALM_BIG, who_does_not_want_one_gets_base_pages);
	CASE_WITH(CALM_BIG, without_memory_base_pages_serve);
	CASE_WITH(CALM_BIG, a_load_maps_the_huge_zero_page);
	CASE_WITH(CALM_BIG, other_accesses);
	CASE_WITH(CALM_BIG, parts_split_it);
	CASE_WITH(CALM_BIG, other_cpus_forget);
	CASE_WITH(CALM_BIG, protections_of_all_of_it);
	CASE_WITH(CALM_BIG, both_have_it_after_fork);
	CASE_WITH(CALM_BIG, the_last_one_keeps_it);
	CASE_WITH(CALM_BIG, a_pinned_part);
	CASE_WITH(CALM_BIG, mremap_moves_it_whole);
	CASE_WITH(CALM_BIG, after_a_move);
	CASE_WITH(CALM_BIG, base_pages_become_one);
	CASE_WITH(CALM_BIG, shared_pages_stay);
	CASE_WITH(CALM_BIG, reclaim_of_a_part);
	CASE_WITH(BUSY_BIG, two_faults_at_once);
	CASE_WITH(BUSY_BIG, found_while_it_splits);
	CASE_WITH(BUSY_BIG, storm);
	return sim_end();
}
