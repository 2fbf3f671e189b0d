/*
 * sys_getdents.c - reading directories.  Layer 10 (kernel/proc).
 * Lock order: the description's position lock, then what the file system takes; user memory is written without them.
 */
#include <arch/uaccess.h>
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "mm/phys/slab.h"

#define DENTS_MAX (8 * PAGE_SIZE) /* of one call, whatever room the caller has */

/* getdents(2): the type is in the last byte of the record. */
struct linux_dirent {
	unsigned long d_ino, d_off;
	u16 d_reclen;
	char d_name[];
};

struct dents {
	char *buf;
	size_t size, used;
	loff_t next; /* position behind the last entry taken */
	bool any;
	bool full; /* an entry found no room */
	bool old;  /* struct linux_dirent */
};

static size_t dent_put64(char *at, const char *name, size_t len, u64 ino, u8 type, loff_t next, size_t room)
{
	size_t reclen = ALIGN_UP(offsetof(struct linux_dirent64, d_name) + len + 1, (size_t)8);
	struct linux_dirent64 *d = (struct linux_dirent64 *)at;

	if (reclen > room)
		return 0;
	memset(d, 0, reclen);
	d->d_ino = ino;
	d->d_off = next;
	d->d_reclen = (u16)reclen;
	d->d_type = type;
	memcpy(d->d_name, name, len);
	return reclen;
}

static size_t dent_put_old(char *at, const char *name, size_t len, u64 ino, u8 type, loff_t next, size_t room)
{
	size_t reclen = ALIGN_UP(offsetof(struct linux_dirent, d_name) + len + 2, sizeof(long));
	struct linux_dirent *d = (struct linux_dirent *)at;

	if (reclen > room)
		return 0;
	memset(d, 0, reclen);
	d->d_ino = (unsigned long)ino;
	d->d_off = (unsigned long)next;
	d->d_reclen = (u16)reclen;
	memcpy(d->d_name, name, len);
	at[reclen - 1] = (char)type;
	return reclen;
}

static bool dent_emit(void *ctx, const char *name, u64 ino, u8 type, loff_t next)
{
	struct dents *out = ctx;
	size_t room = out->size - out->used, len = strlen(name), put;

	put = out->old ? dent_put_old(out->buf + out->used, name, len, ino, type, next, room)
	               : dent_put64(out->buf + out->used, name, len, ino, type, next, room);
	if (!put) {
		out->full = true;
		return false;
	}
	out->used += put;
	out->next = next;
	out->any = true;
	return true;
}

static long read_dents(struct file *f, struct dents *out)
{
	int err;

	mutex_lock(&f->pos_lock);
	err = file_readdir(f, dent_emit, out);
	if (out->any)
		f->pos = out->next;
	mutex_unlock(&f->pos_lock);
	if (err && !out->any)
		return err;
	if (!out->any && out->full)
		return -EINVAL; /* the buffer is too small for a single entry */
	return (long)out->used;
}

static long getdents(int fd, void *user, unsigned n, bool old)
{
	struct dents out = {.old = old};
	struct file *f = file_arg(fd, FILE_OPEN);
	long ret;

	if (!f)
		return -EBADF;
	out.size = min((size_t)n, (size_t)DENTS_MAX);
	out.buf = kmalloc(max(out.size, (size_t)1), GFP_KERNEL);
	ret = out.buf ? read_dents(f, &out) : -ENOMEM;
	if (ret > 0 && copy_to_user(user, out.buf, out.used))
		ret = -EFAULT;
	kfree(out.buf);
	file_put(f);
	return ret;
}

long sys_getdents64(int fd, void *buf, unsigned n)
{
	return getdents(fd, buf, n, false);
}

long sys_getdents(int fd, void *buf, unsigned n)
{
	return getdents(fd, buf, n, true);
}
