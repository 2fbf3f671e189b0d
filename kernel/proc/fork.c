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
#include "kernel/proc/clone.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "mm/phys/slab.h"

struct clone_args {
	unsigned long flags;
	vaddr_t stack; /* 0: the parent's */
	int *parent_tid, *child_tid;
	unsigned long tls;
};

static int check_flags(unsigned long flags)
{
	if (flags & ~CLONE_KNOWN)
		return -EINVAL;
	if ((flags & CSIGNAL) > NSIG)
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
static int copy_resources(struct process *p, unsigned long flags)
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

static struct process *copy_process(unsigned long flags)
{
	struct process *p = process_create(current_process());
	int err;

	if (IS_ERR(p))
		return p;
	p->exit_signal = flags & CSIGNAL;
	err = copy_resources(p, flags);
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

int process_add_thread(struct process *p, struct thread *t, int tid)
{
	unsigned long flags;
	int ret = 0;

	t->tid = tid;
	t->pt = p->mm ? &p->mm->pt : NULL;
	spin_lock(&process_lock);
	flags = spin_lock_irqsave(&p->siglock);
	if (p->group_exit || p->group_exec) {
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
	spin_unlock(&process_lock);
	return ret;
}

static long start_thread_of_current(struct thread *t, const struct clone_args *args, int tid)
{
	int err = process_add_thread(current_process(), t, tid);

	if (err) {
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

static long start_process(struct process *p, struct thread *t, const struct clone_args *args, int pid)
{
	struct process *cur = current_process();
	struct completion done;

	process_get(p); /* ours: it may be gone before we look */
	if (args->flags & CLONE_VFORK) {
		completion_init(&done);
		p->vfork_done = &done;
	}
	BUG_ON(process_add_thread(p, t, pid) < 0); /* first, so that a signal to the group finds somebody */
	process_publish(p, args->flags & CLONE_PARENT ? cur->parent : cur, pid);
	if (args->flags & CLONE_PARENT_SETTID)
		put_user(pid, args->parent_tid);
	thread_start(t);
	if (args->flags & CLONE_VFORK)
		wait_for_vfork(p, &done);
	process_put(p);
	return pid;
}

static long do_clone(const struct clone_args *args)
{
	struct process *p;
	struct thread *t;
	long err = check_flags(args->flags);
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
	p = copy_process(args->flags);
	if (IS_ERR(p)) {
		discard_thread(t);
		return PTR_ERR(p) == -EINTR ? -ERESTARTNOINTR : PTR_ERR(p);
	}
	return start_process(p, t, args, id);
}

long sys_fork(void)
{
	return do_clone(&(struct clone_args){.flags = SIGCHLD});
}

long sys_vfork(void)
{
	return do_clone(&(struct clone_args){.flags = CLONE_VM | CLONE_VFORK | SIGCHLD});
}

/* The last two arguments: x86-64 child_tid, tls; i386 tls, child_tid. */
long sys_clone(unsigned long flags, unsigned long stack, int *ptid, unsigned long a3, unsigned long a4)
{
	struct clone_args args = {
		.flags = (u32)flags,
		.stack = stack,
		.parent_tid = ptid,
		.child_tid = (int *)ABI_NR(a3, a4),
		.tls = ABI_NR(a4, a3),
	};

	return do_clone(&args);
}

long sys_clone3(void *args, size_t size)
{
	return -ENOSYS;
}

long sys_set_tid_address(int *tid)
{
	current_signals()->clear_child_tid = tid;
	return current_thread()->tid;
}
