/*
 * mmap.c - new ranges: mmap(2), brk(2).
 *
 * Layer 6 (mm/space).  Interface: mm.h.
 */
#include "mm/space/mm.h"

#include "kernel/lib/assert.h"
#include "mm/object/swap.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

#define MMAP_MIN_ADDR 0x10000ul
#define VM_MAY_ALL (VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

/* -- checks: change nothing ------------------------------------------------------------------------------- */

static int check_request(const struct mmap_request *req, size_t *length)
{
	if (req->length == 0)
		return -EINVAL;
	*length = ALIGN_UP(req->length, PAGE_SIZE);
	if (*length < req->length)
		return -ENOMEM;
	if (req->pgoff + (*length >> PAGE_SHIFT) < req->pgoff)
		return -EOVERFLOW;
	if (*length > USER_END)
		return -ENOMEM;
	if (req->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (req->addr > USER_END - *length)
			return -ENOMEM;
		if (!IS_ALIGNED(req->addr, PAGE_SIZE))
			return -EINVAL;
		if (req->addr < MMAP_MIN_ADDR)
			return -EPERM;
	}
	return 0;
}

/* What the kind of mapping itself forbids: it comes after the range was judged. */
static int check_kind(const struct mmap_request *req)
{
	unsigned type = req->flags & MAP_TYPE;

	if (req->refused)
		return req->refused;
	return type == MAP_SHARED || type == MAP_PRIVATE || (type == MAP_SHARED_VALIDATE && req->object) ? 0 : -EINVAL;
}

static unsigned request_vm_flags(const struct mmap_request *req)
{
	bool shared = (req->flags & MAP_TYPE) != MAP_PRIVATE;
	unsigned may = req->object ? req->may : VM_MAY_ALL | VM_SHARED;
	unsigned flags = (req->prot & VM_ACCESS) | (may & VM_MAY_ALL);

	if (shared)
		flags |= VM_MAYSHARE | (may & VM_SHARED);
	if (req->flags & MAP_NORESERVE)
		flags |= VM_NORESERVE;
	if (req->flags & MAP_LOCKED)
		flags |= VM_LOCKED;
	return flags;
}

unsigned long vm_max_map_count = VM_MAX_MAP_COUNT, vm_overcommit;

/* Refuse what can obviously never be backed: the honest half of overcommit. */
static bool hopeless(const struct mmap_request *req, size_t length)
{
	struct swap_stat swap;
	struct phys_stat st;

	if (READ_ONCE(vm_overcommit) || req->object || (req->flags & MAP_NORESERVE) || !(req->prot & PROT_WRITE))
		return false;
	phys_stat(&st);
	swap_stat(&swap);
	return (length >> PAGE_SHIFT) > st.total + swap.total;
}

static bool range_free(struct mm *mm, vaddr_t start, size_t length)
{
	struct vma *vma = vma_find(mm, start);

	return !vma || vma->start >= start + length;
}

/* Where the mapping goes: an address or a negative errno. => mm->lock held */
static long choose_address(struct mm *mm, const struct mmap_request *req, size_t length)
{
	if (req->flags & MAP_FIXED_NOREPLACE)
		return range_free(mm, req->addr, length) ? (long)req->addr : -EEXIST;
	if (req->flags & MAP_FIXED)
		return (long)req->addr;
	return mm_choose(mm, req->addr, length);
}

long mm_choose(struct mm *mm, vaddr_t hint, size_t length)
{
	vaddr_t addr = ALIGN_DOWN(hint, PAGE_SIZE);

	if (length > USER_END)
		return -ENOMEM;
	if (addr >= MMAP_MIN_ADDR && addr <= USER_END - length && range_free(mm, addr, length))
		return (long)addr;
	addr = vma_find_gap(mm, length);
	return addr ? (long)addr : -ENOMEM;
}

/* -- commit ------------------------------------------------------------------------------------------------- */

/* May the new mapping be locked, if it is to be? => mm->lock held */
static int check_locks(struct mm *mm, const struct mmap_request *req, size_t length)
{
	unsigned long limit = mm->lock_limit;

	if (req->flags & MAP_LOCKED && !limit)
		return -EPERM;
	if (!(req->flags & MAP_LOCKED) && !mm->future_locks)
		return 0;
	return mm->locked_pages + (length >> PAGE_SHIFT) > limit ? -EAGAIN : 0;
}

static long mmap_locked(struct mm *mm, const struct mmap_request *req, size_t length, bool *touch)
{
	long addr = choose_address(mm, req, length);
	struct vma *vma;
	int err;

	if (IS_ERR_VALUE((unsigned long)addr))
		return addr;
	err = check_locks(mm, req, length);
	if (!err)
		err = check_kind(req);
	if (err)
		return err;
	if (hopeless(req, length))
		return -ENOMEM;
	if (mm->nr_vmas >= READ_ONCE(vm_max_map_count))
		return -ENOMEM;
	vma = vma_alloc(mm, (vaddr_t)addr, (vaddr_t)addr + length, request_vm_flags(req) | mm->future_locks);
	if (!vma)
		return -ENOMEM;
	err = munmap_locked(mm, (vaddr_t)addr, (vaddr_t)addr + length);
	if (err) {
		vma_free(vma);
		return err;
	}
	if (req->object)
		vma_set_object(vma, req->object, req->file, req->pgoff);
	vma_attach(vma);
	*touch = (req->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE ||
	         (vma->flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
	vma_merge_range(mm, vma->start, vma->end);
	return addr;
}

long mm_mmap(struct mm *mm, const struct mmap_request *req)
{
	bool touch = false;
	size_t length;
	long addr;
	int err = check_request(req, &length);

	if (err)
		return err;
	err = rwsem_write_lock_killable(&mm->lock);
	if (err)
		return err;
	addr = mmap_locked(mm, req, length, &touch);
	mm_unlock_changed(mm);
	if (touch)
		mm_populate_quietly(mm, (vaddr_t)addr, (vaddr_t)addr + length);
	return addr;
}

/* -- brk -------------------------------------------------------------------------------------------------------- */

static int brk_grow(struct mm *mm, vaddr_t from, vaddr_t to)
{
	struct vma *vma;

	if (!range_free(mm, from, to - from))
		return -ENOMEM;
	if (mm->future_locks && mm->locked_pages + ((to - from) >> PAGE_SHIFT) > mm->lock_limit)
		return -EAGAIN;
	vma = vma_alloc(mm, from, to, VM_READ | VM_WRITE | VM_MAY_ALL | mm->future_locks);
	if (!vma)
		return -ENOMEM;
	vma->name = "[heap]";
	vma_attach(vma);
	vma_merge_range(mm, from, to);
	return 0;
}

long mm_brk(struct mm *mm, vaddr_t brk)
{
	vaddr_t old, new;
	bool touch;
	int err = 0;

	rwsem_write_lock(&mm->lock);
	old = ALIGN_UP(mm->brk, PAGE_SIZE);
	new = ALIGN_UP(brk, PAGE_SIZE);
	if (brk < mm->brk_start || brk > USER_END)
		err = -ENOMEM;
	else if (new > old)
		err = brk_grow(mm, old, new);
	else if (new < old)
		err = munmap_locked(mm, new, old);
	if (!err)
		mm->brk = brk;
	brk = mm->brk;
	touch = !err && new > old && mm->future_locks == VM_LOCKED;
	mm_unlock_changed(mm);
	if (touch)
		mm_populate_quietly(mm, old, new);
	return (long)brk;
}
