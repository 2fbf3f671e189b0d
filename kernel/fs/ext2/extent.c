/*
 * extent.c - ext2: which consecutive sectors hold a stretch of a file, for those who do their own I/O (read-ahead,
 * O_DIRECT).
 *
 * Layer 9 (kernel/fs).  Locks: takes meta.
 */
#include "kernel/fs/ext2/ext2.h"

/* Does @block go on where a run that began at @first and has @n blocks ends? A hole goes on with a hole. */
static bool continues(u32 first, u32 n, u32 block)
{
	return first ? block == first + n : !block;
}

int ext2_extent(struct inode *inode, loff_t pos, size_t want, struct file_extent *x)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	u32 index = (u32)((u64)pos >> fs->block_shift), first = 0, n = 0, block = 0;
	u32 most = (u32)((want + fs->block_size - 1) >> fs->block_shift);
	int err = 0;

	ASSERT(IS_ALIGNED(pos, (loff_t)fs->block_size) && want);
	mutex_lock(&fs->meta);
	for (; n < most; n++) {
		err = ext2_map(inode, index + n, false, &block, NULL);
		if (err || (n && !continues(first, n, block)))
			break;
		if (!n)
			first = block;
	}
	mutex_unlock(&fs->meta);
	if (err && !n)
		return err;
	*x = (struct file_extent){.dev = fs->dev,
	                          .hole = !first,
	                          .sector = (u64)first << (fs->block_shift - SECTOR_SHIFT),
	                          .bytes = (size_t)n << fs->block_shift};
	return 0;
}
