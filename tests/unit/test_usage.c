/*
 * test_usage.c - mm/service/usage.c: what /proc/<pid>/smaps and pagemap are made of.
 *
 * machine: amd64 pae tiny2
 */
#include "mm/service/usage.h"

#include "mm/pgtable/huge.h"
#include "tests/unit/sim_swap.h"

static struct vma_usage usage_at(vaddr_t va)
{
	struct vma_usage u = {.rss = 0};

	rwsem_read_lock(&sim_mm()->lock);
	vma_usage(vma_find(sim_mm(), va), &u);
	rwsem_read_unlock(&sim_mm()->lock);
	return u;
}

static void anonymous(void *arg)
{
	struct vma_usage u;
	vaddr_t va;

	enter_space();
	va = map_pages(8, MAP_PRIVATE, NULL, 0);
	store_word(va, 1);
	store_word(va + P(3), 1);
	load_word(va + P(4)); /* the page of zeros does not count */
	u = usage_at(va);
	CHECK(u.rss == 2 && u.anonymous == 2 && u.private_dirty == 2 && u.pss == 2 << 12 && !u.swap && !u.locked &&
	      !u.file);
	CHECK(mm_mlock(sim_mm(), va, P(8), MM_LOCK_AS_TOUCHED) == 0);
	CHECK(usage_at(va).locked == 2);
}

static void shared_file(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(4), true);
	struct vma_usage u;
	vaddr_t a, b;

	enter_space();
	a = map_pages(4, MAP_SHARED, f, 0);
	b = map_pages(4, MAP_SHARED, f, 0);
	load_word(a);
	load_word(a + P(1));
	load_word(b + P(1));
	u = usage_at(a);
	CHECK(u.rss == 2 && u.file == 2 && u.private_clean == 1 && u.shared_clean == 1 && u.pss == 3 << 11);
	store_word(a, 5);
	u = usage_at(a);
	CHECK(u.private_dirty == 1 && u.pss_dirty == 1 << 12 && !u.anonymous);
	sim_file_put(f);
}

static void words(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(2), true);
	u64 w[6];
	vaddr_t va, file;

	enter_space();
	va = map_pages(6, MAP_PRIVATE, NULL, 0);
	store_word(va + P(1), 1);
	mm_pagemap(sim_mm(), va, 6, w);
	for (unsigned i = 0; i < 6; i++)
		CHECK(!(w[i] & PAGEMAP_PRESENT) == (i != 1));
	CHECK(w[1] & PAGEMAP_EXCLUSIVE && !(w[1] & PAGEMAP_FILE));
	file = map_pages(2, MAP_SHARED, f, 0);
	load_word(file);
	mm_pagemap(sim_mm(), file, 2, w);
	CHECK((w[0] & (PAGEMAP_PRESENT | PAGEMAP_FILE)) == (PAGEMAP_PRESENT | PAGEMAP_FILE) && w[1] == 0);
	sim_file_put(f);
}

/* What is in a slot is told by its number. */
static void swapped(void *arg)
{
	struct sim_swap *swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	vaddr_t va = enter_filled(3);
	struct vma_usage u;
	u64 w[3];

	page_out(va, 2);
	u = usage_at(va);
	CHECK(u.swap == 2 && u.swap_pss == 2 << 12 && u.rss == 1);
	mm_pagemap(sim_mm(), va, 3, w);
	CHECK((w[0] & PAGEMAP_SWAP) && !(w[0] & PAGEMAP_PRESENT) && w[0] != w[1] && (w[2] & PAGEMAP_PRESENT));
	CHECK((w[0] & 31) == sim_entry(sim_mm(), va).type &&
	      (w[0] & ~PAGEMAP_SWAP) >> 5 == sim_entry(sim_mm(), va).payload);
	CHECK(mm_munmap(sim_mm(), va, P(3)) == 0 && sim_swap_off(swap) == 0);
}

/* A file that is nowhere but in memory, and memory that was given up. */
static void other_kinds(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(1), false);
	struct vma_usage u;
	vaddr_t va;

	enter_space();
	va = map_pages(1, MAP_SHARED, f, 0);
	store_word(va, 1);
	CHECK(usage_at(va).shmem == 1 && usage_at(va).file == 0);
	va = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(va, 1);
	CHECK(mm_madvise(sim_mm(), va, P(1), MADV_FREE) == 0);
	u = usage_at(va);
	CHECK(u.lazy_free == 1 && u.anonymous == 1 && u.shmem == 0);
	sim_file_put(f);
}

/* Every part of a huge page is a page; the huge page of zeros is none. */
static void huge(void *arg)
{
	vaddr_t va = ALIGN_DOWN((vaddr_t)USER_END / 2, PT_HUGE_SIZE);
	static u64 w[1024];
	struct vma_usage u;

	CHECK(PT_HUGE_PAGES <= ARRAY_SIZE(w));
	enter_space();
	CHECK(sim_mmap(sim_mm(), va, PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)va);
	CHECK(mm_madvise(sim_mm(), va, PT_HUGE_SIZE, MADV_HUGEPAGE) == 0);
	load_word(va);
	CHECK(usage_at(va).rss == 0 && usage_at(va).anon_huge == 0);
	store_word(va, 1);
	u = usage_at(va);
	CHECK(u.rss == PT_HUGE_PAGES && u.anon_huge == PT_HUGE_PAGES && u.pss == (u64)PT_HUGE_PAGES << 12);
	mm_pagemap(sim_mm(), va, PT_HUGE_PAGES, w);
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		CHECK(w[i] == w[0] + i && w[i] & PAGEMAP_PRESENT);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(anonymous);
	CASE_CALM(shared_file);
	CASE_CALM(words);
	CASE_CALM(swapped);
	CASE_CALM(other_kinds);
	CASE_WITH((&(struct sim_config){.ram_pages = 24576, .switch_one_in = SIM_NEVER}), huge);
	return sim_end();
}
