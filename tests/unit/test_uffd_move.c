/*
 * test_uffd_move.c - mm/service/uffd_move.c: pages change their address.
 *
 * machine: all
 */
#include "mm/service/uffd.h"
#include "tests/unit/sim_laws.h"

#define N 12

static vaddr_t dst, src; /* page i of src has i + 1 in it */
static struct uffd *u;

static void begin(void)
{
	enter_space();
	dst = map_pages(N, MAP_PRIVATE, NULL, 0);
	src = map_pages(N, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < N; i++)
		store_word(src + P(i), i + 1);
	u = uffd_make(sim_mm(), 0);
	CHECK(!IS_ERR(u));
	u->ready = true;
	CHECK(uffd_register(u, dst, P(N), UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP) == 0);
}

static void end(void)
{
	uffd_release(u);
	uffd_put(u);
}

static long move(unsigned to, unsigned from, unsigned pages, u64 mode)
{
	return uffd_move(u, sim_mm(), dst + P(to), src + P(from), P(pages), mode);
}

/* Every page, under one shootdown a table, and every CPU has forgotten: the machine's TLBs keep what nobody flushes. */
static void all_at_once(void *arg)
{
	struct page *page;

	begin();
	page = frame_at(src);
	CHECK(move(0, 0, N, 0) == P(N) && frame_at(dst) == page && page->index == dst >> PAGE_SHIFT);
	CHECK(anon_range_has(&vma_of(dst)->anon, page->family));
	for (unsigned i = 0; i < N; i++)
		CHECK(load_word(dst + P(i)) == i + 1 && load_word(src + P(i)) == 0);
	CHECK(move(0, 0, 1, 0) == -EEXIST && load_word(src) == 0);
	end();
}

static void obstacles(void *arg)
{
	begin();
	CHECK(mm_madvise(sim_mm(), src + P(3), P(1), MADV_DONTNEED) == 0);
	CHECK(move(0, 0, N, 0) == P(3) && move(3, 3, 2, 0) == -ENOENT && load_word(src + P(4)) == 5);
	CHECK(move(3, 3, 3, UFFDX_MOVE_ALLOW_SRC_HOLES) == P(3) && kind_at(dst + P(3)) == PTE_KIND_NONE);
	CHECK(move(4, 6, 1, 0) == -EEXIST && load_word(dst + P(4)) == 5);
	CHECK(uffd_fill(u, UFFD_FILL_POISON, dst + P(3), 0, P(1), false) == PAGE_SIZE);
	CHECK(uffd_register(u, src, P(N), UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP) == 0);
	CHECK(uffd_move(u, sim_mm(), src + P(3), dst + P(3), P(1), 0) == -EFAULT); /* there is no moving what is lost */
	end();
}

static void protection_travels(void *arg)
{
	begin();
	CHECK(uffd_register(u, src, P(N), UFFDX_REGISTER_WP) == 0 && uffd_protect(u, src, P(2), true) == 0);
	CHECK(move(0, 0, 3, 0) == P(3));
	CHECK(sim_entry(sim_mm(), dst).uffd_wp && !sim_entry(sim_mm(), dst).write && sim_entry(sim_mm(), dst + P(2)).write);
	CHECK(uffd_register(u, src, P(N), UFFDX_REGISTER_MISSING) == 0);
	CHECK(uffd_move(u, sim_mm(), src, dst, P(1), 0) == P(1) && !sim_entry(sim_mm(), src).uffd_wp);
	store_word(src, 9);
	end();
}

static void shared_with_a_child(void *arg)
{
	struct page *page;
	struct mm *child;
	u64 word = 0;

	begin();
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child));
	page = frame_at(src);
	CHECK(move(0, 0, 1, 0) == -EBUSY && frame_at(src) == page);
	CHECK(move(0, 0, 2, UFFDX_MOVE_UNSHARE) == P(2) && frame_at(dst) != page && load_word(dst) == 1);
	CHECK(mm_access(child, src, &word, sizeof(word), MM_ACCESS_READ) == sizeof(word) && word == 1);
	mm_put(child);
	CHECK(move(2, 2, 1, 0) == P(1) && load_word(dst + P(2)) == 3);
	end();
}

static void from_another_space(void *arg)
{
	struct mm *mine = sim_mm(), *other;

	begin();
	mine = sim_mm();
	mm_get(mine);
	enter_space();
	other = sim_mm();
	src = map_pages(N, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 3; i++)
		store_word(src + P(i), i + 50);
	CHECK(uffd_move(u, other, dst, src, P(3), UFFDX_MOVE_FROM_CALLER) == P(3));
	CHECK(load_word(src) == 0 && other->pt.nr_pages == 0 && sim_entry(mine, dst).kind == PTE_KIND_PAGE);
	sim_use(mine);
	CHECK(load_word(dst + P(2)) == 52 && mine->pt.nr_pages == N + 3);
	end();
	mm_put(mine);
}

static long op_move(void)
{
	return move(0, 0, 4, 0); /* few enough for the stack */
}

static void all_home(void)
{
	for (unsigned i = 0; i < N; i++)
		CHECK(kind_at(src + P(i)) == PTE_KIND_PAGE && kind_at(dst + P(i)) == PTE_KIND_NONE);
}

static void no_memory(void *arg)
{
	begin();
	each_fails("page_alloc", op_move, all_home);
	end();
}

/* No room for a large batch: then there are small ones. */
static void no_slab(void *arg)
{
	begin();
	CHECK(vma_anon_prepare(vma_of(dst)) == 0);
	sim_failpoint("slab_alloc", 1);
	CHECK(move(0, 0, N, 0) == P(N));
	CHECK(sim_failpoint_end("slab_alloc") <= 1 && /* small tables: none is large */
	      load_word(dst + P(N - 1)) == N);
	end();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(all_at_once);
	CASE(obstacles);
	CASE(protection_travels);
	CASE(shared_with_a_child);
	CASE(from_another_space);
	CASE_CALM(no_memory);
	CASE_CALM(no_slab);
	return sim_end();
}
