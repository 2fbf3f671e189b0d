/*
 * thread.h - threads: the unit of scheduling.  Layer 8 (kernel/sched).
 *
 * A thread is referenced by the scheduler while it is not dead, and by whoever took thread_get().  The
 * boot context of each CPU becomes its idle thread.  Kernel code is never preempted: it gives up the CPU in
 * schedule(), that is by sleeping, cond_resched() or on the way out to ring 3.
 *
 *   state    r: any   w: the thread itself (sync_prepare), or a waker under the run queue's lock
 *   cpu, on_rq, queued, slice, times    the lock of cpu's run queue (kernel/sched/sched.h)
 *   allowed  w: the run queue's lock   r: any
 */
#ifndef KERNEL_SCHED_THREAD_H
#define KERNEL_SCHED_THREAD_H

#include <arch/context.h>
#include <arch/cpu.h>
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/lockrank.h"

struct pgtable;
struct process;
struct thread_signals;

enum thread_state {
	THREAD_RUNNING = SYNC_RUNNING, /* running or in a run queue */
	THREAD_INTERRUPTIBLE = SYNC_INTERRUPTIBLE,
	THREAD_KILLABLE = SYNC_KILLABLE,
	THREAD_UNINTERRUPTIBLE = SYNC_UNINTERRUPTIBLE,
	THREAD_STOPPED = 8, /* job control */
	THREAD_NEW = 16,    /* not started yet */
	THREAD_DEAD = 32,   /* will never run again */
};
#define THREAD_SLEEPING (THREAD_INTERRUPTIBLE | THREAD_KILLABLE | THREAD_UNINTERRUPTIBLE)

/* struct thread.work: why the way out to ring 3 must be the slow one. Atomic bits. */
enum thread_work {
	THREAD_WORK_SIGNAL = 1 << 0, /* an unblocked signal is pending: ends interruptible sleeps */
	THREAD_WORK_KILL = 1 << 1,   /* it is being killed: ends killable sleeps as well */
	THREAD_WORK_STOP = 1 << 2,   /* owner's use */
	THREAD_WORK_TRACE = 1 << 3,  /* owner's use */
};

#define THREAD_STACK_ORDER (KASAN ? 3 : 2) /* the sanitizer's frames are larger */
#define THREAD_STACK_SIZE (PAGE_SIZE << THREAD_STACK_ORDER)
#define THREAD_STACK_CANARY 0x57ac6e9dUL

struct thread {
	struct arch_context ctx;
	unsigned work;                  /* THREAD_WORK_*; the entry code may test it against 0 */
	unsigned state;                 /* enum thread_state */
	int tid;                        /* kernel threads: below 0; user threads: set by kernel/proc */
	int refs;                       /* atomic */
	unsigned memory_rights;         /* SYNC_MEMORY_*; w: itself, or who kills it for want of memory; atomic */
	void *stack;                    /* lowest address of the kernel stack; NULL: the boot stack */
	vaddr_t stack_top;              /* arch_user_frame((void *)stack_top) */
	struct pgtable *pt;             /* user address space; NULL: kernel thread, borrows */
	struct process *process;        /* NULL: kernel thread */
	struct thread_signals *signals; /* kernel/proc's per-thread signal state */
	char name[16];

	unsigned cpu;          /* whose run queue it belongs to; where it ran last */
	unsigned long allowed; /* CPUs that it may run on */
	bool on_rq;            /* runnable: it waits in a queue, runs, or is between two queues */
	bool queued;           /* it waits in a queue */
	struct list run_link;
	s64 slice_ns;                      /* left of the current time slice, as of run_since */
	unsigned epoch;                    /* of the run queue when the slice was given */
	u64 run_since;                     /* clock when it got the CPU */
	u64 runtime;                       /* ns on a CPU, exact at the last switch */
	u64 utime, stime;                  /* ns by ticks */
	unsigned long switches, preempted; /* voluntary, involuntary context switches */

	void (*fn)(void *arg); /* kernel thread's body */
	void *arg;

	struct list process_link;          /* kernel/proc: the process's threads */
	void *syscall_restart;             /* kernel/proc: bookkeeping of an interrupted call */
	void *uffd_wait;                   /* mm/service: what it waits for in a user fault */
	void (*on_free)(struct thread *t); /* kernel/proc: called when the last reference goes; may be NULL */
	struct list all_link;              /* every thread: threads_lock */

	struct lock_context locks; /* debug builds */
};
_Static_assert(offsetof(struct thread, ctx) == 0, "this_cpu()->ctx is the current thread's first member");
_Static_assert(offsetof(struct thread, work) == sizeof(struct arch_context), "entry.S tests the word behind ctx");

/* -- start-up ---------------------------------------------------------------------------------------------- */
void sched_init(void);            /* the caller becomes the idle thread of CPU 0. => after phys_init() */
__noreturn void sched_idle(void); /* end of the boot code */

/* -- making threads ------------------------------------------------------------------------------------------ */
/* A running kernel thread, or ERR_PTR(-ENOMEM). The reference is the scheduler's: returned pointer is good
 * until it exits. When @fn returns, the thread exits. */
struct thread *thread_create_kernel(const char *name, void (*fn)(void *), void *arg);
/* A thread with a stack but nothing to run; refs = 1 (given to the scheduler by thread_start()).
 * The caller fills ctx (arch_context_init_user() or _kernel()), pt, process, tid.
 * ERR_PTR(-ENOMEM). => may sleep */
struct thread *thread_alloc(const char *name);
/* Make it runnable. */
void thread_start(struct thread *t);
/* Undo thread_alloc() of a thread that was not started. */
void thread_discard(struct thread *t);
/* First thing on a new thread's own stack: upcall_fork_return() must call it. => interrupts off */
void thread_first_run(void);

void thread_get(struct thread *t);
void thread_put(struct thread *t); /* => any context; the last reference frees struct and stack */
void thread_set_name(struct thread *t, const char *name);

/* The current thread ends. It must have left its address space (thread_set_pgtable(NULL)). */
__noreturn void thread_exit(void);

/* Switch the current thread to @pt (exec, exit; NULL: none). */
void thread_set_pgtable(struct pgtable *pt);

/* -- scheduling ------------------------------------------------------------------------------------------------ */
/* Give the CPU to the next thread; returns when chosen again. With state RUNNING it stays runnable.
 * => no spinlock held; interrupts on or off (kept) */
void schedule(void);
void thread_yield(void); /* to the end of the queue */

/* In long loops in the kernel. => may sleep */
static inline void cond_resched(void)
{
	if (unlikely(this_cpu()->need_resched) && !this_cpu()->preempt_count)
		schedule();
}

/* Current's state; full barrier. See sync_prepare(). */
void thread_set_state(enum thread_state state);
/* Make it runnable if it sleeps (any THREAD_SLEEPING state); true if it did. => any context */
bool thread_wake(struct thread *t);
/* The same only if its state is in @states (e.g. THREAD_STOPPED, THREAD_INTERRUPTIBLE). */
bool thread_wake_states(struct thread *t, unsigned states);
/* After setting a work bit for a signal: end the sleeps that it may end. => any context */
void thread_wake_signal(struct thread *t, bool fatal);

/* Which CPUs @t may run on: those of @mask that there are; -EINVAL if that is none.  If it is the current thread it
 * is on one of them afterwards (and the call may sleep); another one moves when it next enters the kernel or wakes.
 * A new thread has its maker's mask. */
int thread_set_affinity(struct thread *t, unsigned long mask);
unsigned long thread_affinity(const struct thread *t); /* only CPUs that there are */

/* Nanoseconds of CPU so far, including the present turn if it runs just now. */
u64 thread_runtime(struct thread *t);
/* The same by ticks, split. */
void thread_times(struct thread *t, u64 *user, u64 *system);

/* From upcall_timer_tick(), on every CPU. => interrupts off */
void sched_tick(bool from_user);

/* -- looking at them ---------------------------------------------------------------------------------------------- */
/* Calls @fn for every thread (idle ones included) with the list locked: it must not sleep. */
void thread_for_each(void (*fn)(struct thread *t, void *ctx), void *ctx);
/* The one after @t, NULL: the first; NULL when there are no more. => nothing else runs (kernel/debug) */
struct thread *thread_next_unlocked(const struct thread *t);

struct sched_stat {
	unsigned long switches; /* context switches since boot */
	unsigned long ticks;
	unsigned long threads; /* that exist */
	unsigned long running; /* runnable now, idle not counted */
	u64 idle_ns;
};
void sched_stat(struct sched_stat *st);

struct sched_cpu_stat {
	u64 user_ns, system_ns, idle_ns;
	unsigned long switches, ticks, taken; /* taken: threads that came from another CPU's queue */
	unsigned running;                     /* runnable now */
};
/* False: there is no such CPU, or it runs no threads yet. */
bool sched_cpu_stat(unsigned cpu, struct sched_cpu_stat *st);

/* Runnable threads on average over 1, 5 and 15 minutes, in units of 1 / LOAD_ONE; @i: which of the three. */
#define LOAD_AVERAGES 3
#define LOAD_ONE 65536u
unsigned sched_load(unsigned i);

#define SCHED_SLICE_NS 10000000

#endif
