/*
 * vfs_internal.h - what the files of kernel/fs tell each other.  Layer 9, private to kernel/fs.
 */
#ifndef KERNEL_FS_VFS_INTERNAL_H
#define KERNEL_FS_VFS_INTERNAL_H

#include "kernel/fs/vfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "mm/phys/slab.h"

/* -- inode.c ------------------------------------------------------------------------------------------------ */
/* A zeroed inode of @sb with refs = 1, times now, lock ready; the object is the caller's to initialise. NULL: no
 * memory */
struct inode *inode_alloc(struct super *sb, u32 mode);
/* Give back the memory of one that was never used. */
void inode_free(struct inode *inode);
/* Wait until no inode of @sb is left. => nobody can get one any more; sleeps */
void inodes_wait_gone(struct super *sb);
/* Make it findable by (super, ino). */
void inode_hash(struct inode *inode);
/* The live inode @ino of @sb with a reference, or NULL. Waits for one that is being evicted. => sleeps */
struct inode *inode_find(struct super *sb, u64 ino);
/* Is inode @ino hashed, and not on its way out? */
bool inode_is_live(struct super *sb, u64 ino);
bool inode_try_get(struct inode *inode); /* false: dying */
/* object_ops.hold and release for inodes that embed the object. */
bool inode_object_hold(struct vm_object *obj);
void inode_object_release(struct vm_object *obj);
static inline struct inode *inode_of(struct vm_object *obj)
{
	return container_of(obj, struct inode, obj);
}
void inode_touch(struct inode *inode); /* content changed: mtime, ctime */

/* Let go of what the page cache keeps of @sb's files and nobody uses. => sb stays mounted; sleeps */
void inodes_shed_pages(struct super *sb);

/* -- super.c ------------------------------------------------------------------------------------------------ */
struct super *super_alloc(const char *type, const struct super_ops *ops, const char *source); /* NULL: no memory */
/* Free it: no inode is left. */
void super_free(struct super *sb);

/* Something is going to change; super_close() declines until super_write_end(). 0 or -EROFS. => may sleep, no locks */
int super_write_begin(struct super *sb);
void super_write_end(struct super *sb);
/* Let no writer begin, if there is none now: 0 or -EBUSY. The caller clears sb->closing. => mount_lock */
int super_close(struct super *sb);

/* A kind of file system: @mount makes a super with its root inode. ERR_PTR(...) */
struct fs_type {
	const char *name;
	bool needs_device;
	struct super *(*mount)(const char *source, bool read_only);
};
extern const struct fs_type ext2_type, tmpfs_type, procfs_type, sysfs_type;
struct super *devfs_super(void); /* made on first use */

#define MS_RDONLY 1u
#define MS_NOSUID 2u
#define MS_NODEV 4u
#define MS_NOEXEC 8u
#define MS_REMOUNT 32u

/* -- dentry.c ----------------------------------------------------------------------------------------------- */
void dentry_init_cache(void);
/* A root dentry for @sb, refs = 1. NULL: no memory */
struct dentry *dentry_make_root(struct super *sb);
/* A dentry nobody can find: for names of volatile file systems. Consumes the inode reference (also on error). */
struct dentry *dentry_make_unhashed(struct dentry *parent, const char *name, struct inode *inode);
/* @name below @dir, which must be a directory; negative if there is none. Referenced, or ERR_PTR.
 * dentry_lookup takes dir's inode lock if it must ask the file system, _locked has it held for writing. */
struct dentry *dentry_lookup(struct dentry *dir, const char *name, size_t len);
struct dentry *dentry_lookup_locked(struct dentry *dir, const char *name, size_t len);
/* A negative dentry becomes positive; consumes the inode reference. => directory locked */
void dentry_instantiate(struct dentry *d, struct inode *inode);
/* Its name is gone: it cannot be found any more. => directory locked */
void dentry_kill(struct dentry *d);
/* Rename. @name: kmalloced, becomes d's. => both directories locked */
void dentry_move(struct dentry *d, struct dentry *parent, char *name);
bool dentry_is_ancestor(struct dentry *a, struct dentry *d); /* is @a = @d or above it (within one file system)? */
/* Forget unused dentries of @sb (NULL: of all, down to the limit). => sleeps, no locks held */
void dentry_prune(struct super *sb);
/* The directory was removed: forget what was not found in it, which would keep it alive. => sleeps, no locks held */
void dentry_prune_below(struct dentry *dir);
struct dentry *dentry_follow_mounts(struct dentry *d); /* consumes and returns a reference */
struct dentry *dentry_up(struct dentry *d);            /* "..": the same */
bool dentry_is_mountpoint(struct dentry *d);
void dentry_cover(struct dentry *dir, struct dentry *root); /* mount; takes over the references of both */
/* Unmount, if @root has at most @max_refs references: the covered directory's reference; NULL: not done. */
struct dentry *dentry_uncover(struct dentry *root, int max_refs);

/* -- namei.c ------------------------------------------------------------------------------------------------ */
enum { LOOKUP_PARENT = 0x100 };
enum last_type { LAST_NORMAL, LAST_ROOT, LAST_DOT, LAST_DOTDOT };

struct walk {
	struct dentry *at; /* referenced: the result, or with LOOKUP_PARENT the directory of the last component */
	char *buf;         /* the path in hand, when links were followed */
	const char *last;  /* LOOKUP_PARENT */
	size_t last_len;
	enum last_type last_type;
	bool slash; /* the path ends with one */
	unsigned links;
};
int walk_path(struct walk *w, struct dentry *cwd, const char *path, unsigned flags);
/* The last component turned out to be the symlink @d: go on through it, again with LOOKUP_PARENT. */
int walk_follow_last(struct walk *w, struct dentry *d);
void walk_end(struct walk *w);
extern struct dentry *root_dentry;

/* -- others ------------------------------------------------------------------------------------------------- */
extern struct mutex mount_lock;           /* rank LOCK_MOUNT: mounts, and renames */
bool device_is_mounted(const char *name); /* "vda". => mount_lock is taken */
/* file_ops for device inodes found anywhere. */
const struct file_ops *dev_fops(u32 mode, u64 rdev);
void dev_init(void);
const struct file_ops *inode_default_fops(u32 mode); /* for special files */
void procfs_init(void);
void sysfs_init(void);
void procfs_register_system(void);
void procfs_register_vm(void);
void procfs_register_pin(void);
void vfs_drop_pages(void); /* inodes_shed_pages() of every file system on a device */
void vfs_drop_names(void); /* dentry_prune() of every file system on a device */
void mounts_show_each(void (*show)(void *ctx, const char *source, const char *target, const struct super *sb),
                      void *ctx);
int inode_truncate_locked(struct inode *inode, loff_t size);
/* object_ops.read_pages by inode_ops.extent. */
void mpage_read(struct vm_object *obj, struct page **pages, unsigned n);
/* -- direct.c: O_DIRECT on an inode with ops->extent; bytes, -EINVAL (not aligned to sectors), -EFAULT, -EIO ... */
ssize_t direct_read(struct inode *inode, void *user, size_t n, loff_t pos);        /* takes the inode lock */
ssize_t direct_write(struct inode *inode, const void *user, size_t n, loff_t pos); /* => inode lock held for writing */

/* A write(2) through the page cache, size and gap included. => inode lock held for writing */
ssize_t cached_write(struct inode *inode, const void *user, size_t n, loff_t pos);
/* Generic operations of page-cache files. */
ssize_t generic_read(struct file *f, void *user, size_t n, loff_t *pos);
ssize_t generic_write(struct file *f, const void *user, size_t n, loff_t *pos);
static inline u8 mode_to_dt(u32 mode)
{
	return (u8)((mode & S_IFMT) >> 12);
}

#endif
