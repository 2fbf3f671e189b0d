/*
 * sched.h - simulated threads and who runs them, between the files of arch/host/sim.
 *
 * Two ways to run threads on CPUs, behind one interface (struct sched_mode):
 *
 *   seeded   one real thread; contexts.  At a point the turn may pass to another CPU, by the seed.
 *   threads  each simulated thread is a real one; a CPU is a baton that its running thread holds.
 *
 * Either way a CPU runs one thread at a time, and another only when that one waits, ends or yields: kernel code is not
 * preempted.
 */
#ifndef ARCH_HOST_SIM_SCHED_H
#define ARCH_HOST_SIM_SCHED_H

#include <arch/context.h>
#include "arch/host/machine.h"
#include "arch/host/os/os.h"
#include "arch/host/sim.h"
#include "kernel/sync/completion.h"

#define SIM_DEAD 8u /* a state beyond enum sync_state: it will never run again, its stack is free */
#define SIM_FOREVER (~0ULL)

struct sim_thread {
	struct arch_context ctx;
	unsigned state; /* enum sync_state or SIM_DEAD; w: itself, or who wakes it; atomic */
	bool killed;
	unsigned memory_rights; /* SYNC_MEMORY_* */
	bool off;               /* seeded: it has left its CPU, and who wakes it puts it into the queue */
	int tid;
	unsigned cpu;
	struct mm *mm; /* reference owned */
	void (*fn)(void *arg);
	void *arg;
	u64 deadline; /* of its sleep */
	u64 random;
	struct list run_link; /* seeded: its CPU's queue */
	struct list all_link;
	struct completion done;
	struct lock_context locks; /* the validator's */

	struct os_context *context; /* seeded */
	struct os_thread *os;       /* threads */
	struct os_mutex *mutex;     /* with cond: for changes of state */
	struct os_cond *cond;
};

/* => the executing CPU is the thread's; interrupts off, no lock */
struct sched_mode {
	void (*start)(struct sim_thread *t);   /* it becomes runnable on t->cpu */
	void (*leave)(struct sim_thread *t);   /* until its state is RUNNING, or t->deadline; returns on t->cpu again */
	void (*yield)(struct sim_thread *t);   /* another thread of its CPU may run; returns on t->cpu, perhaps a new one */
	void (*wake)(struct sim_thread *t);    /* its state has just become RUNNING. => any context */
	void (*end)(struct sim_thread *t);     /* threads: returns, and the body must too */
	void (*reap)(struct sim_thread *t);    /* it has ended: wait until it is dead, free its stack */
	void (*run)(struct sim_thread *first); /* the process's own stack: until sim_stop_run() */
	void (*point)(bool wait);              /* => sched_quiet is 0 */
	bool (*claim)(struct cpu *cpu);        /* see host_claim() */
	void (*release)(struct cpu *cpu);
	u64 (*clock)(void);
	bool (*crowded)(void); /* does another thread want the executing CPU? */
};
extern const struct sched_mode seeded_mode, threads_mode;
extern const struct sched_mode *sched_mode; /* NULL: boot, nothing is scheduled */

extern __thread unsigned sched_quiet; /* > 0: points do nothing */
extern struct list sched_threads;     /* all; sched_lock() */
void sched_lock(void);                /* bare; seeded: nothing to do */
void sched_unlock(void);

static inline struct sim_thread *current_sim(void)
{
	return (struct sim_thread *)current_thread();
}

/* -- sched.c: what both modes share ------------------------------------------------------------------------------------ */
void sched_begin(const struct sim_config *config);                                           /* of a run */
struct sim_thread *sched_create(struct mm *mm, unsigned cpu, void (*fn)(void *), void *arg); /* not started */
void sched_free(struct sim_thread *t);
/* First on a CPU that @t just got: its address space. => interrupts off */
void sched_arrive(struct sim_thread *t);
/* Last before it gives the CPU up. => interrupts off; off still, but the CPU counts as idle */
void sched_depart(struct sim_thread *t);
/* Body of every thread. */
void sched_thread_main(void *thread);
/* What CPUs that execute nothing would do at their ticks. => on a CPU, quiet */
void sched_idle_ticks(void);
/* The hardware of @cpu (NULL: any) does something on its own: fetches a translation, forgets one. => quiet */
void sched_disturb(struct cpu *cpu, u64 random);
/* One random number decides up to three things at a point, without a division. */
#define SCHED_ODDS_BITS 21
extern u32 sched_switch_odds;
static inline bool sched_odds(u64 random, unsigned which, u32 odds)
{
	return (random >> (which * SCHED_ODDS_BITS) & (BIT(SCHED_ODDS_BITS) - 1)) < odds;
}
u64 sched_choice(void);         /* the seed's next number for the scheduler. => seeded, or the executing thread's */
void sched_trace(u64 a, u64 b); /* something happened: mix it into sim_trace() */
__noreturn void sched_deadlock(void);
extern struct sim_config sched_config; /* of the present run, defaults filled in */

/* -- access.c */
void access_init(void);

/* -- run.c */
void run_epitaph(const char *what); /* how to replay this */

/* -- file.c */
void file_init(void);
unsigned file_count(void); /* that exist */

#endif
