/*
 * proc_maps.c - /proc/<pid>/maps: one line for each vma, in Linux's format.  Layer 10.
 *
 * A vma is copied with its file's reference under the mmap lock and printed without it: names need locks that
 * come before.  A list that changes meanwhile is seen as a mixture, never twice.
 */
#include "kernel/fs/procfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc_pid.h"
#include "kernel/proc/process.h"
#include "mm/phys/slab.h"

struct maps_line {
	vaddr_t start, end;
	unsigned flags;
	pgoff_t pgoff;
	struct file *file; /* reference */
	const char *name;
	bool anonymous; /* pgoff means nothing to the reader */
};

/* The first vma that ends above @at; false: no more. */
static bool take_line(struct mm *mm, vaddr_t at, struct maps_line *l)
{
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, at);
	if (vma) {
		*l = (struct maps_line){.start = max(vma->start, at),
		                        .end = vma->end,
		                        .flags = vma->flags,
		                        .pgoff = vma->pgoff,
		                        .file = vma->file,
		                        .name = vma->name,
		                        .anonymous = !vma->object};
		if (l->file)
			file_get(l->file);
	}
	rwsem_read_unlock(&mm->lock);
	return vma;
}

static void print_name(struct proc_buf *b, const struct maps_line *l, char *path)
{
	struct file *f = l->file;

	if (f && f->dentry) {
		if (dentry_path(f->dentry, path, PATH_MAX) > 0)
			proc_write(b, path, strlen(path));
	} else if (f) {
		proc_printf(b, "/%s (deleted)", f->name);
	} else if (l->name) {
		proc_printf(b, "%s", l->name);
	}
}

static void print_line(struct proc_buf *b, const struct maps_line *l, char *path)
{
	struct inode *inode = l->file ? l->file->inode : NULL;
	u64 dev = inode && inode->super ? inode->super->dev : 0;
	u64 offset = l->anonymous ? 0 : (u64)l->pgoff << PAGE_SHIFT;
	char line[96];
	int n = scnprintf(line, sizeof(line), "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu", l->start, l->end,
	                  l->flags & VM_READ ? 'r' : '-', l->flags & VM_WRITE ? 'w' : '-', l->flags & VM_EXEC ? 'x' : '-',
	                  l->flags & VM_MAYSHARE ? 's' : 'p', (unsigned long long)offset, (unsigned)(dev >> 8),
	                  (unsigned)(dev & 0xff), (unsigned long long)(inode ? inode->ino : 0));

	proc_write(b, line, (size_t)n);
	if (l->file || l->name) {
		proc_printf(b, "%*s", n < 73 ? 73 - n : 1, "");
		print_name(b, l, path);
	} else {
		proc_printf(b, " ");
	}
	proc_printf(b, "\n");
}

int proc_maps_each(struct proc_buf *b, int pid, void (*more)(struct proc_buf *b, struct mm *mm, vaddr_t start))
{
	struct process *p = process_find(pid);
	struct mm *mm = p ? process_mm_get(p) : NULL;
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	struct maps_line l;

	for (vaddr_t at = 0; mm && path && take_line(mm, at, &l); at = l.end) {
		print_line(b, &l, path);
		if (more)
			more(b, mm, l.start);
		if (l.file)
			file_put(l.file);
	}
	kfree(path);
	if (mm)
		mm_put(mm);
	if (!p)
		return -ESRCH;
	process_put(p);
	return path ? 0 : -ENOMEM;
}

int proc_pid_maps(struct proc_buf *b, int pid)
{
	return proc_maps_each(b, pid, NULL);
}
