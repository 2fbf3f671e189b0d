/*
 * fault.c - resolve one access to one address.
 *
 * Layer 6 (mm/space).  Interface: mm.h (mm_fault), space.h.
 * Lock order: mm->lock (read), invalidate_lock (read), page lock, PTL.
 *
 * The authoritative permission (R0.5): the entry's own grants in a VM_MANYPROTS vma, if there is an entry;
 * else the vma's.  It is judged under the PTL, on the entry as it is then.  If the entry already allows the
 * access, another thread was faster: forget the local translation and try again.  Never a signal for that.
 *
 *   entry          read                          write, shared           write, private
 *   none           A anon zero page / B file     A fresh / B file        A fresh / B file, then copy
 *   file           B at the entry's offset       B                       B, then copy
 *   swap           E                             (not made)              E, then as a page
 *   page, RW=0     nothing to do                 C mkwrite               D copy, or reuse an exclusive page
 *   page, RW=1     nothing to do                 nothing to do           nothing to do
 *   uffd-wp page   nothing to do                 F                       F
 *   migration      the page is waited for, without a reference on it
 *   note           as none                       as none                 as none
 *   poison         BUS_MCEERR_AR
 *
 *   no leaf table, anonymous: fault_huge.c first, which resolves the fault or says that base pages are to
 *
 *   A fault_anon.c   B fault_file.c   C fault_file.c   D fault_cow.c   E fault_swap.c   F fault_uffd.c
 *
 * In a range that is registered with userfaultfd, none, note and file may lead to F as well (A and B ask).
 */
#include "mm/space/fault.h"

#include "kernel/lib/assert.h"
#include "mm/object/dirty.h"
#include "mm/object/migrate.h"

static inline bool permits(unsigned grant, enum fault_access access)
{
	switch (access) {
	case FAULT_WRITE:
		return grant & GRANT_W;
	case FAULT_EXEC:
		return grant & GRANT_X;
	default:
		return grant != GRANT_NONE;
	}
}

static inline bool allowed(const struct fault *f, unsigned grant)
{
	return permits(grant, f->access) || unlikely(f->forced);
}

/* Nothing is mapped here; @grant is what the address allows, @pgoff which page of the object it stands for. */
static enum fault_result fault_missing(struct fault *f, pte_t seen, pgoff_t pgoff, unsigned grant)
{
	if (!allowed(f, grant))
		return FAULT_ACCERR;
	return f->vma->object ? fault_file(f, seen, pgoff, grant) : fault_anon(f, seen);
}

/* The page is on its way to another frame: not waited for under mm->lock, and not held back by a reference. */
static enum fault_result fault_migrating(struct fault *f, pte_t pte)
{
	*f->io = (struct fault_io){.migrating = pte_migrating(pte)};
	if (MUTATION(183)) /* M183: who waits holds on to the page */
		page_get(f->io->migrating);
	return FAULT_RETRY;
}

/* A page is mapped. => nothing locked; @pte was read under the PTL */
static enum fault_result fault_present(struct fault *f, pte_t pte, unsigned grant)
{
	if (!allowed(f, grant))
		return FAULT_ACCERR;
	if (unlikely(pte_uffd_wp(pte)) && (f->access == FAULT_WRITE || (f->forced && f->unshare)))
		return fault_protected(f, pte);
	if (f->unshare || (f->access == FAULT_WRITE && !pte_hw_write(pte)))
		return vma_private(f->vma) ? fault_cow(f, pte) : fault_mkwrite(f, pte);
	if (MUTATION(5) && this_cpu()->loaded == f->pt) /* M5: a fault that another CPU resolved is a violation */
		return FAULT_ACCERR;
	pgtable_forget_weaker(f->va); /* spurious: resolved by another CPU, or a stale translation */
	return FAULT_OK;
}

/* There is no table for the entry yet: then nothing is mapped. */
static enum fault_result fault_new_table(struct fault *f)
{
	unsigned grant = vma_grant(f->vma);

	if (!allowed(f, grant))
		return FAULT_ACCERR;
	if (unlikely(f->vma->flags & VM_UFFD_MISSING) && !f->vma->object) {
		SYNC_POINT("fault-snapshot"); /* the answer may be a huge page, which a table would be in the way of */
		return fault_missing(f, pte_none(), 0, grant);
	}
	if (pt_populate(f->pt, f->va, f->va + PAGE_SIZE))
		return FAULT_OOM;
	f->slot = pt_find_table(f->pt, f->va);
	SYNC_POINT("fault-snapshot");
	return f->slot.hw ? fault_missing(f, pte_none(), vma_pgoff(f->vma, f->va), grant) : FAULT_OK;
}

static enum fault_result fault_entry(struct fault *f)
{
	bool own_grants = f->vma->flags & VM_MANYPROTS;
	unsigned vma_grants = vma_grant(f->vma);
	enum fault_result result;
	pte_t pte;

	f->slot = pt_find_table(f->pt, f->va);
	if (unlikely(!f->slot.hw) && !f->vma->object) {
		if (fault_huge(f, allowed(f, vma_grants), &result))
			return result;
		f->slot = pt_find(f->pt, f->va);
	}
	if (unlikely(!f->slot.hw))
		return fault_new_table(f);
	pt_lock_found(f->slot);
	pte = hw_pte_get(f->slot.hw);
	pt_unlock(f->slot);
	SYNC_POINT("fault-snapshot");
	f->wp = fault_is_wp(f->vma, pte);
	if (pte_is_none(pte))
		return fault_missing(f, pte, vma_pgoff(f->vma, f->va), vma_grants);
	if (pte_has_page(pte))
		return fault_present(f, pte, own_grants ? pte_grant(pte) : vma_grants);
	if (pte_is_file(pte))
		return fault_missing(f, pte, pte_file_pgoff(pte), own_grants ? pte_grant(pte) : vma_grants);
	if (pte_is_swap(pte))
		return permits(own_grants ? pte_grant(pte) : vma_grants, f->access) ? fault_swap(f, pte) : FAULT_ACCERR;
	if (pte_is_migration(pte))
		return allowed(f, own_grants ? pte_grant(pte) : vma_grants) ? fault_migrating(f, pte) : FAULT_ACCERR;
	if (pte_is_uffd_note(pte))
		return fault_missing(f, pte, vma_pgoff(f->vma, f->va), own_grants ? pte_grant(pte) : vma_grants);
	return pte_is_marker(pte) ? FAULT_POISON : FAULT_SIGBUS;
}

static inline __attribute__((always_inline)) enum fault_result fault_checked(struct fault *f)
{
	ASSERT(rwsem_held(&f->vma->mm->lock));
	/* M16: the vma's permission is tested first, although the entries have their own */
	if ((MUTATION(16) || !(f->vma->flags & VM_MANYPROTS)) && !permits(vma_grant(f->vma), f->access))
		return FAULT_ACCERR;
	return fault_entry(f);
}

enum fault_result vma_fault(struct vma *vma, vaddr_t addr, enum fault_access access, bool unshare, struct fault_io *io)
{
	struct fault f = {.vma = vma,
	                  .pt = &vma->mm->pt,
	                  .va = ALIGN_DOWN(addr, PAGE_SIZE),
	                  .address = addr,
	                  .access = access,
	                  .io = io,
	                  .unshare = unshare};

	return fault_checked(&f);
}

enum fault_result vma_fault_forced(struct vma *vma, vaddr_t addr, bool own, struct fault_io *io)
{
	struct fault f = {.vma = vma,
	                  .pt = &vma->mm->pt,
	                  .va = ALIGN_DOWN(addr, PAGE_SIZE),
	                  .address = addr,
	                  .access = FAULT_READ,
	                  .io = io,
	                  .unshare = own,
	                  .forced = true};

	ASSERT(rwsem_held(&vma->mm->lock) && vma_private(vma));
	return fault_entry(&f);
}

/* One try: FAULT_RETRY when @io must be waited for. */
static inline __attribute__((always_inline)) enum fault_result
try_fault(struct mm *mm, vaddr_t addr, enum fault_access access, bool user, struct fault_io *io)
{
	enum fault_result result = FAULT_MAPERR;
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, addr);
	if (vma && vma->start <= addr) {
		struct fault f = {.vma = vma,
		                  .pt = &mm->pt,
		                  .va = ALIGN_DOWN(addr, PAGE_SIZE),
		                  .address = addr,
		                  .access = access,
		                  .io = io,
		                  .user = user};

		result = fault_checked(&f);
	}
	rwsem_read_unlock(&mm->lock);
	return result;
}

/* The page must be waited for, perhaps several times: a major fault. */
static __attribute__((noinline)) enum fault_result fault_major(struct mm *mm, vaddr_t addr, enum fault_access access,
                                                               bool user, struct fault_io *io)
{
	enum fault_result result;

	do {
		result = fault_wait(io);
		if (result != FAULT_OK)
			break;
		result = try_fault(mm, addr, access, user, io);
	} while (result == FAULT_RETRY);
	__atomic_fetch_add(&mm->major_faults, 1, __ATOMIC_RELAXED);
	this_cpu()->major_faults++;
	return result;
}

static inline __attribute__((always_inline)) enum fault_result resolve(struct mm *mm, vaddr_t addr,
                                                                       enum fault_access access, bool user)
{
	enum fault_result result;
	struct fault_io io;

	SYNC_POINT("fault-entry");
	TRACE(TRACE_FAULT, &mm->pt, addr, 0, access, 0);
	result = try_fault(mm, addr, access, user, &io);
	if (unlikely(result == FAULT_RETRY))
		result = fault_major(mm, addr, access, user, &io);
	else
		__atomic_fetch_add(&mm->minor_faults, 1, __ATOMIC_RELAXED);
	this_cpu()->faults++;
	TRACE(TRACE_FAULT_END, &mm->pt, addr, 0, 0, result);
	if (access == FAULT_WRITE)
		dirty_throttle(); /* a store that makes a file's page dirty is held back like a write(2) */
	return result;
}

enum fault_result mm_fault(struct mm *mm, vaddr_t addr, enum fault_access access)
{
	return resolve(mm, addr, access, false);
}

enum fault_result mm_fault_user(struct mm *mm, vaddr_t addr, enum fault_access access)
{
	return resolve(mm, addr, access, true);
}

void mm_fault_counts(unsigned long *all, unsigned long *major)
{
	*all = *major = 0;
	for (unsigned i = 0; i < cpu_count; i++) {
		*all += READ_ONCE(cpus[i].faults);
		*major += READ_ONCE(cpus[i].major_faults);
	}
}

int fault_errno(enum fault_result result)
{
	switch (result) {
	case FAULT_OK:
		return 0;
	case FAULT_OOM:
		return -ENOMEM;
	case FAULT_KILLED:
		return -EINTR;
	default:
		return -EFAULT;
	}
}
