/*
 * test_sync.c - mutex, rwsem, wait queue and completion with threads of the host as the kernel's threads;
 * seqcount, RCU, SRCU; the lock-order validator.
 * links: kernel/sync/mutex.c kernel/sync/rwsem.c kernel/sync/wait.c kernel/sync/spinlock.c kernel/sync/lockrank.c kernel/sync/lock_waits.c kernel/lib/harness.c kernel/sync/rcu.c kernel/sync/srcu.c
 */
#include <arch/irq.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernel/sync/completion.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/lock_waits.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/rcu.h"
#include "kernel/sync/rwsem.h"
#include "kernel/sync/seqcount.h"
#include "kernel/sync/srcu.h"
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

/* -- waits --------------------------------------------------------------------------------------------------------- */
static spinlock_t spin = SPINLOCK_INIT(LOCK_TIMER);

static void late_mutex(struct thread *t)
{
	mutex_lock(&m);
	mutex_unlock(&m);
}

static void late_spin(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&spin);

	spin_unlock_irqrestore(&spin, flags);
}

/* Who finds a lock taken counts once, under its rank; who finds it free does not count. */
static void waits_count(void)
{
	unsigned long before[LOCK_RANK_COUNT], flags;

	for (unsigned i = 0; i < LOCK_RANK_COUNT; i++)
		before[i] = lock_waits((enum lock_rank)i);
	mutex_init(&m, LOCK_TTY);
	rwsem_init(&s, LOCK_MAPS);
	late_mutex(NULL);
	late_spin(NULL);
	late_reader(NULL);
	late_writer(NULL);
	CHECK(lock_waits(LOCK_TTY) == before[LOCK_TTY] && lock_waits(LOCK_TIMER) == before[LOCK_TIMER]);
	CHECK(lock_waits(LOCK_MAPS) == before[LOCK_MAPS]);
	mutex_lock(&m);
	rwsem_read_lock(&s);
	start(0, late_mutex, 0);
	start(1, late_writer, 0);
	CHECK(waits(0) && waits(1));
	start(2, late_reader, 0);
	CHECK(waits(2));
	rwsem_read_unlock(&s);
	mutex_unlock(&m);
	for (unsigned i = 0; i < 3; i++)
		join(i);
	flags = spin_lock_irqsave(&spin);
	start(3, late_spin, 0);
	for (unsigned n = 0; n < 5000 && lock_waits(LOCK_TIMER) == before[LOCK_TIMER]; n++)
		usleep(1000);
	spin_unlock_irqrestore(&spin, flags);
	join(3);
	CHECK(lock_waits(LOCK_TTY) == before[LOCK_TTY] + 1);
	CHECK(lock_waits(LOCK_MAPS) == before[LOCK_MAPS] + 2);
	CHECK(lock_waits(LOCK_TIMER) == before[LOCK_TIMER] + 1);
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

/* -- seqcount --------------------------------------------------------------------------------------------------------- */
static struct seqcount seq;
static unsigned long pair[2];

static void pair_reader(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		unsigned long a, b;
		unsigned start;

		do {
			start = seqcount_begin(&seq);
			a = READ_ONCE(pair[0]);
			if (i % 16 == 0)
				sched_yield();
			b = READ_ONCE(pair[1]);
		} while (seqcount_retry(&seq, start));
		if (a != ~b)
			__atomic_add_fetch(&bad, 1, __ATOMIC_SEQ_CST);
	}
}

static void pair_writer(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		seqcount_write_begin(&seq);
		WRITE_ONCE(pair[0], i);
		if (i % 16 == 0)
			sched_yield();
		WRITE_ONCE(pair[1], ~i);
		seqcount_write_end(&seq);
		if (i % 16 == 8)
			sched_yield();
	}
}

static void seqcounts(void)
{
	bad = 0;
	pair[1] = ~0UL;
	for (unsigned i = 0; i < 3; i++)
		start(i, pair_reader, 20000);
	start(3, pair_writer, 60000);
	for (unsigned i = 0; i < 4; i++)
		join(i);
	CHECK(bad == 0 && !(seq.seq & 1));
}

/* -- RCU and SRCU: what a reader follows is whole, and everything taken out of sight is freed ---------------------------- */
#define WHOLE 0x600d600dUL
struct node {
	unsigned long magic;
	struct rcu_head rcu;
};

static struct node *published;
static unsigned long made, freed;

static struct node *node_make(void)
{
	struct node *n = malloc(sizeof(*n));

	n->magic = WHOLE;
	__atomic_add_fetch(&made, 1, __ATOMIC_SEQ_CST);
	return n;
}

static void node_free(struct node *n)
{
	WRITE_ONCE(n->magic, 0);
	free(n);
	__atomic_add_fetch(&freed, 1, __ATOMIC_SEQ_CST);
}

static void node_call(struct rcu_head *head)
{
	node_free(container_of(head, struct node, rcu));
}

static void look_at(const struct node *n, bool yield)
{
	if (READ_ONCE(n->magic) != WHOLE)
		__atomic_add_fetch(&bad, 1, __ATOMIC_SEQ_CST);
	if (yield)
		sched_yield();
	if (READ_ONCE(n->magic) != WHOLE)
		__atomic_add_fetch(&bad, 1, __ATOMIC_SEQ_CST);
}

static void rcu_reader(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		rcu_read_lock();
		look_at(rcu_read(published), i % 8 == 0);
		rcu_read_unlock();
		if (i % 4 == 0)
			rcu_quiescent();
	}
}

static void rcu_writer(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		struct node *old = __atomic_exchange_n(&published, node_make(), __ATOMIC_SEQ_CST);

		rcu_call(&old->rcu, node_call);
		rcu_quiescent();
		if (i % 16 == 0)
			sched_yield();
	}
}

static void *rcu_thread(void *arg)
{
	thread_setup(arg, THREADS + 1);
	rcu_main(NULL);
}

static void rcu_storm(void)
{
	static struct thread rcu;
	unsigned long before;

	pthread_create(&rcu.id, NULL, rcu_thread, &rcu);
	for (unsigned i = 0; i <= 4; i++) { /* the readers' and the writer's numbers, and ours */
		the_cpu.id = i;
		rcu_cpu_online();
	}
	bad = 0;
	published = node_make();
	for (unsigned i = 0; i < 3; i++)
		start(i, rcu_reader, 40000);
	start(3, rcu_writer, 10000);
	for (unsigned i = 0; i < 4; i++)
		join(i);
	before = __atomic_load_n(&freed, __ATOMIC_SEQ_CST);
	usleep(20000); /* CPU 0 says nothing: not one more grace period ends than the one under way */
	CHECK(rcu_grace_periods() <= 1 && before < made);
	for (unsigned n = 0; n < 5000 && __atomic_load_n(&freed, __ATOMIC_SEQ_CST) != made - 1; n++, usleep(1000))
		for (unsigned i = 0; i <= 4; i++) {
			the_cpu.id = i;
			rcu_quiescent();
		}
	the_cpu.id = 0;
	CHECK(bad == 0 && freed == made - 1 && the_cpu.preempt_count == 0);
}

static struct srcu domain;

static void srcu_reader(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		unsigned idx = srcu_read_lock(&domain);

		look_at(rcu_read(published), i % 4 == 0);
		the_cpu.id ^= 8; /* sections may travel; nobody else has these two numbers */
		srcu_read_unlock(&domain, idx);
	}
}

static void srcu_writer(struct thread *t)
{
	for (unsigned long i = 0; i < t->rounds; i++) {
		struct node *old = __atomic_exchange_n(&published, node_make(), __ATOMIC_SEQ_CST);

		srcu_synchronize(&domain);
		node_free(old);
	}
}

static void srcu_storm(void)
{
	unsigned idx;

	srcu_init(&domain);
	bad = 0;
	for (unsigned i = 0; i < 4; i++)
		start(i, srcu_reader, 30000);
	start(4, srcu_writer, 3000);
	start(5, srcu_writer, 3000);
	for (unsigned i = 0; i < 6; i++)
		join(i);
	CHECK(bad == 0 && freed == made - 1 && !srcu_readers(&domain));
	idx = srcu_read_lock(&domain);
	CHECK(srcu_readers(&domain));
	srcu_read_unlock(&domain, idx);
	CHECK(!srcu_readers(&domain));
	node_free(published);
}

/* A synchronizer waits for the section that is open, not for one that begins later. */
static volatile bool synchronized;

static void srcu_waiter(struct thread *t)
{
	srcu_synchronize(&domain);
	synchronized = true;
}

static void srcu_waits(void)
{
	unsigned idx = srcu_read_lock(&domain), later;

	synchronized = false;
	start(0, srcu_waiter, 0);
	CHECK(waits(0));
	later = srcu_read_lock(&domain);
	CHECK(!synchronized);
	srcu_read_unlock(&domain, idx);
	join(0);
	CHECK(synchronized && srcu_readers(&domain));
	srcu_read_unlock(&domain, later);
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

/* Each of these is one process, because the validator falls silent after a find. */
static void wrong_order(void)
{
	spinlock_t outer = SPINLOCK_INIT(LOCK_PTL), inner = SPINLOCK_INIT(LOCK_BUDDY);

	spin_lock(&inner);
	CHECK(PANICS(spin_lock(&outer)));
}

static void in_interrupt(spinlock_t *l)
{
	the_cpu.irq_depth++;
	spin_lock(l);
	spin_unlock(l);
	the_cpu.irq_depth--;
}

/* A handler takes what is also taken with interrupts on. */
static void wrong_interrupts(void)
{
	spinlock_t l = SPINLOCK_INIT(LOCK_DEVICE);

	in_interrupt(&l);
	CHECK(PANICS(spin_lock(&l)));
}

/* A handler waits for A; under A somebody waits for B, whose holder may be interrupted by that handler. */
static void a_then_b(void)
{
	static spinlock_t a = SPINLOCK_INIT(LOCK_DEVICE), b = SPINLOCK_INIT(LOCK_FUTEX);
	unsigned long flags = spin_lock_irqsave(&a);

	spin_lock(&b);
	spin_unlock(&b);
	spin_unlock_irqrestore(&a, flags);
}

static void wrong_interrupts_indirect(void)
{
	spinlock_t a = SPINLOCK_INIT(LOCK_DEVICE), b = SPINLOCK_INIT(LOCK_FUTEX);

	in_interrupt(&a);
	spin_lock(&b);
	spin_unlock(&b);
	CHECK(PANICS(a_then_b()));
}

/* The same, found in another order. */
static void wrong_interrupts_late(void)
{
	spinlock_t a = SPINLOCK_INIT(LOCK_DEVICE), b = SPINLOCK_INIT(LOCK_FUTEX);

	a_then_b();
	in_interrupt(&a);
	CHECK(PANICS(spin_lock(&b)));
}

static void wrong_sleep_irqs_off(void)
{
	irq_save();
	CHECK(PANICS(mutex_lock(&m)));
}

static void wrong_sleep(void)
{
	rcu_read_lock();
	CHECK(PANICS(mutex_lock(&m)));
}

static void wrong_twice(void)
{
	spinlock_t l = SPINLOCK_INIT(LOCK_NONE);

	spin_lock(&l);
	CHECK(PANICS(spin_lock(&l)));
}

static void (*const wrong[])(void) = {
	wrong_order,          wrong_interrupts, wrong_interrupts_indirect, wrong_interrupts_late, wrong_sleep,
	wrong_sleep_irqs_off, wrong_twice};

static void validator_finds(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		int status = -1;
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			test_bad = false;
			wrong[i]();
			fflush(stdout);
			_exit(test_bad);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		if (status)
			printf("# wrong[%u] is not found\n", i);
	}
}

int main(void)
{
	thread_setup(&main_thread, 0);
	RUN(mutex_storm);
	RUN(rwsem_storm);
	RUN(rwsem_fair);
	RUN(waits_count);
	RUN(wake_one);
	RUN(completions);
	RUN(timeouts);
	RUN(seqcounts);
	RUN(rcu_storm);
	RUN(srcu_storm);
	RUN(srcu_waits);
	RUN(orders_that_are_right);
	RUN(validator_finds);
	return test_end();
}
