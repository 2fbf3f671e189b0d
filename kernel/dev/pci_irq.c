/*
 * pci_irq.c - a function's interrupt: MSI-X, MSI or the line, whichever the function and the machine have.
 *
 * Layer 9 (kernel/dev).  One vector per function: every queue of a device shares it.
 */
#include "kernel/dev/mmio.h"
#include "kernel/dev/pci.h"
#include "kernel/lib/errno.h"

enum { MSI_CONTROL = 2, MSI_ADDRESS = 4, MSI_ENABLE = 0x1, MSI_64BIT = 0x80, MSI_MULTI_ENABLE = 0x70 };
enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_SIZE = 0x7ff, MSIX_MASK_ALL = 0x4000, MSIX_ENABLE = 0x8000 };
enum { MSIX_ENTRY = 16, ENTRY_ADDRESS = 0, ENTRY_DATA = 8, ENTRY_CONTROL = 12 };

static void line_disable(struct pci_device *dev)
{
	pci_write16(dev, PCI_COMMAND, pci_read16(dev, PCI_COMMAND) | PCI_COMMAND_NO_INTX);
}

static int request_msix(struct pci_device *dev, irq_handler_t *handler, void *ctx)
{
	unsigned cap = pci_find_cap(dev, 0, PCI_CAP_MSIX);
	unsigned entries;
	u16 control;
	u32 where, data;
	u64 address;
	u8 *table;
	int error;

	if (!cap)
		return -ENODEV;
	control = pci_read16(dev, cap + MSIX_CONTROL);
	entries = (control & MSIX_SIZE) + 1;
	where = pci_read32(dev, cap + MSIX_TABLE);
	table = pci_map(dev, where & 7, where & ~7u, entries * MSIX_ENTRY);
	if (!table)
		return -ENODEV;
	error = irq_request_msi(handler, ctx, &address, &data);
	if (error)
		return error;
	pci_write16(dev, cap + MSIX_CONTROL, control | MSIX_ENABLE | MSIX_MASK_ALL);
	for (unsigned i = 0; i < entries; i++)
		mmio_write32(table + i * MSIX_ENTRY + ENTRY_CONTROL, 1); /* masked */
	mmio_write64_halves(table + ENTRY_ADDRESS, address);
	mmio_write32(table + ENTRY_DATA, data);
	mmio_write32(table + ENTRY_CONTROL, 0);
	pci_write16(dev, cap + MSIX_CONTROL, (control & ~MSIX_MASK_ALL) | MSIX_ENABLE);
	dev->irq = PCI_IRQ_MSIX;
	return 0;
}

static int request_msi(struct pci_device *dev, irq_handler_t *handler, void *ctx)
{
	unsigned cap = pci_find_cap(dev, 0, PCI_CAP_MSI);
	u16 control;
	u32 data;
	u64 address;
	int error;

	if (!cap)
		return -ENODEV;
	error = irq_request_msi(handler, ctx, &address, &data);
	if (error)
		return error;
	control = pci_read16(dev, cap + MSI_CONTROL) & ~(MSI_MULTI_ENABLE | MSI_ENABLE);
	pci_write32(dev, cap + MSI_ADDRESS, (u32)address);
	if (control & MSI_64BIT) {
		pci_write32(dev, cap + MSI_ADDRESS + 4, (u32)(address >> 32));
		pci_write16(dev, cap + MSI_ADDRESS + 8, data);
	} else {
		pci_write16(dev, cap + MSI_ADDRESS + 4, data);
	}
	pci_write16(dev, cap + MSI_CONTROL, control | MSI_ENABLE);
	dev->irq = PCI_IRQ_MSI;
	return 0;
}

static int request_line(struct pci_device *dev, irq_handler_t *handler, void *ctx)
{
	int error;

	if (dev->irq_pin == 0 || dev->irq_line == 0 || dev->irq_line == 0xff)
		return -ENODEV; /* the firmware routed it nowhere */
	error = irq_request_line(dev->irq_line, true, handler, ctx);
	if (!error)
		dev->irq = PCI_IRQ_LINE;
	return error;
}

int pci_irq_request(struct pci_device *dev, irq_handler_t *handler, void *ctx)
{
	if (request_msix(dev, handler, ctx) == 0 || request_msi(dev, handler, ctx) == 0) {
		line_disable(dev);
		return 0;
	}
	return request_line(dev, handler, ctx);
}
