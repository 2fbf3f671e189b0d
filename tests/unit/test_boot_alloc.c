/*
 * test_boot_alloc.c - mm/phys/boot_alloc.c: memory before there is an allocator.
 *
 * The machine has booted, so the boot allocator has nothing any more.  Here it is started again, on RAM that the page
 * allocator gave: 64 frames, of which the list of RAM names three pieces.
 *
 * machine: all
 */
#include "tests/unit/sim_space.h"

#include "mm/phys/phys.h"

#define ORDER 6

static struct page *block;

static paddr_t frame(unsigned n)
{
	return page_to_phys(block) + n * PAGE_SIZE;
}

static void add_ram(paddr_t start, paddr_t end)
{
	boot_info.ram[boot_info.nr_ram++] = (struct phys_range){start, end};
}

/* Frames 0 .. 7, 16 .. 23, 40 .. 63 of the block. */
static void three_pieces(void)
{
	block = page_alloc(ORDER, GFP_KERNEL);
	CHECK(block != NULL);
	memset(page_address(block), 0xff, PAGE_SIZE << ORDER);
	boot_info.nr_ram = 0;
	add_ram(frame(0), frame(8));
	add_ram(frame(16), frame(24));
	add_ram(frame(40), frame(64));
}

static unsigned nr_left;
static struct phys_range left[PHYS_RANGES_MAX];

static void note_left(pfn_t start, pfn_t end)
{
	left[nr_left++] = (struct phys_range){(paddr_t)start << PAGE_SHIFT, (paddr_t)end << PAGE_SHIFT};
}

static void finish(void)
{
	nr_left = 0;
	boot_alloc_finish(note_left);
	page_free(block, ORDER);
}

/* Zeroed whole pages from the first piece that has room, never across a hole. */
static void takes_the_first_piece_with_room(void *arg)
{
	unsigned long used = boot_alloc_used;
	u8 *a, *b, *c, *d;

	three_pieces();
	boot_alloc_init();
	a = boot_alloc(6 * PAGE_SIZE);
	b = boot_alloc(6 * PAGE_SIZE - 100); /* two are left in the first: not enough */
	c = boot_alloc(1);
	d = boot_alloc(20 * PAGE_SIZE);
	CHECK(virt_to_phys(a) == frame(0) && virt_to_phys(b) == frame(16));
	CHECK(virt_to_phys(c) == frame(6) && virt_to_phys(d) == frame(40));
	CHECK(a[0] == 0 && a[6 * PAGE_SIZE - 1] == 0 && d[20 * PAGE_SIZE - 1] == 0 && a[7 * PAGE_SIZE] == 0xff);
	CHECK(boot_alloc_used - used == 6 + 6 + 1 + 20);
	finish();
}

/* What is left goes to the page allocator, piece by piece, ascending; there is nothing after that. */
static void hands_over_the_rest(void *arg)
{
	three_pieces();
	boot_alloc_init();
	boot_alloc(8 * PAGE_SIZE);
	boot_alloc(3 * PAGE_SIZE);
	CHECK(boot_low_pages() == 5 + 24);
	finish();
	CHECK(nr_left == 2);
	CHECK(left[0].start == frame(19) && left[0].end == frame(24));
	CHECK(left[1].start == frame(40) && left[1].end == frame(64));
	CHECK(boot_low_pages() == 0 && boot_ram_end() == 0);
}

/* Only what the direct map reaches can be handed out; the rest is RAM all the same. */
static void only_direct_mapped(void *arg)
{
	paddr_t beyond = phys_direct_end();

	three_pieces();
	boot_info.nr_ram = 2;
	add_ram(beyond - 2 * PAGE_SIZE, beyond + 6 * PAGE_SIZE);
	add_ram(beyond + 8 * PAGE_SIZE, beyond + 16 * PAGE_SIZE);
	boot_alloc_init();
	CHECK(boot_low_pages() == 8 + 8 + 2 && boot_ram_end() == beyond + 16 * PAGE_SIZE);
	CHECK(virt_to_phys(boot_alloc(8 * PAGE_SIZE)) == frame(0));
	CHECK(virt_to_phys(boot_alloc(8 * PAGE_SIZE)) == frame(16));
	CHECK(boot_low_pages() == 2);
	finish();
	CHECK(nr_left == 2 && left[0].end == beyond + 6 * PAGE_SIZE && left[1].start == beyond + 8 * PAGE_SIZE);
}

static void limit_forgets_what_lies_beyond(void *arg)
{
	three_pieces();
	boot_alloc_init();
	boot_ram_limit(frame(64));
	CHECK(boot_ram_end() == frame(64));
	boot_ram_limit(frame(50));
	CHECK(boot_ram_end() == frame(50));
	boot_ram_limit(frame(40));
	CHECK(boot_ram_end() == frame(24));
	boot_ram_limit(frame(18));
	CHECK(boot_ram_end() == frame(18) && boot_low_pages() == 8 + 2);
	boot_ram_limit(0);
	CHECK(boot_ram_end() == 0);
	finish();
	CHECK(nr_left == 0);
}

static bool entry_can_name(pfn_t pfn)
{
	struct pte_view v = {.kind = PTE_KIND_PAGE, .payload = pfn};

	return pte_view_valid(&v, 0);
}

/* RAM ends where the frame numbers of this format's entries end: 4 GiB for i386. */
static void cut_to_what_an_entry_can_name(void *arg)
{
	const paddr_t far = 1ULL << 62;
	pfn_t end;

	three_pieces();
	boot_info.ram[2].end = far;
	boot_alloc_init();
	end = (pfn_t)(boot_ram_end() >> PAGE_SHIFT);
	CHECK(boot_ram_end() < far && entry_can_name(end - 1) && !entry_can_name(end));
	boot_ram_limit(frame(64));
	finish();
}

static void out_of_memory(void *arg)
{
	three_pieces();
	boot_alloc_init();
	boot_alloc(25 * PAGE_SIZE); /* 40 are there, 24 in one piece */
}

static void no_ram(void *arg)
{
	boot_info.nr_ram = 0;
	boot_alloc_init();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(takes_the_first_piece_with_room);
	CASE(hands_over_the_rest);
	CASE(only_direct_mapped);
	CASE(limit_forgets_what_lies_beyond);
	CASE(cut_to_what_an_entry_can_name);
	CASE_PANICS(out_of_memory);
	CASE_PANICS(no_ram);
	return sim_end();
}
