/*
 * ialloc.c - ext2: allocating and freeing inode numbers.
 *
 * Layer 9 (kernel/fs).  Locks: meta held throughout.  A file's inode lies in its directory's group if there is
 * room; directories go where there are most free blocks.
 */
#include "kernel/fs/ext2/bitmap.h"
#include "kernel/fs/ext2/ext2.h"

static u32 emptiest_group(struct ext2_fs *fs, u32 otherwise)
{
	u32 best = otherwise, most = 0;

	for (u32 g = 0; g < fs->groups; g++) {
		struct ext2_disk_group *d = ext2_group(fs, g);

		if (d->free_inodes && d->free_blocks > most) {
			most = d->free_blocks;
			best = g;
		}
	}
	return best;
}

/* 1 taken, 0 none, or -EIO. */
static int alloc_in_group(struct ext2_fs *fs, u32 group, bool is_dir, u64 *ino)
{
	struct ext2_disk_group *d = ext2_group(fs, group);
	struct buffer *map;
	u32 bit = group == 0 ? fs->first_ino - 1 : 0;
	bool corrupt;

	if (!d->free_inodes)
		return 0;
	map = buffer_read(&fs->cache, d->inode_bitmap);
	if (IS_ERR(map))
		return (int)PTR_ERR(map);
	bit = bit_find_free(map->data, map->kept, min(bit, fs->inodes_per_group), fs->inodes_per_group);
	if (bit == fs->inodes_per_group) {
		corrupt = group && !map->kept; /* in group 0 the reserved ones may be what is counted */
		buffer_put(&fs->cache, map);
		if (corrupt)
			ext2_corrupt(fs, "free inode count of group", group);
		return 0;
	}
	ext2_dirty_keep(fs, map, EXT2_COUNTS);
	bit_set(map->data, bit);
	buffer_put(&fs->cache, map);
	ext2_group_dirty(fs, group);
	d->free_inodes--;
	d->used_dirs += is_dir;
	ext2_super_dirty(fs);
	fs->super->free_inodes--;
	*ino = (u64)group * fs->inodes_per_group + bit + 1;
	return 1;
}

static int alloc_anywhere(struct ext2_fs *fs, u64 parent_ino, bool is_dir, u64 *ino)
{
	u32 group = (u32)(parent_ino - 1) / fs->inodes_per_group;

	if (is_dir)
		group = emptiest_group(fs, group);
	for (u32 i = 0; i < fs->groups; i++) {
		int r = alloc_in_group(fs, group, is_dir, ino);

		if (r)
			return r < 0 ? r : 0;
		group = (group + 1) % fs->groups;
	}
	return -ENOSPC;
}

int ext2_inode_alloc(struct ext2_fs *fs, u64 parent_ino, bool is_dir, u64 *ino)
{
	int err = alloc_anywhere(fs, parent_ino, is_dir, ino);

	if (err == -ENOSPC && ext2_commit_frees(fs))
		err = alloc_anywhere(fs, parent_ino, is_dir, ino);
	return err;
}

void ext2_inode_free(struct ext2_fs *fs, u64 ino, bool is_dir)
{
	u32 group = (u32)(ino - 1) / fs->inodes_per_group, bit = (u32)(ino - 1) % fs->inodes_per_group;
	struct ext2_disk_group *d = ext2_group(fs, group);
	struct buffer *map = buffer_read(&fs->cache, d->inode_bitmap);

	if (IS_ERR(map)) {
		ext2_corrupt(fs, "unreadable inode bitmap of group", group);
		return;
	}
	if (ino < fs->first_ino || !bit_get(map->data, bit)) {
		buffer_put(&fs->cache, map);
		ext2_corrupt(fs, "freeing free inode", ino);
		return;
	}
	ext2_dirty_keep(fs, map, EXT2_COUNTS);
	bit_unset(map->data, bit);
	buffer_put(&fs->cache, map);
	ext2_group_dirty(fs, group);
	d->free_inodes++;
	if (is_dir && d->used_dirs)
		d->used_dirs--;
	ext2_super_dirty(fs);
	fs->super->free_inodes++;
}
