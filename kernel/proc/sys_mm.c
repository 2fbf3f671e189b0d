/*
 * sys_mm.c - the system calls on the address space: arguments in, errnos out.
 *
 * Layer 10 (kernel/proc).  The work is in mm/space and mm/service.
 */
#include <arch/uaccess.h>

#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "mm/phys/slab.h"

static struct mm *current_mm(void)
{
	return current_process()->mm;
}

/* Would @more bytes exceed RLIMIT_AS? */
static bool over_limit(size_t more)
{
	u64 used = (u64)READ_ONCE(current_mm()->total_pages) << PAGE_SHIFT;

	return used + more > current_process()->rlimits[RLIMIT_AS].cur;
}

/* The address space, which learns what RLIMIT_MEMLOCK is now; the superuser may lock anything. */
static struct mm *lockable_mm(void)
{
	struct process *p = current_process();
	u64 limit = READ_ONCE(p->rlimits[RLIMIT_MEMLOCK].cur);

	WRITE_ONCE(p->mm->lock_limit, p->euid == 0 ? ~0ul : (unsigned long)min(limit >> PAGE_SHIFT, (u64)~0ul));
	return p->mm;
}

/* -- mmap --------------------------------------------------------------------------------------------------- */

/* While the seals of @f are looked at and until the mapping can be seen, nobody may add one: the inode lock. */
static long mmap_file(struct mmap_request *req, int fd)
{
	struct file *f = file_arg(fd, FILE_OPEN);
	bool sealable;
	long r;

	if (!f)
		return -EBADF;
	sealable = !(READ_ONCE(f->inode->seals) & F_SEAL_SEAL); /* no more once it is set */
	if (sealable)
		rwsem_read_lock(&f->inode->lock);
	req->refused = file_mmap_prepare(f, req);
	r = mm_mmap(current_mm(), req);
	if (sealable)
		rwsem_read_unlock(&f->inode->lock);
	file_put(f);
	return r;
}

/* Shared anonymous memory is a file without a name. */
static long mmap_shared_anonymous(struct mmap_request *req)
{
	struct file *f;
	long r;

	if (req->length == 0)
		return -EINVAL;
	if (req->length > USER_END)
		return -ENOMEM;
	f = shmem_file_make(ALIGN_UP(req->length, PAGE_SIZE));
	if (IS_ERR(f))
		return PTR_ERR(f);
	req->pgoff = 0;
	req->refused = file_mmap_prepare(f, req);
	r = mm_mmap(current_mm(), req);
	file_put(f);
	return r;
}

static long do_mmap(vaddr_t addr, size_t len, unsigned long prot, unsigned long flags, int fd, pgoff_t pgoff)
{
	struct mmap_request req = {
		.addr = addr, .length = len, .prot = (unsigned)prot & PROT_MASK, .flags = (unsigned)flags, .pgoff = pgoff};

	if (over_limit(len))
		return -ENOMEM;
	(void)lockable_mm();
	if (!(flags & MAP_ANONYMOUS))
		return mmap_file(&req, fd);
	if ((flags & MAP_TYPE) == MAP_SHARED)
		return mmap_shared_anonymous(&req);
	req.pgoff = 0;
	return mm_mmap(current_mm(), &req);
}

long sys_mmap(unsigned long addr, size_t len, unsigned long prot, unsigned long flags, int fd, unsigned long off)
{
	if (off & ~PAGE_MASK)
		return -EINVAL;
	return do_mmap(addr, len, prot, flags, fd, off >> PAGE_SHIFT);
}

long sys_mmap2(unsigned long addr, size_t len, unsigned long prot, unsigned long flags, int fd, unsigned long pgoff)
{
	return do_mmap(addr, len, prot, flags, fd, pgoff);
}

long sys_old_mmap(const unsigned long *args)
{
	unsigned long a[6];

	if (copy_from_user(a, args, sizeof(a)))
		return -EFAULT;
	return sys_mmap(a[0], a[1], a[2], a[3], (int)a[4], a[5]);
}

/* -- one line each ------------------------------------------------------------------------------------------- */

long sys_munmap(unsigned long addr, size_t len)
{
	return mm_munmap(current_mm(), addr, len);
}

long sys_mprotect(unsigned long addr, size_t len, unsigned long prot)
{
	if (prot > ~0u)
		return -EINVAL;
	return mm_mprotect(current_mm(), addr, len, (unsigned)prot & ~(unsigned)PROT_SEM);
}

long sys_mremap(unsigned long addr, size_t old_len, size_t new_len, unsigned long flags, unsigned long new_addr)
{
	if (new_len > old_len && over_limit(new_len - old_len))
		return -ENOMEM;
	return mm_mremap(lockable_mm(), addr, old_len, new_len, (unsigned)flags, new_addr);
}

long sys_msync(unsigned long addr, size_t len, int flags)
{
	return mm_msync(current_mm(), addr, len, flags);
}

long sys_madvise(unsigned long addr, size_t len, int advice)
{
	return mm_madvise(current_mm(), addr, len, advice);
}

long sys_mincore(unsigned long addr, size_t len, unsigned char *vec)
{
	return mm_mincore(current_mm(), addr, len, vec);
}

long sys_mlock(unsigned long addr, size_t len)
{
	return mm_mlock(lockable_mm(), addr, len, MM_LOCK_NOW);
}

enum { MLOCK_ONFAULT = 1 };

long sys_mlock2(unsigned long addr, size_t len, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return mm_mlock(lockable_mm(), addr, len, flags ? MM_LOCK_AS_TOUCHED : MM_LOCK_NOW);
}

long sys_munlock(unsigned long addr, size_t len)
{
	return mm_mlock(current_mm(), addr, len, MM_LOCK_NOT);
}

long sys_mlockall(int flags)
{
	if (!flags || (flags & ~(MM_LOCK_CURRENT | MM_LOCK_FUTURE | MM_LOCK_ONFAULT)) || flags == MM_LOCK_ONFAULT)
		return -EINVAL;
	return mm_mlockall(lockable_mm(), (unsigned)flags);
}

long sys_munlockall(void)
{
	return mm_mlockall(current_mm(), 0);
}

long sys_brk(unsigned long brk)
{
	struct mm *mm = lockable_mm();

	return mm_brk(mm, brk > mm->brk && over_limit(brk - mm->brk) ? 0 : brk);
}

long sys_remap_file_pages(unsigned long start, size_t size, unsigned long prot, unsigned long pgoff,
                          unsigned long flags)
{
	return mm_remap_file_pages(current_mm(), start, size, prot, pgoff, (unsigned)flags);
}

long sys_remap_vector(const struct remap_entry *entries, unsigned long nr, unsigned long flags)
{
	struct remap_entry *copy;
	long r = -EFAULT;

	if (nr > REMAP_VECTOR_MAX || (flags & ~(unsigned long)MAP_NONBLOCK))
		return -EINVAL;
	if (!nr)
		return 0;
	copy = kmalloc(nr * sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	if (!copy_from_user(copy, entries, nr * sizeof(*copy)))
		r = mm_remap_vector(current_mm(), copy, (unsigned)nr, (unsigned)flags);
	kfree(copy);
	return r;
}
