/*
 * uaccess.h - kernel access to user memory.  Layer 1.
 *
 * All of these check that the range lies below USER_END, open SMAP, and survive a bad address through
 * the exception table.  They may sleep in the page-fault handler, unless the caller is inside
 * pagefault_disable(): then an absent page makes them return short / -EFAULT at once.
 */
#ifndef ARCH_UACCESS_H
#define ARCH_UACCESS_H

#include "kernel/lib/types.h"

/* 0 or -EFAULT. On -EFAULT a prefix may have been copied. */
int copy_from_user(void *dst, const void *user, size_t n);
int copy_to_user(void *user, const void *src, size_t n);
int clear_user(void *user, size_t n);
/* The number of bytes that could NOT be copied (0 = all): for read(2), write(2) and page-cache copies. */
size_t copy_from_user_some(void *dst, const void *user, size_t n);
size_t copy_to_user_some(void *user, const void *src, size_t n);
/* If *@user is *@old make it @new, in one atomic step; *@old is what was there. 0 or -EFAULT. => @user aligned */
int cmpxchg_user(u32 *user, u32 *old, u32 new);
/* Length copied without the NUL, -EFAULT, or -ENAMETOOLONG if no NUL within @size bytes. */
ssize_t strncpy_from_user(char *dst, const char *user, size_t size);
/* True if [user, user + n) lies in user space (no page is touched). */
bool user_range_ok(const void *user, size_t n);

void pagefault_disable(void);
void pagefault_enable(void);
bool pagefault_disabled(void);

#define get_user(x, uptr) copy_from_user(&(x), (uptr), sizeof(x))
#define put_user(x, uptr)                      \
	({                                         \
		__typeof__(*(uptr)) v_ = (x);          \
		copy_to_user((uptr), &v_, sizeof(v_)); \
	})

#endif
