/*
 * move.c - MM_IOC_MIGRATE, MM_IOC_MERGE, MM_IOC_COMPACT, MM_IOC_SPLIT: single steps to pages, for tests.
 * Layer 8 (mm/debug).  Interface: debug.h.
 */
#include "kernel/lib/errno.h"
#include "mm/debug/debug.h"
#include "mm/pgtable/huge.h"
#include "mm/service/migrate.h"

int debug_migrate(struct mm *mm, struct mm_move *arg)
{
	return arg->addr >= USER_END ? -EFAULT : mm_migrate(mm, ALIGN_DOWN((vaddr_t)arg->addr, PAGE_SIZE));
}

int debug_merge(struct mm *mm, struct mm_move *arg)
{
	if (arg->addr >= USER_END || arg->other >= USER_END)
		return -EFAULT;
	return mm_merge(mm, ALIGN_DOWN((vaddr_t)arg->addr, PAGE_SIZE), ALIGN_DOWN((vaddr_t)arg->other, PAGE_SIZE));
}

int debug_compact(struct mm_move *arg)
{
	return arg->addr > PAGE_MAX_ORDER ? -EINVAL : compact_memory(arg->addr ? (unsigned)arg->addr : PT_HUGE_ORDER);
}

int debug_split(struct mm *mm, struct mm_move *arg)
{
	if (arg->addr >= USER_END)
		return -EFAULT;
	rwsem_read_lock(&mm->lock);
	pt_split_huge(&mm->pt, (vaddr_t)arg->addr);
	rwsem_read_unlock(&mm->lock);
	return 0;
}
