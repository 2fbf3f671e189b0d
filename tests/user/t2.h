/*
 * t2.h - what the tests of thread 2 share: a userfaultfd, a thread that answers, ranges.
 */
#ifndef TESTS_USER_T2_H
#define TESTS_USER_T2_H

#include "race.h"
#include "kernel/uapi/uffd.h"

#include <pthread.h>
#include <sys/ioctl.h>

#define RW (PROT_READ | PROT_WRITE)

/* A context with these features; SKIPs where there is none, or not these. @flags: O_NONBLOCK, O_CLOEXEC, USER_MODE_ONLY */
int uffd_try(int flags); /* -1 and errno */
int uffd_open(u64 features, int flags);
int uffd_handshake(int fd, u64 features);                                  /* 0 or errno */
u64 uffd_register(int fd, const volatile void *p, size_t pages, u64 mode); /* the ioctls of the range */
void uffd_unregister(int fd, const volatile void *p, size_t pages);
void uffd_wake(int fd, const volatile void *p, size_t pages);
/* 0 or errno; *@done (may be NULL): the result word, which was 77 before. */
int uffd_copy(int fd, volatile void *dst, const volatile void *src, size_t pages, u64 mode, int64_t *done);
int uffd_zero(int fd, volatile void *p, size_t pages, u64 mode, int64_t *done);
int uffd_move(int fd, volatile void *dst, volatile void *src, size_t pages, u64 mode, int64_t *done);
int uffd_continue(int fd, volatile void *p, size_t pages, u64 mode, int64_t *done);
int uffd_poison(int fd, volatile void *p, size_t pages, u64 mode, int64_t *done);
int uffd_protect(int fd, volatile void *p, size_t pages, u64 mode);

/* The next message, within 10 s; of a page fault at exactly this place with these flags; none is there. */
struct uffdx_msg uffd_message(int fd);
void uffd_expect(int fd, const volatile void *p, u64 flags);
void uffd_quiet(int fd);

/* A thread that makes one access, and may wait for the answer to it. */
struct toucher {
	volatile u8 *at;
	bool write;
	u8 value; /* to be stored; or what was loaded */
	struct fault fault;
	pid_t tid;
	unsigned done;
	pthread_t thread;
};
void touch_start(struct toucher *t, volatile void *at, bool write, u8 value);
bool touch_done(const struct toucher *t, unsigned ms); /* within so much time? */
u8 touch_end(struct toucher *t);                       /* demands that it comes to its end without a signal */

/* A thread that answers every fault with answer(fd, message, ctx) until it is stopped; it counts them. */
struct answerer {
	int fd;
	void (*answer)(int fd, const struct uffdx_msg *msg, void *ctx);
	void *ctx;
	unsigned stop;
	u64 count;
	pthread_t thread;
};
void answer_start(struct answerer *a, int fd, void (*answer)(int fd, const struct uffdx_msg *msg, void *ctx),
                  void *ctx);
void answer_stop(struct answerer *a);

#endif
