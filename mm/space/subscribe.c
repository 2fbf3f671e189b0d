/*
 * subscribe.c - a secondary MMU joins an address space.
 *
 * Layer 6 (mm/space).  Interface: space.h.  Lock order: mm->lock (write); maps.lock or a family's lock (write, one at a time).
 *
 * An operation that began before the first subscription has not put its range in flight, and a subscriber that relies on
 * start() would not hear of it.  So after the subscription can be seen we wait for all those: they hold mm->lock (faults,
 * system calls of this address space), the maps.lock of an object that is mapped here (truncate, writeback), or the lock of
 * its anonymous families (who unmaps one page everywhere).  Taking each of these once, one after the other, is enough; who takes one afterwards sees the subscription.
 */
#include "mm/pgtable/notifier.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* => mm->lock held for writing */
static void wait_for_walkers(struct mm *mm)
{
	for (struct vma *vma = vma_first(mm); vma; vma = vma_next(vma)) {
		anon_range_lock(&vma->anon);
		anon_range_unlock(&vma->anon);
		if (!vma->object)
			continue;
		rwsem_write_lock(&vma->object->maps.lock);
		rwsem_write_unlock(&vma->object->maps.lock);
	}
}

int mm_subscribe(struct mm *mm, struct mmu_subscription *sub, vaddr_t start, size_t length)
{
	int err = rwsem_write_lock_killable(&mm->lock);

	if (err)
		return err;
	err = mmu_subscribe(&mm->pt, sub, start, length);
	if (!err && !mmu_notifiers_settled(&mm->pt)) {
		wait_for_walkers(mm);
		mmu_notifiers_settle(&mm->pt);
	}
	rwsem_write_unlock(&mm->lock);
	return err;
}

/* One user more, if there still is one. => the end of @pt is held up */
static bool get_if_used(struct pgtable *pt, void *ctx)
{
	struct mm *mm = container_of(pt, struct mm, pt), **out = ctx;
	int users = __atomic_load_n(&mm->users, __ATOMIC_RELAXED);

	while (users > 0)
		if (__atomic_compare_exchange_n(&mm->users, &users, users + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
			*out = mm;
			return true;
		}
	return false;
}

struct mm *mm_get_subscribed(struct mmu_subscription *sub)
{
	struct mm *mm = NULL;

	return mmu_subscription_tree(sub, get_if_used, &mm) ? mm : NULL;
}
