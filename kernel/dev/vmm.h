/*
 * vmm.h - a virtual machine with one processor, whose memory is slots of address spaces.
 *
 * Layer 9 (kernel/dev).  The node /dev/vmm is kernel/fs/dev_vmm.c.
 */
#ifndef KERNEL_DEV_VMM_H
#define KERNEL_DEV_VMM_H

#include <arch/virt.h>
#include "kernel/uapi/vmm.h"
#include "mm/space/mm.h"

struct vmm;

/* ERR_PTR(-ENODEV, -ENOMEM). => may sleep */
struct vmm *vmm_create(void);
/* => nobody uses it any more; may sleep */
void vmm_destroy(struct vmm *vm);

/* A slot: 0 or a negative errno of kernel/uapi/vmm.h. => a user of @mm for the call; may sleep */
int vmm_map(struct vmm *vm, struct mm *mm, const struct vmm_map *arg);
int vmm_unmap(struct vmm *vm, u64 gpa);

/* Run the guest until something happens that is not ours to do: 0 and @run, or -EINTR, -EINVAL, -ENOMEM. => may sleep */
int vmm_run(struct vmm *vm, struct vmm_run *run);

/* Call fn(processor, @arg) while it does not run; its value or -EINTR. => may sleep */
int vmm_with_cpu(struct vmm *vm, int (*fn)(struct virt_cpu *cpu, void *arg), void *arg);
void vmm_stat(struct vmm *vm, struct vmm_stat *st);

#endif
