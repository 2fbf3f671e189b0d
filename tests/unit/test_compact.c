/*
 * test_compact.c - mm/service/compact.c, mm/phys/block.c: a large block is made free by moving what is in it.
 *
 * machine: amd64 pae scrambled
 */
#include "mm/phys/block.h"
#include "mm/phys/slab.h"
#include "mm/phys/vmstat.h"
#include "mm/service/migrate.h"
#include "mm/service/pin.h"
#include "tests/unit/sim_swap.h"

#define ORDER 4
#define BLOCK (1ul << ORDER)

static vaddr_t a;
static unsigned long n; /* pages of it, each with its number */

/* Every frame is taken, then of each block of them all are given back but one. */
static void fragment(void)
{
	struct phys_stat st;

	enter_space();
	phys_stat(&st);
	n = st.total;
	a = map_pages(n, MAP_PRIVATE | MAP_NORESERVE, NULL, 0);
	for (n = 0; n < st.total; n++) {
		u64 word = n;

		phys_stat(&st);
		if (st.free < 8 * BLOCK || sim_store(a + P(n), &word, sizeof(word)) != FAULT_OK)
			break;
	}
	for (unsigned long i = 0; i < n; i++)
		if (page_to_pfn(frame_at(a + P(i))) % (BLOCK / 2) != 3)
			CHECK(!mm_madvise(sim_mm(), a + P(i), P(1), MADV_DONTNEED));
}

static void check_content(void)
{
	for (unsigned long i = 0; i < n; i++)
		if (kind_at(a + P(i)) == PTE_KIND_PAGE)
			CHECK(load_word(a + P(i)) == i);
}

static struct page *block(enum gfp gfp)
{
	return page_alloc(ORDER, GFP_USER | GFP_NOWARN | GFP_NORECLAIM | gfp);
}

/* What is whole already goes first. */
static struct page *whole[1024];
static unsigned nr_whole;

static void use_up(void)
{
	for (struct page *page; (page = block(0)); nr_whole++) {
		CHECK(nr_whole < ARRAY_SIZE(whole));
		whole[nr_whole] = page;
	}
}

static void give_back(void)
{
	while (nr_whole)
		page_free(whole[--nr_whole], ORDER);
}

static void makes_room(void *arg)
{
	unsigned long success = vm_event_sum(VM_COMPACT_SUCCESS), moved = vm_event_sum(VM_PGMIGRATE_SUCCESS);
	struct page *page;

	compact_init();
	fragment();
	use_up();
	CHECK(vm_event_sum(VM_COMPACT_STALL) == 0);
	page = block(GFP_COMPACT | GFP_ZERO);
	CHECK(page && page->refs == 1 && IS_ALIGNED(page_to_pfn(page), BLOCK));
	for (unsigned long i = 1; i < BLOCK; i++)
		CHECK(page[i].refs == 0 && !page[i].flags);
	CHECK(vm_event_sum(VM_COMPACT_SUCCESS) == success + 1 && vm_event_sum(VM_PGMIGRATE_SUCCESS) > moved);
	check_content();
	page_free(page, ORDER);
	CHECK(compact_memory(ORDER) == 0 && compact_memory(99) == -EINVAL && compact_memory(0) == -EINVAL);
	check_content();
	give_back();
}

/* Every page that would have to go is pinned; then they are not. */
static void refused(void *arg)
{
	struct page **pinned = kmalloc(4096 * sizeof(*pinned), GFP_KERNEL);
	unsigned long count = 0;

	CHECK(pinned);
	compact_init();
	fragment();
	use_up();
	for (unsigned long i = 0; i < n; i++)
		if (kind_at(a + P(i)) == PTE_KIND_PAGE)
			CHECK(pin_user_pages(sim_mm(), a + P(i), 1, FOLL_WRITE, &pinned[count++]) == 1 && count < 4096);
	CHECK(compact_memory(ORDER) == -ENOMEM && vm_event_sum(VM_COMPACT_FAIL) == 1);
	CHECK(!block(GFP_COMPACT) && !block(GFP_COMPACT)); /* put off: it just failed */
	CHECK(vm_event_sum(VM_COMPACT_STALL) == 1);
	unpin_user_pages(pinned, count, FOLL_WRITE, false);
	CHECK(compact_memory(ORDER) == 0);
	check_content();
	kfree(pinned);
	give_back();
}

/* A page that looks movable and is not: the block is given up, what was held goes back. */
static void given_up(void *arg)
{
	unsigned long count = 0;
	struct phys_stat before, after;

	compact_init();
	fragment();
	use_up();
	page_block_drain();
	for (unsigned long i = 0; i < n; i++)
		if (kind_at(a + P(i)) == PTE_KIND_PAGE) {
			page_get(frame_at(a + P(i)));
			count++;
		}
	CHECK(count);
	phys_stat(&before);
	CHECK(compact_memory(ORDER) == -ENOMEM);
	phys_stat(&after);
	CHECK(before.free == after.free);
	for (unsigned long i = 0; i < n; i++)
		if (kind_at(a + P(i)) == PTE_KIND_PAGE)
			page_put(frame_at(a + P(i)));
	check_content();
	CHECK(compact_memory(ORDER) == 0);
	give_back();
}

int main(void)
{
	CASE_CALM(makes_room);
	CASE_CALM(refused);
	CASE_CALM(given_up);
	return sim_end();
}
