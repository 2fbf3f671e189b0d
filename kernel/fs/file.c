/*
 * file.c - open file descriptions: made, shared, ended; what mmap may do with one.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h.  The last file_put() releases what the file is (release), then lets
 * go of the name and the inode.
 */
#include "kernel/fs/vfs_internal.h"
#include "kernel/lib/atomic.h"

#define FILES_MAX 65536

static int nr_files;

static struct file *file_alloc(struct inode *inode, const struct file_ops *ops, unsigned flags)
{
	struct file *f;

	if (atomic_read(&nr_files) >= FILES_MAX)
		return ERR_PTR(-ENFILE);
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&nr_files);
	inode_get(inode);
	f->refs = 1;
	f->inode = inode;
	f->ops = ops;
	f->flags = flags;
	mutex_init(&f->pos_lock, LOCK_FILE_POS);
	f->wb_seen = errseq_sample(&inode->obj.wb_err);
	if (inode->super)
		f->fs_seen = errseq_sample(&inode->super->wb_err);
	return f;
}

struct file *file_make(struct inode *inode, const struct file_ops *ops, unsigned flags, const char *name)
{
	struct file *f = file_alloc(inode, ops, flags);

	if (!IS_ERR(f) && name)
		strlcpy(f->name, name, sizeof(f->name));
	return f;
}

void file_get(struct file *f)
{
	ASSERT(atomic_read(&f->refs) > 0);
	atomic_inc(&f->refs);
}

void file_put(struct file *f)
{
	ASSERT(atomic_read(&f->refs) > 0);
	if (!atomic_dec_and_test(&f->refs))
		return;
	if (f->ops && f->ops->release && !(f->flags & O_PATH))
		f->ops->release(f);
	if (f->writer)
		super_write_end(f->inode->super);
	if (f->dentry)
		dentry_put(f->dentry);
	inode_put(f->inode);
	kfree(f);
	atomic_dec(&nr_files);
}

/* -- mmap ---------------------------------------------------------------------------------------------------- */

/* What the open mode forbids, as Linux: any mapping reads; a shared one that may write needs a writable file. */
static int mmap_check_mode(const struct file *f, bool shared, const struct mmap_request *req)
{
	if (!file_readable(f))
		return -EACCES;
	if (shared && (req->prot & PROT_WRITE) && !file_writable(f))
		return -EACCES;
	return 0;
}

static unsigned mmap_may(const struct file *f, bool shared)
{
	unsigned may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

	if (shared && file_writable(f))
		may |= VM_SHARED;
	else if (shared)
		may &= ~(unsigned)VM_MAYWRITE;
	return may;
}

/* Seals come after the mode: a shared mapping that may write is what they forbid. */
static int mmap_check_seals(const struct inode *inode, struct mmap_request *req)
{
	if (!(inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) || !(req->may & VM_SHARED))
		return 0;
	if (req->prot & PROT_WRITE)
		return -EPERM;
	req->may &= ~(unsigned)VM_MAYWRITE; /* still shared, now for reading only */
	return 0;
}

/* Would the last byte have an offset that no file has: above loff_t, or above everything? */
static bool beyond_every_file(const struct inode *inode, const struct mmap_request *req)
{
	u64 length = ALIGN_UP((u64)req->length, (u64)PAGE_SIZE), most = S_ISREG(inode->mode) ? ~(u64)0 >> 1 : ~(u64)0;

	return length > most || req->pgoff > (most - length) >> PAGE_SHIFT;
}

int file_mmap_prepare(struct file *f, struct mmap_request *req)
{
	struct inode *inode = f->inode;
	unsigned type = req->flags & MAP_TYPE;
	bool shared = type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
	int err;

	if (beyond_every_file(inode, req))
		return -EOVERFLOW;
	if (!shared && type != MAP_PRIVATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (req->flags & ~(unsigned)MAP_LEGACY_MASK))
		return -EOPNOTSUPP; /* the caller asked to be told of flags we do not know */
	err = mmap_check_mode(f, shared, req);
	if (err)
		return err;
	if (f->ops && f->ops->zero_mmap && !shared) {
		req->flags |= MAP_ANONYMOUS;
		req->pgoff = 0;
		return 0;
	}
	if (!f->ops || f->ops->no_mmap || !S_ISREG(inode->mode))
		return -ENODEV;
	req->may = mmap_may(f, shared);
	if (inode->super && inode->super->noexec) {
		if (req->prot & PROT_EXEC)
			return -EPERM;
		req->may &= ~(unsigned)VM_MAYEXEC;
	}
	err = mmap_check_seals(inode, req);
	if (err)
		return err;
	req->object = &inode->obj;
	req->file = f;
	return 0;
}
