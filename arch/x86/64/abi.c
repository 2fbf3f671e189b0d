/*
 * abi.c - stat and statfs of x86-64.  Layer 1 (x86).
 */
#include <arch/abi.h>
#include "kernel/lib/string.h"

_Static_assert(sizeof(struct abi_stat) == 144, "struct stat");
_Static_assert(sizeof(struct abi_statfs) == 120, "struct statfs");
_Static_assert(sizeof(struct abi_sysinfo) == 112, "struct sysinfo");
_Static_assert(sizeof(struct abi_sigaction) == 32, "struct sigaction");

int abi_fill_stat(struct abi_stat *to, const struct file_stat *from)
{
	memset(to, 0, sizeof(*to));
	to->st_dev = from->dev;
	to->st_ino = from->ino;
	to->st_nlink = from->nlink;
	to->st_mode = from->mode;
	to->st_uid = from->uid;
	to->st_gid = from->gid;
	to->st_rdev = from->rdev;
	to->st_size = (s64)from->size;
	to->st_blksize = from->blksize;
	to->st_blocks = (s64)from->blocks;
	to->st_atime = (u64)from->atime;
	to->st_atime_nsec = from->atime_nsec;
	to->st_mtime = (u64)from->mtime;
	to->st_mtime_nsec = from->mtime_nsec;
	to->st_ctime = (u64)from->ctime;
	to->st_ctime_nsec = from->ctime_nsec;
	return 0;
}

int abi_fill_stat64(struct abi_stat64 *to, const struct file_stat *from)
{
	return abi_fill_stat(&to->same, from);
}

int abi_fill_statfs(struct abi_statfs *to, const struct statfs_values *from)
{
	memset(to, 0, sizeof(*to));
	to->f_type = (s64)from->type;
	to->f_bsize = (s64)from->bsize;
	to->f_blocks = (s64)from->blocks;
	to->f_bfree = (s64)from->bfree;
	to->f_bavail = (s64)from->bavail;
	to->f_files = (s64)from->files;
	to->f_ffree = (s64)from->ffree;
	to->f_namelen = (s64)from->namelen;
	to->f_frsize = (s64)from->bsize;
	to->f_flags = (s64)from->flags;
	return 0;
}

int abi_fill_statfs64(struct abi_statfs64 *to, const struct statfs_values *from)
{
	return abi_fill_statfs(&to->same, from);
}
