/*
 * proc_mem.c - /proc/<pid>/mem: a debugger's way into an address space; the position is the address.
 *
 * Layer 10 (kernel/proc).  Permissions are overridden where a private mapping is concerned (MM_ACCESS_FORCE), as in Linux.
 */
#include <arch/uaccess.h>

#include "kernel/lib/err.h"
#include "kernel/proc/proc_pid.h"
#include "kernel/proc/process.h"
#include "mm/phys/slab.h"

/* One piece, through @page. Bytes, or -errno. */
static ssize_t move(struct mm *mm, void *page, char *user, size_t n, loff_t pos, bool write)
{
	ssize_t moved;

	if ((u64)pos >= USER_END || n > USER_END - (vaddr_t)pos)
		return -EIO;
	if (write && copy_from_user(page, user, n))
		return -EFAULT;
	moved = mm_access(mm, (vaddr_t)pos, page, n, (write ? MM_ACCESS_WRITE : MM_ACCESS_READ) | MM_ACCESS_FORCE);
	if (moved == -EFAULT)
		return -EIO;
	if (moved > 0 && !write && copy_to_user(user, page, (size_t)moved))
		return -EFAULT;
	return moved;
}

static ssize_t move_all(struct mm *mm, char *user, size_t n, loff_t pos, bool write)
{
	void *page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	size_t done = 0;
	ssize_t r = 0;

	if (!page)
		return -ENOMEM;
	while (done < n && r >= 0) {
		size_t part = min(n - done, (size_t)PAGE_SIZE);

		r = move(mm, page, user + done, part, pos + (loff_t)done, write);
		done += r > 0 ? (size_t)r : 0;
		if (r >= 0 && (size_t)r < part)
			break;
	}
	kfree(page);
	return done ? (ssize_t)done : r;
}

static ssize_t access_mem(int pid, char *user, size_t n, loff_t pos, bool write)
{
	struct process *p = process_find(pid);
	struct mm *mm = p ? process_mm_get(p) : NULL;
	ssize_t r = mm ? move_all(mm, user, n, pos, write) : p ? 0 : -ESRCH;

	if (mm)
		mm_put(mm);
	if (p)
		process_put(p);
	return r;
}

ssize_t proc_pid_mem_read(int pid, void *user, size_t n, loff_t pos)
{
	return access_mem(pid, user, n, pos, false);
}

ssize_t proc_pid_mem_write(int pid, const void *user, size_t n, loff_t pos)
{
	return access_mem(pid, (void *)user, n, pos, true);
}
