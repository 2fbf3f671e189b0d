/*
 * process.h - processes: the tree, what they own, how they are made and reaped.  Layer 10.
 *
 * Locks: process_lock (spinlock, rank LOCK_PROC, thread context only) guards the tree: parent, children,
 * process group and session numbers, the tables of ids, zombies.  siglock (see signal.h) is inside it.
 *
 *   field             written under                    read under
 *   mm, files         exec, exit: by the only thread,  by its own threads freely; others: process_mm_get()
 *                     fs_lock
 *   pgid, sid         process_lock                     process_lock; a moment's value: anybody
 *   cwd               fs_lock                          fs_lock
 *   umask, ids        its own threads                  anybody
 *   threads           process_lock + siglock           either
 */
#ifndef KERNEL_PROC_PROCESS_H
#define KERNEL_PROC_PROCESS_H

#include "kernel/proc/signal.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"
#include "kernel/sync/completion.h"
#include "kernel/sync/spinlock.h"
#include "kernel/sync/wait.h"
#include "mm/space/mm.h"

struct files;
struct dentry;

enum rlimit_resource {
	RLIMIT_CPU,
	RLIMIT_FSIZE,
	RLIMIT_DATA,
	RLIMIT_STACK,
	RLIMIT_CORE,
	RLIMIT_RSS,
	RLIMIT_NPROC,
	RLIMIT_NOFILE,
	RLIMIT_MEMLOCK,
	RLIMIT_AS,
	RLIMIT_LOCKS,
	RLIMIT_SIGPENDING,
	RLIMIT_MSGQUEUE,
	RLIMIT_NICE,
	RLIMIT_RTPRIO,
	RLIMIT_RTTIME,
	RLIM_NLIMITS
};
#define RLIM_INFINITY (~0ULL)

struct rlimit {
	u64 cur, max;
};

enum process_state { PROCESS_ALIVE, PROCESS_ZOMBIE, PROCESS_DEAD };

#define COMM_LEN 16

struct process {
	int refs; /* atomic: the id table's, each thread's, borrowers' */
	int pid, pgid, sid;
	enum process_state state; /* process_lock */
	struct process *parent;
	struct list children, sibling;
	struct list hash_link; /* by pid */
	struct list all_link;  /* oldest first */

	struct list threads; /* thread->process_link */
	int nr_threads;      /* that have not left; siglock */

	struct mm *mm;
	struct files *files;
	spinlock_t fs_lock;
	struct dentry *cwd; /* reference owned; NULL: the root */
	u32 umask;
	u32 uid, euid, suid, gid, egid, sgid;
	struct rlimit rlimits[RLIM_NLIMITS];
	int oom_score_adj; /* -1000 .. 1000; a moment's value */
	char comm[COMM_LEN];
	bool has_tty;  /* its session has the console as controlling terminal (tty_file.c) */
	bool did_exec; /* setpgid() by the parent is over */
	bool is_init;

	/* signals; siglock */
	spinlock_t siglock;
	struct sigaction actions[NSIG]; /* [signo - 1] */
	struct sigpending pending;
	bool group_exit;           /* every thread is to leave with exit_code */
	struct thread *group_exec; /* the thread that execs: the others leave */
	int exit_code;             /* wait status */
	bool stopping;             /* job control: threads stop on their way out */
	int nr_stopped;
	unsigned stop_seq; /* counts the ends of stops: who slept through one knows that it is over */
	int stop_signal;
	bool stop_report, continue_report; /* not yet seen by wait4 */
	bool tell_continued;               /* a resumed thread is to tell the parent */
	struct wait_queue stop_wait;       /* stopped threads; exec waiting for the others to leave */

	unsigned group_signals; /* counts signals to its group or to all; process_lock. See fork.c */

	struct wait_queue child_wait;  /* wait4 of this process's threads */
	struct completion *vfork_done; /* on the parent's stack; siglock */
	int exit_signal;               /* to the parent: SIGCHLD, or 0 */

	/* accounting: of threads that left, and of reaped children, in ns */
	u64 utime, stime, cutime, cstime;
	u64 minflt, majflt; /* of former address spaces */
	u64 cminflt, cmajflt, maxrss;
	unsigned long nvcsw, nivcsw;
	u64 start_ns;

	struct timer real_timer; /* setitimer(ITIMER_REAL), alarm */
	u64 real_interval;       /* siglock */
	u64 real_expires;
};

extern spinlock_t process_lock;
extern struct list process_list; /* every process, all_link; process_lock */
extern struct process *init_process;

static inline struct process *current_process(void)
{
	return current_thread()->process;
}

static inline struct thread_signals *current_signals(void)
{
	return current_thread()->signals;
}

void process_uffd_init(void);      /* sys_uffd.c, */
void proc_loadavg_init(void);      /* proc_loadavg.c; called by: */
void process_subsystem_init(void); /* slabs, hashes; hooks of /proc. => after vfs_init() */

void process_get(struct process *p);
void process_put(struct process *p);
/* A reference, or NULL. Zombies are found too. => thread context */
struct process *process_find(int pid);
/* The next process with a pid >= @pid (a reference), or NULL: for readdir(/proc). */
struct process *process_find_from(int pid);
/* Its address space with a reference, or NULL (zombie, no mm): for /proc and process_vm_readv(). */
struct mm *process_mm_get(struct process *p);
struct dentry *process_cwd_get(struct process *p);           /* reference, or NULL: the root */
void process_cwd_set(struct process *p, struct dentry *cwd); /* takes over the reference */
/* The thread with that tid; it stays while process_lock is held. */
struct thread *thread_find_locked(int tid);
/* A new id for a process or thread, taken until id_free(); -EAGAIN when there are none. A thread gives it back when it
 * leaves the tables, a process when it is reaped; its number as a group or session keeps it from being given out. */
int id_alloc(void);
int id_last(void); /* the last one that was given away */
void id_free(int id);
void id_free_locked(int id);        /* => process_lock */
void thread_hash(struct thread *t); /* => process_lock */
void thread_unhash(struct thread *t);
/* Is there a member of group @pgid in session @sid? => process_lock */
bool group_exists_locked(int pgid, int sid);

/* A process with a copy of current's descriptors, directory, limits, ids, dispositions; no mm, no threads, not
 * in the tree. ERR_PTR(-ENOMEM, -EAGAIN). */
struct process *process_create(struct process *from);
/* It enters the tree as @pid, with @t as its first thread. => process_lock */
void process_publish_locked(struct process *p, struct process *parent, struct thread *t, int pid);
/* @t joins @p and the tables with id @tid. -EAGAIN if the process is going away. => process_lock */
int process_add_thread_locked(struct process *p, struct thread *t, int tid);
void process_discard(struct process *p); /* undo process_create() */

/* Make process 1 run @path. Returns 0 or the error of exec. => once, from a kernel thread or the boot thread */
int process_start_init(const char *path, char *const argv[], char *const envp[]);

/* Process 1 has exited (wait status in init_exit_status), or reboot(2) was called. The hook (set by
 * kernel/main) ends the machine; without one: sync, then power off or restart.  @status: process 1's wait status;
 * for MACHINE_RESTART the emulator's exit code that reboot(RESTART2, "exit:N") asked for, or 0. */
enum machine_stop { MACHINE_INIT_EXITED, MACHINE_POWEROFF, MACHINE_HALT, MACHINE_RESTART };
extern int init_exit_status;
extern void (*machine_stop_hook)(enum machine_stop why, int status);
void machine_stop(enum machine_stop why, int status);

/* -- exit.c --------------------------------------------------------------------------------------------------- */
__noreturn void process_thread_exit(int code); /* wait status, for when this is the last thread */
/* Tell every thread to leave; the first caller's @code counts. => any context */
void process_group_exit(struct process *p, int code);
void process_group_exit_locked(struct process *p, int code);                /* => siglock */
void process_notify_parent_locked(struct process *p, int code, int status); /* => process_lock */
void process_vfork_done(struct process *p);                                 /* the parent of a vfork may go on */
void process_times(struct process *p, u64 *utime, u64 *stime);

/* -- futex_*.c -------------------------------------------------------------------------------------------------- */
void futex_init(void);
int futex_wake_user(int *uaddr, int n); /* CLONE_CHILD_CLEARTID */
void futex_exit_robust(struct thread_signals *ts);
void thread_leave_memory(struct thread_signals *ts); /* exit.c: what user memory is to learn before exec, exit */

/* -- syscall.c ---------------------------------------------------------------------------------------------------- */
struct syscall_counts {
	unsigned count[ABI_NR_MAX + 2]; /* of calls that got ENOSYS because the table has none; the last: out of range */
};
extern struct syscall_counts syscall_unknown;
extern const char *const syscall_names[]; /* Linux's, by number; NULL: none. Made by tools/syscall_names.awk */
extern const unsigned nr_syscall_names;

#endif
