/*
 * test_uffd_move.c - mm/service/uffd_move.c: pages change their address.
 *
 * machine: all
 */
#include "mm/service/pin.h"
#include "mm/service/uffd.h"
#include "mm/space/huge.h"
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

/* -- huge entries ------------------------------------------------------------------------------------------------------- */

#define LOOKS_AHEAD_BIG \
	(&(struct sim_config){.ram_pages = 24576, .switch_one_in = SIM_NEVER, .evict_one_in = SIM_NEVER})

/* The two ranges are spans now; the source is one huge page. */
static void begin_huge(unsigned spans)
{
	begin();
	dst = ALIGN_DOWN((vaddr_t)USER_END / 2, PT_HUGE_SIZE);
	src = dst + (spans + 1) * PT_HUGE_SIZE;
	CHECK(sim_mmap(sim_mm(), dst, spans * PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)dst);
	CHECK(sim_mmap(sim_mm(), src, spans * PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)src);
	CHECK(mm_madvise(sim_mm(), src, spans * PT_HUGE_SIZE, MADV_HUGEPAGE) == 0);
	CHECK(uffd_register(u, dst, spans * PT_HUGE_SIZE, UFFDX_REGISTER_MISSING) == 0);
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		store_word(src + P(i), i + 1);
	CHECK(pt_is_huge(&sim_mm()->pt, src));
}

static long move_span(u64 mode)
{
	return uffd_move(u, sim_mm(), dst, src, PT_HUGE_SIZE, mode);
}

static void check_moved(void)
{
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		CHECK(load_word(dst + P(i)) == i + 1);
}

/* T2-15: every CPU has forgotten, the reverse map is turned, and the deposit is there. */
static void a_huge_entry_moves_as_one(void *arg)
{
	struct pgtable *pt;
	struct page *page;

	begin_huge(1);
	pt = &sim_mm()->pt;
	page = frame_at(src + P(1));
	sim_move(1);
	CHECK(load_word(src + P(1)) == 2);
	sim_move(2);
	CHECK(move_span(0) == (long)PT_HUGE_SIZE && pt_is_huge(pt, dst) && !pt_is_huge(pt, src) && pt->nr_huge == 1);
	CHECK(frame_at(dst + P(1)) == page && page->index == (dst >> PAGE_SHIFT) + 1);
	CHECK(anon_range_has(&vma_of(dst)->anon, page->family) && !sim_audit(false));
	sim_move(1);
	CHECK(load_word(src + P(1)) == 0);
	check_moved();
	sim_failpoint("page_alloc", 1);
	pt_split_huge(pt, dst);
	CHECK(sim_failpoint_end("page_alloc") == 0 && !sim_audit(false));
	check_moved();
	end();
}

/* An empty table is no obstacle; one that is not, and a part, are matters of base pages. */
static void tables_in_the_way(void *arg)
{
	struct pgtable *pt;

	begin_huge(2);
	pt = &sim_mm()->pt;
	CHECK(pt_populate(pt, dst, dst + P(1)) == 0 && move_span(0) == (long)PT_HUGE_SIZE && pt_is_huge(pt, dst));
	CHECK(!sim_audit(false));
	check_moved();
	CHECK(uffd_fill(u, UFFD_FILL_ZERO, dst + PT_HUGE_SIZE + P(1), 0, P(1), false) == PAGE_SIZE);
	CHECK(uffd_move(u, sim_mm(), dst + PT_HUGE_SIZE, dst, PT_HUGE_SIZE, 0) == P(1));
	CHECK(!pt_is_huge(pt, dst) && load_word(dst + PT_HUGE_SIZE) == 1 && load_word(dst + P(1)) == 2);
	CHECK(!sim_audit(false));
	end();
}

/* What is refused stays whole. */
static void huge_obstacles(void *arg)
{
	struct pgtable *pt;
	struct page *page;
	struct mm *child;

	begin_huge(2);
	pt = &sim_mm()->pt;
	CHECK(uffd_register(u, src, PT_HUGE_SIZE, UFFDX_REGISTER_MISSING) == 0 && move_span(0) == (long)PT_HUGE_SIZE);
	CHECK(uffd_move(u, sim_mm(), dst, dst, PT_HUGE_SIZE, 0) == -EEXIST);
	CHECK(uffd_move(u, sim_mm(), dst + P(1), dst, P(1), 0) == -EEXIST);
	CHECK(uffd_fill(u, UFFD_FILL_ZERO, dst + P(1), 0, P(1), false) == -EEXIST && pt_is_huge(pt, dst));
	CHECK(uffd_move(u, sim_mm(), src, dst, PT_HUGE_SIZE, 0) == (long)PT_HUGE_SIZE && pt_is_huge(pt, src));
	CHECK(pin_user_pages(sim_mm(), src + P(1), 1, FOLL_WRITE, &page) == 1 && move_span(0) == -EBUSY);
	CHECK(uffd_move(u, sim_mm(), dst, src + P(1), P(1), 0) == -EBUSY && pt_is_huge(pt, src));
	CHECK(move_span(UFFDX_MOVE_PINNED) == (long)PT_HUGE_SIZE && pt_is_huge(pt, dst) && frame_at(dst + P(1)) == page);
	unpin_user_pages(&page, 1, FOLL_WRITE, true);
	CHECK(uffd_move(u, sim_mm(), src, dst, PT_HUGE_SIZE, 0) == (long)PT_HUGE_SIZE);
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child) && move_span(0) == -EBUSY && pt_is_huge(pt, src) && !sim_audit(false));
	page = frame_at(src);
	CHECK(move_span(UFFDX_MOVE_UNSHARE) == (long)PT_HUGE_SIZE && frame_at(dst) != page && !pt_is_huge(pt, src));
	check_moved();
	CHECK(pt_is_huge(&child->pt, src) && !sim_audit(false));
	mm_put(child);
	end();
}

/* Pages and zeros come from another address space, each with its deposit. */
static void huge_from_another_space(void *arg)
{
	struct mm *mine, *other;

	begin_huge(2);
	mine = sim_mm();
	mm_get(mine);
	enter_space();
	other = sim_mm();
	CHECK(sim_mmap(other, src, 2 * PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)src);
	CHECK(mm_madvise(other, src, 2 * PT_HUGE_SIZE, MADV_HUGEPAGE) == 0);
	store_word(src + P(1), 50);
	CHECK(load_word(src + PT_HUGE_SIZE) == 0 && other->pt.nr_huge == 2 && !mine->huge_zero);
	CHECK(uffd_move(u, other, dst, src, 2 * PT_HUGE_SIZE, UFFDX_MOVE_FROM_CALLER) == 2 * (long)PT_HUGE_SIZE);
	CHECK(other->pt.nr_huge == 0 && other->pt.nr_pages == 0 && mine->pt.nr_huge == 3 && mine->huge_zero);
	CHECK(pt_count_deposits(&mine->pt) == 3 && pt_count_deposits(&other->pt) == 0 && !sim_audit(false));
	sim_use(mine);
	CHECK(load_word(dst + P(1)) == 50 && load_word(dst + PT_HUGE_SIZE) == 0 &&
	      pt_is_huge(&mine->pt, dst + PT_HUGE_SIZE));
	end();
	mm_put(mine);
}

/* Each allocation may fail: then nothing has happened, or all of it (the room for a large batch is not needed). */
static void no_memory_for_huge(void *arg)
{
	u64 n, failed;
	long moved;

	begin_huge(1);
	CHECK(uffd_register(u, src, PT_HUGE_SIZE, UFFDX_REGISTER_MISSING) == 0);
	for (n = 1, failed = 1; failed; n++) {
		sim_failpoint("page_alloc", n);
		moved = move_span(0);
		failed = sim_failpoint_end("page_alloc") >= n;
		CHECK(moved == (long)PT_HUGE_SIZE || (failed && moved == -ENOMEM));
		CHECK(pt_is_huge(&sim_mm()->pt, moved > 0 ? dst : src) && sim_mm()->pt.nr_huge == 1 && !sim_audit(false));
		if (moved > 0)
			CHECK(uffd_move(u, sim_mm(), src, dst, PT_HUGE_SIZE, 0) == (long)PT_HUGE_SIZE);
	}
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
	CASE_WITH(LOOKS_AHEAD_BIG, a_huge_entry_moves_as_one);
	CASE_WITH(LOOKS_AHEAD_BIG, tables_in_the_way);
	CASE_WITH(LOOKS_AHEAD_BIG, huge_obstacles);
	CASE_WITH(LOOKS_AHEAD_BIG, huge_from_another_space);
	CASE_WITH(LOOKS_AHEAD_BIG, no_memory_for_huge);
	return sim_end();
}
