/*
 * readwrite.c - read, write, seek, sync, truncate, fallocate, readdir, ioctl on an open file.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h.
 * Lock order: pos_lock (regular files, directories and block devices only), then the
 * inode lock, then what the page cache takes.
 */
#include <arch/uaccess.h>

#include "kernel/fs/vfs_internal.h"

static loff_t max_size(const struct inode *inode)
{
	return inode->super && inode->super->max_size ? inode->super->max_size : (loff_t)((1ull << 43) - PAGE_SIZE);
}

/* -- generic operations of files in the page cache ----------------------------------------------------------- */

/* As mount option relatime; file systems on a device are not written to for being read. */
static void touch_atime(struct file *f)
{
	struct inode *inode = f->inode;
	struct super *sb = inode->super;

	if ((f->flags & O_NOATIME) || !sb || sb->read_only || sb->has_device)
		return;
	if (inode->atime.sec > inode->mtime.sec ||
	    (inode->atime.sec == inode->mtime.sec && inode->atime.nsec > inode->mtime.nsec))
		return;
	inode->atime = vfs_now();
}

/* Where there is no device to go to, O_DIRECT means nothing. */
static bool is_direct(const struct file *f)
{
	return (f->flags & O_DIRECT) && f->inode->ops && f->inode->ops->extent;
}

ssize_t generic_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	ssize_t r =
		is_direct(f) ? direct_read(f->inode, user, n, *pos) : object_read_user(&f->inode->obj, *pos, user, n, &f->ra);

	if (r > 0) {
		*pos += r;
		touch_atime(f);
	}
	return r;
}

#define WRITE_CHUNK ((loff_t)2 << 20)

/* How much of a write at @pos may be done: bytes, or -EFBIG, -EPERM. => inode lock */
static ssize_t write_limit(struct inode *inode, loff_t pos, size_t n)
{
	loff_t max = max_size(inode);

	if (n == 0)
		return 0;
	if (pos >= max)
		return -EFBIG;
	n = (size_t)min((loff_t)n, max - pos);
	if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if ((inode->seals & F_SEAL_GROW) && pos + (loff_t)n > inode->obj.size) {
		/* Chunk by chunk, as Linux writes: those before the one that would grow the file are written. */
		loff_t whole = ALIGN_DOWN(inode->obj.size, WRITE_CHUNK);

		if (pos >= whole)
			return -EPERM;
		n = (size_t)(whole - pos);
	}
	return (ssize_t)n;
}

/* A write beyond the end: what lies between must read as zero. Returns the old size, or an error. */
static loff_t fill_gap(struct inode *inode, loff_t pos)
{
	loff_t old = inode->obj.size;
	int err = pos > old && inode->ops && inode->ops->truncate ? inode->ops->truncate(inode, pos) : 0;

	return err ? err : old;
}

ssize_t cached_write(struct inode *inode, const void *user, size_t n, loff_t pos)
{
	const struct inode_ops *ops = inode->ops;
	loff_t old = fill_gap(inode, pos);
	ssize_t r;

	if (old < 0)
		return (ssize_t)old;
	r = ops && ops->write_begin ? ops->write_begin(inode, pos, n) : 0;
	if (!r) {
		r = object_write_user(&inode->obj, pos, user, n);
		if (ops && ops->write_end)
			ops->write_end(inode);
	}
	if (r <= 0 && pos > old)
		(void)ops->truncate(inode, old);
	return r;
}

/* => inode lock */
static ssize_t write_locked(struct file *f, const void *user, size_t n, loff_t pos)
{
	struct inode *inode = f->inode;
	ssize_t r;

	if (inode->swap)
		return -ETXTBSY;
	r = is_direct(f) ? direct_write(inode, user, n, pos) : cached_write(inode, user, n, pos);

	if (r > 0) {
		inode->mode &= ~(u32)(S_ISUID | ((inode->mode & 010) ? S_ISGID : 0));
		inode_touch(inode);
	}
	return r;
}

/* O_SYNC, O_DSYNC: @n bytes were written at @pos. */
static ssize_t sync_written(struct file *f, loff_t pos, ssize_t n)
{
	pgoff_t first = (pgoff_t)((u64)pos >> PAGE_SHIFT), last = (pgoff_t)((u64)(pos + n - 1) >> PAGE_SHIFT);
	int err = file_fsync_range(f, first, last, (f->flags & O_SYNC) != O_SYNC);

	return err ? err : n;
}

/* How a write is done. */
enum { APPEND = 1, NOWAIT = 2 };

/* As much of a write of @n bytes as can be done at once: bytes, or -EAGAIN. => inode lock */
static ssize_t ready_part(struct file *f, size_t n, loff_t pos)
{
	size_t ready = f->flags & O_DSYNC ? 0 : object_ready_for_write(&f->inode->obj, pos, n);

	return ready ? (ssize_t)ready : -EAGAIN;
}

static ssize_t write_at(struct file *f, const void *user, size_t n, loff_t *pos, unsigned how)
{
	struct inode *inode = f->inode;
	char first;
	ssize_t r;

	if (!(how & NOWAIT))
		rwsem_write_lock(&inode->lock);
	else if (!rwsem_write_trylock(&inode->lock))
		return -EAGAIN;
	if (how & APPEND)
		*pos = inode->obj.size;
	r = write_limit(inode, *pos, n);
	if ((r > 0 || r == -EPERM) && copy_from_user(&first, user, 1))
		r = -EFAULT; /* a source that is not there is told before a seal, and before the file grows (Linux) */
	if (r > 0 && (how & NOWAIT))
		r = ready_part(f, (size_t)r, *pos);
	if (r > 0)
		r = write_locked(f, user, (size_t)r, *pos);
	rwsem_write_unlock(&inode->lock);
	if (r <= 0)
		return r;
	*pos += r;
	return f->flags & O_DSYNC ? sync_written(f, *pos - r, r) : r;
}

ssize_t generic_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	return write_at(f, user, n, pos, f->flags & O_APPEND ? APPEND : 0);
}

static loff_t seek_data(struct inode *inode, loff_t off, int whence)
{
	loff_t size = inode->obj.size;

	if (off < 0 || off >= size)
		return -ENXIO;
	return whence == SEEK_DATA ? off : size; /* everything counts as data */
}

static loff_t generic_llseek(struct file *f, loff_t off, int whence)
{
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		if (off > 0 && f->pos + off < f->pos)
			return -EOVERFLOW;
		off += f->pos;
		break;
	case SEEK_END:
		if (off > 0 && f->inode->obj.size + off < 0)
			return -EOVERFLOW;
		off += f->inode->obj.size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		off = seek_data(f->inode, off, whence);
		if (off < 0)
			return off;
		break;
	default:
		return -EINVAL;
	}
	if (off < 0 || (off > max_size(f->inode) && S_ISREG(f->inode->mode)))
		return -EINVAL;
	f->pos = off;
	return off;
}

/* -- the calls ----------------------------------------------------------------------------------------------- */

static bool positioned(const struct file *f)
{
	return S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) || S_ISBLK(f->inode->mode);
}

static ssize_t do_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	return f->ops && f->ops->read ? f->ops->read(f, user, n, pos) : -EINVAL;
}

static ssize_t do_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	return f->ops && f->ops->write ? f->ops->write(f, user, n, pos) : -EINVAL;
}

ssize_t file_read(struct file *f, void *user, size_t n)
{
	ssize_t r;

	if (!positioned(f))
		return do_read(f, user, n, &f->pos);
	mutex_lock(&f->pos_lock);
	r = do_read(f, user, n, &f->pos);
	mutex_unlock(&f->pos_lock);
	return r;
}

ssize_t file_write(struct file *f, const void *user, size_t n)
{
	ssize_t r;

	if (!positioned(f))
		return do_write(f, user, n, &f->pos);
	mutex_lock(&f->pos_lock);
	r = do_write(f, user, n, &f->pos);
	mutex_unlock(&f->pos_lock);
	return r;
}

ssize_t file_pread(struct file *f, void *user, size_t n, loff_t pos)
{
	return pos < 0 ? -EINVAL : do_read(f, user, n, &pos);
}

ssize_t file_pwrite(struct file *f, const void *user, size_t n, loff_t pos)
{
	return pos < 0 ? -EINVAL : do_write(f, user, n, &pos);
}

ssize_t file_append(struct file *f, const void *user, size_t n, bool own_pos)
{
	loff_t pos = 0;
	ssize_t r;

	if (!f->ops || f->ops->write != generic_write)
		return own_pos ? file_write(f, user, n) : -EOPNOTSUPP;
	mutex_lock(&f->pos_lock);
	r = write_at(f, user, n, &pos, APPEND);
	if (own_pos && r > 0)
		f->pos = pos;
	mutex_unlock(&f->pos_lock);
	return r;
}

ssize_t file_write_nowait(struct file *f, const void *user, size_t n, loff_t *given, bool append)
{
	unsigned how = NOWAIT | (append || (f->flags & O_APPEND) ? APPEND : 0);
	ssize_t r;

	if (!S_ISREG(f->inode->mode) || !f->ops || f->ops->write != generic_write || is_direct(f))
		return -EOPNOTSUPP;
	if (given)
		return write_at(f, user, n, given, how);
	if (!mutex_trylock(&f->pos_lock))
		return -EAGAIN;
	r = write_at(f, user, n, &f->pos, how);
	mutex_unlock(&f->pos_lock);
	return r;
}

ssize_t file_read_ready(struct file *f, loff_t pos, size_t n)
{
	loff_t left = f->inode->obj.size - pos;

	if (!S_ISREG(f->inode->mode) || !f->ops || f->ops->read != generic_read || is_direct(f))
		return -EOPNOTSUPP;
	if (left <= 0)
		return (ssize_t)n; /* which reads nothing, at once */
	n = object_ready(&f->inode->obj, pos, (size_t)min((loff_t)n, left));
	return n ? (ssize_t)n : -EAGAIN;
}

loff_t file_llseek(struct file *f, loff_t off, int whence)
{
	loff_t r;

	if (f->ops && f->ops->llseek && !positioned(f))
		return f->ops->llseek(f, off, whence);
	if (S_ISFIFO(f->inode->mode) || S_ISSOCK(f->inode->mode))
		return -ESPIPE;
	mutex_lock(&f->pos_lock);
	r = f->ops && f->ops->llseek ? f->ops->llseek(f, off, whence) : generic_llseek(f, off, whence);
	mutex_unlock(&f->pos_lock);
	return r;
}

int file_fsync_range(struct file *f, pgoff_t first, pgoff_t last, bool data_only)
{
	struct vm_object *obj = &f->inode->obj;
	int err, earlier;

	if (f->ops && f->ops->fsync)
		err = f->ops->fsync(f, first, last, data_only);
	else if (positioned(f))
		err = object_fsync(obj, first, last, data_only);
	else
		return -EINVAL;
	earlier = errseq_advance(&obj->wb_err, &f->wb_seen);
	return err ? err : earlier;
}

int file_sync_range(struct file *f, pgoff_t first, pgoff_t last, unsigned flags)
{
	const unsigned waits = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
	struct vm_object *obj = &f->inode->obj;

	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
		object_wait_writeback(obj, first, last);
	if (flags & SYNC_FILE_RANGE_WRITE)
		(void)object_writeback(obj, first, last, false);
	if (flags & SYNC_FILE_RANGE_WAIT_AFTER)
		object_wait_writeback(obj, first, last);
	return flags & waits ? errseq_advance(&obj->wb_err, &f->wb_seen) : 0;
}

int file_fsync(struct file *f, bool data_only)
{
	return file_fsync_range(f, 0, ~0UL, data_only);
}

int inode_truncate_locked(struct inode *inode, loff_t size)
{
	int err;

	ASSERT(rwsem_write_held(&inode->lock));
	if (size < 0 || !inode->ops || !inode->ops->truncate)
		return -EINVAL;
	if (size > max_size(inode))
		return -EFBIG;
	if (inode->swap)
		return -ETXTBSY;
	if (((inode->seals & F_SEAL_SHRINK) && size < inode->obj.size) ||
	    ((inode->seals & F_SEAL_GROW) && size > inode->obj.size))
		return -EPERM;
	err = inode->ops->truncate(inode, size);
	if (!err)
		inode_touch(inode);
	return err;
}

int file_truncate(struct file *f, loff_t size)
{
	struct inode *inode = f->inode;
	int err;

	if (!file_writable(f) || !S_ISREG(inode->mode))
		return -EINVAL;
	rwsem_write_lock(&inode->lock);
	err = inode_truncate_locked(inode, size);
	rwsem_write_unlock(&inode->lock);
	return err;
}

int vfs_truncate(struct dentry *cwd, const char *path, loff_t size)
{
	struct dentry *d = path_lookup(cwd, path, LOOKUP_FOLLOW);
	struct inode *inode;
	int err = -EINVAL;

	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	inode = d->inode;
	if (S_ISDIR(inode->mode)) {
		err = -EISDIR;
	} else if (S_ISREG(inode->mode)) {
		err = super_write_begin(inode->super);
		if (!err) {
			rwsem_write_lock(&inode->lock);
			err = inode_truncate_locked(inode, size);
			rwsem_write_unlock(&inode->lock);
			super_write_end(inode->super);
		}
	}
	dentry_put(d);
	return err;
}

long file_fallocate(struct file *f, int mode, loff_t off, loff_t len)
{
	u32 m = f->inode->mode;

	if (off < 0 || len <= 0)
		return -EINVAL;
	if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) || mode == FALLOC_FL_PUNCH_HOLE)
		return -EOPNOTSUPP;
	if (!file_writable(f))
		return -EBADF;
	if (!S_ISREG(m))
		return S_ISFIFO(m) ? -ESPIPE : S_ISDIR(m) ? -EISDIR : -ENODEV;
	if (off + len < off || off + len > max_size(f->inode))
		return -EFBIG;
	return f->ops->fallocate ? f->ops->fallocate(f, mode, off, len) : -EOPNOTSUPP;
}

int file_readdir(struct file *f, bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, loff_t next), void *ctx)
{
	struct inode *inode = f->inode;
	int err = -ENOENT;

	if (!S_ISDIR(inode->mode) || !f->ops || !f->ops->readdir)
		return -ENOTDIR;
	rwsem_read_lock(&inode->lock);
	if (inode->nlink)
		err = f->ops->readdir(f, emit, ctx);
	rwsem_read_unlock(&inode->lock);
	return err;
}

long file_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	return f->ops && f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}
