/*
 * iommu.h - is there a unit that translates devices' addresses?  Layer 1.
 */
#ifndef ARCH_IOMMU_H
#define ARCH_IOMMU_H

#include "kernel/lib/types.h"

/* Physical address of its registers, or 0: there is none that this machine can use. */
paddr_t arch_iommu_registers(void);
/* Do the addresses of that PCI function go through it? */
bool arch_iommu_covers(u8 bus, u8 slot, u8 func);

#endif
