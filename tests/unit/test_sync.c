/*
 * test_sync.c - mutex, rwsem, wait queue and completion with threads of the host as the kernel's threads;
 * the lock-order validator.
 * links: kernel/sync/mutex.c kernel/sync/rwsem.c kernel/sync/wait.c kernel/sync/spinlock.c kernel/sync/lockrank.c
 */
#include <arch/irq.h>
#include <pthread.h>
#include <unistd.h>
#include "kernel/sync/completion.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/rwsem.h"
#include "kernel/sync/wait.h"
#include "tests/unit/test.h"

/* -- the hooks: a thread sleeps on a condition variable ------------------------------------------------------ */
struct thread {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned state;
	bool fatal;
	struct lock_context locks;
	void (*fn)(struct thread *);
	unsigned long rounds, result;
};

__thread struct cpu the_cpu;
unsigned cpu_count = MAX_CPUS;
struct cpu cpus[MAX_CPUS];

void sync_prepare(enum sync_state state)
{
	__atomic_store_n(&the_cpu.current->state, state, __ATOMIC_SEQ_CST);
}

void sync_block(void)
{
	struct thread *t = the_cpu.current;

	pthread_mutex_lock(&t->lock);
	while (__atomic_load_n(&t->state, __ATOMIC_SEQ_CST) != SYNC_RUNNING)
		pthread_cond_wait(&t->wake, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

bool sync_block_until(u64 deadline)
{
	while (__atomic_load_n(&the_cpu.current->state, __ATOMIC_SEQ_CST) != SYNC_RUNNING)
		if (arch_clock_ns() >= deadline)
			return true;
	return false;
}

bool sync_wake(struct thread *t)
{
	bool woken;

	pthread_mutex_lock(&t->lock);
	woken = __atomic_exchange_n(&t->state, SYNC_RUNNING, __ATOMIC_SEQ_CST) != SYNC_RUNNING;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	return woken;
}

bool sync_fatal_pending(void)
{
	return __atomic_load_n(&the_cpu.current->fatal, __ATOMIC_SEQ_CST);
}

bool sync_signal_pending(void)
{
	return sync_fatal_pending();
}

struct lock_context *sync_lock_context(void)
{
	return &the_cpu.current->locks;
}

u64 arch_clock_ns(void)
{
	static u64 now;

	return __atomic_add_fetch(&now, 1000, __ATOMIC_SEQ_CST);
}

/* -- threads ------------------------------------------------------------------------------------------------------ */
#define THREADS 6
static struct thread threads[THREADS], main_thread;

static void thread_setup(struct thread *t, unsigned cpu)
{
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	the_cpu.current = t;
	the_cpu.id = cpu;
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	the_cpu.current = t;
	the_cpu.id = (unsigned)(t - threads) + 1;
	t->fn(t);
	if (the_cpu.preempt_count || t->locks.n)
		abort();
	return NULL;
}

static void start(unsigned i, void (*fn)(struct thread *), unsigned long rounds)
{
	struct thread *t = &threads[i];

	*t = (struct thread){.fn = fn, .rounds = rounds};
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	pthread_create(&t->id, NULL, thread_main, t);
}

static unsigned long join(unsigned i)
{
	pthread_join(threads[i].id, NULL);
	return threads[i].result;
}

/* -- mutex --------------------------------------------------------------------------------------------------------- */
static struct mutex m;
static volatile unsigned long counter;
static unsigned long taken;
static volatile int inside_readers, inside_writer, bad;

static void mutex_worker(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		if (i % 7 == 3 && mutex_trylock(&m)) {
			counter++;
			mutex_unlock(&m);
			t->result++;
		}
		if (i % 5 == 2) {
			if (mutex_lock_killable(&m)) {
				__atomic_store_n(&t->fatal, false, __ATOMIC_SEQ_CST);
				continue;
			}
		} else {
			mutex_lock(&m);
		}
		counter++;
		t->result++;
		if (i % 64 == 0)
			sched_yield();
		mutex_unlock(&m);
	}
}

static void killer(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		struct thread *victim = &threads[i % (THREADS - 1)];

		__atomic_store_n(&victim->fatal, true, __ATOMIC_SEQ_CST);
		sync_wake(victim); /* also shows that spurious wake-ups do no harm */
		usleep(20);
	}
}

static void workers(void (*fn)(struct thread *), unsigned long rounds)
{
	for (unsigned i = 0; i < THREADS - 1; i++)
		start(i, fn, rounds);
	start(THREADS - 1, killer, 500);
	taken = 0;
	for (unsigned i = 0; i < THREADS; i++)
		taken += join(i);
}

static void mutex_storm(void)
{
	mutex_init(&m, LOCK_INODE);
	counter = 0;
	workers(mutex_worker, 20000);
	CHECK(counter == taken && m.state == 0);
	CHECK(list_empty(&m.waiters));
}

/* -- rwsem --------------------------------------------------------------------------------------------------------- */
static struct rwsem s;

static void look(bool write)
{
	if (write) {
		if (__atomic_add_fetch(&inside_writer, 1, __ATOMIC_SEQ_CST) != 1 || inside_readers)
			bad++;
		__atomic_sub_fetch(&inside_writer, 1, __ATOMIC_SEQ_CST);
	} else {
		__atomic_add_fetch(&inside_readers, 1, __ATOMIC_SEQ_CST);
		if (inside_writer)
			bad++;
		__atomic_sub_fetch(&inside_readers, 1, __ATOMIC_SEQ_CST);
	}
}

static void rwsem_worker(struct thread *t)
{
	unsigned long seed = (unsigned long)(t - threads) * 7919 + 1;

	for (unsigned long i = 0; i < t->rounds; i++) {
		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		switch ((seed >> 40) % 8) {
		case 0:
			rwsem_write_lock(&s);
			look(true);
			CHECK(rwsem_write_held(&s) && rwsem_held(&s));
			rwsem_write_unlock(&s);
			break;
		case 1:
			if (rwsem_write_lock_killable(&s)) {
				__atomic_store_n(&t->fatal, false, __ATOMIC_SEQ_CST);
				break;
			}
			look(true);
			rwsem_downgrade(&s);
			look(false);
			CHECK(rwsem_held(&s) && !rwsem_write_held(&s));
			rwsem_read_unlock(&s);
			break;
		case 2:
			if (rwsem_write_trylock(&s)) {
				look(true);
				rwsem_write_unlock(&s);
			}
			break;
		case 3:
			if (rwsem_read_trylock(&s)) {
				look(false);
				rwsem_read_unlock(&s);
			}
			break;
		case 4:
			if (rwsem_read_lock_killable(&s)) {
				__atomic_store_n(&t->fatal, false, __ATOMIC_SEQ_CST);
				break;
			}
			look(false);
			rwsem_read_unlock(&s);
			break;
		default:
			rwsem_read_lock(&s);
			look(false);
			if (i % 64 == 0)
				sched_yield();
			rwsem_read_unlock(&s);
		}
	}
}

static void rwsem_storm(void)
{
	rwsem_init(&s, LOCK_MMAP);
	bad = 0;
	workers(rwsem_worker, 30000);
	CHECK(bad == 0 && s.count == 0 && list_empty(&s.waiters));
}

/* A reader that comes after a waiting writer waits behind it. */
static volatile int order;
static int writer_at, reader_at;

static void late_writer(struct thread *t)
{
	rwsem_write_lock(&s);
	writer_at = ++order;
	rwsem_write_unlock(&s);
}

static void late_reader(struct thread *t)
{
	rwsem_read_lock(&s);
	reader_at = ++order;
	rwsem_read_unlock(&s);
}

static bool waits(unsigned i)
{
	for (unsigned n = 0; n < 5000; n++, usleep(1000))
		if (__atomic_load_n(&threads[i].state, __ATOMIC_SEQ_CST) != SYNC_RUNNING)
			return true;
	return false;
}

static void rwsem_fair(void)
{
	rwsem_init(&s, LOCK_MMAP);
	order = 0;
	rwsem_read_lock(&s);
	start(0, late_writer, 0);
	CHECK(waits(0));
	CHECK(!rwsem_read_trylock(&s));
	start(1, late_reader, 0);
	CHECK(waits(1) && order == 0);
	rwsem_read_unlock(&s);
	join(0);
	join(1);
	CHECK(writer_at == 1 && reader_at == 2 && s.count == 0);
}

/* -- wait queues ------------------------------------------------------------------------------------------------------ */
static struct wait_queue wq;
static volatile unsigned long tokens;
static struct completion *volatile pending_completion;

static bool token_take(void)
{
	unsigned long n = tokens;

	while (n > 0)
		if (__atomic_compare_exchange_n(&tokens, &n, n - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static void token_user(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++)
		wait_event_exclusive(&wq, token_take());
}

/* One exclusive waiter is woken for one token: none may be lost. */
static void wake_one(void)
{
	wait_queue_init(&wq);
	tokens = 0;
	for (unsigned i = 0; i < 4; i++)
		start(i, token_user, 5000);
	for (unsigned i = 0; i < 20000; i++) {
		__atomic_add_fetch(&tokens, 1, __ATOMIC_SEQ_CST);
		wake_up(&wq);
	}
	for (unsigned i = 0; i < 4; i++)
		join(i);
	CHECK(tokens == 0 && list_empty(&wq.entries));
}

static void completer(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		struct completion *c;

		while (!(c = __atomic_exchange_n(&pending_completion, NULL, __ATOMIC_SEQ_CST)))
			sched_yield();
		complete(c);
	}
}

static __attribute__((noinline)) void complete_on_stack(void)
{
	struct completion c;

	completion_init(&c);
	__atomic_store_n(&pending_completion, &c, __ATOMIC_SEQ_CST);
	completion_wait(&c);
}

static void completions(void)
{
	start(0, completer, 5000);
	for (unsigned i = 0; i < 5000; i++)
		complete_on_stack();
	join(0);
}

static void timeouts(void)
{
	wait_queue_init(&wq);
	tokens = 0;
	CHECK(wait_event_interruptible_timeout(&wq, token_take(), 50000) == 0);
	tokens = 1;
	CHECK(wait_event_interruptible_timeout(&wq, token_take(), 50000) == 1);
	main_thread.fatal = true;
	CHECK(wait_event_killable(&wq, token_take()) == -EINTR);
	CHECK(wait_event_interruptible_timeout(&wq, token_take(), 50000) == -EINTR);
	main_thread.fatal = false;
	CHECK(list_empty(&wq.entries) && main_thread.state == SYNC_RUNNING);
}

/* -- the validator: the last test, because after its first find it is silent ------------------------------------------- */
static void orders_that_are_right(void)
{
	spinlock_t outer = SPINLOCK_INIT(LOCK_PTL), second = SPINLOCK_INIT(LOCK_PTL), inner = SPINLOCK_INIT(LOCK_BUDDY);
	struct mutex free_lock;

	mutex_init(&free_lock, LOCK_NONE);
	mutex_init(&m, LOCK_INODE);
	mutex_lock(&m);
	mutex_lock(&free_lock);
	spin_lock(&outer);
	spin_lock_nested(&second);
	spin_lock(&inner);
	CHECK(spin_held(&outer) && lock_held(&inner) && mutex_held(&m) && the_cpu.preempt_count == 3);
	spin_unlock(&outer);
	CHECK(!spin_held(&outer) && spin_trylock(&outer)); /* any order goes with try */
	spin_unlock(&second);
	spin_unlock(&inner);
	spin_unlock(&outer);
	mutex_unlock(&m);
	mutex_unlock(&free_lock);
	CHECK(the_cpu.preempt_count == 0 && main_thread.locks.n == 0);
}

static void wrong_order(void)
{
	spinlock_t outer = SPINLOCK_INIT(LOCK_PTL), inner = SPINLOCK_INIT(LOCK_BUDDY);

	spin_lock(&inner);
	CHECK(PANICS(spin_lock(&outer)));
}

int main(void)
{
	thread_setup(&main_thread, 0);
	RUN(mutex_storm);
	RUN(rwsem_storm);
	RUN(rwsem_fair);
	RUN(wake_one);
	RUN(completions);
	RUN(timeouts);
	RUN(orders_that_are_right);
	RUN(wrong_order);
	return test_end();
}
