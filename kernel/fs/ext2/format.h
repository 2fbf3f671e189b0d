/*
 * format.h - ext2 on disk (little-endian).  Layer 9, private to kernel/fs/ext2.
 */
#ifndef KERNEL_FS_EXT2_FORMAT_H
#define KERNEL_FS_EXT2_FORMAT_H

#include "kernel/lib/types.h"

#define EXT2_MAGIC 0xef53
#define EXT2_SUPER_OFFSET 1024
#define EXT2_ROOT_INO 2
#define EXT2_NDIR 12
#define EXT2_NBLOCKS 15
#define EXT2_LINK_MAX 32000

/* s_state */
#define EXT2_VALID_FS 1
#define EXT2_ERROR_FS 2

/* features */
#define EXT2_COMPAT_DIR_INDEX 0x20
#define EXT2_RO_SPARSE_SUPER 0x1
#define EXT2_RO_LARGE_FILE 0x2
#define EXT2_INCOMPAT_FILETYPE 0x2
#define EXT2_RO_KNOWN (EXT2_RO_SPARSE_SUPER | EXT2_RO_LARGE_FILE)
#define EXT2_INCOMPAT_KNOWN EXT2_INCOMPAT_FILETYPE

/* i_flags */
#define EXT2_APPEND_FL 0x20
#define EXT2_IMMUTABLE_FL 0x10
#define EXT2_INDEX_FL 0x1000

struct ext2_disk_super {
	u32 inodes_count, blocks_count, r_blocks_count, free_blocks, free_inodes;
	u32 first_data_block, log_block_size, log_frag_size;
	u32 blocks_per_group, frags_per_group, inodes_per_group;
	u32 mtime, wtime;
	u16 mnt_count, max_mnt_count, magic, state, errors, minor_rev;
	u32 lastcheck, checkinterval, creator_os, rev_level;
	u16 def_resuid, def_resgid;
	/* rev 1: */
	u32 first_ino;
	u16 inode_size, block_group_nr;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	char volume_name[16], last_mounted[64];
	u8 rest[824];
};

struct ext2_disk_group {
	u32 block_bitmap, inode_bitmap, inode_table;
	u16 free_blocks, free_inodes, used_dirs, pad;
	u32 reserved[3];
};

struct ext2_disk_inode {
	u16 mode, uid;
	u32 size, atime, ctime, mtime, dtime;
	u16 gid, links;
	u32 blocks, flags, osd1;
	u32 block[EXT2_NBLOCKS];
	u32 generation, file_acl, size_high, faddr;
	u8 frag, fsize;
	u16 pad, uid_high, gid_high;
	u32 reserved;
};

struct ext2_disk_dirent {
	u32 inode;
	u16 rec_len;
	u8 name_len, file_type;
	char name[];
};

#define EXT2_DIRENT_SIZE(name_len) ALIGN_UP(8u + (unsigned)(name_len), 4u)

struct ext2_disk_xattr {
	u32 magic, refcount, blocks, hash;
};
#define EXT2_XATTR_MAGIC 0xea020000u

_Static_assert(sizeof(struct ext2_disk_super) == 1024, "ext2 super block");
_Static_assert(sizeof(struct ext2_disk_inode) == 128, "ext2 inode");
_Static_assert(sizeof(struct ext2_disk_group) == 32, "ext2 group descriptor");
_Static_assert(sizeof(struct ext2_disk_dirent) == 8, "ext2 directory entry");

#endif
