/*
 * process.c - the tree of processes, the tables of ids, making and freeing the records.  Layer 10.
 *
 * Lock order: process_lock, then siglock; fs_lock and the allocators inside.
 */
#include "kernel/proc/process.h"

#include "kernel/fs/vfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/bitops.h"
#include "kernel/lib/err.h"
#include "kernel/lib/hash.h"
#include "kernel/lib/string.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/proc_pid.h"
#include "mm/phys/slab.h"

#define HASH_BITS 7
#define ID_MAX 32767

spinlock_t process_lock = SPINLOCK_INIT(LOCK_PROC);
struct list process_list = LIST_INIT(process_list);
struct process *init_process;

static struct list pid_table[1 << HASH_BITS];
static struct list tid_table[1 << HASH_BITS];
static struct slab_cache process_cache;
/* Ids given out. process_lock. Bit 0 and process 1's are never free. */
static unsigned long ids[BITMAP_LONGS(ID_MAX + 1)] = {3};
static int last_id = 1;

void process_subsystem_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pid_table); i++) {
		list_init(&pid_table[i]);
		list_init(&tid_table[i]);
	}
	slab_cache_init(&process_cache, "process", sizeof(struct process));
	futex_init();
	proc_pid_init();
	process_uffd_init();
	proc_loadavg_init();
}

void process_get(struct process *p)
{
	atomic_inc(&p->refs);
}

void process_put(struct process *p)
{
	if (!atomic_dec_and_test(&p->refs))
		return;
	ASSERT(list_empty(&p->threads) && !p->mm && !p->files && !p->cwd);
	slab_free(&process_cache, p);
}

/* -- ids ---------------------------------------------------------------------------------------------------- */

static struct list *id_bucket(struct list *table, int id)
{
	return &table[hash_u32((u32)id, HASH_BITS)];
}

static struct process *find_locked(int pid)
{
	struct process *p;

	list_for_each_entry(p, id_bucket(pid_table, pid), hash_link)
		if (p->pid == pid)
			return p;
	return NULL;
}

struct process *process_find(int pid)
{
	struct process *p;

	spin_lock(&process_lock);
	p = find_locked(pid);
	if (p)
		process_get(p);
	spin_unlock(&process_lock);
	return p;
}

struct process *process_find_from(int pid)
{
	struct process *p, *best = NULL;

	spin_lock(&process_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (p->pid >= pid && (!best || p->pid < best->pid))
			best = p;
	if (best)
		process_get(best);
	spin_unlock(&process_lock);
	return best;
}

struct thread *thread_find_locked(int tid)
{
	struct thread_signals *ts;

	ASSERT(spin_held(&process_lock));
	list_for_each_entry(ts, id_bucket(tid_table, tid), hash_link)
		if (ts->thread->tid == tid)
			return ts->thread;
	return NULL;
}

void thread_hash(struct thread *t)
{
	ASSERT(spin_held(&process_lock));
	list_add(&t->signals->hash_link, id_bucket(tid_table, t->tid));
}

void thread_unhash(struct thread *t)
{
	ASSERT(spin_held(&process_lock));
	list_del_init(&t->signals->hash_link);
}

static bool id_names_group(int id)
{
	struct process *p;

	list_for_each_entry(p, &process_list, all_link)
		if (p->pgid == id || p->sid == id)
			return true;
	return false;
}

int id_alloc(void)
{
	int id = -EAGAIN;

	spin_lock(&process_lock);
	for (int tries = 0; tries < ID_MAX; tries++) {
		if (++last_id > ID_MAX)
			last_id = 300;
		if (!bitmap_test(ids, (unsigned)last_id) && !id_names_group(last_id)) {
			id = last_id;
			bitmap_set(ids, (unsigned)id);
			break;
		}
	}
	spin_unlock(&process_lock);
	return id;
}

int id_last(void)
{
	return READ_ONCE(last_id);
}

void id_free_locked(int id)
{
	ASSERT(spin_held(&process_lock) && bitmap_test(ids, (unsigned)id));
	bitmap_clear(ids, (unsigned)id);
}

void id_free(int id)
{
	spin_lock(&process_lock);
	id_free_locked(id);
	spin_unlock(&process_lock);
}

bool group_exists_locked(int pgid, int sid)
{
	struct process *p;

	ASSERT(spin_held(&process_lock));
	list_for_each_entry(p, &process_list, all_link)
		if (p->pgid == pgid && p->sid == sid)
			return true;
	return false;
}

/* -- what others may borrow ----------------------------------------------------------------------------------- */

struct mm *process_mm_get(struct process *p)
{
	struct mm *mm;

	spin_lock(&p->fs_lock);
	mm = p->mm;
	if (mm)
		mm_get(mm);
	spin_unlock(&p->fs_lock);
	return mm;
}

struct dentry *process_cwd_get(struct process *p)
{
	struct dentry *d;

	spin_lock(&p->fs_lock);
	d = p->cwd;
	if (d)
		dentry_get(d);
	spin_unlock(&p->fs_lock);
	return d;
}

void process_cwd_set(struct process *p, struct dentry *cwd)
{
	struct dentry *old;

	spin_lock(&p->fs_lock);
	old = p->cwd;
	p->cwd = cwd;
	spin_unlock(&p->fs_lock);
	if (old)
		dentry_put(old);
}

/* -- making ------------------------------------------------------------------------------------------------------ */

static void set_default_limits(struct process *p)
{
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		p->rlimits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	p->rlimits[RLIMIT_STACK].cur = 8 << 20;
	p->rlimits[RLIMIT_CORE].cur = 0;
	p->rlimits[RLIMIT_MEMLOCK] = (struct rlimit){8 << 20, 8 << 20};
	p->rlimits[RLIMIT_NOFILE] = (struct rlimit){1024, 4096};
	p->rlimits[RLIMIT_NPROC] = (struct rlimit){ID_MAX, ID_MAX};
	p->rlimits[RLIMIT_SIGPENDING] = (struct rlimit){1024, 1024};
	p->rlimits[RLIMIT_NICE] = (struct rlimit){0, 0};
	p->rlimits[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
}

static void real_timer_fired(void *arg)
{
	struct process *p = arg;
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	u64 interval = p->real_interval, now = clock_ns();
	bool due = p->real_expires && p->real_expires <= now; /* or it was set anew or off by somebody just now */

	if (due && interval && !p->group_exit) {
		u64 late = now - p->real_expires;

		p->real_expires += interval + late / interval * interval; /* the ones that were missed are gone */
		timer_add(&p->real_timer, p->real_expires);
	} else if (due) {
		p->real_expires = 0;
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	if (due)
		signal_send(p, SIGALRM, NULL);
}

/* Group and session follow when it enters the tree. Other threads of @from may be changing any of it. */
static void inherit(struct process *p, struct process *from)
{
	unsigned long flags;

	p->umask = from->umask;
	p->oom_score_adj = from->oom_score_adj;
	p->uid = from->uid;
	p->euid = from->euid;
	p->suid = from->suid;
	p->gid = from->gid;
	p->egid = from->egid;
	p->sgid = from->sgid;
	memcpy(p->comm, from->comm, sizeof(p->comm) - 1);
	flags = spin_lock_irqsave(&from->siglock);
	memcpy(p->rlimits, from->rlimits, sizeof(p->rlimits));
	memcpy(p->actions, from->actions, sizeof(p->actions));
	spin_unlock_irqrestore(&from->siglock, flags);
	p->cwd = process_cwd_get(from);
}

struct process *process_create(struct process *from)
{
	struct process *p = slab_alloc(&process_cache, GFP_ZERO);

	if (!p)
		return ERR_PTR(-ENOMEM);
	p->refs = 1;
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->threads);
	list_init(&p->hash_link);
	list_init(&p->all_link);
	spin_init(&p->fs_lock, LOCK_FILES);
	spin_init(&p->siglock, LOCK_SIGNAL);
	sigpending_init(&p->pending);
	wait_queue_init(&p->stop_wait);
	wait_queue_init(&p->child_wait);
	timer_init(&p->real_timer, real_timer_fired, p);
	p->exit_signal = SIGCHLD;
	p->start_ns = clock_ns();
	if (from) {
		inherit(p, from);
	} else {
		p->umask = 022;
		set_default_limits(p);
	}
	return p;
}

void process_publish_locked(struct process *p, struct process *parent, struct thread *t, int pid)
{
	ASSERT(spin_held(&process_lock));
	p->pid = pid;
	if (!p->pgid)
		p->pgid = p->sid = pid;
	p->parent = parent;
	if (parent)
		list_add_tail(&p->sibling, &parent->children);
	list_add(&p->hash_link, id_bucket(pid_table, pid));
	list_add_tail(&p->all_link, &process_list);
	BUG_ON(process_add_thread_locked(p, t, pid) < 0);
}

void process_discard(struct process *p)
{
	process_cwd_set(p, NULL);
	if (p->files)
		files_put(p->files);
	if (p->mm)
		mm_put(p->mm);
	p->files = NULL;
	p->mm = NULL;
	process_put(p);
}
