/*
 * vtd.h - Intel's DMA remapping unit (VT-d): which tables a device's addresses go through.
 *
 * Layer 9 (kernel/dev).  The tables of one domain are kernel/dev/iommu.c's.  A device that nobody attached to a domain
 * passes through: its addresses are physical ones.
 */
#ifndef KERNEL_DEV_VTD_H
#define KERNEL_DEV_VTD_H

#include "kernel/dev/pci.h"

#define VTD_LEVELS 4   /* of a domain's tables: 48 bits, all that a program has */
#define VTD_DOMAINS 64 /* at a time; number 0 is no domain, 1 is "pass through" */

struct vtd_fault {
	u64 address; /* of the page */
	bool write;
	unsigned reason; /* the manual's number, for the console */
};

/* Find the unit and switch it on, all devices passing through: false if there is none that fits. => after pci_init() */
bool vtd_init(void);

/* @dev's addresses are translated by the tables at @root of domain @id; vtd_detach(): they are physical again;
 * vtd_block(): it reaches nothing. => @dev idle, one caller at a time for each device */
void vtd_attach(struct pci_device *dev, unsigned id, paddr_t root);
void vtd_detach(struct pci_device *dev);
void vtd_block(struct pci_device *dev);

/* No device uses a translation of domain @id any more that is not in its tables. => any context but interrupts */
void vtd_flush_domain(unsigned id);

/* The fault that is on record, which ends it: false if there is none, or only one of another device's (also ended). */
bool vtd_take_fault(struct pci_device *dev, struct vtd_fault *fault);

/* Second-level entries: of a table, of a page. */
u64 vtd_table_entry(paddr_t pa);
u64 vtd_page_entry(paddr_t pa, bool write);

#endif
