/*
 * bootinfo.c - from three boot protocols to one struct boot_info.  Layer 1 (boot).
 *
 * The loader's memory may be anywhere and is ours to overwrite later, so everything is copied here.  Usable
 * RAM = what the loader calls usable, minus what it calls anything else, the first MiB (kept for the start-up
 * code of other CPUs and for firmware data), the kernel image and all modules; whole pages only.
 */
#include <arch/phys.h>
#include <asm/machine.h>
#include "boot/bootinfo.h"
#include "boot/protocol.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define LOW_MEMORY_END 0x100000
#define LOW_PAGE_MIN 0x8000
#define LOW_PAGE_END 0xa0000

struct boot_info boot_info;

static struct phys_range reserved[PHYS_RANGES_MAX];
static unsigned nr_reserved;
static u8 rsdp_copy[64] __aligned(16);

void bootinfo_cmdline(paddr_t text)
{
	const char *p = text ? boot_map(text, sizeof(boot_info.cmdline)) : NULL;

	if (p)
		strlcpy(boot_info.cmdline, p, sizeof(boot_info.cmdline));
}

void bootinfo_memory(u64 start, u64 size, u32 type)
{
	u64 end = start + size < start ? ~0ULL & ~(u64)(PAGE_SIZE - 1) : start + size;
	bool fits;

	if (!size)
		return;
	if (type == 1)
		fits = ranges_add(boot_info.ram, &boot_info.nr_ram, ALIGN_UP(start, (u64)PAGE_SIZE),
		                  ALIGN_DOWN(end, (u64)PAGE_SIZE));
	else
		fits = ranges_add(reserved, &nr_reserved, ALIGN_DOWN(start, (u64)PAGE_SIZE), ALIGN_UP(end, (u64)PAGE_SIZE));
	if (!fits)
		printk("boot: memory map too long, dropped %llx-%llx\n", (unsigned long long)start, (unsigned long long)end);
}

void bootinfo_module(u64 start, u64 end)
{
	if (start >= end)
		return;
	if (boot_info.module.start == boot_info.module.end)
		boot_info.module = (struct phys_range){start, end};
	bootinfo_memory(start, end - start, 2);
}

void bootinfo_rsdp_copy(const void *rsdp, size_t size)
{
	memset(rsdp_copy, 0, sizeof(rsdp_copy));
	memcpy(rsdp_copy, rsdp, min(size, sizeof(rsdp_copy)));
	boot_info.rsdp = image_to_phys(rsdp_copy);
}

/* Protocols that do not hand over the ACPI root: look where a BIOS keeps it. */
static paddr_t rsdp_search(paddr_t start, paddr_t end)
{
	const char *p = boot_map(start, end - start);

	for (size_t i = 0; p && i + 20 <= end - start; i += 16)
		if (!memcmp(p + i, "RSD PTR ", 8))
			return start + i;
	return 0;
}

static paddr_t rsdp_find(void)
{
	const u16 *ebda = boot_map(0x40e, 2);
	paddr_t start = ebda ? (paddr_t)*ebda << 4 : 0;
	paddr_t rsdp = 0;

	if (start >= 0x80000 && start < 0xa0000)
		rsdp = rsdp_search(start, start + 1024);
	return rsdp ? rsdp : rsdp_search(0xe0000, 0x100000);
}

/* The first page from 32 KiB on (what lies below may still be the firmware's), before low memory goes. */
static paddr_t low_page_find(void)
{
	for (unsigned i = 0; i < boot_info.nr_ram; i++) {
		paddr_t page = max(boot_info.ram[i].start, (paddr_t)LOW_PAGE_MIN);

		if (page + PAGE_SIZE <= min(boot_info.ram[i].end, (paddr_t)LOW_PAGE_END))
			return page;
	}
	return 0;
}

static void ram_settle(void)
{
	bool fits = true;

	ranges_sort_merge(boot_info.ram, &boot_info.nr_ram);
	for (unsigned i = 0; i < nr_reserved; i++)
		fits &= ranges_subtract(boot_info.ram, &boot_info.nr_ram, reserved[i].start, reserved[i].end);
	boot_info.low_page = low_page_find();
	fits &= ranges_subtract(boot_info.ram, &boot_info.nr_ram, 0, LOW_MEMORY_END);
	fits &= ranges_subtract(boot_info.ram, &boot_info.nr_ram, image_to_phys(image_start), image_to_phys(image_end));
	ranges_sort_merge(boot_info.ram, &boot_info.nr_ram);
	if (!fits)
		printk("boot: memory map too fragmented, some RAM is not used\n");
}

void bootinfo_parse(u32 magic, paddr_t info)
{
	u64 pages = 0;

	switch (magic) {
	case BOOT_MAGIC_MB1:
		boot_info.loader = "multiboot1";
		multiboot1_read(info);
		break;
	case BOOT_MAGIC_MB2:
		boot_info.loader = "multiboot2";
		multiboot2_read(info);
		break;
	case BOOT_MAGIC_PVH:
		boot_info.loader = "pvh";
		pvh_read(info);
		break;
	default:
		boot_info.loader = "unknown";
		printk("boot: unknown boot protocol %x\n", magic);
	}
	if (!boot_info.rsdp)
		boot_info.rsdp = rsdp_find();
	ram_settle();
	for (unsigned i = 0; i < boot_info.nr_ram; i++)
		pages += (boot_info.ram[i].end - boot_info.ram[i].start) >> PAGE_SHIFT;
	printk("boot: %s, %llu MiB of RAM in %u ranges, module %llu KiB, \"%s\"\n", boot_info.loader,
	       (unsigned long long)(pages >> 8), boot_info.nr_ram,
	       (unsigned long long)((boot_info.module.end - boot_info.module.start) >> 10), boot_info.cmdline);
}
