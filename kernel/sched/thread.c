/*
 * thread.c - a thread's life: made, started, ended, freed.  Layer 8 (kernel/sched).
 */
#include "kernel/sched/thread.h"
#include <arch/debug.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/stack.h"
#include "kernel/sync/spinlock.h"
#include "mm/phys/slab.h"

static struct slab_cache thread_cache;
static spinlock_t threads_lock = SPINLOCK_INIT(LOCK_THREADS); /* irqsave */
static struct list threads = LIST_INIT(threads);
static unsigned long nr_threads;
static int last_kernel_tid;

void thread_init_subsystem(void)
{
	if (!thread_cache.name)
		slab_cache_init(&thread_cache, "thread", sizeof(struct thread));
}

void thread_init_fields(struct thread *t, const char *name)
{
	unsigned long flags;

	memset(t, 0, sizeof(*t));
	t->refs = 1;
	t->state = THREAD_NEW;
	t->slice_ns = SCHED_SLICE_NS;
	t->cpu = this_cpu()->id;
	t->allowed = current_thread() && current_thread()->process ? current_thread()->allowed : ~0UL;
	list_init(&t->process_link);
	thread_set_name(t, name);
	flags = spin_lock_irqsave(&threads_lock);
	list_add_tail(&t->all_link, &threads);
	nr_threads++;
	spin_unlock_irqrestore(&threads_lock, flags);
}

void thread_set_name(struct thread *t, const char *name)
{
	strlcpy(t->name, name, sizeof(t->name));
}

struct thread *thread_alloc(const char *name)
{
	struct thread *t = slab_alloc(&thread_cache, GFP_KERNEL);
	void *stack;

	if (!t)
		return ERR_PTR(-ENOMEM);
	stack = stack_alloc();
	if (!stack) {
		slab_free(&thread_cache, t);
		return ERR_PTR(-ENOMEM);
	}
	thread_init_fields(t, name);
	t->stack = stack;
	t->stack_top = (vaddr_t)t->stack + THREAD_STACK_SIZE;
	*(unsigned long *)t->stack = THREAD_STACK_CANARY;
	return t;
}

static void thread_free(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&threads_lock);

	list_del(&t->all_link);
	nr_threads--;
	spin_unlock_irqrestore(&threads_lock, flags);
	if (t->on_free)
		t->on_free(t);
	arch_context_destroy(&t->ctx);
	stack_free(t->stack);
	slab_free(&thread_cache, t);
}

void thread_get(struct thread *t)
{
	ASSERT(atomic_read(&t->refs) > 0);
	atomic_inc(&t->refs);
}

void thread_put(struct thread *t)
{
	ASSERT(atomic_read(&t->refs) > 0);
	if (!atomic_dec_and_test(&t->refs))
		return;
	ASSERT(t->state == THREAD_DEAD || t->state == THREAD_NEW);
	thread_free(t);
}

void thread_discard(struct thread *t)
{
	ASSERT(t->state == THREAD_NEW);
	thread_put(t);
}

/* First code of every kernel thread. => interrupts off */
static void kernel_thread_entry(void *arg)
{
	struct thread *t = arg;

	thread_first_run();
	irq_enable();
	t->fn(t->arg);
	thread_exit();
}

struct thread *thread_create_kernel(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t = thread_alloc(name);

	if (IS_ERR(t))
		return t;
	t->fn = fn;
	t->arg = arg;
	t->allowed = ~0UL; /* whoever asked for it */
	t->tid = atomic_dec_return(&last_kernel_tid);
	arch_context_init_kernel(&t->ctx, (void *)t->stack_top, kernel_thread_entry, t);
	thread_start(t);
	return t;
}

__noreturn void thread_exit(void)
{
	struct thread *t = current_thread();

	lock_assert_none_held("thread_exit");
	ASSERT(!t->pt);
	irq_disable();
	t->state = THREAD_DEAD; /* nothing wakes this state; the next thread drops the scheduler's reference */
	schedule();
	panic("sched: the dead thread %s (%d) runs\n", t->name, t->tid);
}

void thread_for_each(void (*fn)(struct thread *t, void *ctx), void *ctx)
{
	unsigned long flags = spin_lock_irqsave(&threads_lock);
	struct thread *t;

	list_for_each_entry(t, &threads, all_link)
		fn(t, ctx);
	spin_unlock_irqrestore(&threads_lock, flags);
}

/* Pointers are looked at before they are followed: the machine may have stopped in the middle of list_add(). */
struct thread *thread_next_unlocked(const struct thread *t)
{
	const struct list *link = t ? &t->all_link : &threads, *next;

	if (!arch_probe_read(&next, &link->next, sizeof(next)) || !next || next == &threads)
		return NULL;
	return list_entry(next, struct thread, all_link);
}

unsigned long thread_count(void)
{
	return READ_ONCE(nr_threads);
}
