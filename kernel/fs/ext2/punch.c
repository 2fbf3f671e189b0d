/*
 * punch.c - ext2: holes in files.
 *
 * Layer 9 (kernel/fs).  Locks: takes the inode lock; inside it as ext2.h says.
 */
#include "kernel/fs/ext2/ext2.h"
#include "kernel/uapi/fcntl.h"

/* Pages [first, last] are out of the cache. */
static int free_blocks(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	struct inode *inode = inode_of(obj);
	struct ext2_fs *fs = ext2_fs_of(inode);
	unsigned shift = PAGE_SHIFT - fs->block_shift;
	int err = ext2_begin(fs);

	if (err)
		return err;
	err = ext2_unmap(inode, (u32)(first << shift), (u32)((last + 1) << shift));
	mutex_unlock(&fs->meta);
	return err;
}

/* Whole pages lose their blocks; of others the part becomes zero. => inode lock */
static int punch(struct inode *inode, loff_t off, loff_t end)
{
	loff_t first = ALIGN_UP(off, (loff_t)PAGE_SIZE), last = ALIGN_DOWN(end, (loff_t)PAGE_SIZE);
	int err = object_zero(&inode->obj, off, min(end, first));

	if (!err && last >= first)
		err = object_zero(&inode->obj, last, end);
	if (!err && last > first)
		err = object_punch_blocks(&inode->obj, (pgoff_t)((u64)first >> PAGE_SHIFT),
		                          (pgoff_t)((u64)last >> PAGE_SHIFT) - 1, free_blocks);
	return err;
}

long ext2_fallocate(struct file *f, int mode, loff_t off, loff_t len)
{
	struct inode *inode = f->inode;
	loff_t end;
	int err = 0;

	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP; /* the format has no blocks that read as zero */
	rwsem_write_lock(&inode->lock);
	/* Beyond the end there are no blocks, and the last page reads as zero there. */
	end = min(off + len, ALIGN_UP(inode->obj.size, (loff_t)PAGE_SIZE));
	if (off < end)
		err = punch(inode, off, end);
	if (!err)
		inode_touch(inode);
	rwsem_write_unlock(&inode->lock);
	return err;
}
