/*
 * proc_file.c - files of /proc: text made when it is read from the start, kept for the description's later reads;
 * of a long text (show_part) only the part that is being read.
 *
 * Layer 9 (kernel/fs).  Interface: procfs.h.
 * Lock order: the description's content lock (rank LOCK_PIPE), then what a page fault on the reader's buffer
 * takes.  It is not held while text is made.
 */
#include <arch/uaccess.h>

#include "kernel/fs/proc_internal.h"

#define LINE_MAX 512
#define STORE_MAX 4096

/* -- text ------------------------------------------------------------------------------------------------------- */

static bool grow(struct proc_buf *b)
{
	if (b->nr == b->max) {
		unsigned max = b->max ? b->max * 2 : 16;
		char **chunks = kmalloc(max * sizeof(char *), GFP_KERNEL);

		if (!chunks)
			return false;
		if (b->nr)
			memcpy(chunks, b->chunks, b->nr * sizeof(char *));
		kfree(b->chunks);
		b->chunks = chunks;
		b->max = max;
	}
	b->chunks[b->nr] = kmalloc(PROC_CHUNK, GFP_KERNEL);
	if (!b->chunks[b->nr])
		return false;
	b->nr++;
	return true;
}

void proc_write(struct proc_buf *b, const char *s, size_t n)
{
	while (n && !b->error) {
		size_t at = b->length % PROC_CHUNK, part;

		if (b->length == (size_t)b->nr * PROC_CHUNK && !grow(b)) {
			b->error = -ENOMEM;
			return;
		}
		part = min(n, (size_t)PROC_CHUNK - at);
		memcpy(b->chunks[b->length / PROC_CHUNK] + at, s, part);
		b->length += part;
		s += part;
		n -= part;
	}
}

void proc_printf(struct proc_buf *b, const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	proc_write(b, line, strlen(line));
}

static void text_free(struct proc_buf *b)
{
	for (unsigned i = 0; i < b->nr; i++)
		kfree(b->chunks[i]);
	kfree(b->chunks);
	*b = (struct proc_buf){0};
}

/* -- operations --------------------------------------------------------------------------------------------------- */

/* Of one open description. */
struct content {
	struct mutex lock; /* all of it */
	bool made;
	struct proc_buf text;
	loff_t base; /* where text begins; not 0 only of a long one */
	u64 cursor;  /* show_part: what follows text */
	bool ended;  /* ... nothing does */
};

static int content_make(const struct proc_node *n, struct proc_buf *b)
{
	int err;

	if (n->entry)
		err = n->entry->show ? n->entry->show(b) : -EINVAL;
	else
		err = n->pid_entry->show ? n->pid_entry->show(b, n->pid) : -EINVAL;
	return err ? err : b->error;
}

static int file_open(struct inode *inode, struct file *f)
{
	struct content *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return -ENOMEM;
	mutex_init(&c->lock, LOCK_PIPE);
	f->private = c;
	return 0;
}

static void file_release(struct file *f)
{
	struct content *c = f->private;

	if (!c)
		return;
	text_free(&c->text);
	kfree(c);
}

/* Copy from @pos in @b on to the user; bytes, or -EFAULT. => content lock */
static ssize_t copy_out(const struct proc_buf *b, char *user, size_t n, loff_t pos)
{
	size_t done = 0;

	if ((u64)pos >= b->length)
		return 0;
	n = min(n, b->length - (size_t)pos);
	while (done < n) {
		size_t from = (size_t)pos + done, at = from % PROC_CHUNK;
		size_t part = min(n - done, (size_t)PROC_CHUNK - at);
		size_t left = copy_to_user_some(user + done, b->chunks[from / PROC_CHUNK] + at, part);

		done += part - left;
		if (left)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

/* Reading from the start makes the text anew, aside, so that no lock is held meanwhile. */
static int refresh(struct file *f, struct content *c)
{
	struct proc_buf fresh = {0};
	int err = content_make(proc_node_of(f->inode), &fresh);
	struct proc_buf old;

	if (err) {
		text_free(&fresh);
		return err;
	}
	mutex_lock(&c->lock);
	old = c->text;
	c->text = fresh;
	c->made = true;
	mutex_unlock(&c->lock);
	text_free(&old);
	return 0;
}

/* What is not kept: a page's worth at a time, as much as there is. */
static ssize_t read_raw(const struct proc_node *node, char *user, size_t n, loff_t *pos)
{
	void *buf = kmalloc(PROC_CHUNK, GFP_KERNEL);
	size_t done = 0;
	ssize_t r = buf ? 0 : -ENOMEM;

	while (buf && done < n) {
		r = node->pid_entry->read(node->pid, (u64)*pos, buf, min(n - done, (size_t)PROC_CHUNK));
		if (r > 0 && copy_to_user(user + done, buf, (size_t)r))
			r = -EFAULT;
		if (r <= 0)
			break;
		done += (size_t)r;
		*pos += r;
	}
	kfree(buf);
	return done ? (ssize_t)done : r;
}

/* -- long texts: one part at a time ----------------------------------------------------------------------------------- */

/* Another text takes the place of what was kept, which is returned. => content lock */
static struct proc_buf replace(struct content *c, struct proc_buf text, loff_t base, u64 cursor)
{
	struct proc_buf old = c->text;

	c->text = text;
	c->base = base;
	c->cursor = cursor;
	return old;
}

static void rewind(struct content *c)
{
	struct proc_buf old;

	mutex_lock(&c->lock);
	old = replace(c, (struct proc_buf){0}, 0, 0);
	c->ended = false;
	mutex_unlock(&c->lock);
	text_free(&old);
}

/* The end of what is kept; *@cursor: what follows it; false: nothing does. */
static bool part_end(struct content *c, loff_t *end, u64 *cursor)
{
	bool ended;

	mutex_lock(&c->lock);
	*end = c->base + (loff_t)c->text.length;
	*cursor = c->cursor;
	ended = c->ended;
	mutex_unlock(&c->lock);
	return !ended;
}

/* Make the part that follows @end, aside; it is kept if nobody else was faster. 0 or -errno. */
static int next_part(const struct proc_node *n, struct content *c, loff_t end, u64 cursor)
{
	struct proc_buf fresh = {0};
	u64 next = cursor;
	int err = n->pid_entry->show_part(&fresh, n->pid, &next);

	err = err ? err : fresh.error;
	mutex_lock(&c->lock);
	if (!err && c->base + (loff_t)c->text.length == end && c->cursor == cursor) {
		if (fresh.length)
			fresh = replace(c, fresh, end, next);
		else
			c->ended = true;
	}
	mutex_unlock(&c->lock);
	text_free(&fresh);
	return err;
}

/* Have the part that holds @pos, or the last one. 0 or -errno. */
static int find_part(const struct proc_node *n, struct content *c, loff_t pos)
{
	loff_t end;
	u64 cursor;
	int err = 0;

	if (pos == 0 || pos < READ_ONCE(c->base))
		rewind(c);
	while (!err && part_end(c, &end, &cursor) && end <= pos)
		err = sync_fatal_pending() ? -EINTR : next_part(n, c, end, cursor);
	return err;
}

/* -- reading and writing ------------------------------------------------------------------------------------------------ */

static int prepare(struct file *f, struct content *c, loff_t pos)
{
	const struct proc_node *n = proc_node_of(f->inode);

	if (n->pid_entry && n->pid_entry->show_part)
		return find_part(n, c, pos);
	return pos == 0 || !READ_ONCE(c->made) ? refresh(f, c) : 0;
}

static ssize_t file_read_text(struct file *f, void *user, size_t n, loff_t *pos)
{
	const struct proc_node *node = proc_node_of(f->inode);
	struct content *c = f->private;
	ssize_t r;
	int err;

	if (!node->entry && node->pid_entry->read)
		return read_raw(node, user, n, pos);
	err = prepare(f, c, *pos);
	if (err)
		return err;
	mutex_lock(&c->lock);
	r = *pos < c->base ? 0 : copy_out(&c->text, user, n, *pos - c->base);
	mutex_unlock(&c->lock);
	if (r > 0)
		*pos += r;
	return r;
}

static int content_store(const struct proc_node *n, const char *text, size_t len)
{
	if (n->entry)
		return n->entry->store ? n->entry->store(text, len) : -EINVAL;
	return n->pid_entry->store ? n->pid_entry->store(n->pid, text, len) : -EINVAL;
}

static ssize_t file_write_text(struct file *f, const void *user, size_t n, loff_t *pos)
{
	char *text;
	int err;

	if (n >= STORE_MAX)
		return -EINVAL;
	text = kmalloc(n + 1, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	err = copy_from_user(text, user, n);
	text[n] = 0;
	if (!err)
		err = content_store(proc_node_of(f->inode), text, n);
	kfree(text);
	if (err)
		return err;
	*pos += (loff_t)n;
	return (ssize_t)n;
}

const struct file_ops proc_file_fops = {
	.read = file_read_text, .write = file_write_text, .open = file_open, .release = file_release, .no_mmap = true};
