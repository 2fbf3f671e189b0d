/*
 * proc_smaps.c - /proc/<pid>/smaps, smaps_rollup and pagemap, in Linux's formats.  Layer 10.
 */
#include "kernel/fs/procfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc_pid.h"
#include "kernel/proc/process.h"
#include "mm/phys/slab.h"
#include "mm/service/usage.h"

#define KIB(pages) ((unsigned long)(pages) * (PAGE_SIZE / 1024))
#define PSS_KIB(pss) ((unsigned long)((pss) * (PAGE_SIZE / 1024) >> 12))

static void print_line(struct proc_buf *b, const char *name, unsigned long kib)
{
	char label[24];

	scnprintf(label, sizeof(label), "%s:", name);
	proc_printf(b, "%-16s%8lu kB\n", label, kib);
}

static void print_usage(struct proc_buf *b, const struct vma_usage *u)
{
	print_line(b, "Rss", KIB(u->rss));
	print_line(b, "Pss", PSS_KIB(u->pss));
	print_line(b, "Pss_Dirty", PSS_KIB(u->pss_dirty));
	print_line(b, "Shared_Clean", KIB(u->shared_clean));
	print_line(b, "Shared_Dirty", KIB(u->shared_dirty));
	print_line(b, "Private_Clean", KIB(u->private_clean));
	print_line(b, "Private_Dirty", KIB(u->private_dirty));
	print_line(b, "Referenced", KIB(u->referenced));
	print_line(b, "Anonymous", KIB(u->anonymous));
	print_line(b, "KSM", 0);
	print_line(b, "LazyFree", KIB(u->lazy_free));
	print_line(b, "AnonHugePages", KIB(u->anon_huge));
	print_line(b, "ShmemPmdMapped", 0);
	print_line(b, "FilePmdMapped", 0);
	print_line(b, "Shared_Hugetlb", 0);
	print_line(b, "Private_Hugetlb", 0);
	print_line(b, "Swap", KIB(u->swap));
	print_line(b, "SwapPss", PSS_KIB(u->swap_pss));
	print_line(b, "Locked", KIB(u->locked));
}

/* Two letters a flag, as in Linux's manual page; nl and mp are ours: nonlinear, many protections. */
static void print_flags(struct proc_buf *b, unsigned flags)
{
	static const struct {
		unsigned flag;
		char name[3];
	} names[] = {
		{VM_READ, "rd"},         {VM_WRITE, "wr"},     {VM_EXEC, "ex"},       {VM_MAYSHARE, "sh"},
		{VM_MAYREAD, "mr"},      {VM_MAYWRITE, "mw"},  {VM_MAYEXEC, "me"},    {VM_SHARED, "ms"},
		{VM_GROWSDOWN, "gd"},    {VM_LOCKED, "lo"},    {VM_SEQ_READ, "sr"},   {VM_RAND_READ, "rr"},
		{VM_DONTCOPY, "dc"},     {VM_NORESERVE, "nr"}, {VM_NONLINEAR, "nl"},  {VM_MANYPROTS, "mp"},
		{VM_UFFD_MISSING, "um"}, {VM_UFFD_WP, "uw"},   {VM_UFFD_MINOR, "ui"}, {VM_HUGEPAGE, "hg"},
		{VM_NOHUGEPAGE, "nh"},
	};

	proc_printf(b, "VmFlags: ");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			proc_printf(b, "%s ", names[i].name);
	proc_printf(b, "\n");
}

static void print_details(struct proc_buf *b, struct mm *mm, vaddr_t start)
{
	struct vma_usage u = {.rss = 0};
	unsigned long size = 0;
	unsigned flags = 0;
	bool eligible = false;
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, start);
	if (vma && vma->start <= start) {
		size = (vma->end - vma->start) >> PAGE_SHIFT;
		flags = vma->flags;
		eligible = vma_wants_huge(vma);
		vma_usage(vma, &u);
	}
	rwsem_read_unlock(&mm->lock);
	print_line(b, "Size", KIB(size));
	print_line(b, "KernelPageSize", KIB(1));
	print_line(b, "MMUPageSize", KIB(1));
	print_usage(b, &u);
	proc_printf(b, "THPeligible:           %d\n", eligible);
	print_flags(b, flags);
}

int proc_pid_smaps(struct proc_buf *b, int pid)
{
	return proc_maps_each(b, pid, print_details);
}

int proc_pid_smaps_rollup(struct proc_buf *b, int pid)
{
	struct process *p = process_find(pid);
	struct mm *mm = p ? process_mm_get(p) : NULL;
	struct vma_usage u = {.rss = 0};
	vaddr_t first = 0, last = 0;

	if (!p)
		return -ESRCH;
	process_put(p);
	if (!mm)
		return -ESRCH;
	rwsem_read_lock(&mm->lock);
	for (struct vma *vma = vma_first(mm); vma; vma = vma_next(vma)) {
		first = first ? first : vma->start;
		last = vma->end;
		vma_usage(vma, &u);
	}
	rwsem_read_unlock(&mm->lock);
	mm_put(mm);
	proc_printf(b, "%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n", first, last);
	print_usage(b, &u);
	return 0;
}

ssize_t proc_pid_pagemap(int pid, u64 pos, void *buf, size_t n)
{
	struct process *p;
	struct mm *mm;
	u64 first = pos / sizeof(u64), pages = n / sizeof(u64);

	if (pos % sizeof(u64) || n % sizeof(u64))
		return -EINVAL;
	if (first >= USER_END >> PAGE_SHIFT)
		return 0;
	pages = min(pages, (u64)(USER_END >> PAGE_SHIFT) - first);
	p = process_find(pid);
	if (!p)
		return -ESRCH;
	mm = process_mm_get(p);
	process_put(p);
	if (!mm)
		return 0;
	mm_pagemap(mm, (vaddr_t)first << PAGE_SHIFT, (unsigned long)pages, buf);
	mm_put(mm);
	return (ssize_t)(pages * sizeof(u64));
}
