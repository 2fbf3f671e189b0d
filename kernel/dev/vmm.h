/*
 * vmm.h - a virtual machine whose memory is a range of a program's.
 *
 * Layer 9 (kernel/dev).  The node /dev/vmm is kernel/fs/dev_vmm.c.
 */
#ifndef KERNEL_DEV_VMM_H
#define KERNEL_DEV_VMM_H

#include "kernel/uapi/vmm.h"
#include "mm/space/mm.h"

struct guest;

bool vmm_init(void); /* false: this processor has no guests, or no memory. => once, at boot */
/* A machine with @size bytes of @mm from @addr on. ERR_PTR(-EINVAL, -ENOMEM, -EINTR). => a user of @mm; may sleep */
struct guest *guest_create(struct mm *mm, vaddr_t addr, unsigned long size);
/* => nobody runs it; may sleep */
void guest_destroy(struct guest *g);
/* 0, -EINTR, -EFAULT, -ENOMEM, -ENODEV. => one at a time; may sleep */
int guest_run(struct guest *g, struct vmm_run *run);
void guest_stat(struct guest *g, struct vmm_stat *stat);

#endif
