/*
 * pci.c - configuration space by mechanism 1 (ports 0xcf8 and 0xcfc), and enumeration.
 *
 * Layer 9 (kernel/dev).  The firmware has numbered the buses and placed the BARs; we walk what it made.
 * A machine without PCI answers all-ones and ends up with no functions.
 */
#include "kernel/dev/pci.h"

#include <arch/portio.h>
#include "kernel/lib/printk.h"
#include "kernel/sync/spinlock.h"
#include "mm/phys/slab.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, CONFIG_ENABLE = 1u << 31 };
enum { HEADER_BRIDGE = 1, HEADER_MULTIFUNCTION = 0x80, CLASS_PCI_BRIDGE = 0x0604 };

static struct list functions = LIST_INIT(functions);
static spinlock_t config_lock = SPINLOCK_INIT(LOCK_NONE);

static void config_select(struct pci_device *dev, unsigned reg)
{
	u32 function = (u32)dev->bus << 16 | (u32)dev->slot << 11 | (u32)dev->func << 8;

	port_out32(CONFIG_ADDRESS, CONFIG_ENABLE | function | (reg & 0xfc));
}

u32 pci_read32(struct pci_device *dev, unsigned reg)
{
	unsigned long flags = spin_lock_irqsave(&config_lock);
	u32 value;

	config_select(dev, reg);
	value = port_in32(CONFIG_DATA);
	spin_unlock_irqrestore(&config_lock, flags);
	return value;
}

u16 pci_read16(struct pci_device *dev, unsigned reg)
{
	return pci_read32(dev, reg) >> (reg & 2) * 8;
}

u8 pci_read8(struct pci_device *dev, unsigned reg)
{
	return pci_read32(dev, reg) >> (reg & 3) * 8;
}

void pci_write32(struct pci_device *dev, unsigned reg, u32 value)
{
	unsigned long flags = spin_lock_irqsave(&config_lock);

	config_select(dev, reg);
	port_out32(CONFIG_DATA, value);
	spin_unlock_irqrestore(&config_lock, flags);
}

void pci_write16(struct pci_device *dev, unsigned reg, u16 value)
{
	unsigned long flags = spin_lock_irqsave(&config_lock);

	config_select(dev, reg);
	port_out16(CONFIG_DATA + (reg & 2), value);
	spin_unlock_irqrestore(&config_lock, flags);
}

void pci_enable(struct pci_device *dev)
{
	u16 command = pci_read16(dev, PCI_COMMAND);

	pci_write16(dev, PCI_COMMAND, command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

unsigned pci_find_cap(struct pci_device *dev, unsigned from, enum pci_cap id)
{
	unsigned at;

	if (!(pci_read16(dev, PCI_STATUS) & 0x10))
		return 0;
	at = pci_read8(dev, from ? from + 1 : PCI_CAPABILITIES) & 0xfc;
	/* At most 48 fit: a list that runs in a circle ends too. */
	for (unsigned n = 0; n < 48 && at >= 0x40; n++) {
		if (pci_read8(dev, at) == id)
			return at;
		at = pci_read8(dev, at + 1) & 0xfc;
	}
	return 0;
}

/* -- enumeration ------------------------------------------------------------------------------------------------ */

static void scan_bus(unsigned bus, unsigned depth);

/* Record the function at @at if there is one; returns its header type, or 0xff. */
static u8 scan_function(struct pci_device at, unsigned depth)
{
	struct pci_device *dev;
	u32 id = pci_read32(&at, PCI_VENDOR);

	if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
		return 0xff;
	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return 0xff;
	*dev = at;
	dev->vendor = id & 0xffff;
	dev->device = id >> 16;
	dev->class = pci_read32(dev, PCI_CLASS) >> 8;
	dev->header = pci_read8(dev, PCI_HEADER);
	dev->irq_line = pci_read8(dev, PCI_INTERRUPT_LINE);
	dev->irq_pin = pci_read8(dev, PCI_INTERRUPT_PIN);
	pci_read_bars(dev);
	list_add_tail(&dev->link, &functions);
	if ((dev->header & 0x7f) == HEADER_BRIDGE && dev->class >> 8 == CLASS_PCI_BRIDGE)
		scan_bus(pci_read8(dev, PCI_SECONDARY_BUS), depth + 1);
	return dev->header;
}

static void scan_bus(unsigned bus, unsigned depth)
{
	if (depth > 8 || (bus == 0 && depth > 0))
		return; /* the firmware did not number it, or numbered in a circle */
	for (unsigned slot = 0; slot < 32; slot++) {
		struct pci_device at = {.bus = bus, .slot = slot};
		u8 header = scan_function(at, depth);

		if (header == 0xff || !(header & HEADER_MULTIFUNCTION))
			continue;
		for (at.func = 1; at.func < 8; at.func++)
			scan_function(at, depth);
	}
}

void pci_init(void)
{
	scan_bus(0, 0);
}

struct pci_device *pci_next(struct pci_device *from)
{
	struct list *next = from ? from->link.next : functions.next;

	return next == &functions ? NULL : list_entry(next, struct pci_device, link);
}

struct pci_device *pci_find(struct pci_device *from, u16 vendor, u16 device)
{
	struct pci_device *dev = from;

	while ((dev = pci_next(dev)))
		if (dev->vendor == vendor && dev->device == device)
			return dev;
	return NULL;
}
