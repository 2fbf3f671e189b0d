/*
 * uffd.h - what a program asks of its userfaultfd context.  Layer 7 (mm/service).  The context: mm/space/uffd.h.
 *
 * All of these: => no lock held, may sleep; addresses and lengths as user space gave them; errors are Linux's, in its order.
 * Those that return a long: how many bytes were done, which may be fewer than asked for; or, if none was, an error.
 */
#ifndef MM_SERVICE_UFFD_H
#define MM_SERVICE_UFFD_H

#include "mm/space/uffd.h"

/* Is it a range of whole pages of user addresses? 0 or -EINVAL. */
int uffd_range_check(u64 start, u64 len);

/* @mode: UFFDX_REGISTER_*. 0, -EINVAL, -EPERM, -EBUSY, -ENOMEM. => uffd_range_check() */
int uffd_register(struct uffd *u, vaddr_t start, size_t len, unsigned mode);
int uffd_unregister(struct uffd *u, vaddr_t start, size_t len);

enum uffd_fill { UFFD_FILL_COPY, UFFD_FILL_ZERO, UFFD_FILL_CONTINUE, UFFD_FILL_POISON };
/* -ESRCH, -ENOENT, -EAGAIN, -EINVAL, -EEXIST, -EFAULT, -ENOMEM, -EINTR. @src: COPY, the caller's */
long uffd_fill(struct uffd *u, enum uffd_fill what, vaddr_t dst, vaddr_t src, size_t len, bool wp);
/* The pages of [src, src + len) come to [dst, dst + len) (uffd_move.c). @mode: UFFDX_MOVE_*. -ESRCH, -ENOENT, -ENOMEM,
 * -EAGAIN, -EINVAL, -EEXIST, -EBUSY, -EFAULT, -EINTR. @from: the source's address space, alive for the call */
long uffd_move(struct uffd *u, struct mm *from, vaddr_t dst, vaddr_t src, size_t len, u64 mode);
/* -ESRCH, -ENOENT, -EAGAIN, -ENOMEM. */
int uffd_protect(struct uffd *u, vaddr_t start, size_t len, bool protect);

#endif
