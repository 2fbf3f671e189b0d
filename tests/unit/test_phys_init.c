/*
 * test_phys_init.c - mm/phys/phys_init.c: after boot, frame records and counters tell what RAM there is.
 *
 * machine: all
 */
#include "tests/unit/sim_space.h"

#include "arch/host/os/os.h"
#include "kernel/lib/kasan.h"
#include "mm/phys/phys.h"

#define HIGH_PAGES 64
#define FOUR_GIB_PFN (1UL << (32 - PAGE_SHIFT))

static bool is_ram(pfn_t pfn)
{
	for (unsigned i = 0; i < boot_info.nr_ram; i++)
		if (pfn >= boot_info.ram[i].start >> PAGE_SHIFT && pfn < boot_info.ram[i].end >> PAGE_SHIFT)
			return true;
	return false;
}

/* What is no RAM is reserved for ever, and so is what was used before there was an allocator. */
static void records_know_what_is_ram(void *arg)
{
	unsigned long usable = 0, ram = 0;

	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		const struct page *page = pfn_to_page(pfn);

		CHECK(page_to_pfn(page) == pfn);
		ram += is_ram(pfn);
		usable += !page_test(page, PG_RESERVED);
		CHECK(is_ram(pfn) || page_test(page, PG_RESERVED));
		CHECK(!page_test(page, PG_RESERVED) || (page->refs == 1 && page->flags == BIT(PG_RESERVED)));
	}
	CHECK(usable + boot_alloc_used == ram);
	CHECK(pfn_valid(max_pfn - 1) && !pfn_valid(max_pfn));
}

/* The zones share out the frames by who can use them. */
static void zones_by_reach(void *arg)
{
	pfn_t direct = (pfn_t)(phys_direct_end() >> PAGE_SHIFT);
	unsigned long present[ZONE_COUNT] = {0};

	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		struct zone *z = page_zone(pfn_to_page(pfn));

		CHECK(z == &zones[pfn >= FOUR_GIB_PFN ? ZONE_HIGH : pfn >= direct ? ZONE_MID : ZONE_LOW]);
		present[z - zones] += !page_test(pfn_to_page(pfn), PG_RESERVED);
	}
	for (unsigned i = 0; i < ZONE_COUNT; i++)
		CHECK(present[i] == zones[i].present);
}

/* The counters add up, and follow. */
static void statistics(void *arg)
{
	struct phys_stat before, now;
	struct page *page;

	phys_stat(&before);
	CHECK(before.total == zones[ZONE_LOW].present + zones[ZONE_MID].present + zones[ZONE_HIGH].present);
	CHECK(before.high_total == before.total - zones[ZONE_LOW].present);
	CHECK(before.high_free <= before.high_total && before.free < before.total);
	CHECK(before.kernel == boot_alloc_used);
	page = page_alloc(3, GFP_KERNEL);
	phys_stat(&now);
	CHECK(before.free - now.free == 8 && now.high_free == before.high_free);
	page_free(page, 3);
	phys_stat(&now);
	CHECK(now.free == before.free);
}

/* Frames from 4 GiB on are used where an entry can name them. */
static void frames_above_4_gib(void *arg)
{
	struct pte_view beyond = {.kind = PTE_KIND_PAGE, .payload = FOUR_GIB_PFN};
	bool can = pte_view_valid(&beyond, 0);

	CHECK(zones[ZONE_HIGH].present == (can ? HIGH_PAGES : 0));
	CHECK(can ? max_pfn == FOUR_GIB_PFN + HIGH_PAGES : max_pfn <= FOUR_GIB_PFN);
	records_know_what_is_ram(NULL);
}

/*
 * A machine with much RAM and little of it direct-mapped: records of all frames would fill that, so there are only as
 * many as half of it holds.  Memory is started anew for that, and the machine cannot go on.
 */
static void no_room_for_records(void *arg)
{
	const pfn_t far = (pfn_t)(phys_direct_end() >> PAGE_SHIFT) + 16;
	unsigned long most = 63 / 2 * (PAGE_SIZE / sizeof(struct page));

	boot_info.nr_ram = 2;
	boot_info.ram[0] = (struct phys_range){PAGE_SIZE, 64 * PAGE_SIZE};
	boot_info.ram[1] = (struct phys_range){(paddr_t)far << PAGE_SHIFT, (paddr_t)(far + (1 << 20)) << PAGE_SHIFT};
	CHECK(far > most);
	kasan_unpoison(phys_to_virt(PAGE_SIZE), 63 * PAGE_SIZE);
	phys_init();
	CHECK(max_pfn == 64 && virt_to_phys(mem_map) < 64 * PAGE_SIZE);
	os_exit(sim_failures() ? SIM_COMPLAINED : SIM_PASSED);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(records_know_what_is_ram);
	CASE(zones_by_reach);
	CASE(statistics);
	CASE_CALM(no_room_for_records);
	CASE_WITH(&(struct sim_config){.high_pages = HIGH_PAGES}, frames_above_4_gib);
	return sim_end();
}
