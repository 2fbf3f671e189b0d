/*
 * init.c - process 1: the first address space, made without a fork.  Layer 10.
 */
#include <arch/context.h>
#include "kernel/fs/vfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/proc/exec.h"
#include "kernel/proc/fdtable.h"
#include "kernel/sync/completion.h"
#include "kernel/uapi/fcntl.h"
#include "mm/phys/slab.h"

struct init_request {
	const char *path;
	char *const *argv;
	char *const *envp;
	struct thread *thread;
	struct completion done;
	int result;
};

/* Descriptors 0, 1, 2 are the console, if there is one. */
static void open_console(struct process *p)
{
	struct file *f = vfs_open(NULL, "/dev/console", O_RDWR, 0);

	if (IS_ERR(f)) {
		printk("init: no /dev/console (%ld)\n", PTR_ERR(f));
		return;
	}
	for (int i = 0; i < 3; i++) {
		file_get(f);
		if (fd_install(p->files, f, false) < 0)
			file_put(f);
	}
	file_put(f);
}

static int add_strings(struct exec_args *args, char *const *v, unsigned *count)
{
	int err = 0;

	for (; v && *v && !err; v++) {
		err = exec_args_add(args, *v);
		++*count;
	}
	return err;
}

static int exec_first(const struct init_request *r)
{
	struct exec_args args;
	int err;

	exec_args_init(&args);
	err = add_strings(&args, r->argv, &args.argc);
	if (!err && !args.argc) {
		err = exec_args_add(&args, r->path);
		args.argc = 1;
	}
	if (!err)
		exec_args_note_first(&args);
	if (!err)
		err = add_strings(&args, r->envp, &args.envc);
	if (!err)
		err = process_exec(r->path, &args);
	exec_args_free(&args);
	return err;
}

/* Process 1's first steps: its frame for ring 3 is empty until exec fills it. => interrupts on */
static void init_first_run(void *arg)
{
	struct init_request *r = arg;
	struct process *p = current_process();
	int err = exec_first(r);

	r->result = err;
	if (err)
		p->is_init = false; /* its death shall not stop the machine: another path may be tried */
	complete(&r->done);     /* @r is gone now */
	if (err)
		process_thread_exit(0x7f << 8);
}

static struct process *make_first_process(void)
{
	struct process *p = process_create(NULL);

	if (IS_ERR(p))
		return p;
	p->files = files_create();
	if (IS_ERR(p->files)) {
		int err = (int)PTR_ERR(p->files);

		p->files = NULL;
		process_discard(p);
		return ERR_PTR(err);
	}
	p->is_init = true;
	p->has_tty = true;
	open_console(p);
	return p;
}

static struct thread *make_first_thread(struct init_request *r)
{
	struct thread *t = thread_alloc("init");
	struct trap_frame *tf;

	if (IS_ERR(t))
		return t;
	t->signals = kzalloc(sizeof(*t->signals), GFP_KERNEL);
	if (!t->signals) {
		thread_discard(t);
		return ERR_PTR(-ENOMEM);
	}
	t->signals->thread = t;
	t->signals->first_run = init_first_run;
	t->signals->first_arg = r;
	list_init(&t->signals->hash_link);
	sigpending_init(&t->signals->pending);
	tf = arch_user_frame((void *)t->stack_top);
	memset(tf, 0, t->stack_top - (vaddr_t)tf);
	arch_context_init_user(&t->ctx, (void *)t->stack_top, tf, NULL);
	return t;
}

int process_start_init(const char *path, char *const argv[], char *const envp[])
{
	struct init_request r = {.path = path, .argv = argv, .envp = envp};
	struct process *p = make_first_process();
	struct thread *t;

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	t = make_first_thread(&r);
	if (IS_ERR(t)) {
		process_discard(p);
		return (int)PTR_ERR(t);
	}
	completion_init(&r.done);
	init_process = p;
	spin_lock(&process_lock);
	process_publish_locked(p, NULL, t, 1);
	spin_unlock(&process_lock);
	thread_start(t);
	completion_wait(&r.done);
	return r.result;
}
