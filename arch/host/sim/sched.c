/*
 * sched.c - simulated threads: the hooks of kernel/sync, and what the two ways to run them share.
 *
 * Beside the layers, in the place of kernel/sched.  Points are in seeded.c and threads.c.
 */
#include "arch/host/sim/sched.h"

#include <arch/irq.h>
#include <arch/smp.h>
#include <arch/upcall.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/string.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/rcu.h"

const struct sched_mode *sched_mode;
__thread unsigned sched_quiet;
struct list sched_threads = LIST_INIT(sched_threads);
struct sim_config sched_config;

static struct lock_context boot_locks[MAX_CPUS] = {[0 ... MAX_CPUS - 1] = {.any_irq_state = true}};
static struct arch_context idle_contexts[MAX_CPUS];
static struct os_mutex *list_mutex;
static int next_tid = 1;
static u64 choices, randoms, trace;
static u32 prefetch_odds, evict_odds;
u32 sched_switch_odds;

/* -- numbers ------------------------------------------------------------------------------------------------------ */
static u64 xorshift(u64 *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1dULL;
}

/* Neighbouring seeds must not give neighbouring streams, and none may be 0. */
static u64 scatter(u64 seed, u64 which)
{
	u64 x = (seed + which * 0x9e3779b97f4a7c15ULL) ^ 0x6a09e667f3bcc909ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return (x ^ x >> 31) | 1;
}

u64 sched_choice(void)
{
	return xorshift(sched_config.threads ? &current_sim()->random : &choices);
}

u64 sim_random(void)
{
	return xorshift(sched_config.threads ? &current_sim()->random : &randoms);
}

void sched_trace(u64 a, u64 b)
{
	if (!sched_config.threads)
		trace = (trace ^ a ^ b << 32 ^ b >> 32) * 0x9e3779b97f4a7c15ULL + (trace >> 29);
}

u64 sim_trace(void)
{
	return trace;
}

static u32 odds_of(unsigned one_in)
{
	return one_in == SIM_NEVER ? 0 : (1u << SCHED_ODDS_BITS) / one_in;
}

void sched_begin(const struct sim_config *config)
{
	sched_config = *config;
	prefetch_odds = odds_of(config->prefetch_one_in);
	evict_odds = odds_of(config->evict_one_in);
	sched_switch_odds = odds_of(config->switch_one_in);
	choices = scatter(config->seed, 1);
	randoms = scatter(config->seed, 2);
	trace = 0;
	if (config->threads && !list_mutex)
		list_mutex = os_mutex_create();
}

void sched_lock(void)
{
	if (sched_config.threads)
		os_lock(list_mutex);
}

void sched_unlock(void)
{
	if (sched_config.threads)
		os_unlock(list_mutex);
}

/* -- points ---------------------------------------------------------------------------------------------------------- */
void host_point(void)
{
	if (likely(sched_mode && !sched_quiet))
		sched_mode->point(false);
}

void host_relax(void)
{
	if (sched_mode && !sched_quiet)
		sched_mode->point(true);
}

void sim_point(void)
{
	host_point();
}

bool host_claim(struct cpu *cpu)
{
	if (sched_mode && !sched_mode->claim(cpu))
		return false;
	sched_quiet++;
	return true;
}

void host_release(struct cpu *cpu)
{
	sched_quiet--;
	if (sched_mode)
		sched_mode->release(cpu);
}

static void idle_tick(void)
{
	rcu_quiescent();
	host_answer();
}

void sched_idle_ticks(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (host_claim(&cpus[i])) {
			host_as_cpu(&cpus[i], idle_tick);
			host_release(&cpus[i]);
		}
}

static void prefetch_recent(struct cpu *cpu)
{
	vaddr_t va = mmu_recent(cpu, (unsigned)sched_choice());

	if (va != ~0UL)
		(void)mmu_prefetch(cpu, va);
}

void sched_disturb(struct cpu *cpu, u64 random)
{
	if (unlikely(sched_odds(random, 0, prefetch_odds)))
		prefetch_recent(cpu ? cpu : &cpus[sched_choice() % cpu_count]);
	if (unlikely(sched_odds(random, 1, evict_odds)))
		tlb_drop_nth(cpu ? cpu : &cpus[sched_choice() % cpu_count], (unsigned)sched_choice());
}

u64 arch_clock_ns(void)
{
	return sched_mode ? sched_mode->clock() : 0;
}

/* A day of its own, the same one for ever. */
u64 arch_boot_epoch(void)
{
	return 1184889600;
}

u64 cpu_rdtsc(void)
{
	return arch_clock_ns();
}

void upcall_timer_tick(bool from_user)
{
	rcu_tick();
}

/* -- hooks.h ------------------------------------------------------------------------------------------------------------ */
void sync_prepare(enum sync_state state)
{
	host_point();
	__atomic_store_n(&current_sim()->state, state, __ATOMIC_SEQ_CST);
	host_point();
}

static bool block(u64 deadline)
{
	struct sim_thread *t = current_sim();
	unsigned long flags = irq_save();

	lock_assert_may_switch();
	t->deadline = deadline;
	if (atomic_read(&t->state) != SYNC_RUNNING)
		sched_mode->leave(t);
	irq_restore(flags);
	return deadline != SIM_FOREVER && arch_clock_ns() >= deadline;
}

void sync_block(void)
{
	(void)block(SIM_FOREVER);
}

bool sync_block_until(u64 deadline)
{
	return block(deadline);
}

static bool wake_from(struct sim_thread *t, unsigned states)
{
	unsigned state = atomic_read(&t->state);

	while (state & states)
		if (atomic_try_cmpxchg(&t->state, &state, SYNC_RUNNING)) {
			sched_mode->wake(t);
			return true;
		}
	return false;
}

bool sync_wake(struct thread *thread)
{
	return wake_from((struct sim_thread *)thread, SYNC_INTERRUPTIBLE | SYNC_KILLABLE | SYNC_UNINTERRUPTIBLE);
}

bool sync_signal_pending(void)
{
	return sync_fatal_pending();
}

int sync_thread_id(void)
{
	return current_sim()->tid;
}

unsigned *sync_memory_rights(void)
{
	return &current_sim()->memory_rights;
}

bool sync_fatal_pending(void)
{
	return READ_ONCE(current_sim()->killed);
}

/* Asked at every operation on every lock, before it: a good place to be interrupted. */
struct lock_context *sync_lock_context(void)
{
	struct sim_thread *t = current_sim();

	if (!t)
		return &boot_locks[this_cpu()->id];
	host_point();
	return &t->locks;
}

/* -- threads ---------------------------------------------------------------------------------------------------------- */
struct sim_thread *sched_create(struct mm *mm, unsigned cpu, void (*fn)(void *), void *arg)
{
	struct sim_thread *t = os_alloc(sizeof(*t));

	BUG_ON(cpu >= cpu_count);
	t->tid = atomic_fetch_add(&next_tid, 1);
	t->cpu = cpu;
	t->mm = mm;
	t->fn = fn;
	t->arg = arg;
	t->random = scatter(sched_config.seed, 16 + (u64)t->tid);
	if (mm)
		mm_get(mm);
	completion_init(&t->done);
	sched_lock();
	list_add_tail(&t->all_link, &sched_threads);
	sched_unlock();
	return t;
}

void sched_free(struct sim_thread *t)
{
	sched_lock();
	list_del(&t->all_link);
	sched_unlock();
	os_free(t);
}

void sched_arrive(struct sim_thread *t)
{
	if (t->mm)
		pgtable_load(&t->mm->pt);
	else
		pgtable_borrow();
}

void sched_depart(struct sim_thread *t)
{
	struct cpu *cpu = this_cpu();

	ASSERT(!irqs_enabled() && !cpu->preempt_count && !cpu->irq_depth);
	rcu_quiescent();
	pgtable_borrow();
	cpu->ctx = &idle_contexts[cpu->id];
	cpu->current = NULL;
}

void sched_thread_main(void *thread)
{
	struct sim_thread *t = thread;

	sched_arrive(t);
	irq_enable();
	t->fn(t->arg);
	sim_use(NULL);
	lock_assert_none_held("the end of a thread");
	complete(&t->done);
	irq_disable();
	sched_mode->end(t);
}

struct sim_thread *sim_spawn(struct mm *mm, int cpu, void (*fn)(void *), void *arg)
{
	unsigned where = cpu < 0 ? (unsigned)sim_below(sched_config.cpus) : (unsigned)cpu;
	struct sim_thread *t = sched_create(mm, where, fn, arg);

	sched_mode->start(t);
	host_point();
	return t;
}

void sim_join(struct sim_thread *t)
{
	completion_wait(&t->done);
	sched_mode->reap(t);
	sched_free(t);
}

struct sim_thread *sim_self(void)
{
	return current_sim();
}

void sim_kill(struct sim_thread *t)
{
	WRITE_ONCE(t->killed, true);
	(void)wake_from(t, SYNC_INTERRUPTIBLE | SYNC_KILLABLE);
}

struct mm *sim_mm(void)
{
	return current_sim()->mm;
}

void sim_use(struct mm *mm)
{
	struct sim_thread *t = current_sim();
	struct mm *old = t->mm;
	unsigned long flags;

	if (mm)
		mm_get(mm);
	flags = irq_save();
	t->mm = mm;
	pgtable_load(mm ? &mm->pt : NULL);
	irq_restore(flags);
	if (old)
		mm_put(old);
}

unsigned sim_cpu(void)
{
	return this_cpu()->id;
}

void sim_move(unsigned cpu)
{
	struct sim_thread *t = current_sim();
	unsigned long flags;

	BUG_ON(cpu >= cpu_count);
	might_sleep();
	if (cpu == t->cpu)
		return;
	flags = irq_save();
	t->cpu = cpu;
	sched_mode->yield(t);
	irq_restore(flags);
}

void sim_yield(void)
{
	unsigned long flags;

	host_point();
	if (!sched_mode->crowded())
		return;
	might_sleep();
	flags = irq_save();
	sched_mode->yield(current_sim());
	irq_restore(flags);
}

void sim_sleep(u64 ns)
{
	u64 deadline = wait_deadline(ns);

	do
		sync_prepare(SYNC_KILLABLE);
	while (!sync_fatal_pending() && !sync_block_until(deadline));
	sync_prepare(SYNC_RUNNING);
}

/* -- the end ------------------------------------------------------------------------------------------------------------ */
void host_stop(void)
{
	static bool stopped;

	sched_quiet += 1u << 20;
	if (__atomic_exchange_n(&stopped, true, __ATOMIC_SEQ_CST))
		return;
	run_epitaph("panic");
}

void sched_deadlock(void)
{
	static const char *const names[] = {"runs", "interruptible", "killable", "3", "waits", "5", "6", "7", "dead"};
	struct sim_thread *t;

	host_stop();
	printk("DEADLOCK: nobody can run\n");
	list_for_each_entry(t, &sched_threads, all_link) {
		printk("thread %d on cpu %u: %s%s\n", t->tid, t->cpu, names[t->state % ARRAY_SIZE(names)],
		       cpus[t->cpu].current == (struct thread *)t ? ", current" : "");
		for (unsigned i = 0; i < t->locks.n; i++)
			printk("    holds %s %p\n", lock_rank_name(t->locks.held[i].rank), t->locks.held[i].lock);
	}
	os_exit(SIM_TIMED_OUT);
}
