/*
 * pipe.c - pipes: a ring of pages between a writing and a reading end; and fifos, the same with a name.
 * Layer 9 (kernel/fs).
 *
 * Bytes lie at positions tail .. head - 1 of an endless stream; position p is in pages[p / PAGE_SIZE % 16].  Pages
 * are allocated when first written.  When the ring runs empty both positions return to 0, so a pipe that is used
 * for short messages lives in one page.
 *
 * Lock order: fifos_lock and pipe->lock (LOCK_PIPE, never both), then whatever a page fault on the user's buffer
 * takes.
 * SIGPIPE is not sent here: the system call layer sends it whenever a write ends in -EPIPE.
 */
#include "kernel/fs/pipe.h"
#include <arch/uaccess.h>
#include "kernel/fs/poll.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "kernel/uapi/termios.h"
#include "mm/phys/slab.h"

#define PIPE_PAGES (PIPE_SIZE / PAGE_SIZE)

struct pipe {
	struct mutex lock;
	struct wait_queue data; /* woken when bytes, or the end of writers, can be seen */
	struct wait_queue room; /* woken when room, or the end of readers, can be seen */
	unsigned head, tail;    /* wrap around freely; lock */
	unsigned used;          /* bytes between them: one word, so that waiters and poll may look. w: lock */
	unsigned readers, writers;
	unsigned reader_opens, writer_opens; /* ever: what a blocking open of a fifo waits for */
	char *pages[PIPE_PAGES];
	/* Each open end is a user (a fifo's: fifos_lock; else atomic).  The lock itself cannot say who is last: whoever
	 * unlocks still looks at it when the next one has it already. */
	unsigned users;
	/* fifos only, fifos_lock: */
	struct list link;
	struct inode *inode;
};

static struct list fifos = LIST_INIT(fifos);
static struct mutex fifos_lock = MUTEX_INIT(fifos_lock, LOCK_PIPE);

static bool file_reads(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool file_writes(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

static unsigned pipe_used(const struct pipe *p)
{
	return READ_ONCE(p->used);
}

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	mutex_init(&p->lock, LOCK_PIPE);
	wait_queue_init(&p->data);
	wait_queue_init(&p->room);
	return p;
}

static void pipe_free(struct pipe *p)
{
	for (unsigned i = 0; i < PIPE_PAGES; i++)
		kfree(p->pages[i]);
	kfree(p);
}

/* -- moving bytes: pipe->lock held ------------------------------------------------------------------------ */

/* Bytes from the ring to user memory: how many were moved, 0 if the buffer is bad. */
static size_t pipe_take(struct pipe *p, char *user, size_t n)
{
	size_t done = 0;

	n = min(n, (size_t)pipe_used(p));
	while (done < n) {
		unsigned at = p->tail % PAGE_SIZE;
		size_t len = min(n - done, PAGE_SIZE - at);
		size_t left = copy_to_user_some(user + done, p->pages[p->tail / PAGE_SIZE % PIPE_PAGES] + at, len);

		p->tail += len - left;
		WRITE_ONCE(p->used, p->used - (len - left));
		done += len - left;
		if (left)
			break;
	}
	if (p->head == p->tail)
		p->head = p->tail = 0;
	return done;
}

/* Bytes from user memory to the ring; at most what there is room for. Bytes moved, or -EFAULT, -ENOMEM if none. */
static ssize_t pipe_fill(struct pipe *p, const char *user, size_t n)
{
	size_t done = 0;

	n = min(n, (size_t)(PIPE_SIZE - pipe_used(p)));
	while (done < n) {
		char **page = &p->pages[p->head / PAGE_SIZE % PIPE_PAGES];
		unsigned at = p->head % PAGE_SIZE;
		size_t len = min(n - done, PAGE_SIZE - at), left;

		if (!*page)
			*page = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!*page)
			return done ? (ssize_t)done : -ENOMEM;
		left = copy_from_user_some(*page + at, user + done, len);
		p->head += len - left;
		WRITE_ONCE(p->used, p->used + (len - left));
		done += len - left;
		if (left)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

/* -- file operations ---------------------------------------------------------------------------------------- */

static int pipe_wait_data(struct pipe *p)
{
	return wait_restart(wait_event_interruptible(&p->data, pipe_used(p) > 0 || READ_ONCE(p->writers) == 0));
}

static int pipe_wait_room(struct pipe *p, size_t need)
{
	return wait_restart(
		wait_event_interruptible(&p->room, PIPE_SIZE - pipe_used(p) >= need || READ_ONCE(p->readers) == 0));
}

static ssize_t pipe_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	struct pipe *p = f->private;
	size_t got = 0;
	int err = 0;

	if (n == 0)
		return 0;
	mutex_lock(&p->lock);
	while (pipe_used(p) == 0 && p->writers > 0 && err == 0) {
		mutex_unlock(&p->lock);
		err = f->flags & O_NONBLOCK ? -EAGAIN : pipe_wait_data(p);
		mutex_lock(&p->lock);
	}
	if (pipe_used(p) > 0) {
		got = pipe_take(p, user, n);
		err = got ? 0 : -EFAULT;
	} else if (p->writers == 0) {
		err = 0;
	}
	mutex_unlock(&p->lock);
	if (got)
		wake_up_all(&p->room);
	return got ? (ssize_t)got : err;
}

/* One step of a write: 0 bytes means that there was no room for an atomic one. => lock held */
static ssize_t pipe_write_step(struct pipe *p, const char *user, size_t n, bool atomic)
{
	unsigned room = PIPE_SIZE - pipe_used(p);

	if (p->readers == 0)
		return -EPIPE;
	if (room == 0 || (atomic && room < n))
		return 0;
	return pipe_fill(p, user, n);
}

static ssize_t pipe_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	struct pipe *p = f->private;
	bool atomic = n <= PIPE_BUF;
	size_t need = atomic ? n : 1, done = 0;
	ssize_t err = 0;

	while (done < n && err == 0) {
		ssize_t step;

		mutex_lock(&p->lock);
		step = pipe_write_step(p, (const char *)user + done, n - done, atomic);
		mutex_unlock(&p->lock);
		if (step > 0) {
			done += (size_t)step;
			wake_up_all(&p->data);
			atomic = false; /* a bad buffer cut it short: the rest fails by itself */
			need = 1;
		} else if (step < 0) {
			err = step;
		} else if (f->flags & O_NONBLOCK) {
			err = -EAGAIN;
		} else {
			err = pipe_wait_room(p, need);
		}
	}
	return done ? (ssize_t)done : err;
}

static unsigned pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->private;
	unsigned events = 0;

	if (file_reads(f)) {
		poll_wait(pt, &p->data);
		if (pipe_used(p) > 0)
			events |= POLLIN | POLLRDNORM;
		if (READ_ONCE(p->writers) == 0 && p->writer_opens > 0)
			events |= POLLHUP;
	}
	if (file_writes(f)) {
		poll_wait(pt, &p->room);
		if (PIPE_SIZE - pipe_used(p) >= PIPE_BUF)
			events |= POLLOUT | POLLWRNORM;
		if (READ_ONCE(p->readers) == 0)
			events |= POLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user((int)pipe_used(f->private), (int *)arg);
}

/* => pipe->lock held, or nobody else knows the pipe */
static void pipe_join(struct pipe *p, const struct file *f)
{
	if (file_reads(f)) {
		p->readers++;
		p->reader_opens++;
	}
	if (file_writes(f)) {
		p->writers++;
		p->writer_opens++;
	}
}

/* One end closes; it is still a user. */
static void pipe_leave(struct pipe *p, const struct file *f)
{
	mutex_lock(&p->lock);
	p->readers -= file_reads(f);
	p->writers -= file_writes(f);
	mutex_unlock(&p->lock);
	wake_up_all(&p->data);
	wake_up_all(&p->room);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->private;

	pipe_leave(p, f);
	if (atomic_dec_and_test(&p->users))
		pipe_free(p);
}

static loff_t pipe_llseek(struct file *f, loff_t off, int whence)
{
	return -ESPIPE;
}

static const struct file_ops pipe_file_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
	.llseek = pipe_llseek,
	.no_mmap = true,
};

int pipe_make(struct file *ends[2], unsigned flags)
{
	struct inode *inode = inode_make_anon(S_IFIFO | 0600, &pipe_file_ops);
	struct pipe *p;
	char name[32];

	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	p = pipe_alloc();
	if (!p) {
		inode_put(inode);
		return -ENOMEM;
	}
	snprintf(name, sizeof(name), "pipe:[%llu]", (unsigned long long)inode->ino);
	ends[0] = file_make(inode, &pipe_file_ops, (flags & ~O_ACCMODE) | O_RDONLY, name);
	if (IS_ERR(ends[0])) {
		inode_put(inode);
		pipe_free(p);
		return (int)PTR_ERR(ends[0]);
	}
	ends[0]->private = p;
	p->users = 2;
	pipe_join(p, ends[0]);
	ends[1] = file_make(inode, &pipe_file_ops, (flags & ~O_ACCMODE) | O_WRONLY, name);
	inode_put(inode);
	if (IS_ERR(ends[1])) {
		p->users = 1;
		file_put(ends[0]);
		return (int)PTR_ERR(ends[1]);
	}
	ends[1]->private = p;
	pipe_join(p, ends[1]);
	return 0;
}

/* -- fifos: the pipe exists while somebody has the inode open ------------------------------------------------ */

/* The pipe of @inode, made if absent, with one user more. NULL: no memory. */
static struct pipe *fifo_get(struct inode *inode)
{
	struct pipe *p, *found = NULL;

	mutex_lock(&fifos_lock);
	list_for_each_entry(p, &fifos, link)
		if (p->inode == inode)
			found = p;
	if (!found) {
		found = pipe_alloc();
		if (found) {
			found->inode = inode;
			list_add(&found->link, &fifos);
		}
	}
	if (found)
		found->users++;
	mutex_unlock(&fifos_lock);
	return found;
}

static void fifo_put(struct pipe *p)
{
	bool last;

	mutex_lock(&fifos_lock);
	last = --p->users == 0;
	if (last)
		list_del(&p->link);
	mutex_unlock(&fifos_lock);
	if (last)
		pipe_free(p);
}

static void fifo_release(struct file *f)
{
	struct pipe *p = f->private;

	pipe_leave(p, f);
	fifo_put(p);
}

/* Which opens of the other end are waited for; NULL: of none. => pipe->lock */
static const unsigned *fifo_peer_opens(const struct pipe *p, const struct file *f)
{
	unsigned mode = f->flags & O_ACCMODE;

	if (mode == O_RDONLY && p->writers == 0 && !(f->flags & O_NONBLOCK))
		return &p->writer_opens;
	if (mode == O_WRONLY && p->readers == 0)
		return &p->reader_opens;
	return NULL;
}

/* Join, and wait until the other end has been opened, even if it is closed again by the time we look. */
static int fifo_join(struct pipe *p, struct file *f)
{
	const unsigned *opens;
	unsigned seen = 0;

	mutex_lock(&p->lock);
	opens = fifo_peer_opens(p, f);
	if (opens && (f->flags & O_NONBLOCK)) {
		mutex_unlock(&p->lock);
		return -ENXIO;
	}
	if (opens)
		seen = *opens;
	pipe_join(p, f);
	mutex_unlock(&p->lock);
	wake_up_all(&p->data);
	wake_up_all(&p->room);
	if (opens && wait_event_interruptible(file_reads(f) ? &p->data : &p->room, READ_ONCE(*opens) != seen)) {
		pipe_leave(p, f);
		return -ERESTARTSYS;
	}
	return 0;
}

static int fifo_open(struct inode *inode, struct file *f)
{
	struct pipe *p = fifo_get(inode);
	int err;

	if (!p)
		return -ENOMEM;
	f->private = p;
	err = fifo_join(p, f);
	if (err)
		fifo_put(p);
	return err;
}

const struct file_ops fifo_file_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.open = fifo_open,
	.release = fifo_release,
	.llseek = pipe_llseek,
	.no_mmap = true,
};

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_file_ops || f->ops == &fifo_file_ops;
}

long pipe_size(const struct file *f)
{
	return PIPE_SIZE;
}
