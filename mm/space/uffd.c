/*
 * uffd.c - a userfaultfd context: its life, who waits on it, which ranges are its.
 *
 * Layer 6 (mm/space).  Interface: uffd.h.  Lock order: mm->lock, attach_lock or uffd->lock.
 */
#include "mm/space/uffd.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "mm/phys/slab.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

static spinlock_t attach_lock = SPINLOCK_INIT(LOCK_UFFD); /* every uffd->mm and mm->uffds */

/* -- life --------------------------------------------------------------------------------------------------------- */

struct uffd *uffd_make(struct mm *mm, unsigned flags)
{
	struct uffd *u = kzalloc(sizeof(*u), GFP_KERNEL);

	if (!u)
		return ERR_PTR(-ENOMEM);
	u->refs = 1;
	u->flags = flags;
	spin_init(&u->lock, LOCK_UFFD);
	list_init(&u->pending);
	list_init(&u->told);
	list_init(&u->events);
	wait_queue_init(&u->readers);
	spin_lock(&attach_lock);
	u->mm = mm;
	list_add_tail(&u->of_mm, &mm->uffds);
	spin_unlock(&attach_lock);
	return u;
}

void uffd_get(struct uffd *u)
{
	__atomic_fetch_add(&u->refs, 1, __ATOMIC_RELAXED);
}

/* => attach_lock */
static void detach(struct uffd *u)
{
	if (!u->mm)
		return;
	list_del(&u->of_mm);
	u->mm = NULL;
}

void uffd_put(struct uffd *u)
{
	if (__atomic_sub_fetch(&u->refs, 1, __ATOMIC_SEQ_CST))
		return;
	ASSERT(list_empty(&u->pending) && list_empty(&u->told) && list_empty(&u->events));
	spin_lock(&attach_lock);
	detach(u);
	spin_unlock(&attach_lock);
	kfree(u);
}

struct mm *uffd_mm_get(struct uffd *u)
{
	struct mm *mm;

	spin_lock(&attach_lock);
	mm = u->mm && mm_try_get(u->mm) ? u->mm : NULL;
	spin_unlock(&attach_lock);
	return mm;
}

void uffd_mm_gone(struct mm *mm)
{
	spin_lock(&attach_lock);
	while (!list_empty(&mm->uffds))
		detach(list_first_entry(&mm->uffds, struct uffd, of_mm));
	spin_unlock(&attach_lock);
}

/* -- ranges ------------------------------------------------------------------------------------------------------- */

void uffd_vma_inherit(struct vma *vma, const struct vma *from)
{
	vma->uffd = from->uffd;
	if (vma->uffd)
		uffd_get(vma->uffd);
}

void uffd_vma_set(struct vma *vma, struct uffd *u, unsigned vm_flags)
{
	struct uffd *old = vma->uffd;

	ASSERT(rwsem_write_held(&vma->mm->lock) && !u == !vm_flags);
	if ((vma->flags & VM_UFFD_WP) && !(vm_flags & VM_UFFD_WP))
		(void)uffd_write_protect(vma, vma->start, vma->end, false); /* releasing makes nothing, so it cannot fail */
	if (u)
		uffd_get(u);
	vma->uffd = u;
	vma->flags = (vma->flags & ~(unsigned)VM_UFFD) | vm_flags;
	if (old)
		uffd_put(old);
}

static void forget_ranges(struct uffd *u, struct mm *mm)
{
	struct vma *vma;

	rwsem_write_lock(&mm->lock);
	for_each_vma_in(vma, mm, 0, USER_END)
		if (vma->uffd == u)
			uffd_vma_set(vma, NULL, 0);
	vma_merge_range(mm, 0, USER_END);
	rwsem_write_unlock(&mm->lock);
}

void uffd_release(struct uffd *u)
{
	struct mm *mm = uffd_mm_get(u);

	/* Before the ranges go: an event that nobody will read any more may be what their lock's next holder waits for. */
	spin_lock(&u->lock);
	WRITE_ONCE(u->released, true);
	while (!list_empty(&u->events)) {
		struct uffd_event *e = list_first_entry(&u->events, struct uffd_event, link);

		list_del(&e->link);
		e->queued = false;
		e->done = true;
		(void)sync_wake(e->thread);
	}
	spin_unlock(&u->lock);
	if (mm) {
		forget_ranges(u, mm);
		mm_put(mm);
	}
	uffd_wake(u, 0, ~0UL);
	wake_up_all(&u->readers);
}

/* -- waiting ------------------------------------------------------------------------------------------------------- */

void uffd_queue(struct uffd_waiter *w)
{
	struct uffd *u = w->uffd;

	uffd_get(u);
	w->thread = this_cpu()->current;
	w->tid = sync_thread_id();
	spin_lock(&u->lock);
	w->queued = true;
	list_add_tail(&w->link, &u->pending);
	spin_unlock(&u->lock);
}

void uffd_unqueue(struct uffd_waiter *w)
{
	struct uffd *u = w->uffd;

	spin_lock(&u->lock);
	if (w->queued)
		list_del(&w->link);
	w->queued = false;
	spin_unlock(&u->lock);
	w->uffd = NULL;
	uffd_put(u);
}

enum fault_result uffd_wait(struct uffd_waiter *w)
{
	enum sync_state state = w->user ? SYNC_INTERRUPTIBLE : SYNC_KILLABLE;
	enum fault_result result = FAULT_OK;

	for (;;) {
		sync_prepare(state);
		if (!READ_ONCE(w->queued) || READ_ONCE(w->uffd->released))
			break;
		if (wait_interrupted(state)) {
			result = sync_fatal_pending() ? FAULT_KILLED : FAULT_SIGNAL;
			break;
		}
		sync_block();
	}
	sync_prepare(SYNC_RUNNING);
	uffd_unqueue(w); /* under the lock: who answers may still be looking at us */
	return result;
}

static void wake_list(struct list *waiters, vaddr_t start, vaddr_t end)
{
	struct uffd_waiter *w, *next;

	list_for_each_entry_safe(w, next, waiters, link) {
		if (w->va < start || w->va >= end)
			continue;
		list_del(&w->link);
		w->queued = false;
		(void)sync_wake(w->thread);
	}
}

void uffd_wake(struct uffd *u, vaddr_t start, vaddr_t end)
{
	spin_lock(&u->lock);
	wake_list(&u->pending, start, end);
	wake_list(&u->told, start, end);
	spin_unlock(&u->lock);
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

bool uffd_readable(struct uffd *u)
{
	bool any;

	spin_lock(&u->lock);
	any = !list_empty(&u->pending) || !list_empty(&u->events);
	spin_unlock(&u->lock);
	return any;
}

static void describe(const struct uffd *u, const struct uffd_waiter *w, struct uffdx_msg *msg)
{
	*msg = (struct uffdx_msg){.event = UFFDX_MSG_PAGEFAULT};
	msg->pagefault.flags = w->flags;
	msg->pagefault.address = w->address;
	if (u->features & UFFDX_THREAD_ID)
		msg->pagefault.ptid = (u32)w->tid;
}

bool uffd_next_fault(struct uffd *u, struct uffdx_msg *msg)
{
	struct uffd_waiter *w = NULL;

	spin_lock(&u->lock);
	if (!list_empty(&u->pending)) {
		w = list_first_entry(&u->pending, struct uffd_waiter, link);
		list_move_tail(&w->link, &u->told);
		describe(u, w, msg);
	}
	spin_unlock(&u->lock);
	return w;
}
