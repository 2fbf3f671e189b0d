/*
 * dirty_list.c - which objects have pages that are newer than their files.
 *
 * Layer 5b (mm/object).  Interface: pagecache.h.  Lock: list_lock (LOCK_FLUSHER), a leaf.
 *
 * An object stays on the list until all is written, also while somebody is writing it: who comes meanwhile and
 * wants everything written (sync) finds it here and waits too.  Only a walk takes it off, so that one store after each
 * fsync does not take the lock that all objects share.  The list is in the order of joining, and each member
 * bears its number, so a walk sees every member of the moment when it began once, whoever leaves and joins
 * meanwhile: also if a disk fails at once and the clock stands still.
 */
#include <arch/irq.h>

#include "kernel/lib/atomic.h"
#include "mm/object/pagecache.h"

static struct list dirty_objects = LIST_INIT(dirty_objects);
static spinlock_t list_lock = SPINLOCK_INIT(LOCK_FLUSHER);
static u64 joined; /* the last one's number; list_lock */

/*
 * While its pages are dirtied one after another an object is on the list already, so only the first takes the lock that
 * all objects share.  Nobody is forgotten: the mark was set under pages_lock.  Who takes the object off the list looks
 * through its marks afterwards, under pages_lock: before ours, and then we see that it is off; or after, and sees ours.
 */
void dirty_list_join(struct vm_object *obj)
{
	if (!list_empty(&obj->dirty_link))
		return;
	spin_lock(&list_lock);
	if (list_empty(&obj->dirty_link)) {
		obj->dirtied_at = arch_clock_ns();
		obj->dirty_number = ++joined;
		list_add_tail(&obj->dirty_link, &dirty_objects);
	}
	spin_unlock(&list_lock);
}

void dirty_list_leave(struct vm_object *obj)
{
	spin_lock(&list_lock);
	list_del_init(&obj->dirty_link);
	spin_unlock(&list_lock);
}

/* => pages_lock not held */
static bool anything_to_write(struct vm_object *obj)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	bool any = radix_any_marked(&obj->pages, RADIX_MARK_DIRTY) || radix_any_marked(&obj->pages, RADIX_MARK_WRITEBACK);

	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return any;
}

void dirty_list_settle(struct vm_object *obj)
{
	if (list_empty(&obj->dirty_link) || anything_to_write(obj))
		return;
	dirty_list_leave(obj);
	if (anything_to_write(obj))
		dirty_list_join(obj);
}

void dirty_list_renew(struct vm_object *obj)
{
	if (list_empty(&obj->dirty_link) || anything_to_write(obj))
		return;
	spin_lock(&list_lock);
	obj->dirtied_at = arch_clock_ns();
	spin_unlock(&list_lock);
}

void dirty_walk_begin(struct dirty_walk *w)
{
	spin_lock(&list_lock);
	w->seen = 0;
	w->end = joined;
	spin_unlock(&list_lock);
}

/* => list_lock */
static bool is_next(const struct dirty_walk *w, const struct vm_object *obj)
{
	if (obj->dirty_number <= w->seen || obj->dirty_number > w->end || obj->dirtied_at > w->dirtied_before)
		return false;
	return !w->spare_busy || !atomic_read(&obj->syncing);
}

struct vm_object *dirty_walk_next(struct dirty_walk *w)
{
	struct vm_object *obj, *found = NULL;

	spin_lock(&list_lock);
	list_for_each_entry(obj, &dirty_objects, dirty_link) {
		if (!is_next(w, obj) || !obj->ops->hold(obj))
			continue;
		found = obj;
		w->seen = obj->dirty_number;
		/* What becomes dirty from now on is younger; what cannot be written is tried again when it is as old again. */
		obj->dirtied_at = arch_clock_ns();
		break;
	}
	spin_unlock(&list_lock);
	return found;
}
