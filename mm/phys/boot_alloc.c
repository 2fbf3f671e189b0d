/*
 * boot_alloc.c - memory before there is an allocator: cut off the start of a range of RAM.  Layer 3.
 *
 * One CPU, no locks.  What is cut off is never freed.
 */
#include <arch/pte.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "mm/phys/phys.h"

static struct phys_range ram[PHYS_RANGES_MAX];
static unsigned nr_ram;
unsigned long boot_alloc_used;

/* Can a page-table entry of this format name the frame? (2-level: not from 4 GiB on.) */
static bool frame_fits(pfn_t pfn)
{
	struct pte_view v = {.kind = PTE_KIND_PAGE, .grant = GRANT_NONE, .payload = pfn};

	return pte_view_valid(&v, 0);
}

/* The first frame that does not fit, given that frame 0 does and @pfn does not. */
static pfn_t first_unfit(pfn_t pfn)
{
	pfn_t fits = 0;

	while (pfn - fits > 1) {
		pfn_t mid = fits + (pfn - fits) / 2;

		if (frame_fits(mid))
			fits = mid;
		else
			pfn = mid;
	}
	return pfn;
}

paddr_t boot_ram_end(void)
{
	return nr_ram ? ram[nr_ram - 1].end : 0;
}

void boot_ram_limit(paddr_t end)
{
	while (nr_ram && ram[nr_ram - 1].start >= end)
		nr_ram--;
	if (nr_ram && ram[nr_ram - 1].end > end)
		ram[nr_ram - 1].end = end;
}

void boot_alloc_init(void)
{
	pfn_t last;

	nr_ram = boot_info.nr_ram;
	BUG_ON(!nr_ram);
	memcpy(ram, boot_info.ram, nr_ram * sizeof(ram[0]));
	last = (pfn_t)((boot_ram_end() >> PAGE_SHIFT) - 1);
	if (!frame_fits(last)) {
		paddr_t end = (paddr_t)first_unfit(last) << PAGE_SHIFT;

		printk("phys: RAM from %llx on is out of this page table's reach\n", (unsigned long long)end);
		boot_ram_limit(end);
	}
}

static paddr_t direct_end_of(const struct phys_range *r)
{
	return min(r->end, phys_direct_end());
}

void *boot_alloc(size_t size)
{
	size = ALIGN_UP(size, PAGE_SIZE);
	for (unsigned i = 0; i < nr_ram; i++) {
		struct phys_range *r = &ram[i];
		void *p;

		if (r->start >= direct_end_of(r) || direct_end_of(r) - r->start < size)
			continue;
		p = phys_to_virt(r->start);
		r->start += size;
		boot_alloc_used += size >> PAGE_SHIFT;
		memset(p, 0, size);
		return p;
	}
	panic("phys: no %lu KiB of memory to start with\n", (unsigned long)size >> 10);
}

unsigned long boot_low_pages(void)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < nr_ram; i++)
		if (direct_end_of(&ram[i]) > ram[i].start)
			n += (unsigned long)((direct_end_of(&ram[i]) - ram[i].start) >> PAGE_SHIFT);
	return n;
}

void boot_alloc_finish(void (*fn)(pfn_t start, pfn_t end))
{
	unsigned n = nr_ram;

	nr_ram = 0;
	for (unsigned i = 0; i < n; i++)
		if (ram[i].start < ram[i].end)
			fn((pfn_t)(ram[i].start >> PAGE_SHIFT), (pfn_t)(ram[i].end >> PAGE_SHIFT));
}
