/*
 * edu.h - QEMU's educational PCI device (1234:11e8): factorials, and DMA with an interrupt at the end.
 *
 * Layer 9 (kernel/dev).  The node /dev/edu is kernel/fs/dev_edu.c.
 */
#ifndef KERNEL_DEV_EDU_H
#define KERNEL_DEV_EDU_H

#include "kernel/dev/iommu.h"
#include "kernel/uapi/edu.h"
#include "mm/phys/page.h"

/* Find the first such device and set it up: false when there is none or it cannot be used. => after pci_init() */
bool edu_init(void);
void edu_ident(struct edu_ident *ident);
/* 0, -EINTR, -EIO. => sleeps */
int edu_factorial(u32 n, u32 *result);
/*
 * Move @length bytes between @page + @offset and the device's buffer + @buffer_offset. 0, -EINVAL (beyond the
 * page or the buffer: nothing is moved), -EINTR (killed before it began), -EIO.
 * => sleeps, about 100 ms; the page is pinned or the caller's. It is not the device's any more afterwards.
 */
int edu_dma(struct page *page, unsigned offset, unsigned buffer_offset, unsigned length, bool to_device);
/*
 * The same with the addresses of @d: nothing is pinned.  The device cannot wait for a page; what it met is made good, and the
 * transfer begins again: *@faults times, a bounded number (-EAGAIN).  -EFAULT: the program has no such access itself; what the
 * device moved before it met that place is moved.  => sleeps
 */
bool edu_has_iommu(void);
int edu_dma_user(struct iommu_domain *d, vaddr_t va, unsigned buffer_offset, unsigned length, bool to_device,
                 unsigned *faults);
/* It no longer uses @d, which may go. => sleeps */
void edu_forget(struct iommu_domain *d);
void edu_totals(struct edu_totals *totals);

#endif
