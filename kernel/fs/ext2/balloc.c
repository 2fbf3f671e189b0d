/*
 * balloc.c - ext2: allocating and freeing blocks.
 *
 * Layer 9 (kernel/fs).  Locks: meta held throughout.
 */
#include "kernel/fs/ext2/bitmap.h"
#include "kernel/fs/ext2/ext2.h"

bool ext2_block_valid(const struct ext2_fs *fs, u32 block)
{
	return block > fs->first_data_block && block < fs->blocks_count;
}

static u32 group_first(const struct ext2_fs *fs, u32 group)
{
	return fs->first_data_block + group * fs->blocks_per_group;
}

/* Does the block hold this group's bitmaps or inodes? Such a block is never handed out, whatever the bitmap says. */
static bool is_system_block(struct ext2_fs *fs, u32 group, u32 block)
{
	struct ext2_disk_group *d = ext2_group(fs, group);

	return block == d->block_bitmap || block == d->inode_bitmap ||
	       (block >= d->inode_table && block - d->inode_table < fs->itable_blocks);
}

int ext2_block_in_use(struct ext2_fs *fs, u32 block)
{
	u32 group, bit;
	struct buffer *map;
	int used;

	if (!ext2_block_valid(fs, block))
		return 0;
	group = (block - fs->first_data_block) / fs->blocks_per_group;
	bit = (block - fs->first_data_block) % fs->blocks_per_group;
	if (is_system_block(fs, group, block))
		return 0;
	map = buffer_read(&fs->cache, ext2_group(fs, group)->block_bitmap);
	if (IS_ERR(map))
		return (int)PTR_ERR(map);
	used = bit_get(map->data, bit);
	buffer_put(&fs->cache, map);
	return used;
}

/* Take a free block of @group, from block @bit of it on: 1 taken, 0 none, or -EIO. */
static int alloc_in_group(struct ext2_fs *fs, u32 group, u32 bit, u32 *block)
{
	struct ext2_disk_group *d = ext2_group(fs, group);
	u32 size = ext2_group_blocks(fs, group), found;
	bool corrupt;
	struct buffer *map;

	if (!d->free_blocks)
		return 0;
	map = buffer_read(&fs->cache, d->block_bitmap);
	if (IS_ERR(map))
		return (int)PTR_ERR(map);
	found = bit_find_free(map->data, map->kept, min(bit, size), size);
	if (found == size)
		found = bit_find_free(map->data, map->kept, 0, size);
	if (found == size) {
		corrupt = !map->kept;
		buffer_put(&fs->cache, map);
		if (corrupt)
			ext2_corrupt(fs, "free block count of group", group);
		return 0;
	}
	*block = group_first(fs, group) + found;
	if (is_system_block(fs, group, *block)) {
		buffer_put(&fs->cache, map);
		return ext2_corrupt(fs, "block bitmap of group", group);
	}
	ext2_dirty_keep(fs, map, EXT2_COUNTS);
	bit_set(map->data, found);
	buffer_put(&fs->cache, map);
	ext2_group_dirty(fs, group);
	d->free_blocks--;
	ext2_super_dirty(fs);
	fs->super->free_blocks--;
	return 1;
}

static int alloc_anywhere(struct ext2_fs *fs, u32 goal, u32 *block)
{
	u32 start = ext2_block_valid(fs, goal) ? goal - fs->first_data_block : 0;
	u32 group = start / fs->blocks_per_group, bit = start % fs->blocks_per_group;

	for (u32 i = 0; i < fs->groups; i++) {
		int r = alloc_in_group(fs, group, bit, block);

		if (r)
			return r < 0 ? r : 0;
		group = (group + 1) % fs->groups;
		bit = 0;
	}
	return -ENOSPC;
}

int ext2_block_alloc(struct ext2_fs *fs, u32 goal, u32 *block)
{
	int err = alloc_anywhere(fs, goal, block);

	if (err == -ENOSPC && ext2_commit_frees(fs))
		err = alloc_anywhere(fs, goal, block);
	return err;
}

void ext2_block_free(struct ext2_fs *fs, u32 block)
{
	u32 group, bit;
	struct buffer *map;

	if (!ext2_block_valid(fs, block)) {
		ext2_corrupt(fs, "freeing block", block);
		return;
	}
	group = (block - fs->first_data_block) / fs->blocks_per_group;
	bit = (block - fs->first_data_block) % fs->blocks_per_group;
	if (is_system_block(fs, group, block)) {
		ext2_corrupt(fs, "freeing system block", block);
		return;
	}
	map = buffer_read(&fs->cache, ext2_group(fs, group)->block_bitmap);
	if (IS_ERR(map)) {
		ext2_corrupt(fs, "unreadable block bitmap of group", group);
		return;
	}
	if (!bit_get(map->data, bit)) {
		buffer_put(&fs->cache, map);
		ext2_corrupt(fs, "freeing free block", block);
		return;
	}
	ext2_dirty_keep(fs, map, EXT2_COUNTS);
	bit_unset(map->data, bit);
	buffer_put(&fs->cache, map);
	buffer_forget(&fs->cache, block);
	ext2_group_dirty(fs, group);
	ext2_group(fs, group)->free_blocks++;
	ext2_super_dirty(fs);
	fs->super->free_blocks++;
}
