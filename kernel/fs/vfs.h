/*
 * vfs.h - files, inodes, directory entries, mounts: what every file system implements and every
 * system call on files uses.  Layer 9 (kernel/fs).
 *
 *   struct file    an open file description (refs; position under pos_lock)
 *   struct dentry  a name in a directory; the tree is cached, the root has no parent
 *   struct inode   the file itself; embeds the vm_object with its page cache
 */
#ifndef KERNEL_FS_VFS_H
#define KERNEL_FS_VFS_H

#include "kernel/sync/mutex.h"
#include "kernel/sync/rwsem.h"
#include "kernel/sync/wait.h"
#include "mm/object/object.h"
#include "mm/object/readahead.h"
#include "mm/space/mm.h"

struct block_device;
struct inode;
struct dentry;
struct file;
struct super;
struct poll_table;

#define NAME_MAX 255
#define PATH_MAX 4096
#define SYMLINK_DEPTH_MAX 40
#define INODE_HASH 64 /* lists per super */

struct timespec64 {
	s64 sec;
	s64 nsec;
};

/* Where a stretch of a file is. */
struct file_extent {
	struct block_device *dev;
	bool hole;    /* nowhere */
	u64 sector;   /* consecutive ones from here on ... */
	size_t bytes; /* ... for so many bytes */
};

struct inode_ops {
	/* Find @name in @dir: the inode with a reference, ERR_PTR(-ENOENT), ... => dir->lock held */
	struct inode *(*lookup)(struct inode *dir, const char *name);
	/* Make a regular file, device, fifo, directory (by @mode's type bits): the new inode, referenced. */
	struct inode *(*create)(struct inode *dir, const char *name, u32 mode, u64 rdev);
	int (*link)(struct inode *dir, const char *name, struct inode *inode);
	int (*unlink)(struct inode *dir, const char *name, struct inode *inode);
	int (*rmdir)(struct inode *dir, const char *name, struct inode *inode);
	struct inode *(*symlink)(struct inode *dir, const char *name, const char *target);
	/* @victim: the inode now at the new name, or NULL. */
	int (*rename)(struct inode *from, const char *name, struct inode *to, const char *new_name, struct inode *inode,
	              struct inode *victim);
	ssize_t (*readlink)(struct inode *inode, char *buf, size_t n);
	int (*truncate)(struct inode *inode, loff_t size); /* inode->lock held; calls object_truncate() */
	int (*setattr)(struct inode *inode);               /* mode, owner or times were changed: make it stick */
	/* Around a write(2) of [pos, pos + n): prepare (-ENOSPC, -EIO, nothing written then), and tidy up whatever was
	 * written. May be NULL. => inode->lock held for writing */
	int (*write_begin)(struct inode *inode, loff_t pos, size_t n);
	void (*write_end)(struct inode *inode);
	/* Where the bytes from @pos on are, at most about @want of them: 0, -EIO. @pos: at the start of a file system block.
	 * NULL: not on a device. => may sleep; the answer holds while inode->lock is, or the page lock or invalidate_lock of
	 * what is asked for */
	int (*extent)(struct inode *inode, loff_t pos, size_t want, struct file_extent *x);
	/* Links that lead to a file rather than to a path (/proc/<pid>/exe): a referenced dentry. May be NULL. */
	struct dentry *(*follow)(struct inode *inode);
};

struct file_ops {
	ssize_t (*read)(struct file *f, void *user, size_t n, loff_t *pos);
	ssize_t (*write)(struct file *f, const void *user, size_t n, loff_t *pos);
	/* Emit entries from f->pos on by @emit until it returns false; the caller moves f->pos (to @next of the last
	 * entry it took). => directory's inode lock held for reading; emit may touch user memory */
	int (*readdir)(struct file *f, bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, loff_t next), void *ctx);
	long (*ioctl)(struct file *f, unsigned cmd, unsigned long arg);
	/* Ready events (POLL*); registers the caller on the right wait queues through @pt (may be NULL). */
	unsigned (*poll)(struct file *f, struct poll_table *pt);
	int (*open)(struct inode *inode, struct file *f);
	void (*release)(struct file *f);
	int (*fsync)(struct file *f, pgoff_t first, pgoff_t last, bool data_only); /* NULL: object_fsync */
	loff_t (*llseek)(struct file *f, loff_t off, int whence);                  /* NULL: generic on obj.size */
	long (*fallocate)(struct file *f, int mode, loff_t off, loff_t len);
	bool no_mmap;   /* mmap gives -ENODEV; regular files map their object */
	bool zero_mmap; /* /dev/zero: a private mapping is anonymous memory */
};

struct inode {
	struct vm_object obj;
	struct super *super;
	u64 ino;
	u32 mode, uid, gid, nlink;
	u64 rdev;
	struct timespec64 atime, mtime, ctime;
	u64 blocks;        /* of 512 bytes, for stat; kept by the file system */
	int refs;          /* atomic; 0: dying */
	struct rwsem lock; /* rank LOCK_INODE: directory contents, size, writes */
	const struct inode_ops *ops;
	const struct file_ops *fops;
	void *private;
	u32 seals;              /* memfd: F_SEAL_* */
	bool swap;              /* holds a swap area: -ETXTBSY for who would change it; w: lock */
	struct list hash_link;  /* the super's table of live inodes */
	struct wait_queue wait; /* fifos and devices may use it */
};

struct statfs_info;
struct super_ops {
	/* The last reference to an inode goes: free its blocks if nlink == 0; free the inode. */
	void (*evict)(struct inode *inode);
	int (*sync)(struct super *sb);
	int (*statfs)(struct super *sb, struct statfs_info *st);
	int (*remount)(struct super *sb, bool read_only); /* NULL: the flag is all there is */
	void (*shutdown)(struct super *sb);               /* the machine stops: deleted files that are still open go, too */
	void (*unmount)(struct super *sb);
};

struct statfs_info {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, flags;
};

struct super {
	const char *type; /* "ext2", "tmpfs", ... */
	char source[32];
	const struct super_ops *ops;
	struct inode *root;
	bool read_only, noexec;
	bool closing;     /* about to become read-only, if nobody writes; mount_lock */
	unsigned writers; /* files open for writing and changes under way; atomic: super_write_begin() */
	u64 dev;
	void *private;
	struct list link; /* all mounted */
	loff_t max_size;  /* of a file */
	unsigned block_size;
	bool volatile_names;            /* names come and go by themselves: dentries are not cached (procfs) */
	bool has_device;                /* source is a block device ("nodev" otherwise in /proc/filesystems) */
	struct dentry *root_dentry;     /* the mount's reference */
	struct list inodes[INODE_HASH]; /* live inodes that have been hashed, inode->hash_link; inodes_lock */
	spinlock_t inodes_lock;         /* rank LOCK_INODE_TABLE */
	struct mutex load_lock;         /* rank LOCK_INODE_LOAD: one inode at a time is read in */
	unsigned evictions;             /* counts; inodes_lock */
	unsigned nr_inodes;             /* in memory; inodes_lock */
	struct wait_queue evicted;
	errseq_t wb_err; /* writeback errors of all its files */
};

/* All of it under the dentry lock (LOCK_DENTRY), except: inode is written once for good (under the directory's
 * lock too) and read freely by whoever holds a reference; super never changes. */
struct dentry {
	struct dentry *parent; /* reference owned; a root: itself */
	struct inode *inode;   /* reference owned; NULL: known not to exist */
	struct super *super;
	struct list hash_link;   /* by (parent, name), while it can be found */
	struct list unused_link; /* least recently used first, while refs == 0 */
	int refs;
	bool dead;                 /* its name was removed */
	struct dentry *mount_root; /* the root of the file system mounted here, or NULL */
	struct dentry *covers;     /* for a mounted root: the directory it covers */
	u32 hash;
	char *name;
};

struct file {
	int refs; /* atomic */
	struct inode *inode;
	struct dentry *dentry; /* NULL: pipe, memfd, ... */
	const struct file_ops *ops;
	unsigned flags; /* O_* */
	bool writer;    /* keeps its file system writable: super_write_begin() */
	loff_t pos;
	struct mutex pos_lock;
	errseq_t wb_seen; /* cursor: errors of this file's writeback, of its whole file system's (syncfs) */
	errseq_t fs_seen;
	struct readahead ra;
	void *private;
	char name[32]; /* when dentry is NULL: "memfd:x", "pipe:[3]" */
};

/* -- files ------------------------------------------------------------------------------------------------ */
void vfs_init(void); /* tmpfs root, /dev, /proc, /tmp, /with, /mnt; mm_file_ops */
/* Mount the ext2 on @source ("vda") as the root; /dev, /proc and /tmp move onto it. 0 or -errno (the root stays
 * as it was). => before the first process */
int vfs_mount_root(const char *source);
/* The machine stops: write everything, mark every file system clean, allow no more writes. => no process runs */
void vfs_shutdown(void);
/* For the flusher thread, every few seconds: file systems write their metadata (not files' data). */
void vfs_flush_round(void);
void file_get(struct file *f);
void file_put(struct file *f); /* => may sleep */
/* A new description for @inode (reference taken), e.g. pipes, memfd. ERR_PTR(-ENFILE, -ENOMEM). */
struct file *file_make(struct inode *inode, const struct file_ops *ops, unsigned flags, const char *name);
/* An inode outside any directory (pipe, anon): refs = 1. */
struct inode *inode_make_anon(u32 mode, const struct file_ops *fops);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);

ssize_t file_read(struct file *f, void *user, size_t n); /* at and moving f->pos */
ssize_t file_write(struct file *f, const void *user, size_t n);
ssize_t file_pread(struct file *f, void *user, size_t n, loff_t pos);
ssize_t file_pwrite(struct file *f, const void *user, size_t n, loff_t pos);
/* Write at the end, as with O_APPEND; @own_pos: and leave f->pos there. */
ssize_t file_append(struct file *f, const void *user, size_t n, bool own_pos);
/* Write as much of it, from the first byte on, as needs no waiting for a device or another writer (in this moment: nobody
 * keeps writeback away). @given: at that place, else at the file's own. -EAGAIN: nothing; -EOPNOTSUPP: cannot be told. */
ssize_t file_write_nowait(struct file *f, const void *user, size_t n, loff_t *given, bool append);
/* How many of @n bytes at @pos a read gets without waiting for a device: -EAGAIN none, -EOPNOTSUPP cannot be told. */
ssize_t file_read_ready(struct file *f, loff_t pos, size_t n);
loff_t file_llseek(struct file *f, loff_t off, int whence);
int file_fsync(struct file *f, bool data_only);
int file_fsync_range(struct file *f, pgoff_t first, pgoff_t last, bool data_only); /* of these pages */
int file_sync_range(struct file *f, pgoff_t first, pgoff_t last, unsigned flags);  /* SYNC_FILE_RANGE_* */
int file_truncate(struct file *f, loff_t size);
long file_fallocate(struct file *f, int mode, loff_t off, loff_t len);

/* Fill the object, file and may fields of an mmap request for @f, after checking flags against the open
 * mode and seals: -EACCES, -ENODEV, -EPERM. */
int file_mmap_prepare(struct file *f, struct mmap_request *req);

/* -- paths: every function takes the directory to start from (a dentry with a reference held by the caller;
 *    NULL: the root). @path is a kernel string. ------------------------------------------------------------- */
enum { LOOKUP_FOLLOW = 1, LOOKUP_DIRECTORY = 2 };
struct dentry *path_lookup(struct dentry *cwd, const char *path, unsigned flags); /* referenced, or ERR_PTR */
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* Absolute path of @d, NUL-terminated at the start of @buf; length, or -ERANGE. */
ssize_t dentry_path(struct dentry *d, char *buf, size_t n);
struct dentry *vfs_root(void);
struct file *vfs_open(struct dentry *cwd, const char *path, unsigned flags, u32 mode);
int vfs_mknod(struct dentry *cwd, const char *path, u32 mode, u64 rdev);
int vfs_mkdir(struct dentry *cwd, const char *path, u32 mode);
int vfs_unlink(struct dentry *cwd, const char *path);
int vfs_rmdir(struct dentry *cwd, const char *path);
int vfs_link(struct dentry *from_cwd, const char *from, struct dentry *to_cwd, const char *to, bool follow);
int vfs_symlink(const char *target, struct dentry *cwd, const char *path);
int vfs_rename(struct dentry *from_cwd, const char *from, struct dentry *to_cwd, const char *to);
/* The same with RENAME_NOREPLACE (-EEXIST); other flags: -EINVAL. */
int vfs_rename_flags(struct dentry *from_cwd, const char *from, struct dentry *to_cwd, const char *to, unsigned flags);
ssize_t vfs_readlink(struct dentry *cwd, const char *path, char *buf, size_t n);
int vfs_truncate(struct dentry *cwd, const char *path, loff_t size);
int vfs_mount(const char *source, const char *target, const char *type, unsigned long flags);
int vfs_umount(const char *target);
int vfs_statfs(struct inode *inode, struct statfs_info *st);
void vfs_sync(void);                  /* sync(2): everything that is dirty, and wait */
int vfs_sync_super(struct super *sb); /* that, for one file system */
int file_syncfs(struct file *f);      /* syncfs(2): also tells, once, of a file of it that could not be written */

/* -- attributes ---------------------------------------------------------------------------------------------- */
struct kstat {
	u64 dev, ino, rdev, blocks; /* blocks of 512 bytes */
	u32 mode, nlink, uid, gid, blksize;
	loff_t size;
	struct timespec64 atime, mtime, ctime;
};
void inode_stat(struct inode *inode, struct kstat *st);
int inode_chmod(struct inode *inode, u32 mode);         /* -EROFS, -EIO */
int inode_chown(struct inode *inode, u32 uid, u32 gid); /* (u32)-1: leave */
/* NULL: leave as it is. Both NULL: both now. */
int inode_utimens(struct inode *inode, const struct timespec64 *atime, const struct timespec64 *mtime);
int vfs_chmod(struct dentry *cwd, const char *path, u32 mode);
/* access(2) for root: R_OK, W_OK (-EROFS), X_OK (-EACCES without any x bit, or noexec). */
int inode_access(struct inode *inode, unsigned mask);
struct timespec64 vfs_now(void); /* the time of day */

/* Directory entries from f->pos on; does not move f->pos. -ENOTDIR, -ENOENT (removed). => f->pos_lock held */
int file_readdir(struct file *f, bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, loff_t next), void *ctx);
long file_ioctl(struct file *f, unsigned cmd, unsigned long arg); /* -ENOTTY */
/* Is this one of ours with seals? F_ADD_SEALS, F_GET_SEALS: -EINVAL, -EPERM, -EBUSY. */
int file_add_seals(struct file *f, unsigned seals);
int file_get_seals(struct file *f);
/* As O_APPEND, O_NONBLOCK etc. */
static inline bool file_readable(const struct file *f)
{
	return (f->flags & 3) != 1;
}
static inline bool file_writable(const struct file *f)
{
	return (f->flags & 3) == 1 || (f->flags & 3) == 2;
}

/* memfd_create(2) without the descriptor. */
struct file *memfd_make(const char *name, unsigned flags);
/* An object for MAP_SHARED | MAP_ANONYMOUS; hooked into mm at vfs_init(). */
struct file *shmem_file_make(size_t size);

/* -- device nodes ------------------------------------------------------------------------------------------- */
#define DEV(major, minor) ((u64)(major) << 8 | ((minor)&0xff)) /* inode->rdev, super->dev */

/* Register a character device: /dev/@name ("null", "pts/0") appears with number @major:@minor and permissions
 * @mode (with S_IFBLK: a block device). => may be called before vfs_init(); sleeps */
void dev_register(const char *name, unsigned major, unsigned minor, u32 mode, const struct file_ops *fops);

/* -- poll ---------------------------------------------------------------------------------------------------- */
void poll_wait(struct poll_table *pt, struct wait_queue *wq); /* NULL table: nothing */
unsigned file_poll(struct file *f, struct poll_table *pt);

#endif
