/*
 * sys_process_vm.c - process_vm_readv(2), process_vm_writev(2): copy between two address spaces.
 *
 * Layer 10 (kernel/proc).  The remote side is reached through its entries (mm_access()), so its permissions,
 * copy-on-write and write-notify all apply; nothing is forced.
 */
#include <arch/uaccess.h>

#include "kernel/lib/err.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "mm/phys/slab.h"

/* A position in an iovec array. */
struct cursor {
	const struct iov *iov;
	unsigned i;
	size_t offset;
};

static void cursor_settle(struct cursor *c)
{
	while (c->i < c->iov->count && c->offset == c->iov->v[c->i].iov_len) {
		c->i++;
		c->offset = 0;
	}
}

static bool cursor_done(const struct cursor *c)
{
	return c->i == c->iov->count;
}

static size_t cursor_left(const struct cursor *c)
{
	return c->iov->v[c->i].iov_len - c->offset;
}

static vaddr_t cursor_addr(const struct cursor *c)
{
	return (vaddr_t)c->iov->v[c->i].iov_base + c->offset;
}

/* Move up to one page; returns bytes or an errno. */
static ssize_t transfer(struct mm *remote, struct cursor *l, struct cursor *r, void *page, bool write)
{
	size_t n = min(min(cursor_left(l), cursor_left(r)), (size_t)PAGE_SIZE);
	ssize_t moved;

	if (!user_range_ok((void *)cursor_addr(r), n))
		return -EFAULT;
	if (write) {
		if (copy_from_user(page, (void *)cursor_addr(l), n))
			return -EFAULT;
		return mm_access(remote, cursor_addr(r), page, n, true);
	}
	moved = mm_access(remote, cursor_addr(r), page, n, false);
	if (moved > 0 && copy_to_user((void *)cursor_addr(l), page, (size_t)moved))
		return -EFAULT;
	return moved;
}

static ssize_t transfer_all(struct mm *remote, const struct iov *local, const struct iov *far, bool write)
{
	struct cursor l = {.iov = local}, r = {.iov = far};
	void *page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	ssize_t done = 0;

	if (!page)
		return -ENOMEM;
	for (;;) {
		ssize_t n;

		cursor_settle(&l);
		cursor_settle(&r);
		if (cursor_done(&l) || cursor_done(&r))
			break;
		n = transfer(remote, &l, &r, page, write);
		if (n <= 0) {
			done = done ? done : n;
			break;
		}
		l.offset += (size_t)n;
		r.offset += (size_t)n;
		done += n;
	}
	kfree(page);
	return done;
}

static long process_vm(int pid, const struct abi_iovec *local, unsigned long nl, const struct abi_iovec *remote,
                       unsigned long nr, unsigned long flags, bool write)
{
	struct process *p;
	struct mm *mm;
	struct iov l, r;
	long result;

	if (flags || nl > IOV_MAX || nr > IOV_MAX)
		return -EINVAL;
	result = iov_arg(&l, local, (int)nl);
	if (result)
		return result;
	result = iov_arg(&r, remote, (int)nr);
	if (result) {
		iov_release(&l);
		return result;
	}
	p = process_find(pid);
	mm = p ? process_mm_get(p) : NULL;
	result = mm ? transfer_all(mm, &l, &r, write) : -ESRCH;
	if (mm)
		mm_put(mm);
	if (p)
		process_put(p);
	iov_release(&r);
	iov_release(&l);
	return result;
}

long sys_process_vm_readv(int pid, const struct abi_iovec *local, unsigned long nl, const struct abi_iovec *remote,
                          unsigned long nr, unsigned long flags)
{
	return process_vm(pid, local, nl, remote, nr, flags, false);
}

long sys_process_vm_writev(int pid, const struct abi_iovec *local, unsigned long nl, const struct abi_iovec *remote,
                           unsigned long nr, unsigned long flags)
{
	return process_vm(pid, local, nl, remote, nr, flags, true);
}
