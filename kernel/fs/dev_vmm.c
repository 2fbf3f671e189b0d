/*
 * dev_vmm.c - /dev/vmm: an open file is a virtual machine.  The ioctls are those of kernel/uapi/vmm.h.
 *
 * Layer 9 (kernel/fs).  No locks of its own; release() runs when no call on the file is left.
 */
#include "kernel/fs/dev_vmm.h"

#include "kernel/dev/vmm.h"
#include "kernel/fs/ioctl.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/sched/thread.h"

#define VMM_MAJOR 243

/* The machine's registers are the same to programs and to arch/. */
STATIC_ASSERT(sizeof(struct vmm_regs) == sizeof(struct virt_regs));
STATIC_ASSERT(offsetof(struct vmm_regs, ip) == offsetof(struct virt_regs, ip));
STATIC_ASSERT(sizeof(struct vmm_system) == sizeof(struct virt_system) && VMM_TR == (int)VIRT_TR);
STATIC_ASSERT(offsetof(struct vmm_segment, selector) == offsetof(struct virt_segment, selector));
STATIC_ASSERT(offsetof(struct vmm_system, efer) == offsetof(struct virt_system, efer));

static long ioctl_map(void *vm, void *arg)
{
	return vmm_map(vm, container_of(current_thread()->pt, struct mm, pt), arg);
}

static long ioctl_unmap(void *vm, void *arg)
{
	return vmm_unmap(vm, ((const struct vmm_unmap *)arg)->gpa);
}

static int get_regs(struct virt_cpu *cpu, void *arg)
{
	virt_get_regs(cpu, arg);
	return 0;
}

static int set_regs(struct virt_cpu *cpu, void *arg)
{
	virt_set_regs(cpu, arg);
	return 0;
}

static int get_system(struct virt_cpu *cpu, void *arg)
{
	virt_get_system(cpu, arg);
	return 0;
}

static int set_system(struct virt_cpu *cpu, void *arg)
{
	return virt_set_system(cpu, arg);
}

static long ioctl_get_regs(void *vm, void *arg)
{
	return vmm_with_cpu(vm, get_regs, arg);
}

static long ioctl_set_regs(void *vm, void *arg)
{
	return vmm_with_cpu(vm, set_regs, arg);
}

static long ioctl_get_system(void *vm, void *arg)
{
	return vmm_with_cpu(vm, get_system, arg);
}

static long ioctl_set_system(void *vm, void *arg)
{
	return vmm_with_cpu(vm, set_system, arg);
}

static long ioctl_run(void *vm, void *arg)
{
	return vmm_run(vm, arg);
}

static long ioctl_stat(void *vm, void *arg)
{
	vmm_stat(vm, arg);
	return 0;
}

static const struct ioctl_request requests[] = {
	{VMM_IOC_MAP, ioctl_map},
	{VMM_IOC_UNMAP, ioctl_unmap},
	{VMM_IOC_GET_REGS, ioctl_get_regs},
	{VMM_IOC_SET_REGS, ioctl_set_regs},
	{VMM_IOC_GET_SYSTEM, ioctl_get_system},
	{VMM_IOC_SET_SYSTEM, ioctl_set_system},
	{VMM_IOC_RUN, ioctl_run},
	{VMM_IOC_STAT, ioctl_stat},
};

static long dev_vmm_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	return ioctl_dispatch(requests, ARRAY_SIZE(requests), f->private, cmd, user);
}

static int dev_vmm_open(struct inode *inode, struct file *f)
{
	struct vmm *vm = vmm_create();

	if (IS_ERR(vm))
		return (int)PTR_ERR(vm);
	f->private = vm;
	return 0;
}

static void dev_vmm_release(struct file *f)
{
	vmm_destroy(f->private);
}

static const struct file_ops dev_vmm_ops = {
	.ioctl = dev_vmm_ioctl,
	.open = dev_vmm_open,
	.release = dev_vmm_release,
	.no_mmap = true,
};

void dev_vmm_init(void)
{
	dev_register("vmm", VMM_MAJOR, 0, 0666, &dev_vmm_ops);
}
