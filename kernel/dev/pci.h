/*
 * pci.h - PCI functions: finding them, their registers, their interrupts.
 *
 * Layer 9 (kernel/dev).  pci_init() enumerates once; functions never come or go afterwards, so readers need
 * no lock.  config_lock (unranked, innermost) guards the address/data port pair.
 */
#ifndef KERNEL_DEV_PCI_H
#define KERNEL_DEV_PCI_H

#include <arch/irq.h>
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

#define PCI_BARS 6

/* Configuration space. */
enum pci_reg {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_CLASS = 0x08, /* revision, interface, subclass, class */
	PCI_HEADER = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SECONDARY_BUS = 0x19,
	PCI_MEMORY_BASE = 0x20, /* of a bridge's window: base, limit in 1 MiB units */
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
};

enum pci_command {
	PCI_COMMAND_IO = 0x001,
	PCI_COMMAND_MEMORY = 0x002,
	PCI_COMMAND_MASTER = 0x004,
	PCI_COMMAND_NO_INTX = 0x400,
};

enum pci_cap { PCI_CAP_MSI = 0x05, PCI_CAP_VENDOR = 0x09, PCI_CAP_MSIX = 0x11 };

struct pci_bar {
	paddr_t base; /* physical address, or port number */
	u64 size;     /* 0: not implemented */
	bool io, is64;
	bool mapped; /* some of it is: it must stay where it is */
};

enum pci_irq { PCI_IRQ_NONE, PCI_IRQ_LINE, PCI_IRQ_MSI, PCI_IRQ_MSIX };

struct pci_device {
	u8 bus, slot, func;
	u16 vendor, device;
	u32 class; /* class << 16 | subclass << 8 | interface */
	u8 header; /* 0 function, 1 bridge */
	u8 irq_line, irq_pin;
	enum pci_irq irq; /* what pci_irq_request() chose */
	struct pci_bar bar[PCI_BARS];
	struct list link;
};

/* Find every function behind every bridge, in ascending bus, slot, function order. => once, may allocate */
void pci_init(void);
/* The next function after @from (NULL: the first) with these ids, or NULL. */
struct pci_device *pci_find(struct pci_device *from, u16 vendor, u16 device);
/* Every function, in order: NULL starts. */
struct pci_device *pci_next(struct pci_device *from);

/* Any register; @reg aligned to the width. => any context */
u8 pci_read8(struct pci_device *dev, unsigned reg);
u16 pci_read16(struct pci_device *dev, unsigned reg);
u32 pci_read32(struct pci_device *dev, unsigned reg);
void pci_write16(struct pci_device *dev, unsigned reg, u16 value);
void pci_write32(struct pci_device *dev, unsigned reg, u32 value);

/* Let it answer in its memory and port ranges and master the bus. */
void pci_enable(struct pci_device *dev);
/* Offset of the next capability @id after offset @from (0: the first), or 0. */
unsigned pci_find_cap(struct pci_device *dev, unsigned from, enum pci_cap id);

/* Find out what the BARs say; part of pci_init(). => memory and I/O decoding is off meanwhile */
void pci_read_bars(struct pci_device *dev);
/* Map [offset, offset + length) of memory BAR @n, uncached, for good.  A BAR out of this machine's reach
 * is first moved below 4 GiB.  NULL (and a console line) when that is impossible or the range is bad. */
void *pci_map(struct pci_device *dev, unsigned n, u64 offset, size_t length);

/* Have @handler(@ctx) called on the function's interrupts: MSI-X entry 0, else MSI, else the shared line,
 * for which the handler must find out by itself whether its device wants something.
 * 0 (dev->irq says which), -ENODEV, -ENOSPC. => pci_enable() came before; the handler may run at once */
int pci_irq_request(struct pci_device *dev, irq_handler_t *handler, void *ctx);

#endif
