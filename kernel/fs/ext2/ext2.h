/*
 * ext2.h - the ext2 file system: what its files share.  Layer 9, private to kernel/fs/ext2.
 *
 *   super.c   mount, features, sync, statfs          balloc.c  blocks: the bitmaps
 *   inode.c   inodes in memory and in their tables   ialloc.c  inodes: the bitmaps
 *   map.c     file block -> disk block, truncation   data.c    file pages: read, reserve, write back
 *   extent.c  where a stretch of a file lies
 *   dir.c     entries of a directory                 namei.c   the operations on names
 *   commit.c  what is on the disk before what        punch.c   holes
 *   park.c    and what nothing else leads to
 *
 * Locks, outermost first: inode lock (the VFS takes it), page lock, load_lock, then fs->meta: ONE mutex per
 * file system over all metadata in memory: super block, descriptors, bitmaps, inode tables, indirect blocks,
 * directory blocks, and every inode's block pointers.  Its holder never waits for a page.
 *
 * Space: a page gets its disk blocks when it is about to become dirty (write, or page_mkwrite of a mapping),
 * and the writer is told ENOSPC then.  Writeback only looks up.  Blocks beyond the end of file exist only
 * between write_begin and write_end.
 */
#ifndef KERNEL_FS_EXT2_EXT2_H
#define KERNEL_FS_EXT2_EXT2_H

#include "kernel/fs/buffer.h"
#include "kernel/fs/ext2/format.h"
#include "kernel/fs/vfs_internal.h"

struct ext2_fs {
	struct super *sb;
	struct ext2_fs *next; /* all mounted */
	struct block_device *dev;
	struct buffer_cache cache; /* meta */
	struct mutex meta;         /* rank LOCK_FS_META */
	unsigned block_size, block_shift;
	u32 blocks_count, first_data_block, blocks_per_group, inodes_per_group, inodes_count, groups;
	u32 first_ino, inode_size, addrs; /* block numbers in a block */
	u32 itable_blocks;                /* of one group */
	u32 overhead;                     /* blocks that hold no files */
	bool filetype;
	bool was_valid;         /* clean when it was mounted */
	bool marked_valid;      /* the super block on disk says clean. meta */
	bool must_be_read_only; /* unknown ro_compat features */
	bool complained;
	u32 epoch;                     /* counts commits, from 1. meta */
	u32 link_epoch;                /* of the last one in which a file on the disk got another name. meta */
	bool unflushed;                /* writes have been made that must be durable before the next stage. meta */
	struct list held;              /* struct ext2_held: commit.c. meta */
	unsigned orphans;              /* deleted files still in use. meta */
	struct buffer *super_buffer;   /* held */
	struct ext2_disk_super *super; /* in it */
	struct buffer **desc_buffers;  /* held */
	unsigned nr_desc_buffers;
};

struct ext2_inode {
	u32 block[EXT2_NBLOCKS]; /* meta; a fast symlink's text */
	u32 flags, file_acl;
	loff_t reserve_start, reserve_end; /* a write is under way from here to there: inode lock; end 0: none */
	bool orphan;                       /* counted in fs->orphans. meta */
	u32 next_goal;                     /* where the next block is looked for. meta */
	u32 born;                          /* the epoch in which it was made. meta */
};

/* In what order changed blocks are written: commit.c. */
enum ext2_stage {
	EXT2_FRESH,    /* newly allocated indirect and directory blocks: nothing on the disk leads to them */
	EXT2_INDIRECT, /* those that are in use */
	EXT2_COUNTS,   /* what e2fsck can work out: bitmaps, descriptors, super block */
	EXT2_TABLE,    /* inode tables */
	EXT2_DIR,      /* directory blocks in use */
};
_Static_assert(EXT2_DIR + 1 == BUFFER_STAGES, "a list for each stage");

static inline struct ext2_fs *ext2_fs_of(const struct inode *inode)
{
	return inode->super->private;
}

static inline struct ext2_inode *ext2_inode_of(const struct inode *inode)
{
	return inode->private;
}

/* -- super.c (=> meta held) ---------------------------------------------------------------------------------- */
/* The disk is inconsistent: say so once, mark it. Returns -EIO. */
int ext2_corrupt(struct ext2_fs *fs, const char *what, u64 where);
/* Take meta for a change: -EROFS (not taken) if the file system has become read-only. => meta not held */
int __must_check ext2_begin(struct ext2_fs *fs);
/* @b is about to be, or was, changed. */
void ext2_dirty(struct ext2_fs *fs, struct buffer *b, enum ext2_stage stage);
/* @b, a bitmap or inode table, is about to be changed: what it was at the last commit is kept. */
void ext2_dirty_keep(struct ext2_fs *fs, struct buffer *b, enum ext2_stage stage);
struct ext2_disk_group *ext2_group(struct ext2_fs *fs, u32 group);
void ext2_group_dirty(struct ext2_fs *fs, u32 group);
void ext2_super_dirty(struct ext2_fs *fs);
u32 ext2_group_blocks(const struct ext2_fs *fs, u32 group);

/* -- commit.c (=> meta held) ---------------------------------------------------------------------------------- */
/* Make every change of metadata durable, and everything that was written before: 0 or the first error. */
int ext2_commit(struct ext2_fs *fs);
int ext2_sync_meta(struct ext2_fs *fs); /* the same; takes meta */
/* An entry of an inode table that is written after the directories. */
struct ext2_held {
	struct list link; /* fs->held */
	u64 ino;
	bool replaced;                                /* rename gave its name to another file */
	char committed[] __attribute__((aligned(8))); /* inode_size bytes: what it was at the last commit */
};
/* Inode @ino's entry goes to the disk after the directories. 0, -ENOMEM, -EIO */
int ext2_hold(struct ext2_fs *fs, u64 ino, bool replaced);
/* @inode, without a name, may have been committed; now that it gets one it is held again. */
void ext2_still_new(struct inode *inode);
void ext2_drop_held(struct ext2_fs *fs);
/* Has @inode never been committed? */
static inline bool ext2_is_new(const struct inode *inode)
{
	return ext2_inode_of(inode)->born == ext2_fs_of(inode)->epoch;
}
/* Commit, if space or inodes were freed since the last time and could be had by that: true if so. */
bool ext2_commit_frees(struct ext2_fs *fs);

/* -- park.c (=> meta held) -------------------------------------------------------------------------------------- */
/* Write other names for the held files that rename has replaced: what to give to ext2_unpark(), or NULL. */
struct buffer *ext2_park(struct ext2_fs *fs);
/* Those names go. 0 or -EIO */
int ext2_unpark(struct ext2_fs *fs, struct buffer *parked);

/* -- balloc.c (=> meta held) ---------------------------------------------------------------------------------- */
/* One block, near @goal: 0 or -ENOSPC, -EIO. */
int ext2_block_alloc(struct ext2_fs *fs, u32 goal, u32 *block);
void ext2_block_free(struct ext2_fs *fs, u32 block);
/* Could a file have this block? */
bool ext2_block_valid(const struct ext2_fs *fs, u32 block);
/* And is it one that is allocated? 1, 0, -EIO. */
int ext2_block_in_use(struct ext2_fs *fs, u32 block);

/* -- ialloc.c (=> meta held) ---------------------------------------------------------------------------------- */
int ext2_inode_alloc(struct ext2_fs *fs, u64 parent_ino, bool is_dir, u64 *ino);
void ext2_inode_free(struct ext2_fs *fs, u64 ino, bool is_dir);

/* -- map.c (=> meta held) -------------------------------------------------------------------------------------- */
/* The disk block of file block @index: 0 in a hole. @create: allocate what is missing (*@fresh: the data block is
 * new, its content undefined). 0, -ENOSPC (nothing was allocated), -EFBIG, -EIO. */
int ext2_map(struct inode *inode, u32 index, bool create, u32 *block, bool *fresh);
/* Free file blocks @first to @end - 1 (EXT2_END: all that there are). 0 or -EIO (some may be left). */
#define EXT2_END 0xffffffffu
int ext2_unmap(struct inode *inode, u32 first, u32 end);
loff_t ext2_max_size(const struct ext2_fs *fs);

/* -- inode.c ---------------------------------------------------------------------------------------------------- */
/* The inode's place in its table: a referenced buffer, *@disk points into it; or ERR_PTR. => meta held */
struct buffer *ext2_table_read(struct ext2_fs *fs, u64 ino, struct ext2_disk_inode **disk);
struct inode *ext2_iget(struct super *sb, u64 ino); /* referenced, or ERR_PTR. => meta not held */
int ext2_store(struct inode *inode);                /* into its table. => meta held */
int ext2_setattr(struct inode *inode);              /* the same. => meta not held */
/* A fresh inode in @dir's file system; nlink = 0 until it has a name. ERR_PTR(-ENOSPC, ...). => meta not held */
struct inode *ext2_inode_new(struct inode *dir, u32 mode, u64 rdev);
void ext2_evict(struct inode *inode);
/* The last name of @inode is gone: until it is evicted the disk is not consistent. => meta held */
void ext2_orphan(struct inode *inode);
/* Delete on disk what is deleted and still in use: the machine stops. */
void ext2_delete_orphans(struct super *sb);
void ext2_set_ops(struct inode *inode);
static inline u64 ext2_encode_dev(u64 rdev, u32 block[2])
{
	block[0] = rdev < 0x10000 ? (u32)rdev : 0;
	block[1] = rdev < 0x10000 ? 0 : (u32)rdev;
	return rdev;
}

/* -- extent.c ---------------------------------------------------------------------------------------------------- */
int ext2_extent(struct inode *inode, loff_t pos, size_t want, struct file_extent *x); /* inode_ops.extent */

/* -- data.c ----------------------------------------------------------------------------------------------------- */
extern const struct object_ops ext2_data_ops, ext2_nodata_ops;
int ext2_truncate(struct inode *inode, loff_t size);
long ext2_fallocate(struct file *f, int mode, loff_t off, loff_t len); /* punch.c: makes holes */
int ext2_write_begin(struct inode *inode, loff_t pos, size_t n);
void ext2_write_end(struct inode *inode);

/* -- dir.c (=> meta held, except readdir) ------------------------------------------------------------------------ */
int ext2_dir_find(struct inode *dir, const char *name, u32 *ino); /* 0, -ENOENT, -EIO */
u32 ext2_dir_where(struct inode *dir, const char *name);          /* the disk block with its entry; 0: none */
u8 ext2_file_type(const struct ext2_fs *fs, u32 mode);            /* as an entry has it */
int ext2_dir_add(struct inode *dir, const char *name, u32 ino, u32 mode);
int ext2_dir_remove(struct inode *dir, const char *name);
int ext2_dir_replace(struct inode *dir, const char *name, u32 ino, u32 mode); /* also ".." */
int ext2_dir_make_empty(struct inode *dir, u32 parent);
int ext2_dir_is_empty(struct inode *dir);   /* 1, 0, -EIO */
bool ext2_dir_unwritten(struct inode *dir); /* has it changed since the last commit? */
extern const struct file_ops ext2_dir_fops;

/* -- namei.c ------------------------------------------------------------------------------------------------------ */
extern const struct inode_ops ext2_dir_inode_ops;

#endif
