/*
 * uffd.h - userfaultfd for the programs of user/, by plain system calls: they run on Linux, too.
 */
#ifndef USER_UFFD_H
#define USER_UFFD_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/uapi/uffd.h"

#define UFFD_PAGE 4096ul

int uffd_new(unsigned features); /* -1: not here, or not these features */
bool uffd_add(int fd, void *p, size_t len);
/* 0 or errno; each wakes who waits for the range. */
int uffd_put_copy(int fd, void *dst, const void *src, size_t len);
int uffd_put_zero(int fd, void *dst, size_t len);
int uffd_put_moved(int fd, void *dst, void *src, size_t len);
void uffd_let_go(int fd, void *p, size_t len); /* wake, without an answer */
/* The page that somebody waits for, or NULL after @ms without one. */
void *uffd_asked(int fd, int ms);

#endif
