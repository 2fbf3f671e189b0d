/*
 * map.c - ext2: from a block of a file to a block of the disk, through up to three levels of indirect blocks.
 *
 * Layer 9 (kernel/fs).  Locks: meta held throughout.
 *
 *   block[0..11]   direct
 *   block[12]      a block of n = block size / 4 pointers
 *   block[13]      n * n, block[14]  n * n * n
 */
#include "kernel/fs/ext2/ext2.h"

/* Where the pointer to a file block is found: slot[0] in the inode, then one index per indirect block. */
struct path {
	unsigned depth; /* number of slots, 1 .. 4 */
	u32 slot[4];
};

static bool path_to(const struct ext2_fs *fs, u32 index, struct path *p)
{
	u64 n = fs->addrs, left = index;

	if (left < EXT2_NDIR) {
		*p = (struct path){.depth = 1, .slot = {index}};
		return true;
	}
	left -= EXT2_NDIR;
	if (left < n) {
		*p = (struct path){.depth = 2, .slot = {12, (u32)left}};
		return true;
	}
	left -= n;
	if (left < n * n) {
		*p = (struct path){.depth = 3, .slot = {13, (u32)left / (u32)n, (u32)left % (u32)n}};
		return true;
	}
	left -= n * n;
	if (left >= n * n * n)
		return false;
	*p = (struct path){.depth = 4,
	                   .slot = {14, (u32)left / (u32)(n * n), (u32)left / (u32)n % (u32)n, (u32)left % (u32)n}};
	return true;
}

loff_t ext2_max_size(const struct ext2_fs *fs)
{
	u64 n = fs->addrs, blocks = EXT2_NDIR + n + n * n + n * n * n;
	u64 meta = 1 + (1 + n) + (1 + n + n * n);
	u64 counted = (0xffffffffull >> (fs->block_shift - 9)) - meta; /* i_blocks has 32 bits */

	if (!fs->super->rev_level)
		return 0x7fffffff; /* larger ones need a feature flag that revision 0 has no place for */
	return (loff_t)(min(blocks, counted) << fs->block_shift);
}

static u32 sectors_per_block(const struct ext2_fs *fs)
{
	return fs->block_size / 512;
}

/* Where to look for a block for @inode when nothing better is known: its group. */
static u32 default_goal(struct ext2_fs *fs, const struct inode *inode)
{
	return fs->first_data_block + (u32)(inode->ino - 1) / fs->inodes_per_group * fs->blocks_per_group + 1;
}

static int alloc_for(struct inode *inode, u32 *block)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	struct ext2_inode *ei = ext2_inode_of(inode);
	int err = ext2_block_alloc(fs, ei->next_goal ? ei->next_goal : default_goal(fs, inode), block);

	if (err)
		return err;
	ei->next_goal = *block + 1;
	inode->blocks += sectors_per_block(fs);
	return 0;
}

/* The pointer in slot @i of @b, or of the inode if there is no buffer. */
static u32 *pointer_at(struct inode *inode, struct buffer *b, u32 slot)
{
	return b ? (u32 *)b->data + slot : &ext2_inode_of(inode)->block[slot];
}

static void pointer_changed(struct ext2_fs *fs, struct inode *inode, struct buffer *b)
{
	if (b)
		ext2_dirty(fs, b, EXT2_INDIRECT);
	else
		(void)ext2_store(inode);
}

/* The blocks that are missing are put where @ptr points, the last one for data. */
static int fill_path(struct inode *inode, const struct path *p, unsigned level, struct buffer *b, u32 *block)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	int err = 0;

	if (fs->super->free_blocks < p->depth - level) {
		if (b)
			buffer_put(&fs->cache, b);
		return -ENOSPC; /* all or nothing */
	}
	for (; !err; level++) {
		struct buffer *next;
		u32 new;

		err = alloc_for(inode, &new);
		if (err)
			break;
		next = level + 1 < p->depth ? buffer_new(&fs->cache, new, EXT2_FRESH) : NULL;
		if (IS_ERR(next)) {
			ext2_block_free(fs, new);
			inode->blocks -= sectors_per_block(fs);
			err = (int)PTR_ERR(next);
			next = NULL;
			break;
		}
		*pointer_at(inode, b, p->slot[level]) = new;
		pointer_changed(fs, inode, b);
		if (b)
			buffer_put(&fs->cache, b);
		b = next;
		if (!next) {
			*block = new;
			break;
		}
	}
	if (b)
		buffer_put(&fs->cache, b);
	(void)ext2_store(inode);
	return err;
}

int ext2_map(struct inode *inode, u32 index, bool create, u32 *block, bool *fresh)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	struct buffer *b = NULL, *next;
	struct path p;
	u32 at = 0;

	ASSERT(mutex_held(&fs->meta));
	*block = 0;
	if (fresh)
		*fresh = false;
	if (!path_to(fs, index, &p))
		return -EFBIG;
	for (unsigned level = 0; level < p.depth; level++) {
		at = *pointer_at(inode, b, p.slot[level]);
		if (!at) {
			if (create) {
				if (fresh)
					*fresh = true;
				return fill_path(inode, &p, level, b, block);
			}
			break;
		}
		next = NULL;
		if (!ext2_block_valid(fs, at)) {
			at = 0;
			next = ERR_PTR(ext2_corrupt(fs, "block pointer of inode", inode->ino));
		} else if (level + 1 < p.depth) {
			next = buffer_read(&fs->cache, at);
		}
		if (b)
			buffer_put(&fs->cache, b);
		b = next;
		if (IS_ERR(b))
			return (int)PTR_ERR(b);
	}
	if (b)
		buffer_put(&fs->cache, b);
	*block = at;
	if (at && create)
		ext2_inode_of(inode)->next_goal = at + 1;
	return 0;
}

/* -- truncation ----------------------------------------------------------------------------------------------- */

static void free_one(struct inode *inode, u32 block)
{
	struct ext2_fs *fs = ext2_fs_of(inode);

	ext2_block_free(fs, block);
	inode->blocks -= min((u64)sectors_per_block(fs), inode->blocks);
}

/*
 * Free what lies below *@ptr, a tree of @height levels of indirect blocks (0: a data block): its blocks number
 * @first to @end - 1, and, if these are all, *@ptr too.  An indirect block that is not allocated is dropped unseen: it
 * may have been freed a moment ago through another pointer, and a damaged file can lead to one block a thousand
 * million times.
 */
static int free_tree(struct inode *inode, u32 *ptr, unsigned height, u64 first, u64 end)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	struct buffer *b;
	bool part = first > 0;
	u64 span = 1;
	int err = 0, e;
	u32 *slots;

	if (!*ptr)
		return 0;
	if (height) {
		int used = ext2_block_in_use(fs, *ptr);

		if (!used) {
			ext2_corrupt(fs, "indirect block of inode", inode->ino);
			*ptr = 0;
			return 0;
		}
		b = used > 0 ? buffer_read(&fs->cache, *ptr) : ERR_PTR(used);
		if (IS_ERR(b))
			return (int)PTR_ERR(b);
		for (unsigned i = 1; i < height; i++)
			span *= fs->addrs;
		part |= end < span * fs->addrs;
		slots = (u32 *)b->data;
		for (u64 i = first / span; i < fs->addrs && i * span < end; i++) {
			if (!slots[i])
				continue;
			e = free_tree(inode, &slots[i], height - 1, i * span < first ? first - i * span : 0, end - i * span);
			err = err ? err : e;
		}
		if (part || err)
			ext2_dirty(fs, b, EXT2_INDIRECT);
		buffer_put(&fs->cache, b);
	}
	if (part || err)
		return err;
	free_one(inode, *ptr);
	*ptr = 0;
	return 0;
}

int ext2_unmap(struct inode *inode, u32 first, u32 end)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	struct ext2_inode *ei = ext2_inode_of(inode);
	u64 base = EXT2_NDIR, span = fs->addrs;
	int err = 0, e;

	ASSERT(mutex_held(&fs->meta));
	if (inode->blocks == 0)
		return 0;
	for (u32 i = first; i < EXT2_NDIR && i < end; i++)
		(void)free_tree(inode, &ei->block[i], 0, 0, 1);
	for (unsigned height = 1; height <= 3; height++) {
		if (first < base + span && end > base) {
			e = free_tree(inode, &ei->block[EXT2_NDIR + height - 1], height, first > base ? first - base : 0,
			              end == EXT2_END ? base + span : end - base);
			err = err ? err : e;
		}
		base += span;
		span *= fs->addrs;
	}
	ei->next_goal = 0;
	e = ext2_store(inode);
	return err ? err : e;
}
