/*
 * fork.c - fork, vfork, clone: a new process, or a new thread of this one.  Layer 10.
 *
 * Everything that can fail happens before the child is in the tree; then it is published and started.
 *
 * CLONE_VM without CLONE_THREAD (vfork, posix_spawn) shares the struct mm.  Sharing of the current directory or
 * of handlers between *processes* is not there: -EINVAL rather than a silent copy.
 */
#include <arch/context.h>
#include <arch/uaccess.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/clone.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "mm/phys/slab.h"

struct clone_args {
	u32 flags;           /* without CSIGNAL */
	bool clear_handlers; /* CLONE_CLEAR_SIGHAND */
	int exit_signal;     /* to the parent; not of a thread */
	vaddr_t stack;       /* 0: the parent's */
	int *parent_tid, *child_tid;
	unsigned long tls;
};

static int check_flags(const struct clone_args *args)
{
	u32 flags = args->flags;

	if ((flags & ~CLONE_KNOWN) || args->exit_signal > NSIG)
		return -EINVAL;
	if ((flags & CLONE_THREAD) && (~flags & (CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_FS)))
		return -EINVAL;
	if (!(flags & CLONE_THREAD) && (flags & (CLONE_SIGHAND | CLONE_FS)))
		return -EINVAL;
	if ((flags & CLONE_PARENT) && current_process()->is_init)
		return -EINVAL;
	return 0;
}

/* Memory and descriptors of a new process. */
static int copy_resources(struct process *p, u32 flags)
{
	struct process *cur = current_process();
	struct files *files = cur->files;
	struct mm *mm = cur->mm;

	if (flags & CLONE_FILES)
		files_get(files);
	else
		files = files_dup(files);
	if (IS_ERR(files))
		return (int)PTR_ERR(files);
	p->files = files;
	if (flags & CLONE_VM)
		mm_get(mm);
	else
		mm = mm_fork(mm);
	if (IS_ERR(mm))
		return (int)PTR_ERR(mm);
	p->mm = mm;
	return 0;
}

static struct process *copy_process(const struct clone_args *args)
{
	struct process *p = process_create(current_process());
	int err;

	if (IS_ERR(p))
		return p;
	p->exit_signal = args->flags & CLONE_PARENT ? current_process()->exit_signal : args->exit_signal;
	if (args->clear_handlers)
		signal_default_handlers(p);
	err = copy_resources(p, args->flags);
	if (err) {
		process_discard(p);
		return ERR_PTR(err);
	}
	return p;
}

static void copy_signals(struct thread_signals *ts, struct thread *t, const struct clone_args *args)
{
	const struct thread_signals *cur = current_signals();

	ts->thread = t;
	list_init(&ts->hash_link);
	sigpending_init(&ts->pending);
	ts->blocked = cur->restore_mask ? cur->saved_mask : cur->blocked;
	/* Linux: a thread that shares memory starts without an alternate stack, except after vfork. */
	if (!(args->flags & CLONE_VM) || (args->flags & CLONE_VFORK)) {
		ts->altstack_sp = cur->altstack_sp;
		ts->altstack_size = cur->altstack_size;
	}
	if (args->flags & CLONE_CHILD_SETTID)
		ts->set_child_tid = args->child_tid;
	if (args->flags & CLONE_CHILD_CLEARTID)
		ts->clear_child_tid = args->child_tid;
}

/* A thread that will return from this very call with 0. No process yet. */
static struct thread *copy_thread(const struct clone_args *args)
{
	struct thread *cur = current_thread();
	struct thread *t = thread_alloc(cur->name);
	struct thread_signals *ts;
	struct trap_frame *tf;
	long err = 0;

	if (IS_ERR(t))
		return t;
	ts = kzalloc(sizeof(*ts), GFP_KERNEL);
	if (!ts) {
		thread_discard(t);
		return ERR_PTR(-ENOMEM);
	}
	copy_signals(ts, t, args);
	t->signals = ts;
	arch_context_init_user(&t->ctx, (void *)t->stack_top, arch_user_frame((void *)cur->stack_top), &cur->ctx);
	tf = arch_user_frame((void *)t->stack_top);
	frame_set_return(tf, 0);
	if (args->stack)
		frame_set_sp(tf, args->stack);
	if (args->flags & CLONE_SETTLS)
		err = arch_set_tls(&t->ctx, args->tls);
	if (err < 0) {
		kfree(ts);
		thread_discard(t);
		return ERR_PTR(err);
	}
	return t;
}

static void discard_thread(struct thread *t)
{
	kfree(t->signals);
	t->signals = NULL;
	thread_discard(t);
}

/* The process is dying or in exec: it gets no more threads and children. => siglock */
static bool is_leaving(const struct process *p)
{
	return p->group_exit || p->group_exec;
}

int process_add_thread_locked(struct process *p, struct thread *t, int tid)
{
	unsigned long flags;
	int ret = 0;

	ASSERT(spin_held(&process_lock));
	t->tid = tid;
	t->pt = p->mm ? &p->mm->pt : NULL;
	flags = spin_lock_irqsave(&p->siglock);
	if (is_leaving(p)) {
		ret = -EAGAIN;
	} else {
		process_get(p);
		t->process = p;
		list_add_tail(&t->process_link, &p->threads);
		p->nr_threads++;
		thread_hash(t);
		signal_recalc(t);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	return ret;
}

static int process_add_thread(struct process *p, struct thread *t, int tid)
{
	int ret;

	spin_lock(&process_lock);
	ret = process_add_thread_locked(p, t, tid);
	spin_unlock(&process_lock);
	return ret;
}

/* From process_add_thread() on others may send it signals; but it does not run, so it cannot go. */
static long start_thread_of_current(struct thread *t, const struct clone_args *args, int tid)
{
	int err = process_add_thread(current_process(), t, tid);

	if (err) {
		id_free(tid);
		discard_thread(t);
		return err;
	}
	if (args->flags & CLONE_PARENT_SETTID)
		put_user(tid, args->parent_tid);
	thread_start(t);
	return tid;
}

/* The parent of a vfork waits until the child has left its memory; a killed parent does not. */
static void wait_for_vfork(struct process *p, struct completion *done)
{
	unsigned long flags;

	if (completion_wait_killable(done) < 0) {
		flags = spin_lock_irqsave(&p->siglock);
		p->vfork_done = NULL;
		spin_unlock_irqrestore(&p->siglock, flags);
	}
}

/* The child appears in the tree at one moment, and is in its parent's group from that moment on.  A signal to the group
 * (^C, kill(0)) that came while memory was copied found the parent alone: then start over, once the parent has seen it;
 * or it was the parent's end, and there is to be no child. */
static int enter_tree(struct process *p, struct thread *t, const struct clone_args *args, int pid, unsigned signals)
{
	struct process *cur = current_process();
	unsigned long flags;
	bool leaving;
	int err = 0;

	spin_lock(&process_lock);
	flags = spin_lock_irqsave(&cur->siglock);
	leaving = is_leaving(cur);
	spin_unlock_irqrestore(&cur->siglock, flags);
	if (leaving || cur->group_signals != signals) {
		err = -ERESTARTNOINTR;
	} else {
		p->pgid = cur->pgid;
		p->sid = cur->sid;
		p->has_tty = cur->has_tty;
		process_publish_locked(p, args->flags & CLONE_PARENT ? cur->parent : cur, t, pid);
	}
	spin_unlock(&process_lock);
	return err;
}

static long start_process(struct process *p, struct thread *t, const struct clone_args *args, int pid, unsigned signals)
{
	struct completion done;
	int err;

	if (args->flags & CLONE_VFORK) {
		completion_init(&done);
		p->vfork_done = &done;
	}
	process_get(p); /* ours: it may be gone before we look */
	err = enter_tree(p, t, args, pid, signals);
	if (err) {
		p->vfork_done = NULL;
		process_put(p);
		return err;
	}
	if (args->flags & CLONE_PARENT_SETTID)
		put_user(pid, args->parent_tid);
	thread_start(t);
	if (args->flags & CLONE_VFORK)
		wait_for_vfork(p, &done);
	process_put(p);
	return pid;
}

static long clone_process(struct thread *t, const struct clone_args *args, int pid)
{
	struct process *cur = current_process(), *p;
	unsigned signals;
	long ret;

	spin_lock(&process_lock);
	signals = cur->group_signals;
	spin_unlock(&process_lock);
	p = copy_process(args);
	if (IS_ERR(p))
		return PTR_ERR(p) == -EINTR ? -ERESTARTNOINTR : PTR_ERR(p);
	ret = start_process(p, t, args, pid, signals);
	if (ret < 0)
		process_discard(p);
	return ret;
}

static long do_clone(const struct clone_args *args)
{
	struct thread *t;
	long err = check_flags(args);
	int id;

	if (err)
		return err;
	t = copy_thread(args);
	if (IS_ERR(t))
		return PTR_ERR(t);
	id = id_alloc();
	if (id < 0) {
		discard_thread(t);
		return id;
	}
	if (args->flags & CLONE_THREAD)
		return start_thread_of_current(t, args, id);
	err = clone_process(t, args, id);
	if (err < 0) {
		id_free(id);
		discard_thread(t);
	}
	return err;
}

long sys_fork(void)
{
	return do_clone(&(struct clone_args){.exit_signal = SIGCHLD});
}

long sys_vfork(void)
{
	return do_clone(&(struct clone_args){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

/* The last two arguments: x86-64 child_tid, tls; i386 tls, child_tid. */
long sys_clone(unsigned long flags, unsigned long stack, int *ptid, unsigned long a3, unsigned long a4)
{
	struct clone_args args = {
		.flags = (u32)flags & ~(u32)CSIGNAL,
		.exit_signal = flags & CSIGNAL,
		.stack = stack,
		.parent_tid = ptid,
		.child_tid = (int *)ABI_NR(a3, a4),
		.tls = ABI_NR(a4, a3),
	};

	return do_clone(&args);
}

/* -- clone3 ------------------------------------------------------------------------------------------------------------ */

/* What the user gives: three versions, each longer. */
struct clone3_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; /* 64 bytes */
	u64 set_tid, set_tid_size;                                                    /* 80 */
	u64 cgroup;                                                                   /* 88 */
};
#define CLONE3_SIZE_FIRST 64

/* A structure longer than ours must be zero beyond. */
static int rest_is_zero(const u8 *user, size_t n)
{
	u8 buf[64];

	while (n) {
		size_t part = min(n, sizeof(buf));

		if (copy_from_user(buf, user, part))
			return -EFAULT;
		for (size_t i = 0; i < part; i++)
			if (buf[i])
				return -E2BIG;
		user += part;
		n -= part;
	}
	return 0;
}

static int clone3_from_user(struct clone3_args *a, const void *user, size_t size)
{
	size_t known = min(size, sizeof(*a));

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE3_SIZE_FIRST)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	if (copy_from_user(a, user, known))
		return -EFAULT;
	return rest_is_zero((const u8 *)user + known, size - known);
}

/* Ids of the caller's choice, pidfds, control groups and namespaces are not there. */
static bool clone3_allowed(const struct clone3_args *a)
{
	const u64 refused = CSIGNAL | CLONE_DETACHED;

	if (a->flags & (refused | ~(u64)(CLONE_KNOWN | CLONE_CLEAR_SIGHAND)) || a->set_tid || a->set_tid_size)
		return false;
	if (a->exit_signal > NSIG || ((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal))
		return false;
	if ((a->flags & CLONE_SIGHAND) && (a->flags & CLONE_CLEAR_SIGHAND))
		return false;
	if (!a->stack)
		return !a->stack_size;
	return a->stack_size && a->stack == (vaddr_t)a->stack && a->stack_size == (size_t)a->stack_size &&
	       user_range_ok((void *)(vaddr_t)a->stack, (size_t)a->stack_size);
}

long sys_clone3(void *user, size_t size)
{
	struct clone3_args a;
	struct clone_args args;
	int err = clone3_from_user(&a, user, size);

	if (err)
		return err;
	if (!clone3_allowed(&a))
		return -EINVAL;
	args = (struct clone_args){
		.flags = (u32)a.flags,
		.clear_handlers = a.flags & CLONE_CLEAR_SIGHAND,
		.exit_signal = (int)a.exit_signal,
		.stack = (vaddr_t)(a.stack + a.stack_size),
		.parent_tid = (int *)(vaddr_t)a.parent_tid,
		.child_tid = (int *)(vaddr_t)a.child_tid,
		.tls = (unsigned long)a.tls,
	};
	return do_clone(&args);
}

long sys_set_tid_address(int *tid)
{
	current_signals()->clear_child_tid = tid;
	return current_thread()->tid;
}
