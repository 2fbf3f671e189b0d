/*
 * signal.h - signals: numbers, sets, dispositions, sending and delivery.  Layer 10.
 *
 * process->siglock (rank LOCK_SIGNAL, irqsave) guards a process's actions, its shared pending set, its
 * threads' private pending sets and masks (written only by the thread itself), stop and group-exit state,
 * and (together with process_lock) its list of threads.
 */
#ifndef KERNEL_PROC_SIGNAL_H
#define KERNEL_PROC_SIGNAL_H

#include <arch/abi.h>
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct process;
struct thread;
struct trap_frame;

/* thread->work: something other than a signal wants the slow way out (restart, mask to restore). */
#define SIGNAL_WORK_RESUME THREAD_WORK_STOP

enum signal_number {
	SIGHUP = 1,
	SIGINT,
	SIGQUIT,
	SIGILL,
	SIGTRAP,
	SIGABRT,
	SIGBUS,
	SIGFPE,
	SIGKILL,
	SIGUSR1,
	SIGSEGV,
	SIGUSR2,
	SIGPIPE,
	SIGALRM,
	SIGTERM,
	SIGSTKFLT,
	SIGCHLD,
	SIGCONT,
	SIGSTOP,
	SIGTSTP,
	SIGTTIN,
	SIGTTOU,
	SIGURG,
	SIGXCPU,
	SIGXFSZ,
	SIGVTALRM,
	SIGPROF,
	SIGWINCH,
	SIGIO,
	SIGPWR,
	SIGSYS,
	SIGRTMIN = 32,
	NSIG = 64, /* the highest */
};

#define SIG_DFL 0UL
#define SIG_IGN 1UL
#define SIG_ERR (-1L)

#define SA_NOCLDSTOP 0x1u
#define SA_NOCLDWAIT 0x2u
#define SA_SIGINFO 0x4u
#define SA_RESTORER 0x04000000u
#define SA_ONSTACK 0x08000000u
#define SA_RESTART 0x10000000u
#define SA_NODEFER 0x40000000u
#define SA_RESETHAND 0x80000000u

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define MINSIGSTKSZ 2048

/* si_code */
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_TKILL (-6)
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define BUS_MCEERR_AR 4
#define FPE_INTDIV 1
#define ILL_ILLOPN 2
#define TRAP_BRKPT 1
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_STOPPED 5
#define CLD_CONTINUED 6

typedef u64 sigset_t; /* bit n - 1: signal n */

static inline sigset_t sigmask(int signo)
{
	return 1ULL << (signo - 1);
}

#define SIG_UNBLOCKABLE (sigmask(SIGKILL) | sigmask(SIGSTOP))
#define SIG_STOPS (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define SIG_IGNORED_BY_DEFAULT (sigmask(SIGCHLD) | sigmask(SIGCONT) | sigmask(SIGURG) | sigmask(SIGWINCH))

struct sigaction {
	unsigned long handler;
	unsigned long restorer;
	u32 flags;
	sigset_t mask;
};

/* Signals that wait: the set, and what is known of each (a signal may be pending without a record). */
struct sigpending {
	sigset_t set;
	struct list queue; /* of struct sigqueue */
	unsigned n;        /* in the queue; at most RLIMIT_SIGPENDING */
};

/* Per-thread state of kernel/proc (thread->signals). The thread's own, unless siglock is named. */
struct thread_signals {
	struct thread *thread;
	struct list hash_link; /* by thread id; process_lock */
	sigset_t blocked;      /* w: itself under siglock */
	sigset_t saved_mask;   /* to be put back on the way out (sigsuspend, ppoll) */
	bool restore_mask;
	struct sigpending pending; /* siglock */
	struct siginfo fault;      /* the synchronous signal: signo 0 = none */
	vaddr_t altstack_sp;
	size_t altstack_size;
	/* of the call that returned -ERESTART*: see trap.c */
	bool restart;
	unsigned long restart_nr;
	long (*restart_fn)(struct thread_signals *ts); /* -ERESTART_RESTARTBLOCK */
	u64 restart_deadline;
	void *restart_user;
	unsigned restart_flags;
	u32 restart_value, restart_bitset; /* futex */
	void (*first_run)(void *arg);      /* process 1: before its first way to ring 3 */
	void *first_arg;
	/* threads library */
	int *set_child_tid, *clear_child_tid;
	void *robust_list;
	size_t robust_len;
	sigset_t waiting; /* rt_sigtimedwait: wake for these although blocked; siglock */
};

/* -- sending: 0, or -EAGAIN (no memory for a queued one). An ignored signal is dropped: 0. => any context -- */
int signal_send(struct process *p, int signo, const struct siginfo *info); /* info NULL: from the kernel */
int signal_send_thread(struct thread *t, int signo, const struct siginfo *info);
/* All processes that are meant, or of the group; with @signo 0 to none. -ESRCH if there are none. => thread context */
int signal_send_where(bool (*meant)(const struct process *p, int arg), int arg, int signo, const struct siginfo *info);
int signal_send_group(int pgid, int signo, const struct siginfo *info);
/* To the current thread; a blocked or ignored one kills. The signal of an exception. */
void signal_force_fault(int signo, int code, vaddr_t addr, u32 trapno, u32 error_code);
void signal_force(int signo); /* code SI_KERNEL */
/* SIGPIPE and the like: to the current thread, from the kernel. */
void signal_send_current(int signo);

/* Has current a signal to deliver? */
bool signal_pending(struct thread *t);
/* Is @signo blocked by current or ignored by its process (job control: EIO instead of SIGTTIN)? */
bool signal_blocked_or_ignored(int signo);

/* Change current's mask (SIGKILL and SIGSTOP are taken out). */
void signal_set_mask(sigset_t mask);
/* Use @mask until the way out of this call; a handler that runs then returns to the old one.
 * For ppoll, pselect, sigsuspend: call it, wait interruptibly, return -ERESTARTNOHAND or -EINTR if interrupted,
 * and signal_restore_mask() if not. */
void signal_set_temporary_mask(sigset_t mask);
void signal_restore_mask(void);

/* -- for exec, fork, exit ---------------------------------------------------------------------------------- */
void sigpending_init(struct sigpending *sp);
void sigpending_flush(struct sigpending *sp);
void signal_exec(struct process *p);             /* handlers to default, pending kept, altstack gone */
void signal_default_handlers(struct process *p); /* what is not ignored. => siglock, or nobody else has @p */
/* Thread @except leaves or blocks: the process's pending signals of @set are to be looked at by others. => siglock */
void signal_retarget(struct process *p, struct thread *except, sigset_t set);
/* Recompute THREAD_WORK_SIGNAL. => siglock */
void signal_recalc(struct thread *t);
void thread_work_set(struct thread *t, unsigned bits);
void thread_work_clear(struct thread *t, unsigned bits);

/* Take the next pending signal in @set out of current's queues; 0 if none. => siglock of current's process */
int signal_dequeue(sigset_t set, struct siginfo *info);
/* Deliver what is pending, restart calls, stop, or die. => interrupts on, on the way to ring 3 */
void signal_deliver(struct trap_frame *tf);
/* Set (if @new) and return (@old) an action. => siglock not held */
void signal_action_set(struct process *p, int signo, const struct sigaction *new, struct sigaction *old);
/* A signal's name for reports: "SIGSEGV". */
const char *signal_name(int signo);

#endif
