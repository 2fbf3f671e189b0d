/*
 * exec.c - execve(2).  Layer 10.
 *
 * The new address space is complete before the old one is touched: until commit() every error leaves the old
 * program as it was.  #! scripts start over with their interpreter, EXEC_SCRIPT_DEPTH deep.
 */
#include "kernel/proc/exec.h"

#include <arch/context.h>
#include <arch/uaccess.h>
#include "kernel/fs/vfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "mm/phys/slab.h"

/* -- opening -------------------------------------------------------------------------------------------------- */

static int check_executable(struct file *f)
{
	struct inode *inode = f->inode;

	if (!S_ISREG(inode->mode) || !(inode->mode & 0111) || !inode->obj.ops || !f->ops || f->ops->no_mmap)
		return -EACCES;
	if (inode->super && inode->super->noexec)
		return -EACCES;
	return 0;
}

struct file *exec_open(const char *path)
{
	struct dentry *cwd = process_cwd_get(current_process());
	struct file *f = vfs_open(cwd, path, O_RDONLY, 0);
	int err;

	if (cwd)
		dentry_put(cwd);
	if (IS_ERR(f))
		return f;
	err = check_executable(f);
	if (err) {
		file_put(f);
		return ERR_PTR(err);
	}
	return f;
}

/* -- scripts ---------------------------------------------------------------------------------------------------- */

static char *skip_blanks(char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* Take "#!interpreter [option]" in the NUL-terminated @head apart. -ENOEXEC: no interpreter, or cut off. */
static int parse_script(char *head, size_t n, char **interp, char **option)
{
	char *end = memchr(head, '\n', n);
	char *s;

	if (!end && n == EXEC_HEAD)
		return -ENOEXEC;
	if (!end)
		end = head + n;
	while (end > head + 2 && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	*interp = s = skip_blanks(head + 2);
	if (!*s)
		return -ENOEXEC;
	while (*s && *s != ' ' && *s != '\t')
		s++;
	*option = NULL;
	if (*s) {
		*s++ = '\0';
		s = skip_blanks(s);
		if (*s)
			*option = s;
	}
	return 0;
}

/* The program that is really to run: @path itself or, through any scripts, an interpreter. Fills @head. */
static struct file *find_program(const char *path, struct exec_args *args, char *head, size_t *head_length)
{
	char *name = kstrdup(path, GFP_KERNEL), *interp, *option;
	struct file *f = ERR_PTR(-ENOMEM);
	ssize_t n;
	int err;

	for (unsigned depth = 0; name; depth++) {
		f = exec_open(name);
		if (IS_ERR(f))
			break;
		n = object_read(&f->inode->obj, 0, head, EXEC_HEAD);
		*head_length = n > 0 ? (size_t)n : 0;
		if (n >= 0 && (n < 2 || head[0] != '#' || head[1] != '!'))
			break;
		err = n < 0 ? (int)n : depth == EXEC_SCRIPT_DEPTH ? -ELOOP : 0;
		if (!err) {
			head[n] = '\0';
			err = parse_script(head, (size_t)n, &interp, &option);
		}
		if (!err)
			err = exec_args_script(args, interp, option, name);
		file_put(f);
		f = ERR_PTR(err ? err : -ENOMEM);
		kfree(name);
		name = err ? NULL : kstrdup(interp, GFP_KERNEL);
	}
	kfree(name);
	return f;
}

/* -- the other threads ------------------------------------------------------------------------------------------- */

/* The others are to leave. -EINTR: this one is to leave itself, somebody was faster. */
static int expel_others(struct process *p)
{
	struct thread *self = current_thread(), *t;
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	int err = 0;

	if (p->group_exit || p->group_exec) {
		err = -EINTR;
	} else {
		p->group_exec = self;
		list_for_each_entry(t, &p->threads, process_link) {
			if (t == self)
				continue;
			thread_work_set(t, THREAD_WORK_SIGNAL | THREAD_WORK_KILL);
			thread_wake_signal(t, true);
		}
		wake_up_all(&p->stop_wait);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	return err;
}

/* Make every other thread of the process leave; afterwards this one has the process's id.  Signals for the process are
 * kept meanwhile, and a deadly one ends the wait: -EINTR. */
static int become_only_thread(struct process *p)
{
	struct thread *self = current_thread();
	unsigned long flags;
	int err = expel_others(p);

	if (err)
		return err;
	err = wait_event_killable(&p->stop_wait, READ_ONCE(p->nr_threads) == 1);
	flags = spin_lock_irqsave(&p->siglock);
	p->group_exec = NULL;
	if (p->group_exit)
		err = -EINTR;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (!err && self->tid != p->pid) {
		spin_lock(&process_lock);
		thread_unhash(self);
		id_free_locked(self->tid);
		self->tid = p->pid;
		thread_hash(self);
		spin_unlock(&process_lock);
	}
	return err;
}

/* Another process may have the same table (vfork and CLONE_FILES): what exec closes is to be closed here only. */
static int unshare_files(struct process *p)
{
	struct files *old = p->files, *new;

	if (files_is_private(old))
		return 0;
	new = files_dup(old);
	if (IS_ERR(new))
		return (int)PTR_ERR(new);
	spin_lock(&p->fs_lock);
	p->files = new;
	spin_unlock(&p->fs_lock);
	files_put(old);
	return 0;
}

/* -- the step ---------------------------------------------------------------------------------------------------------- */

static void set_comm(struct process *p, const char *path)
{
	const char *slash = strrchr(path, '/');

	strlcpy(p->comm, slash ? slash + 1 : path, sizeof(p->comm));
	thread_set_name(current_thread(), p->comm);
}

/* The new address space takes the place of the old one. Cannot fail. */
static void install_mm(struct process *p, struct mm *mm)
{
	struct mm *old;

	spin_lock(&p->fs_lock);
	old = p->mm;
	p->mm = mm;
	spin_unlock(&p->fs_lock);
	thread_set_pgtable(&mm->pt);
	if (!old)
		return;
	p->maxrss = max(p->maxrss, (u64)old->pt.nr_pages);
	p->minflt += old->minor_faults;
	p->majflt += old->major_faults;
	mm_put(old);
}

static void commit(struct process *p, struct mm *mm, const char *path, vaddr_t entry, vaddr_t sp)
{
	struct thread *t = current_thread();
	struct thread_signals *ts = t->signals;

	thread_leave_memory(ts);
	install_mm(p, mm);
	process_vfork_done(p);
	files_close_on_exec(p->files);
	signal_exec(p);
	set_comm(p, path);
	ts->set_child_tid = NULL;
	ts->restart = false;
	p->did_exec = true;
	p->exit_signal = SIGCHLD;
	arch_context_exec(&t->ctx);
	frame_start(arch_user_frame((void *)t->stack_top), entry, sp);
}

/* A damaged program gets a line on the console, the first few times. */
static void complain(const char *path, const char *head, size_t n)
{
	static unsigned left = 8;

	if (n < 4 || memcmp(head, "\177ELF", 4) || !left)
		return;
	left--;
	printk("exec: %s: damaged or foreign ELF file%s\n", path, left ? "" : " (no more of these lines)");
}

static struct mm *build_mm(struct file *f, const char *head, size_t n, const struct exec_args *args, const char *path,
                           vaddr_t *entry, vaddr_t *sp)
{
	struct exec_image image;
	struct mm *mm = mm_create();
	int err;

	if (IS_ERR(mm))
		return mm;
	memset(&image, 0, sizeof(image));
	err = elf_load(mm, f, head, n, &image);
	if (!err)
		err = exec_stack_build(mm, &image, args, path, sp);
	if (err) {
		mm_put(mm);
		return ERR_PTR(err);
	}
	mm->brk_start = mm->brk = image.brk;
	file_get(f);
	mm->exe = f;
	*entry = image.start;
	return mm;
}

int process_exec(const char *path, struct exec_args *args)
{
	struct process *p = current_process();
	char *head = kmalloc(EXEC_HEAD + 1, GFP_KERNEL);
	vaddr_t entry = 0, sp = 0;
	struct file *f;
	struct mm *mm;
	size_t n = 0;
	int err;

	if (!head)
		return -ENOMEM;
	f = find_program(path, args, head, &n);
	if (IS_ERR(f)) {
		kfree(head);
		return (int)PTR_ERR(f);
	}
	mm = build_mm(f, head, n, args, path, &entry, &sp);
	if (PTR_ERR(mm) == -ENOEXEC)
		complain(path, head, n);
	file_put(f);
	kfree(head);
	if (IS_ERR(mm))
		return (int)PTR_ERR(mm);
	err = become_only_thread(p);
	if (!err)
		err = unshare_files(p);
	if (err) {
		mm_put(mm);
		return err;
	}
	commit(p, mm, path, entry, sp);
	return 0;
}

/* -- system call -------------------------------------------------------------------------------------------------------- */

static char *path_from_user(const char *user)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	ssize_t n;

	if (!path)
		return ERR_PTR(-ENOMEM);
	n = strncpy_from_user(path, user, PATH_MAX);
	if (n > 0)
		return path;
	kfree(path);
	return ERR_PTR(n ? n : -ENOENT);
}

long sys_execve(const char *user_path, const unsigned long *argv, const unsigned long *envp)
{
	char *path = path_from_user(user_path);
	struct exec_args args;
	int err;

	if (IS_ERR(path))
		return PTR_ERR(path);
	exec_args_init(&args);
	err = exec_args_add_vector(&args, argv, &args.argc);
	if (!err && !args.argc) { /* Linux since 5.18: there is always a name */
		err = exec_args_add(&args, "");
		args.argc = 1;
	}
	if (!err)
		exec_args_note_first(&args);
	if (!err)
		err = exec_args_add_vector(&args, envp, &args.envc);
	if (!err)
		err = process_exec(path, &args);
	exec_args_free(&args);
	kfree(path);
	/* On success the value lands in the fresh frame's result register: 0, as for a new program. */
	return err;
}
