/*
 * pci_bar.c - where a function's registers are in memory, and moving them to where this machine can reach.
 *
 * Layer 9 (kernel/dev).  OVMF puts 64-bit BARs far above 4 GiB, which 2-level paging cannot map: such a BAR
 * of a function on bus 0 is moved into a free piece of the 32-bit PCI hole.
 */
#include <arch/phys.h>
#include "kernel/dev/pci.h"
#include "kernel/lib/printk.h"

enum { BAR_IO = 1, BAR_64 = 4 };

#define HOLE_END 0xfec00000ull /* I/O APIC, HPET, local APIC, flash follow */
#define FOUR_GIB 0x100000000ull

static unsigned bar_count(const struct pci_device *dev)
{
	switch (dev->header & 0x7f) {
	case 0:
		return PCI_BARS;
	case 1:
		return 2;
	default:
		return 0;
	}
}

/* Which bits of the 32-bit register @reg does hardware let us set? Its value is left as it was. */
static u32 probe(struct pci_device *dev, unsigned reg, u32 old)
{
	u32 mask;

	pci_write32(dev, reg, ~0u);
	mask = pci_read32(dev, reg);
	pci_write32(dev, reg, old);
	return mask;
}

static void read_memory_bar(struct pci_device *dev, struct pci_bar *bar, unsigned reg, u32 low)
{
	u64 mask = probe(dev, reg, low) & ~0xfu;

	bar->base = low & ~0xfu;
	bar->is64 = (low & 6) == BAR_64;
	if (bar->is64) {
		u32 high = pci_read32(dev, reg + 4);

		bar->base |= (u64)high << 32;
		mask |= (u64)probe(dev, reg + 4, high) << 32;
	} else if (mask) {
		mask |= ~0ull << 32;
	}
	bar->size = mask ? ~mask + 1 : 0;
}

static void read_io_bar(struct pci_device *dev, struct pci_bar *bar, unsigned reg, u32 low)
{
	u32 mask = probe(dev, reg, low) & 0xfffc;

	bar->io = true;
	bar->base = low & 0xfffc;
	bar->size = mask ? (~mask & 0xffff) + 1 : 0;
}

void pci_read_bars(struct pci_device *dev)
{
	u16 command = pci_read16(dev, PCI_COMMAND);

	/* Nobody may answer at the addresses that probing makes up. */
	pci_write16(dev, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (unsigned n = 0; n < bar_count(dev); n++) {
		unsigned reg = PCI_BAR0 + 4 * n;
		u32 low = pci_read32(dev, reg);

		if (low & BAR_IO)
			read_io_bar(dev, &dev->bar[n], reg, low);
		else
			read_memory_bar(dev, &dev->bar[n], reg, low);
		if (dev->bar[n].is64)
			n++; /* the next register is its upper half */
	}
	pci_write16(dev, PCI_COMMAND, command);
}

/* -- moving ----------------------------------------------------------------------------------------------------- */

static bool overlaps(u64 start, u64 end, u64 a, u64 b)
{
	return a < b && start < b && a < end;
}

/* Does @dev occupy any of [start, end)? Then *@past is where that occupation ends. */
static bool device_in_range(struct pci_device *dev, u64 start, u64 end, u64 *past)
{
	for (unsigned n = 0; n < PCI_BARS; n++) {
		const struct pci_bar *bar = &dev->bar[n];

		if (!bar->io && bar->base && overlaps(start, end, bar->base, bar->base + bar->size)) {
			*past = bar->base + bar->size;
			return true;
		}
	}
	if ((dev->header & 0x7f) != 1)
		return false;
	/* A bridge forwards two windows: plain and prefetchable memory. */
	for (unsigned reg = PCI_MEMORY_BASE; reg <= PCI_MEMORY_BASE + 4; reg += 4) {
		u32 window = pci_read32(dev, reg);
		u64 base = (u64)(window & 0xfff0) << 16, limit = (window & 0xfff00000ull) + 0x100000;

		if (overlaps(start, end, base, limit)) {
			*past = limit;
			return true;
		}
	}
	return false;
}

static bool ram_in_range(u64 start, u64 end)
{
	for (unsigned i = 0; i < boot_info.nr_ram; i++)
		if (overlaps(start, end, boot_info.ram[i].start, boot_info.ram[i].end))
			return true;
	return false;
}

/* The lowest 32-bit memory BAR: the hole that the firmware deals from begins there at the latest. */
static u64 hole_start(void)
{
	u64 start = HOLE_END;

	for (struct pci_device *dev = pci_next(NULL); dev; dev = pci_next(dev))
		for (unsigned n = 0; n < PCI_BARS; n++)
			if (!dev->bar[n].io && dev->bar[n].base && dev->bar[n].size)
				start = min(start, (u64)dev->bar[n].base);
	return start;
}

/* A free, aligned address for @size bytes, or 0. */
static u64 hole_find(u64 size)
{
	u64 at = ALIGN_UP(hole_start(), size), past;

again:
	if (at + size > HOLE_END || ram_in_range(at, at + size))
		return 0;
	for (struct pci_device *dev = pci_next(NULL); dev; dev = pci_next(dev))
		if (device_in_range(dev, at, at + size, &past)) {
			at = ALIGN_UP(past, size);
			goto again;
		}
	return at;
}

/* Put memory BAR @n below 4 GiB. => nothing of it is mapped */
static bool move_low(struct pci_device *dev, unsigned n)
{
	struct pci_bar *bar = &dev->bar[n];
	u16 command = pci_read16(dev, PCI_COMMAND);
	u64 at;

	if (dev->bus != 0)
		return false; /* its bridge would have to be told, too */
	at = hole_find(bar->size);
	if (!at)
		return false;
	pci_write16(dev, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
	pci_write32(dev, PCI_BAR0 + 4 * n, (u32)at);
	if (bar->is64)
		pci_write32(dev, PCI_BAR0 + 4 * n + 4, 0);
	pci_write16(dev, PCI_COMMAND, command);
	bar->base = at;
	return true;
}

void *pci_map(struct pci_device *dev, unsigned n, u64 offset, size_t length)
{
	struct pci_bar *bar = n < PCI_BARS ? &dev->bar[n] : NULL;
	void *va = NULL;

	if (!bar || bar->io || offset > bar->size || length > bar->size - offset || !length)
		return NULL;
	if (bar->base)
		va = arch_ioremap(bar->base + offset, length);
	if (!va && !bar->mapped && (!bar->base || bar->base + bar->size > FOUR_GIB) && move_low(dev, n))
		va = arch_ioremap(bar->base + offset, length);
	if (va)
		bar->mapped = true;
	else
		printk("pci: %u:%u.%u: cannot map BAR %u at 0x%llx\n", dev->bus, dev->slot, dev->func, n,
		       (unsigned long long)bar->base);
	return va;
}
