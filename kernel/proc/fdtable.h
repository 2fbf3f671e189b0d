/*
 * fdtable.h - file descriptors: small numbers for open file descriptions, per process (or shared by several).
 * Layer 10 (kernel/proc).
 *
 * A number is reserved first, then the file is opened, then installed: so running out of numbers is found before
 * anything is created or truncated.
 */
#ifndef KERNEL_PROC_FDTABLE_H
#define KERNEL_PROC_FDTABLE_H

#include "kernel/fs/vfs.h"
#include "kernel/sync/spinlock.h"

#define FD_MAX 65536 /* no table grows beyond, whatever RLIMIT_NOFILE says */

struct fd_array;

struct files {
	int refs;               /* atomic */
	spinlock_t lock;        /* rank LOCK_FILES */
	struct fd_array *array; /* replaced by larger ones; lock */
	unsigned next;          /* no number below is free; lock */
};

struct files *files_create(void);             /* empty; ERR_PTR(-ENOMEM) */
struct files *files_dup(struct files *files); /* fork: the same files; ERR_PTR(-ENOMEM) */
bool files_is_private(struct files *files);   /* nobody else has it now */
void files_get(struct files *files);
void files_put(struct files *files);           /* the last user closes everything. => may sleep */
void files_close_on_exec(struct files *files); /* => may sleep */
/* Close every descriptor in [first, last]; or, @cloexec_only, mark them close-on-exec. => may sleep */
void files_close_range(struct files *files, unsigned first, unsigned last, bool cloexec_only);

/* Reserve the lowest free number that is not less than @from: -EMFILE, -ENOMEM, -EINVAL (@from above the limit). */
int fd_alloc_from(struct files *files, unsigned from, bool cloexec);
void fd_cancel(struct files *files, int fd);                    /* give back a reserved number */
void fd_commit(struct files *files, int fd, struct file *file); /* takes over the caller's reference */
/* All in one. On error the caller keeps its reference. */
int fd_install(struct files *files, struct file *file, bool cloexec);

/* The file with a reference, or NULL (-EBADF). */
struct file *fd_get(struct files *files, unsigned fd);
int fd_close(struct files *files, unsigned fd); /* 0, -EBADF. => may sleep */
/* dup2/dup3: @fd's file also as @new, whatever that was. @new or -EBADF, -EMFILE, -ENOMEM, -EBUSY. => may sleep */
int fd_replace(struct files *files, unsigned fd, unsigned new, bool cloexec);
int fd_cloexec(struct files *files, unsigned fd); /* 0, 1, -EBADF */
int fd_set_cloexec(struct files *files, unsigned fd, bool on);
/* The lowest open descriptor >= @fd, or -1: for /proc/<pid>/fd. */
int fd_next(struct files *files, unsigned fd);

#endif
