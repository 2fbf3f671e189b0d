/*
 * pidfd.c - pidfd_open(2) and process_madvise(2).
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef MADV_PAGEOUT
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

static int pidfd_open_(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static long advise(int fd, const struct iovec *v, size_t n, int advice, unsigned flags)
{
	return syscall(SYS_process_madvise, fd, v, n, advice, flags);
}

static void *try_own_number(void *unused)
{
	CHECK_ERRNO(pidfd_open_((pid_t)syscall(SYS_gettid), 0), EINVAL); /* a thread's, not a process's */
	return unused;
}

TEST(pidfd_open, "pidfd.open names a process, and tells of its end")
{
	struct pollfd p = {.events = POLLIN};
	pthread_t thread;
	pid_t pid;
	int go[2];

	CHECK_ERRNO(pidfd_open_(0, 0), EINVAL);
	CHECK_ERRNO(pidfd_open_(-5, 0), EINVAL);
	CHECK_ERRNO(pidfd_open_(getpid(), 1), EINVAL);
	CHECK_ERRNO(pidfd_open_(0x3fffff, 0), ESRCH);
	CHECK_EQ(pthread_create(&thread, NULL, try_own_number, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(pipe(go));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		char c;

		close(go[1]);
		_exit((int)read(go[0], &c, 1));
	}
	p.fd = CHECK_OK(pidfd_open_(pid, 0));
	CHECK_EQ(fcntl(p.fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(read(p.fd, &go, 1), EINVAL);
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_OK(close(go[1]));
	CHECK_EQ(poll(&p, 1, 20000), 1); /* it sleeps until then */
	CHECK_EQ(p.revents, POLLIN);
	join_exit(pid, 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_ERRNO(advise(p.fd, &(struct iovec){BAD, 0}, 1, MADV_COLD, 0), ESRCH);
	CHECK_OK(close(p.fd));
}

/* The child's memory, at the same address as ours, of a file: what is paged out of it is found again. */
TEST(process_madvise, "pidfd.process_madvise on another's memory")
{
	int fd = tagged_memfd(4), ready[2], go[2], pidfd;
	u8 *p = map_shared(fd, 4, RW);
	struct iovec v[2] = {{p, P}, {p + 2 * P, 2 * P}};
	pid_t pid;
	char c;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		for (unsigned i = 0; i < 4; i++)
			p[i * P + 8] = (u8)(i + 1);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		for (unsigned i = 0; i < 4; i++)
			if (p[i * P + 8] != i + 1)
				_exit(2);
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	pidfd = CHECK_OK(pidfd_open_(pid, 0));
	CHECK_EQ(advise(pidfd, v, 2, MADV_COLD, 0), 3 * P);
	CHECK_EQ(advise(pidfd, v, 2, MADV_PAGEOUT, 0), 3 * P);
	CHECK_EQ(advise(pidfd, v, 0, MADV_PAGEOUT, 0), 0);
	v[1].iov_base = (void *)(bad_address & ~(P - 1)); /* nothing is there: what came before counts */
	CHECK_EQ(advise(pidfd, v, 2, MADV_COLD, 0), P);
	CHECK_ERRNO(advise(pidfd, v + 1, 1, MADV_COLD, 0), ENOMEM);
	CHECK_ERRNO(advise(pidfd, v, 1, MADV_DONTNEED, 0), EINVAL); /* it would destroy */
	CHECK_ERRNO(advise(pidfd, v, 1, MADV_COLD, 1), EINVAL);
	CHECK_ERRNO(advise(pidfd, v, 1025, MADV_COLD, 0), EINVAL);
	CHECK_ERRNO(advise(pidfd, BAD, 1, MADV_COLD, 0), EFAULT);
	CHECK_ERRNO(advise(ready[0], v, 1, MADV_COLD, 0), EBADF);
	CHECK_ERRNO(advise(999, v, 1, MADV_COLD, 0), EBADF);
	CHECK_EQ(write(go[1], "x", 1), 1);
	join(pid);
}
