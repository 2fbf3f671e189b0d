/*
 * abi.c - stat, stat64, statfs and statfs64 of i386.  Layer 1 (x86).
 */
#include <arch/abi.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

_Static_assert(sizeof(struct abi_stat) == 64, "struct stat");
_Static_assert(sizeof(struct abi_stat64) == 96, "struct stat64");
_Static_assert(sizeof(struct abi_statfs) == 64, "struct statfs");
_Static_assert(sizeof(struct abi_statfs64) == 84, "struct statfs64");
_Static_assert(sizeof(struct abi_sysinfo) == 64, "struct sysinfo");
_Static_assert(sizeof(struct abi_sigaction) == 20, "struct sigaction");

int abi_fill_stat(struct abi_stat *to, const struct file_stat *from)
{
	if (from->size > 0x7fffffff || from->ino >> 32 || from->dev >> 32 || from->blocks >> 32)
		return -EOVERFLOW;
	memset(to, 0, sizeof(*to));
	to->st_dev = (u32)from->dev;
	to->st_ino = (u32)from->ino;
	to->st_mode = (u16)from->mode;
	to->st_nlink = (u16)from->nlink;
	to->st_uid = (u16)from->uid;
	to->st_gid = (u16)from->gid;
	to->st_rdev = (u32)from->rdev;
	to->st_size = (u32)from->size;
	to->st_blksize = from->blksize;
	to->st_blocks = (u32)from->blocks;
	to->st_atime = (u32)from->atime;
	to->st_atime_nsec = from->atime_nsec;
	to->st_mtime = (u32)from->mtime;
	to->st_mtime_nsec = from->mtime_nsec;
	to->st_ctime = (u32)from->ctime;
	to->st_ctime_nsec = from->ctime_nsec;
	return 0;
}

int abi_fill_stat64(struct abi_stat64 *to, const struct file_stat *from)
{
	memset(to, 0, sizeof(*to));
	to->st_dev = from->dev;
	to->st_ino_low = (u32)from->ino;
	to->st_mode = from->mode;
	to->st_nlink = from->nlink;
	to->st_uid = from->uid;
	to->st_gid = from->gid;
	to->st_rdev = from->rdev;
	to->st_size = (s64)from->size;
	to->st_blksize = from->blksize;
	to->st_blocks = from->blocks;
	to->st_atime = (u32)from->atime;
	to->st_atime_nsec = from->atime_nsec;
	to->st_mtime = (u32)from->mtime;
	to->st_mtime_nsec = from->mtime_nsec;
	to->st_ctime = (u32)from->ctime;
	to->st_ctime_nsec = from->ctime_nsec;
	to->st_ino = from->ino;
	return 0;
}

int abi_fill_statfs(struct abi_statfs *to, const struct statfs_values *from)
{
	if ((from->blocks | from->bfree | from->bavail | from->files | from->ffree) >> 32)
		return -EOVERFLOW;
	memset(to, 0, sizeof(*to));
	to->f_type = (u32)from->type;
	to->f_bsize = (u32)from->bsize;
	to->f_blocks = (u32)from->blocks;
	to->f_bfree = (u32)from->bfree;
	to->f_bavail = (u32)from->bavail;
	to->f_files = (u32)from->files;
	to->f_ffree = (u32)from->ffree;
	to->f_namelen = (u32)from->namelen;
	to->f_frsize = (u32)from->bsize;
	to->f_flags = (u32)from->flags;
	return 0;
}

int abi_fill_statfs64(struct abi_statfs64 *to, const struct statfs_values *from)
{
	memset(to, 0, sizeof(*to));
	to->f_type = (u32)from->type;
	to->f_bsize = (u32)from->bsize;
	to->f_blocks = from->blocks;
	to->f_bfree = from->bfree;
	to->f_bavail = from->bavail;
	to->f_files = from->files;
	to->f_ffree = from->ffree;
	to->f_namelen = (u32)from->namelen;
	to->f_frsize = (u32)from->bsize;
	to->f_flags = (u32)from->flags;
	return 0;
}
