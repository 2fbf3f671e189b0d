/*
 * uffd_event.c - who answers faults hears that the layout has changed.
 *
 * Layer 6 (mm/space).  Interface: uffd.h.  Lock order: mm->lock, uffd->lock.
 *
 *   mm->lock for writing    prepare (may fail): `changing` goes up, answers fail with EAGAIN
 *                           the change; then the events are added to the address space's list
 *   no lock                 each is queued, and its maker sleeps until it was read, or the context is released,
 *                           or he is killed; `changing` goes down
 *
 * Whoever answers holds mm->lock for reading and looks at `changing` under it: so no answer overlaps a change, and none
 * comes between the change and the moment when the program has read of it.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "mm/phys/slab.h"
#include "mm/space/space.h"
#include "mm/space/uffd.h"
#include "mm/space/vma.h"

/* -- making ------------------------------------------------------------------------------------------------------- */

struct uffd_event *uffd_event_make(struct uffd *u, unsigned event)
{
	struct uffd_event *e = kzalloc(sizeof(*e), GFP_KERNEL);

	if (!e)
		return NULL;
	uffd_get(u);
	e->uffd = u;
	e->refs = 1;
	e->msg.event = (u8)event;
	__atomic_fetch_add(&u->changing, 1, __ATOMIC_SEQ_CST);
	return e;
}

static void event_put(struct uffd_event *e)
{
	if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_SEQ_CST))
		return;
	if (e->child)
		uffd_put(e->child);
	uffd_put(e->uffd);
	kfree(e);
}

/* => it is on no list */
static void event_end(struct uffd_event *e)
{
	__atomic_fetch_sub(&e->uffd->changing, 1, __ATOMIC_SEQ_CST);
	event_put(e);
}

void uffd_events_drop(struct list *events)
{
	while (!list_empty(events)) {
		struct uffd_event *e = list_first_entry(events, struct uffd_event, link);

		list_del(&e->link);
		event_end(e);
	}
}

void uffd_events_add(struct mm *mm, struct list *events)
{
	ASSERT(rwsem_write_held(&mm->lock));
	list_splice_tail(events, &mm->uffd_events);
	list_init(events);
}

static bool is_mine(const struct vma *vma, unsigned feature)
{
	return uffd_wants(vma->uffd, feature) && READ_ONCE(vma->uffd->mm) == vma->mm;
}

/* An event about its part of [start, end) for every vma whose context wants it. 0 or -ENOMEM, with @out empty. */
static int prepare_range(struct mm *mm, vaddr_t start, vaddr_t end, unsigned feature, unsigned event, struct list *out)
{
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end) {
		struct uffd_event *e;

		if (likely(!vma->uffd) || !is_mine(vma, feature))
			continue;
		e = uffd_event_make(vma->uffd, event);
		if (!e) {
			uffd_events_drop(out);
			return -ENOMEM;
		}
		e->msg.remove.start = max(start, vma->start);
		e->msg.remove.end = min(end, vma->end);
		list_add_tail(&e->link, out);
	}
	return 0;
}

int uffd_prepare_unmap(struct mm *mm, vaddr_t start, vaddr_t end, struct list *out)
{
	return prepare_range(mm, start, end, UFFDX_EVENT_UNMAP, UFFDX_MSG_UNMAP, out);
}

struct uffd *uffd_prepare_fork(struct uffd *parent, struct mm *child, struct list *out)
{
	struct uffd_event *e;

	list_for_each_entry(e, out, link) {
		if (e->uffd == parent) {
			uffd_get(e->child);
			return e->child;
		}
	}
	e = uffd_event_make(parent, UFFDX_MSG_FORK);
	if (!e)
		return ERR_PTR(-ENOMEM);
	e->child = uffd_make(child, parent->flags);
	if (IS_ERR(e->child)) {
		struct uffd *err = e->child;

		e->child = NULL;
		event_end(e);
		return err;
	}
	e->child->features = parent->features;
	e->child->ready = true;
	list_add_tail(&e->link, out);
	uffd_get(e->child);
	return e->child;
}

/* -- telling ------------------------------------------------------------------------------------------------------- */

/* On the context's list, with a reference for who reads; false: nobody will. */
static bool queue(struct uffd_event *e)
{
	struct uffd *u = e->uffd;

	spin_lock(&u->lock);
	e->queued = !u->released;
	if (e->queued) {
		e->thread = this_cpu()->current;
		list_add_tail(&e->link, &u->events);
	}
	spin_unlock(&u->lock);
	return e->queued;
}

/* Until it was read; false: it was not, and will not be. */
static bool wait_read(struct uffd_event *e)
{
	bool read;

	for (;;) {
		sync_prepare(SYNC_KILLABLE);
		if (READ_ONCE(e->done) || wait_interrupted(SYNC_KILLABLE))
			break;
		sync_block();
	}
	sync_prepare(SYNC_RUNNING);
	spin_lock(&e->uffd->lock);
	if (e->queued)
		list_del(&e->link);
	e->queued = false;
	e->thread = NULL;
	read = e->read;
	spin_unlock(&e->uffd->lock);
	return read;
}

static void tell(struct uffd_event *e)
{
	bool told = queue(e);

	if (told) {
		wake_up_all(&e->uffd->readers);
		told = wait_read(e);
	}
	if (!told && e->child)
		uffd_release(e->child); /* nobody has its file: its ranges must not wait for anybody */
	event_end(e);
}

void mm_unlock_changed(struct mm *mm)
{
	struct list events;

	if (likely(list_empty(&mm->uffd_events))) {
		rwsem_write_unlock(&mm->lock);
		return;
	}
	list_init(&events);
	list_splice_tail(&mm->uffd_events, &events);
	list_init(&mm->uffd_events);
	rwsem_write_unlock(&mm->lock);
	while (!list_empty(&events)) {
		struct uffd_event *e = list_first_entry(&events, struct uffd_event, link);

		list_del(&e->link);
		tell(e);
	}
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

struct uffd_event *uffd_next_event(struct uffd *u)
{
	struct uffd_event *e = NULL;

	spin_lock(&u->lock);
	if (!list_empty(&u->events)) {
		e = list_first_entry(&u->events, struct uffd_event, link);
		list_del(&e->link);
		e->queued = false;
		__atomic_fetch_add(&e->refs, 1, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&u->lock);
	return e;
}

void uffd_event_read(struct uffd_event *e)
{
	spin_lock(&e->uffd->lock);
	e->done = e->read = true;
	if (e->thread)
		(void)sync_wake(e->thread);
	spin_unlock(&e->uffd->lock);
	event_put(e);
}

void uffd_event_unread(struct uffd_event *e)
{
	spin_lock(&e->uffd->lock);
	e->queued = e->thread && !e->uffd->released;
	if (e->queued)
		list_add(&e->link, &e->uffd->events);
	else
		e->done = true;
	if (e->done && e->thread)
		(void)sync_wake(e->thread);
	spin_unlock(&e->uffd->lock);
	event_put(e);
}

/* -- MADV_DONTNEED ------------------------------------------------------------------------------------------------------ */

/* Does anybody want to know? => mm->lock held */
static bool wanted(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end) {
		if (unlikely(vma->uffd) && is_mine(vma, UFFDX_EVENT_REMOVE))
			return true;
	}
	return false;
}

int uffd_tell_remove(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct list events;
	bool any;
	int err;

	if (likely(list_empty(&mm->uffds)))
		return 0;
	rwsem_read_lock(&mm->lock);
	any = wanted(mm, start, end);
	rwsem_read_unlock(&mm->lock);
	if (!any)
		return 0;
	list_init(&events);
	rwsem_write_lock(&mm->lock);
	err = prepare_range(mm, start, end, UFFDX_EVENT_REMOVE, UFFDX_MSG_REMOVE, &events);
	uffd_events_add(mm, &events);
	mm_unlock_changed(mm);
	return err;
}
