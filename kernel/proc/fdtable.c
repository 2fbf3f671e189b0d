/*
 * fdtable.c - the table of file descriptors.  Layer 10 (kernel/proc).
 *
 *   number     used bit   files[]
 *   free          0        NULL
 *   reserved      1        NULL      fd_alloc_from() .. fd_commit(): others see EBADF
 *   open          1        file, one reference
 *
 * Lock order: files->lock is held for moments only, and only the descriptions' reference counts are touched inside.
 */
#include "kernel/proc/fdtable.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/bitops.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "mm/phys/slab.h"

#define FD_FIRST_SIZE 64

struct fd_array {
	unsigned size;
	struct file **files;
	unsigned long *used, *cloexec; /* bitmaps of @size bits */
};

static struct fd_array *array_alloc(unsigned size)
{
	size_t maps = BITMAP_LONGS(size) * sizeof(long);
	size_t pointers = size * sizeof(struct file *);
	struct fd_array *a = kzalloc(sizeof(*a) + pointers + 2 * maps, GFP_KERNEL);

	if (!a)
		return NULL;
	a->size = size;
	a->files = (struct file **)(a + 1);
	a->used = (unsigned long *)((char *)a->files + pointers);
	a->cloexec = (unsigned long *)((char *)a->used + maps);
	return a;
}

static void array_copy(struct fd_array *to, const struct fd_array *from)
{
	unsigned n = min(to->size, from->size);

	memcpy(to->files, from->files, n * sizeof(struct file *));
	memcpy(to->used, from->used, BITMAP_LONGS(n) * sizeof(long));
	memcpy(to->cloexec, from->cloexec, BITMAP_LONGS(n) * sizeof(long));
}

struct files *files_create(void)
{
	struct files *files = kzalloc(sizeof(*files), GFP_KERNEL);

	if (!files)
		return ERR_PTR(-ENOMEM);
	files->array = array_alloc(FD_FIRST_SIZE);
	if (!files->array) {
		kfree(files);
		return ERR_PTR(-ENOMEM);
	}
	files->refs = 1;
	spin_init(&files->lock, LOCK_FILES);
	return files;
}

/* Make the table hold number @fd. => lock not held; may sleep */
static int files_grow(struct files *files, unsigned fd)
{
	unsigned size = FD_FIRST_SIZE;
	struct fd_array *new, *old;

	while (size <= fd)
		size *= 2;
	new = array_alloc(size);
	if (!new)
		return -ENOMEM;
	spin_lock(&files->lock);
	old = files->array;
	if (old->size < size) {
		array_copy(new, old);
		files->array = new;
	} else {
		old = new; /* somebody else was faster */
	}
	spin_unlock(&files->lock);
	kfree(old);
	return 0;
}

/* Take references on all that is open and forget what is only reserved: that belongs to another thread. */
static void array_adopt(struct fd_array *a)
{
	for (unsigned i = 0; i < a->size; i++) {
		if (a->files[i]) {
			file_get(a->files[i]);
		} else {
			bitmap_clear(a->used, i);
			bitmap_clear(a->cloexec, i);
		}
	}
}

struct files *files_dup(struct files *files)
{
	struct files *copy = files_create();
	int err = 0;

	if (IS_ERR(copy))
		return copy;
	spin_lock(&files->lock);
	while (copy->array->size < files->array->size && !err) {
		unsigned last = files->array->size - 1;

		spin_unlock(&files->lock);
		err = files_grow(copy, last);
		spin_lock(&files->lock);
	}
	if (!err) {
		array_copy(copy->array, files->array);
		array_adopt(copy->array);
	}
	spin_unlock(&files->lock);
	if (err) {
		files_put(copy);
		return ERR_PTR(err);
	}
	return copy;
}

bool files_is_private(struct files *files)
{
	return atomic_read(&files->refs) == 1;
}

void files_get(struct files *files)
{
	atomic_inc(&files->refs);
}

void files_put(struct files *files)
{
	if (__atomic_sub_fetch(&files->refs, 1, __ATOMIC_SEQ_CST) > 0)
		return;
	for (unsigned i = 0; i < files->array->size; i++)
		if (files->array->files[i])
			file_put(files->array->files[i]);
	kfree(files->array);
	kfree(files);
}

/* -- numbers --------------------------------------------------------------------------------------------------- */

/* The boot thread, which opens the console for process 1, is no process. */
static unsigned fd_limit(void)
{
	struct process *p = current_process();

	return p ? (unsigned)min(p->rlimits[RLIMIT_NOFILE].cur, (u64)FD_MAX) : FD_MAX;
}

/* Mark a number used if there is one in the present array: the number, or the array's size. => lock held */
static unsigned fd_take_locked(struct files *files, unsigned from, bool cloexec)
{
	struct fd_array *a = files->array;
	unsigned start = max(from, files->next);
	unsigned fd = start < a->size ? (unsigned)bitmap_next_clear(a->used, a->size, start) : start;

	if (fd >= a->size)
		return fd;
	ASSERT(!a->files[fd]);
	bitmap_set(a->used, fd);
	if (cloexec)
		bitmap_set(a->cloexec, fd);
	else
		bitmap_clear(a->cloexec, fd);
	if (start == files->next)
		files->next = fd + 1;
	return fd;
}

static void fd_free_locked(struct files *files, unsigned fd)
{
	files->array->files[fd] = NULL;
	bitmap_clear(files->array->used, fd);
	bitmap_clear(files->array->cloexec, fd);
	files->next = min(files->next, fd);
}

int fd_alloc_from(struct files *files, unsigned from, bool cloexec)
{
	unsigned limit = fd_limit();

	if (from >= limit)
		return from ? -EINVAL : -EMFILE;
	for (;;) {
		unsigned fd;
		bool in_table;

		spin_lock(&files->lock);
		fd = fd_take_locked(files, from, cloexec);
		in_table = fd < files->array->size;
		if (in_table && fd >= limit)
			fd_free_locked(files, fd);
		spin_unlock(&files->lock);
		if (fd >= limit)
			return -EMFILE;
		if (in_table)
			return (int)fd;
		if (files_grow(files, fd))
			return -ENOMEM;
	}
}

void fd_cancel(struct files *files, int fd)
{
	spin_lock(&files->lock);
	ASSERT(!files->array->files[fd]);
	fd_free_locked(files, (unsigned)fd);
	spin_unlock(&files->lock);
}

void fd_commit(struct files *files, int fd, struct file *file)
{
	spin_lock(&files->lock);
	ASSERT(bitmap_test(files->array->used, (unsigned)fd) && !files->array->files[fd]);
	files->array->files[fd] = file;
	spin_unlock(&files->lock);
}

int fd_install(struct files *files, struct file *file, bool cloexec)
{
	int fd = fd_alloc_from(files, 0, cloexec);

	if (fd >= 0)
		fd_commit(files, fd, file);
	return fd;
}

/* -- open descriptors --------------------------------------------------------------------------------------------- */

/* => lock held */
static struct file *fd_file_locked(struct files *files, unsigned fd)
{
	return fd < files->array->size ? files->array->files[fd] : NULL;
}

struct file *fd_get(struct files *files, unsigned fd)
{
	struct file *f;

	spin_lock(&files->lock);
	f = fd_file_locked(files, fd);
	if (f)
		file_get(f);
	spin_unlock(&files->lock);
	return f;
}

int fd_close(struct files *files, unsigned fd)
{
	struct file *f;

	spin_lock(&files->lock);
	f = fd_file_locked(files, fd);
	if (f)
		fd_free_locked(files, fd);
	spin_unlock(&files->lock);
	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}

/* => lock held, @new lies in the table. The file that was replaced is left in *@old. */
static int fd_replace_locked(struct files *files, unsigned fd, unsigned new, bool cloexec, struct file **old)
{
	struct fd_array *a = files->array;
	struct file *f = fd_file_locked(files, fd);

	if (!f)
		return -EBADF;
	if (!a->files[new] && bitmap_test(a->used, new))
		return -EBUSY; /* another thread is just opening it */
	*old = a->files[new];
	file_get(f);
	a->files[new] = f;
	bitmap_set(a->used, new);
	if (cloexec)
		bitmap_set(a->cloexec, new);
	else
		bitmap_clear(a->cloexec, new);
	return (int)new;
}

int fd_replace(struct files *files, unsigned fd, unsigned new, bool cloexec)
{
	struct file *old = NULL;
	bool in_table;
	int ret = 0;

	if (new >= fd_limit())
		return -EBADF;
	do {
		spin_lock(&files->lock);
		in_table = new < files->array->size;
		if (in_table)
			ret = fd_replace_locked(files, fd, new, cloexec, &old);
		else if (!fd_file_locked(files, fd))
			ret = -EBADF;
		spin_unlock(&files->lock);
		if (!in_table && !ret)
			ret = files_grow(files, new);
	} while (!in_table && !ret);
	if (old)
		file_put(old);
	return ret;
}

int fd_cloexec(struct files *files, unsigned fd)
{
	int ret = -EBADF;

	spin_lock(&files->lock);
	if (fd_file_locked(files, fd))
		ret = bitmap_test(files->array->cloexec, fd);
	spin_unlock(&files->lock);
	return ret;
}

int fd_set_cloexec(struct files *files, unsigned fd, bool on)
{
	int ret = -EBADF;

	spin_lock(&files->lock);
	if (fd_file_locked(files, fd)) {
		if (on)
			bitmap_set(files->array->cloexec, fd);
		else
			bitmap_clear(files->array->cloexec, fd);
		ret = 0;
	}
	spin_unlock(&files->lock);
	return ret;
}

int fd_next(struct files *files, unsigned fd)
{
	int ret = -1;

	spin_lock(&files->lock);
	while (fd < files->array->size && !files->array->files[fd])
		fd++;
	if (fd < files->array->size)
		ret = (int)fd;
	spin_unlock(&files->lock);
	return ret;
}

void files_close_on_exec(struct files *files)
{
	for (int fd = fd_next(files, 0); fd >= 0; fd = fd_next(files, (unsigned)fd + 1))
		if (fd_cloexec(files, (unsigned)fd) == 1)
			fd_close(files, (unsigned)fd);
}

void files_close_range(struct files *files, unsigned first, unsigned last, bool cloexec_only)
{
	for (int fd = fd_next(files, first); fd >= 0 && (unsigned)fd <= last; fd = fd_next(files, (unsigned)fd + 1)) {
		if (cloexec_only)
			fd_set_cloexec(files, (unsigned)fd, true);
		else
			fd_close(files, (unsigned)fd);
	}
}
