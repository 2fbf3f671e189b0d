/*
 * wait.c - wait queues and completions.  Layer 2.
 */
#include "kernel/sync/wait.h"
#include <arch/irq.h>
#include "kernel/sync/completion.h"

void wait_queue_init(struct wait_queue *wq)
{
	spin_init(&wq->lock, LOCK_WAITQ);
	list_init(&wq->entries);
}

void wait_entry_init(struct wait_entry *e)
{
	list_init(&e->link);
	e->thread = current_thread();
	e->wake = NULL;
	e->exclusive = false;
}

void wait_queue_add(struct wait_queue *wq, struct wait_entry *e)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);

	if (e->exclusive)
		list_add_tail(&e->link, &wq->entries);
	else
		list_add(&e->link, &wq->entries);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void wait_queue_remove(struct wait_queue *wq, struct wait_entry *e)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);

	list_del_init(&e->link);
	spin_unlock_irqrestore(&wq->lock, flags);
}

/* => wq->lock */
static void wake_locked(struct wait_queue *wq, unsigned nr_exclusive)
{
	struct wait_entry *e, *tmp;

	list_for_each_entry_safe(e, tmp, &wq->entries, link) {
		bool exclusive = e->exclusive; /* e may go as soon as its owner gets the lock, not before */
		bool woken = e->wake ? e->wake(e) : sync_wake(e->thread);

		if (exclusive && woken && nr_exclusive && --nr_exclusive == 0)
			break;
	}
}

void wait_queue_wake(struct wait_queue *wq, unsigned nr_exclusive)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);

	wake_locked(wq, nr_exclusive);
	spin_unlock_irqrestore(&wq->lock, flags);
}

u64 wait_deadline(u64 ns)
{
	u64 now = arch_clock_ns();

	return now + ns < now ? ~0ULL : now + ns;
}

/* -- completions -------------------------------------------------------------------------------------------- */
void completion_init(struct completion *c)
{
	wait_queue_init(&c->wq);
	c->done = 0;
}

static bool take(struct completion *c)
{
	unsigned long flags = spin_lock_irqsave(&c->wq.lock);
	bool done = c->done > 0;

	c->done -= done;
	spin_unlock_irqrestore(&c->wq.lock, flags);
	return done;
}

void completion_wait(struct completion *c)
{
	wait_event(&c->wq, take(c));
}

int completion_wait_killable(struct completion *c)
{
	return wait_event_killable(&c->wq, take(c));
}

void complete(struct completion *c)
{
	unsigned long flags = spin_lock_irqsave(&c->wq.lock);

	c->done++;
	wake_locked(&c->wq, 1);
	spin_unlock_irqrestore(&c->wq.lock, flags);
}
