/*
 * iommu.h - a device's view of a program's address space: its addresses, filled on demand, pinned nowhere.
 *
 * Layer 9 (kernel/dev).
 */
#ifndef KERNEL_DEV_IOMMU_H
#define KERNEL_DEV_IOMMU_H

#include "kernel/dev/pci.h"
#include "mm/space/mm.h"

struct iommu_domain;

void iommu_init(void);                           /* => after pci_init() */
bool iommu_covers(const struct pci_device *dev); /* there is one, and @dev's addresses go through it */

/* The addresses of @mm: ERR_PTR(-ENOMEM, -EBUSY: too many, -EINTR). => there is
 * an IOMMU; a user of @mm for the call; may sleep */
struct iommu_domain *iommu_domain_create(struct mm *mm);
/* => no device is attached; may sleep */
void iommu_domain_destroy(struct iommu_domain *d);
bool iommu_domain_is_of(const struct iommu_domain *d, const struct mm *mm);

/* From now on @dev's addresses are those of @d, or physical ones again. => the device is idle, one caller at a time */
void iommu_attach(struct iommu_domain *d, struct pci_device *dev);
void iommu_detach(struct pci_device *dev);
/* It does not stop: from now on it reaches no memory at all. */
void iommu_block(struct pci_device *dev);

/* Whatever the unit remembers of @d it looks up anew. => any context but interrupts */
void iommu_flush(struct iommu_domain *d);

/* What the device could not reach since it was last asked: true, and where. => attached */
struct iommu_fault {
	vaddr_t address; /* the page's */
	bool write;
};
bool iommu_take_fault(struct pci_device *dev, struct iommu_fault *fault);
/* Translate it: 0, -EFAULT (the program could not access it either), -ENOMEM, -EINTR. => may sleep, no locks */
int iommu_resolve(struct iommu_domain *d, const struct iommu_fault *fault);

#endif
