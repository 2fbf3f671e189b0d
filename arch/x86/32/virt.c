/*
 * virt.c - there are no guests of a 32-bit kernel.  Layer 1 (i386).  Interface: <arch/virt.h>.
 *
 * Nested tables have the format of the host's own paging; what is filled in here is for 64 bits.
 */
#include <arch/virt.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"

const u64 virt_accessed;

bool virt_available(void)
{
	return false;
}

struct virt_cpu *virt_cpu_init(void *pages, paddr_t root)
{
	return NULL;
}

void virt_cpu_run(struct virt_cpu *v, bool flush, struct virt_exit *exit)
{
	BUG_ON(true);
}

void virt_cpu_input(struct virt_cpu *v, unsigned width, u32 value)
{
}

void virt_get_regs(const struct virt_cpu *v, struct virt_regs *r)
{
}

void virt_set_regs(struct virt_cpu *v, const struct virt_regs *r)
{
}

void virt_get_system(const struct virt_cpu *v, struct virt_system *s)
{
}

int virt_set_system(struct virt_cpu *v, const struct virt_system *s)
{
	return -ENODEV;
}

u64 virt_table_entry(paddr_t pa)
{
	return 0;
}

u64 virt_page_entry(paddr_t pa, bool write)
{
	return 0;
}
