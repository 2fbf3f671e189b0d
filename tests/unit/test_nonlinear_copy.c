/*
 * test_nonlinear_copy.c - private copies off position that are in swap slots (zap.c, fork.c, nonlinear_entry.h, mremap.c).
 *
 * machine: all
 */
#include "tests/unit/sim_swap.h"

#define PAGES 4
#define FILE_PAGES 16
#define FIRST 8 /* the file page that page 0 of the window stands for */
#define STORED(i) (100 + (u64)(i))

static struct sim_swap *swap;
static struct sim_file *f;
static struct mm *mm;
static vaddr_t a;

static unsigned long copies(vaddr_t va)
{
	return vma_of(va)->link.nonlinear->nr_copies;
}

/* A private window whose pages stand for others, were stored into, and lie in slots; @back: are mapped again, and their
 * slots are kept. */
static void window(bool back)
{
	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	f = sim_file_create(SIM_FILE_DISK, P(FILE_PAGES), true);
	mm = enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, f, 0);
	CHECK(mm_remap_file_pages(mm, a, P(PAGES), RW, FIRST, MAP_CHGPROT) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), STORED(i));
	page_out(a, PAGES);
	for (unsigned i = 0; i < PAGES && back; i++)
		CHECK(load_word(a + P(i)) == STORED(i));
	CHECK(copies(a) == PAGES && slots_used(swap) == PAGES && mm->pt.nr_swap == (back ? 0 : PAGES));
	CHECK(!sim_audit(false));
}

static void done(void)
{
	CHECK(!sim_audit(false) && !sim_tlb_stale(true));
	sim_use(NULL);
	CHECK(slots_used(swap) == 0 && !sim_swap_off(swap));
	sim_file_put(f);
}

/* In slots, and back in memory. */
static void both(void (*fn)(void))
{
	for (unsigned back = 0; back < 2; back++) {
		window(back);
		fn();
		done();
	}
}

/* -- the copy goes ---------------------------------------------------------------------------------------------- */

/* To another place, home, and two in one call. */
static void remap_all(void)
{
	struct remap_entry e[2];

	CHECK(mm_remap_file_pages(mm, a, P(1), RW, 3, MAP_CHGPROT) == 0);
	CHECK(mm_remap_file_pages(mm, a + P(1), P(1), RW, 1, MAP_CHGPROT) == 0);
	CHECK(slots_used(swap) == 2 && copies(a) == 2 && vma_of(a)->link.nonlinear->count == 3 && !sim_audit(false));
	for (unsigned i = 0; i < 2; i++)
		e[i] = (struct remap_entry){.addr = a + P(2 + i), .length = P(1), .pgoff = 5 - i, .prot = PROT_READ};
	CHECK(mm_remap_vector(mm, e, 2, 0) == 0);
	CHECK(slots_used(swap) == 0 && mm->pt.nr_swap == 0 && copies(a) == 0);
	CHECK(load_word(a) == FILLED(3) && load_word(a + P(1)) == FILLED(1));
	CHECK(load_word(a + P(2)) == FILLED(5) && load_word(a + P(3)) == FILLED(4));
}

static void remapped(void *arg)
{
	both(remap_all);
}

static void unmap_all(void)
{
	CHECK(mm_munmap(mm, a + P(1), P(1)) == 0);
	CHECK(slots_used(swap) == PAGES - 1 && copies(a) == PAGES - 1 && !sim_audit(false));
	CHECK(load_word(a) == STORED(0) && load_word(a + P(2)) == STORED(2));
	CHECK(mm_munmap(mm, a, P(PAGES)) == 0);
	CHECK(slots_used(swap) == 0 && mm->pt.nr_swap == 0);
}

static void unmapped(void *arg)
{
	both(unmap_all);
}

/* The right pages of the file show again, and the entries' own protections are still there. */
static void drop_all(void)
{
	CHECK(mm_mprotect(mm, a, P(PAGES), PROT_READ) == 0);
	CHECK(mm_remap_file_pages(mm, a, P(1), RW, 0, MAP_CHGPROT | MAP_KEEPOFF) == 0);
	CHECK(slots_used(swap) == PAGES && copies(a) == PAGES && !sim_audit(false));
	CHECK(mm_madvise(mm, a, P(PAGES), MADV_DONTNEED) == 0);
	CHECK(slots_used(swap) == 0 && mm->pt.nr_swap == 0 && copies(a) == 0 && !sim_audit(false));
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == FILLED(FIRST + i));
	CHECK(sim_touch(a, FAULT_WRITE) == FAULT_OK && sim_touch(a + P(1), FAULT_WRITE) == FAULT_ACCERR);
}

static void dropped(void *arg)
{
	both(drop_all);
}

/* -- the copy stays ----------------------------------------------------------------------------------------------- */

static u64 word_of(struct mm *other, vaddr_t va)
{
	u64 word = 0;

	CHECK(mm_access(other, va, &word, sizeof(word), false) == sizeof(word));
	return word;
}

static void fork_all(void)
{
	struct mm *child = mm_fork(mm);

	CHECK(!IS_ERR(child) && slots_used(swap) == PAGES && !sim_audit(false));
	CHECK(mm_madvise(child, a, P(1), MADV_DONTNEED) == 0);
	CHECK(mm_remap_file_pages(child, a + P(1), P(1), RW, 2, MAP_CHGPROT) == 0);
	CHECK(slots_used(swap) == PAGES && copies(a) == PAGES && !sim_audit(false));
	CHECK(word_of(child, a) == FILLED(FIRST) && word_of(child, a + P(1)) == FILLED(2));
	for (unsigned i = 2; i < PAGES; i++)
		CHECK(word_of(child, a + P(i)) == STORED(i));
	mm_put(child);
	CHECK(slots_used(swap) == PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == STORED(i));
}

static void forked(void *arg)
{
	both(fork_all);
}

static void move_all(void)
{
	long at = mm_mremap(mm, a, P(PAGES), P(PAGES), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	vaddr_t to = (vaddr_t)at;

	CHECK(!IS_ERR_VALUE((unsigned long)at) && to != a && slots_used(swap) == PAGES && copies(to) == PAGES);
	CHECK(!sim_audit(false) && load_word(a) == FILLED(0) && load_word(to) == STORED(0));
	CHECK(mm_madvise(mm, to, P(2), MADV_DONTNEED) == 0 && slots_used(swap) == PAGES - 2);
	CHECK(load_word(to) == FILLED(FIRST) && load_word(to + P(1)) == FILLED(FIRST + 1));
	CHECK(load_word(to + P(2)) == STORED(2) && load_word(to + P(3)) == STORED(3));
}

static void moved(void *arg)
{
	both(move_all);
}

/* Neither the end of what they stand for nor that of their places takes them; afterwards there is nothing to show. */
static void truncate_all(void)
{
	sim_file_truncate(f, (loff_t)P(2));
	CHECK(slots_used(swap) == PAGES && copies(a) == PAGES && !sim_audit(false));
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == STORED(i));
	CHECK(mm_madvise(mm, a, P(PAGES), MADV_DONTNEED) == 0 && slots_used(swap) == 0);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_SIGBUS && sim_touch(a + P(3), FAULT_READ) == FAULT_SIGBUS);
}

static void truncated(void *arg)
{
	both(truncate_all);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(remapped);
	CASE_CALM(unmapped);
	CASE_CALM(dropped);
	CASE_CALM(forked);
	CASE_CALM(moved);
	CASE_CALM(truncated);
	return sim_end();
}
