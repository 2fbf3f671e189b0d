/*
 * pipes.c - pipes, poll, dup, eventfd, fcntl.
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(pipe_basic, "pipe.basic order, EOF, EPIPE")
{
	int fds[2];
	char buf[32];

	CHECK_OK(pipe(fds));
	CHECK_EQ(write(fds[1], "hello", 5), 5);
	CHECK_EQ(write(fds[1], "world", 5), 5);
	CHECK_EQ(read(fds[0], buf, 3), 3);
	CHECK_EQ(read(fds[0], buf + 3, 29), 7);
	CHECK(!memcmp(buf, "helloworld", 10));
	CHECK_EQ(write(fds[1], buf, 0), 0);
	CHECK_ERRNO(write(fds[0], "x", 1), EBADF);
	CHECK_ERRNO(read(fds[1], buf, 1), EBADF);
	CHECK_ERRNO(lseek(fds[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(pread(fds[0], buf, 1, 0), ESPIPE);
	CHECK_OK(close(fds[1]));
	CHECK_EQ(read(fds[0], buf, 1), 0);
	CHECK_OK(pipe(fds));
	CHECK_OK(close(fds[0]));
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
}

TEST(pipe_sigpipe, "pipe.SIGPIPE kills")
{
	int fds[2];
	pid_t pid;

	CHECK_OK(pipe(fds));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		close(fds[0]);
		signal(SIGPIPE, SIG_DFL);
		CHECK_EQ(write(fds[1], "x", 1), 1); /* the parent may still read */
		sleep_ms(60);
		_exit(write(fds[1], "x", 1) == 1 ? 0 : 1);
	}
	CHECK_OK(close(fds[1]));
	{
		char c;

		CHECK_EQ(read(fds[0], &c, 1), 1);
	}
	CHECK_OK(close(fds[0]));
	join_signal(pid, SIGPIPE);
}

TEST(pipe_big, "pipe.big 4 MiB through a child")
{
	const size_t total = 4 << 20;
	int fds[2];
	u8 buf[10000];
	size_t got = 0;
	pid_t pid;

	CHECK_OK(pipe(fds));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		u8 out[7001];
		size_t sent = 0;

		while (sent < total) {
			size_t n = total - sent < sizeof(out) ? total - sent : sizeof(out);

			for (size_t i = 0; i < n; i++)
				out[i] = (u8)((sent + i) * 31);
			CHECK_EQ(write(fds[1], out, n), n);
			sent += n;
		}
		_exit(0);
	}
	CHECK_OK(close(fds[1]));
	for (;;) {
		ssize_t n = CHECK_OK(read(fds[0], buf, sizeof(buf)));

		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != (u8)((got + (size_t)i) * 31))
				FAIL("byte %zu is wrong", got + (size_t)i);
		got += (size_t)n;
	}
	CHECK_EQ(got, total);
	join(pid);
}

TEST(pipe_nonblock, "pipe.nonblock EAGAIN and capacity")
{
	int fds[2], n = 0;
	char page[4096] = {0};

	CHECK_OK(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	CHECK_ERRNO(read(fds[0], page, 1), EAGAIN);
	while (write(fds[1], page, sizeof(page)) == (ssize_t)sizeof(page))
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 16);
	CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	CHECK_OK(ioctl(fds[0], FIONREAD, &n));
	CHECK_EQ(n, 65536);
	CHECK_ERRNO(pipe2(fds, 0x1), EINVAL);
	CHECK_ERRNO(pipe2(BAD, 0), EFAULT);
}

TEST(poll_basic, "poll.basic")
{
	int fds[2];
	struct pollfd pfd[3];
	u64 t;

	CHECK_OK(pipe(fds));
	pfd[0] = (struct pollfd){.fd = fds[0], .events = POLLIN};
	pfd[1] = (struct pollfd){.fd = fds[1], .events = POLLOUT};
	pfd[2] = (struct pollfd){.fd = -1, .events = POLLIN};
	CHECK_EQ(poll(pfd, 3, 0), 1);
	CHECK(pfd[0].revents == 0 && pfd[1].revents == POLLOUT && pfd[2].revents == 0);
	t = now_ns();
	CHECK_EQ(poll(pfd, 1, 40), 0);
	CHECK_OP(now_ns() - t, >=, 39000000);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK_EQ(poll(pfd, 1, -1), 1);
	CHECK_EQ(pfd[0].revents, POLLIN);
	CHECK_OK(close(fds[1]));
	CHECK_EQ(poll(pfd, 1, -1), 1);
	CHECK_EQ(pfd[0].revents, POLLIN | POLLHUP);
	CHECK_EQ(poll(pfd + 1, 1, 0), 1);
	CHECK_EQ(pfd[1].revents, POLLNVAL);
	CHECK_ERRNO(poll(BAD, 1, 0), EFAULT);
}

TEST(poll_wake, "poll.wake by a child, select too")
{
	int fds[2];
	struct pollfd pfd;
	fd_set set;
	struct timeval tv = {5, 0};
	pid_t pid;
	char c;

	CHECK_OK(pipe(fds));
	pfd = (struct pollfd){.fd = fds[0], .events = POLLIN};
	for (int i = 0; i < 2; i++) {
		pid = CHECK_OK(fork());
		if (pid == 0) {
			sleep_ms(30);
			CHECK_EQ(write(fds[1], "x", 1), 1);
			_exit(0);
		}
		if (i == 0) {
			CHECK_EQ(poll(&pfd, 1, 5000), 1);
		} else {
			FD_ZERO(&set);
			FD_SET(fds[0], &set);
			CHECK_EQ(select(fds[0] + 1, &set, NULL, NULL, &tv), 1);
			CHECK(FD_ISSET(fds[0], &set));
		}
		CHECK_EQ(read(fds[0], &c, 1), 1);
		join(pid);
	}
}

TEST(fd_dup, "fd.dup family")
{
	int fd = tagged_memfd(2), a, b;
	char c;

	a = CHECK_OK(dup(fd));
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 1); /* one position */
	b = CHECK_OK(dup2(fd, 77));
	CHECK_EQ(b, 77);
	CHECK_EQ(dup2(77, 77), 77);
	CHECK_ERRNO(dup3(77, 77, 0), EINVAL);
	CHECK_ERRNO(dup2(500, 78), EBADF);
	CHECK_ERRNO(dup2(fd, -1), EBADF);
	CHECK_OP(CHECK_OK(fcntl(fd, F_DUPFD, 90)), >=, 90);
	CHECK_EQ(fcntl(CHECK_OK(fcntl(fd, F_DUPFD_CLOEXEC, 95)), F_GETFD), FD_CLOEXEC);
	CHECK_OK(close(fd));
	CHECK_ERRNO(close(fd), EBADF);
	CHECK_EQ(lseek(b, 5, SEEK_SET), 5);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 5);
	CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
	CHECK_ERRNO(read(-1, &c, 1), EBADF);
}

TEST(fd_lowest, "fd.lowest free number is taken; EMFILE")
{
	int a = CHECK_OK(open("/dev/null", O_RDONLY)), b = CHECK_OK(dup(a)), fd, last = b;

	CHECK_OK(close(a));
	CHECK_EQ(dup(b), a);
	while ((fd = dup(b)) >= 0)
		last = fd;
	CHECK_EQ(errno, EMFILE);
	CHECK_OP(last, >=, 200);
	CHECK_OK(close(last));
	CHECK_EQ(dup(b), last);
}

TEST(fd_eventfd, "fd.eventfd")
{
	int fd = CHECK_OK(eventfd(3, EFD_NONBLOCK));
	u64 v = 0;

	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 3);
	CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
	v = 5;
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 10);
	CHECK_ERRNO(write(fd, &v, 4), EINVAL);
}

TEST(dev_nodes, "dev.null zero full random")
{
	int null = CHECK_OK(open("/dev/null", O_RDWR)), zero = CHECK_OK(open("/dev/zero", O_RDWR));
	int rnd_fd = CHECK_OK(open("/dev/urandom", O_RDONLY));
	u8 buf[64], *p;
	struct stat st;

	memset(buf, 1, sizeof(buf));
	CHECK_EQ(write(null, buf, 64), 64);
	CHECK_EQ(read(null, buf, 64), 0);
	CHECK_EQ(read(zero, buf, 64), 64);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(read(rnd_fd, buf, 64), 64);
	CHECK_OK(fstat(null, &st));
	CHECK(S_ISCHR(st.st_mode));
	p = CHECK_OK(mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0));
	CHECK_EQ(p[P], 0);
	p[P] = 1;
}
