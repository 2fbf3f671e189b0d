/*
 * procfs.h - /proc: files whose content a function writes when they are read.  Layer 9 (kernel/fs).
 *
 * Fixed files are registered by path; what hangs below /proc/<pid> is described by one table that kernel/proc
 * supplies, so that this layer never sees a process.
 */
#ifndef KERNEL_FS_PROCFS_H
#define KERNEL_FS_PROCFS_H

#include "kernel/fs/vfs.h"

/* Text under construction: grows by pages, never fails at the call (an allocation failure ends up in error). */
struct proc_buf {
	char **chunks; /* of PROC_CHUNK bytes */
	unsigned nr, max;
	size_t length;
	int error;
};
#define PROC_CHUNK PAGE_SIZE

__printf(2, 3) void proc_printf(struct proc_buf *b, const char *fmt, ...); /* at most 511 bytes a call */
void proc_write(struct proc_buf *b, const char *s, size_t n);

/* Write the content: 0 or -errno. => may sleep, no locks held */
typedef int proc_show_t(struct proc_buf *b);
/* Input of a write(2), NUL-terminated; @n without the NUL: 0 or -errno. */
typedef int proc_store_t(const char *text, size_t n);

/* /proc/@path ("meminfo", "sys/vm/max_map_count"); missing directories are made. @store may be NULL. */
void proc_register_rw(const char *path, proc_show_t *show, proc_store_t *store);
void proc_register(const char *path, proc_show_t *show);

/* The same below /sys, in another tree; and a file there that is a device's (@fops). */
void sysfs_register_rw(const char *path, proc_show_t *show, proc_store_t *store);
struct file_ops;
void sysfs_register_node(const char *path, const struct file_ops *fops);

/* -- /proc/<pid> -------------------------------------------------------------------------------------------- */
enum proc_pid_kind {
	PROC_PID_FILE, /* show, store */
	PROC_PID_LINK, /* target: what readlink says; follow: where it leads */
	PROC_PID_FD,   /* the directory fd */
};

struct proc_pid_entry {
	const char *name;
	enum proc_pid_kind kind;
	int (*show)(struct proc_buf *b, int pid); /* -ESRCH: gone */
	/* Instead of show, for text too long to be kept: append some of what follows *@cursor (0: the beginning), a few
	 * pages of it, and move the cursor; nothing appended: that was all.  0 or -errno. */
	int (*show_part)(struct proc_buf *b, int pid, u64 *cursor);
	int (*store)(int pid, const char *text, size_t n);
	/* Instead of show: bytes of a file too large to be made whole, from @pos on, into a kernel buffer. How many, 0 at
	 * the end, or -errno. */
	ssize_t (*read)(int pid, u64 pos, void *buf, size_t n);
	/* Instead of all these: bytes at positions, moved between user memory and wherever they are. Bytes moved, or -errno. */
	ssize_t (*raw_read)(int pid, void *user, size_t n, loff_t pos);
	ssize_t (*raw_write)(int pid, const void *user, size_t n, loff_t pos);
	/* Text of the link into @buf: length, or -errno. NULL: the path of follow's dentry. */
	ssize_t (*target)(int pid, char *buf, size_t n);
	struct dentry *(*follow)(int pid); /* referenced, or ERR_PTR */
};

struct proc_pid_ops {
	int (*self)(void);                       /* the caller's process id, or 0 */
	int (*next)(int pid);                    /* the lowest process id >= @pid, or 0 */
	int (*next_fd)(int pid, int fd);         /* the lowest open descriptor >= @fd, or -1 */
	struct file *(*get_fd)(int pid, int fd); /* referenced, or NULL */
	const struct proc_pid_entry *entries;
	unsigned nr_entries;
};

/* Set once by kernel/proc; NULL: there are no processes. */
extern const struct proc_pid_ops *proc_pid_ops;

#endif
