/*
 * t2_uffd.c - userfaultfd: the handshake, registration, missing pages, who waits and who is woken: T2-01 to 03, 24 to 26.
 */
#define _GNU_SOURCE
#include "t2.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static u8 *block; /* a page of data */

static u8 *data(u8 value)
{
	if (!block)
		block = map_anon(1, RW);
	memset(block, value, P);
	return block;
}

/* -- T2-01, T2-02 ------------------------------------------------------------------------------------------------- */

static bool zeroed(const struct uffdx_api *api)
{
	return !api->api && !api->features && !api->ioctls;
}

static void unprivileged(void *arg)
{
	struct uffdx_api api = {.api = UFFDX_API_VERSION, .features = UFFDX_EVENT_FORK};
	int fd;

	(void)arg;
	CHECK_OK(setuid(1000));
	CHECK_ERRNO(uffd_try(0), EPERM);
	CHECK_ERRNO(uffd_try(1 << 20), EPERM);
	fd = CHECK_OK(uffd_try(UFFDX_USER_MODE_ONLY));
	CHECK_ERRNO(ioctl(fd, UFFDX_IOC_API, &api), EPERM);
	CHECK(zeroed(&api));
	CHECK_EQ(uffd_handshake(fd, 0), 0);
}

TEST(t2_handshake, "T2-01 handshake: first, once, known features only; the unprivileged")
{
	struct uffdx_api api = {.api = UFFDX_API_VERSION};
	struct uffdx_register r = {0};
	struct uffdx_msg msg;
	int fd = uffd_open(0, O_CLOEXEC), fresh;

	CHECK_ERRNO(uffd_try(4), EINVAL);
	CHECK_ERRNO(ioctl(fd, UFFDX_IOC_API, &api), EINVAL); /* a second time */
	CHECK(zeroed(&api));
	fresh = CHECK_OK(uffd_try(O_NONBLOCK));
	CHECK_ERRNO(ioctl(fresh, UFFDX_IOC_REGISTER, &r), EINVAL);
	CHECK_ERRNO(read(fresh, &msg, sizeof(msg)), EINVAL);
	CHECK_EQ(poll(&(struct pollfd){.fd = fresh, .events = POLLIN}, 1, 0), 1); /* POLLERR */
	CHECK_ERRNO(ioctl(fresh, UFFDX_IOC_API, 8), EFAULT);
	api = (struct uffdx_api){.api = 0xab};
	CHECK_ERRNO(ioctl(fresh, UFFDX_IOC_API, &api), EINVAL);
	CHECK(zeroed(&api));
	api = (struct uffdx_api){.api = UFFDX_API_VERSION, .features = 1ull << 40};
	CHECK_ERRNO(ioctl(fresh, UFFDX_IOC_API, &api), EINVAL);
	CHECK(zeroed(&api));
	api = (struct uffdx_api){.api = UFFDX_API_VERSION};
	CHECK_OK(ioctl(fresh, UFFDX_IOC_API, &api));
	if (on_pteron())
		CHECK_EQ(api.features, UFFDX_FEATURES);
	CHECK_EQ(api.ioctls & UFFDX_API_IOCTLS, UFFDX_API_IOCTLS);
	CHECK_ERRNO(ioctl(fresh, UFFDX_IOC_API + 1, &api), EINVAL); /* no such request */
	CHECK_ERRNO(read(fresh, &msg, sizeof(msg) - 1), EINVAL);
	CHECK_ERRNO(read(fresh, &msg, sizeof(msg)), EAGAIN);
	if (on_pteron())
		in_child(unprivileged, NULL);
}

TEST(t2_node, "T2-01 /dev/userfaultfd gives one, with its flags")
{
	int node = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC), fd;

	if (node < 0)
		SKIP("no /dev/userfaultfd");
	fd = CHECK_OK(ioctl(node, UFFDX_IOC_NEW, O_CLOEXEC | O_NONBLOCK));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK_EQ(uffd_handshake(fd, 0), 0);
	CHECK_ERRNO(ioctl(node, UFFDX_IOC_NEW, 2), EINVAL);
	CHECK_ERRNO(ioctl(node, UFFDX_IOC_NEW + 1, 0), EINVAL);
}

TEST(t2_abi, "T2-02 what a range understands, by mode and memory")
{
	int fd = uffd_open(UFFDX_PAGEFAULT_FLAG_WP | UFFDX_MINOR_SHMEM | UFFDX_WP_HUGETLBFS_SHMEM, 0);
	int file = tagged_memfd(4);
	u8 *anon = map_anon(4, RW), *shared = map_shared(file, 4, RW);
	const u64 wp = 1 << 6, cont = 1 << 7, base = UFFDX_RANGE_IOCTLS & ~wp & ~cont & (on_pteron() ? ~0ull : ~0x120ull);

	CHECK_EQ(uffd_register(fd, anon, 4, UFFDX_REGISTER_MISSING) & (base | wp | cont), base);
	CHECK_EQ(uffd_register(fd, anon, 4, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP) & (base | wp | cont), base | wp);
	CHECK_EQ(uffd_register(fd, anon, 4, UFFDX_REGISTER_WP) & (base | wp | cont), base | wp);
	CHECK_EQ(uffd_register(fd, shared, 4, UFFDX_REGISTER_MINOR) & (base | wp | cont), base | cont);
	CHECK_EQ(uffd_register(fd, shared, 4, 7) & (base | wp | cont), base | wp | cont);
}

/* -- registration --------------------------------------------------------------------------------------------------- */

static int try_register(int fd, u64 start, u64 len, u64 mode)
{
	struct uffdx_register r = {.range = {start, len}, .mode = mode};

	return ioctl(fd, UFFDX_IOC_REGISTER, &r) ? errno : 0;
}

TEST(t2_register, "T2-30 registration: what is refused, and with what")
{
	int fd = uffd_open(0, 0), other = uffd_open(0, 0), file, again;
	u8 *p = map_anon(8, RW), *q;
	u64 at = (uintptr_t)p;
	char path[32];

	CHECK_ERRNO(ioctl(fd, UFFDX_IOC_REGISTER, 8), EFAULT);
	CHECK_EQ(try_register(fd, at, 8 * P, 0), EINVAL);
	CHECK_EQ(try_register(fd, at, 8 * P, 8), EINVAL);
	CHECK_EQ(try_register(fd, at + 1, 8 * P, 1), EINVAL);
	CHECK_EQ(try_register(fd, at, 8 * P + 1, 1), EINVAL);
	CHECK_EQ(try_register(fd, at, 0, 1), EINVAL);
	CHECK_EQ(try_register(fd, at, ~0ull & ~(P - 1), 1), EINVAL);
	CHECK_EQ(try_register(fd, 1ull << 62, P, 1), EINVAL);
	CHECK_EQ(try_register(fd, at, 8 * P, 4), EINVAL); /* MINOR of anonymous memory */
	CHECK_EQ(try_register(fd, at, 8 * P, 1), 0);
	CHECK_EQ(try_register(fd, at, 8 * P, 1), 0);
	CHECK_EQ(try_register(other, at + P, P, 1), EBUSY);
	CHECK_OK(munmap(p + 2 * P, 2 * P));
	CHECK_EQ(try_register(fd, at + 2 * P, 2 * P, 1), EINVAL); /* nothing there */
	CHECK_EQ(try_register(fd, at, 8 * P, 1), 0);              /* a hole is none of it */
	CHECK_OK(mprotect(p + 5 * P, P, PROT_READ));
	CHECK_EQ(try_register(fd, at + 5 * P, P, 1), 0); /* it may be made writable */
	uffd_unregister(fd, p, 8);
	CHECK_EQ(try_register(other, at + P, P, 1), 0);
	CHECK_OK(close(other));
	CHECK_EQ(try_register(fd, at, P, 1), 0); /* nobody's any more */
	file = tagged_memfd(2);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	again = CHECK_OK(open(path, O_RDONLY));
	q = map_shared(again, 2, PROT_READ);
	CHECK_EQ(try_register(fd, (uintptr_t)q, 2 * P, 1), EPERM); /* it may not */
	if (on_pteron()) {
		int disk = make_file(disk_dir(), "uffd", 0);

		CHECK_OK(ftruncate(disk, 2 * (off_t)P));
		q = map_shared(disk, 2, RW);
		CHECK_EQ(try_register(fd, (uintptr_t)q, 2 * P, 1), EINVAL); /* neither anonymous nor in memory only */
	}
}

TEST(t2_vmas, "T2-30 registered ranges split, merge, grow, and end as mappings do")
{
	int fd = uffd_open(0, 0);
	u8 *p = map_anon(16, RW);
	struct toucher t;

	CHECK_EQ(vma_count(p, 16 * P, NULL), 1);
	uffd_register(fd, p + 4 * P, 4, UFFDX_REGISTER_MISSING);
	CHECK_EQ(vma_count(p, 16 * P, NULL), 3);
	p[0] = p[9 * P] = 1; /* nobody asks */
	CHECK_OK(mprotect(p + 5 * P, P, PROT_READ));
	CHECK_EQ(vma_count(p, 16 * P, NULL), 5);
	touch_start(&t, p + 5 * P + 3, false, 0); /* a part is as registered as the whole was */
	uffd_expect(fd, p + 5 * P, 0);
	CHECK_EQ(uffd_zero(fd, p + 5 * P, 1, 0, NULL), 0);
	CHECK_EQ(touch_end(&t), 0);
	CHECK_OK(mprotect(p + 5 * P, P, RW));
	CHECK_EQ(vma_count(p, 16 * P, NULL), 3);
	CHECK_OK(munmap(p + 6 * P, P));
	CHECK(mmap(p + 6 * P, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 6 * P);
	p[6 * P] = 1; /* the new one is not registered */
	uffd_unregister(fd, p, 16);
	p[7 * P] = 1;
	uffd_quiet(fd);
}

/* -- T2-03 -------------------------------------------------------------------------------------------------------------- */

TEST(t2_missing, "T2-03 a missing page is asked for, and comes by COPY or as zeros; only once")
{
	int fd = uffd_open(0, 0);
	u8 *p = map_anon(8, RW);
	struct toucher t;
	int64_t done;

	uffd_register(fd, p, 8, UFFDX_REGISTER_MISSING);
	touch_start(&t, p + 10, false, 0);
	uffd_expect(fd, p, 0);
	CHECK(!touch_done(&t, 20));
	CHECK_EQ(uffd_copy(fd, p, data(5), 1, 0, &done), 0);
	CHECK_EQ(done, P);
	CHECK_EQ(touch_end(&t), 5);
	CHECK_EQ(uffd_copy(fd, p, data(6), 1, 0, &done), EEXIST);
	CHECK_EQ(done, -EEXIST);
	CHECK_EQ(uffd_zero(fd, p, 1, 0, &done), EEXIST);
	CHECK_EQ(done, -EEXIST);
	CHECK_EQ(p[P - 1], 5);
	touch_start(&t, p + P, true, 9);
	uffd_expect(fd, p + P, UFFDX_FAULT_WRITE);
	CHECK_EQ(uffd_zero(fd, p + P, 2, 0, &done), 0);
	CHECK_EQ(done, 2 * P);
	touch_end(&t);
	CHECK_EQ(p[P], 9);
	CHECK_EQ(p[2 * P], 0);
	CHECK_EQ(uffd_copy(fd, p + 3 * P, data(7), 1, 0, NULL), 0); /* before anybody asks */
	CHECK_EQ(p[3 * P + 1], 7);
	p[3 * P] = 1; /* and it is an ordinary page */
	CHECK_OK(madvise(p, 8 * P, MADV_DONTNEED));
	touch_start(&t, p, true, 1);
	uffd_expect(fd, p, UFFDX_FAULT_WRITE);
	uffd_unregister(fd, p, 8); /* nobody will answer: an ordinary fault */
	touch_end(&t);
	CHECK_EQ(p[0], 1);
	uffd_quiet(fd);
}

TEST(t2_partial, "T2-03 a request that comes to an obstacle says how far it came")
{
	int fd = uffd_open(0, 0), other = uffd_open(0, 0);
	u8 *p = map_anon(8, RW), *src = map_anon(8, RW);
	struct uffdx_copy c;
	int64_t done;

	memset(src, 3, 8 * P);
	uffd_register(fd, p, 8, UFFDX_REGISTER_MISSING);
	CHECK_EQ(uffd_zero(fd, p + 5 * P, 1, 0, NULL), 0);
	CHECK_EQ(uffd_copy(fd, p, src, 8, 0, &done), EAGAIN);
	CHECK_EQ(done, 5 * P);
	CHECK_EQ(p[5 * P - 1], 3);
	CHECK_EQ(uffd_copy(fd, p + 5 * P, src, 3, 0, &done), EEXIST);
	CHECK_EQ(done, -EEXIST);
	CHECK_EQ(uffd_copy(fd, p + 7 * P, BAD + P * 100, 1, 0, &done), EFAULT);
	CHECK_EQ(done, -EFAULT);
	CHECK_EQ(uffd_copy(fd, p + 7 * P, src, 2, 0, &done), ENOENT); /* beyond the vma */
	CHECK_EQ(done, -ENOENT);
	CHECK_EQ(uffd_copy(fd, src, p, 1, 0, &done), ENOENT); /* not registered */
	CHECK_EQ(uffd_copy(fd, p + 7 * P, src, 0, 0, &done), EINVAL);
	CHECK_EQ(done, 77); /* of no use, and so not written */
	CHECK_EQ(uffd_copy(fd, p + 7 * P + 1, src, 1, 0, &done), EINVAL);
	CHECK_EQ(uffd_copy(fd, p + 7 * P, src, 1, 4, &done), EINVAL);
	CHECK_EQ(uffd_copy(fd, p + 7 * P, src, 1, UFFDX_COPY_WP, &done), EINVAL); /* not registered for that */
	CHECK_EQ(done, -EINVAL);
	CHECK_EQ(uffd_zero(fd, p + 7 * P, 1, 2, &done), EINVAL);
	CHECK_EQ(uffd_copy(other, p + 7 * P, src + 100, 1, 0, &done),
	         0); /* Linux does not mind whose range it is, nor where the source lies */
	CHECK_EQ(p[7 * P], 3);
	CHECK_ERRNO(ioctl(fd, UFFDX_IOC_COPY, 8), EFAULT);
	c = (struct uffdx_copy){.dst = (uintptr_t)p, .src = 1ull << 63, .len = P};
	CHECK_ERRNO(ioctl(fd, UFFDX_IOC_COPY, &c), EINVAL);
	CHECK_ERRNO(ioctl(fd, UFFDX_IOC_WAKE, &(struct uffdx_range){(uintptr_t)p, 0}), EINVAL);
}

TEST(t2_shmem, "T2-03 missing pages of files in memory: shared and private")
{
	int fd = uffd_open(UFFDX_MISSING_SHMEM, 0), file = CHECK_OK(memfd_create("uffd", 0));
	u8 *shared, *private, *again, *anon = mmap(NULL, 2 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct toucher t;

	CHECK_OK(ftruncate(file, 8 * (off_t)P));
	shared = map_shared(file, 8, RW);
	again = map_shared(file, 8, RW);
	private = mmap(NULL, 8 * P, RW, MAP_PRIVATE, file, 0);
	uffd_register(fd, shared, 8, UFFDX_REGISTER_MISSING);
	uffd_register(fd, private, 8, UFFDX_REGISTER_MISSING);
	uffd_register(fd, anon, 2, UFFDX_REGISTER_MISSING);
	touch_start(&t, shared + P, true, 9);
	uffd_expect(fd, shared + P, UFFDX_FAULT_WRITE);
	CHECK_EQ(uffd_copy(fd, shared + P, data(4), 1, 0, NULL), 0);
	touch_end(&t);
	CHECK_EQ(again[P], 9);
	CHECK_EQ(again[P + 1], 4);
	again[2 * P] = 8;
	CHECK_EQ(shared[2 * P], 8);                                       /* the file has it: not missing */
	CHECK_EQ(uffd_copy(fd, private + 2 * P, data(3), 1, 0, NULL), 0); /* ... and a private copy says otherwise */
	CHECK_EQ(private[2 * P], 3);
	CHECK_OK(munmap(shared + 2 * P, P));
	CHECK_EQ(uffd_zero(fd, shared + 3 * P, 1, 0, NULL), 0);
	CHECK_EQ(again[3 * P], 0);
	again[4 * P] = 1;
	CHECK_EQ(uffd_zero(fd, shared + 4 * P, 1, 0, NULL), EEXIST); /* mapped nowhere here, but there */
	touch_start(&t, private + 5 * P, false, 0);
	uffd_expect(fd, private + 5 * P, 0);
	CHECK_EQ(uffd_copy(fd, private + 5 * P, data(6), 1, 0, NULL), 0);
	CHECK_EQ(touch_end(&t), 6);
	CHECK_EQ(again[5 * P], 0); /* the file has not heard of it */
	CHECK_OK(ftruncate(file, 6 * (off_t)P));
	CHECK_EQ(uffd_copy(fd, shared + 6 * P, data(6), 1, 0, NULL), EFAULT);
	CHECK_EQ(uffd_zero(fd, private + 7 * P, 1, 0, NULL), EFAULT);
	CHECK_BUS(try_read(shared + 6 * P), shared + 6 * P);
	touch_start(&t, anon, false, 0);
	uffd_expect(fd, anon, 0);
	CHECK_EQ(uffd_zero(fd, anon, 1, 0, NULL), 0);
	CHECK_EQ(touch_end(&t), 0);
}

/* -- T2-24 ------------------------------------------------------------------------------------------------------------------ */

TEST(t2_wake, "T2-24 DONTWAKE keeps who waits waiting, for WAKE; close lets go of all")
{
	int fd = uffd_open(0, 0);
	u8 *p = map_anon(4, RW);
	struct toucher t, u;

	uffd_register(fd, p, 4, UFFDX_REGISTER_MISSING);
	touch_start(&t, p, false, 0);
	uffd_expect(fd, p, 0);
	CHECK_EQ(uffd_copy(fd, p, data(1), 1, UFFDX_COPY_DONTWAKE, NULL), 0);
	CHECK(!touch_done(&t, 30));
	uffd_wake(fd, p + P, 3);
	CHECK(!touch_done(&t, 10));
	uffd_wake(fd, p, 1);
	CHECK_EQ(touch_end(&t), 1);
	touch_start(&t, p + P, false, 0);
	uffd_expect(fd, p + P, 0);
	uffd_wake(fd, p + P, 1); /* without an answer: it asks again */
	uffd_expect(fd, p + P, 0);
	touch_start(&u, p + 2 * P, true, 7); /* nobody reads of this one */
	CHECK(!touch_done(&u, 30));
	CHECK_OK(close(fd));
	CHECK_EQ(touch_end(&t), 0);
	touch_end(&u);
	CHECK_EQ(p[2 * P], 7);
}

static void wait_for_ever(void *arg)
{
	*(volatile u8 *)arg = 1;
}

TEST(t2_killed, "T2-24 who waits can be killed, and a signal's handler runs before the answer")
{
	int fd = uffd_open(0, 0);
	u8 *p = map_anon(4, RW);
	struct toucher t;
	pid_t pid;

	uffd_register(fd, p, 4, UFFDX_REGISTER_MISSING);
	pid = CHECK_OK(fork());
	if (pid == 0) { /* its own range, nobody reads */
		int mine = uffd_open(0, 0);
		u8 *q = map_anon(1, RW);

		uffd_register(mine, q, 1, UFFDX_REGISTER_MISSING);
		wait_for_ever(q);
		_exit(1);
	}
	sleep_ms(50);
	CHECK_OK(kill(pid, SIGKILL));
	join_signal(pid, SIGKILL);
	touch_start(&t, p, false, 0);
	uffd_expect(fd, p, 0);
	CHECK_EQ(pthread_kill(t.thread, SIGSEGV), 0); /* caught by the harness: the access is given up */
	CHECK(touch_done(&t, 10000));
	CHECK_EQ(pthread_join(t.thread, NULL), 0);
	CHECK_EQ(t.fault.signo, SIGSEGV);
	uffd_quiet(fd);
}

static unsigned handled;

static void count_signal(int sig)
{
	(void)sig;
	ADD(handled, 1);
}

TEST(t2_signal, "T2-24 after a signal's handler the access asks again")
{
	int fd = uffd_open(0, 0);
	u8 *p = map_anon(4, RW);
	struct toucher t;

	CHECK(signal(SIGUSR1, count_signal) != SIG_ERR);
	uffd_register(fd, p, 4, UFFDX_REGISTER_MISSING);
	touch_start(&t, p, false, 0);
	uffd_expect(fd, p, 0);
	CHECK_EQ(pthread_kill(t.thread, SIGUSR1), 0);
	uffd_expect(fd, p, 0);
	CHECK_EQ(LOAD(handled), 1);
	CHECK_EQ(uffd_copy(fd, p, data(3), 1, 0, NULL), 0);
	CHECK_EQ(touch_end(&t), 3);
}

TEST(t2_poll, "T2-24 poll and read: POLLERR without O_NONBLOCK, several messages in one read, a blocking read")
{
	int fd = uffd_open(UFFDX_THREAD_ID, 0);
	u8 *p = map_anon(4, RW);
	struct toucher t[3];
	struct uffdx_msg msg[4];
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	uffd_register(fd, p, 4, UFFDX_REGISTER_MISSING);
	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK_EQ(pfd.revents, POLLERR);
	touch_start(&t[0], p, false, 0);
	CHECK_EQ(read(fd, msg, sizeof(msg[0]) + 5), sizeof(msg[0])); /* waits */
	CHECK_EQ(msg[0].pagefault.ptid, t[0].tid);
	CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	for (int i = 1; i < 3; i++)
		touch_start(&t[i], p + i * P, true, 1);
	CHECK_EQ(poll(&pfd, 1, 10000), 1);
	CHECK_EQ(pfd.revents, POLLIN);
	sleep_ms(100);
	CHECK_EQ(read(fd, msg, sizeof(msg)), 2 * sizeof(msg[0]));
	CHECK_EQ(uffd_zero(fd, p, 4, 0, NULL), 0);
	for (int i = 0; i < 3; i++)
		touch_end(&t[i]);
}

/* -- T2-25, T2-26 -------------------------------------------------------------------------------------------------------------- */

TEST(t2_user_only, "T2-25 USER_MODE_ONLY: the kernel's own accesses are EFAULT, the program's are asked for")
{
	int fd = uffd_open(0, UFFDX_USER_MODE_ONLY), pipes[2];
	u8 *p = map_anon(2, RW);
	struct toucher t;

	uffd_register(fd, p, 2, UFFDX_REGISTER_MISSING);
	CHECK_OK(pipe(pipes));
	CHECK_EQ(write(pipes[1], "x", 1), 1);
	CHECK_ERRNO(read(pipes[0], p, 1), EFAULT);
	CHECK_ERRNO(write(pipes[1], p, 1), EFAULT);
	touch_start(&t, p, false, 0);
	uffd_expect(fd, p, 0);
	CHECK_EQ(uffd_copy(fd, p, data(2), 1, 0, NULL), 0);
	CHECK_EQ(touch_end(&t), 2);
	uffd_quiet(fd);
}

struct reading {
	int fd;
	u8 *to;
};

static void *read_one(void *arg)
{
	struct reading *r = arg;

	CHECK_EQ(read(r->fd, r->to, 1), 1);
	return NULL;
}

TEST(t2_kernel, "T2-25 without it, a system call waits for the answer as the program does")
{
	int fd = uffd_open(0, 0), pipes[2];
	u8 *p = map_anon(2, RW);
	struct reading r;
	pthread_t thread;

	uffd_register(fd, p, 2, UFFDX_REGISTER_MISSING);
	CHECK_OK(pipe(pipes));
	CHECK_EQ(write(pipes[1], "x", 1), 1);
	r = (struct reading){pipes[0], p + 5};
	CHECK_EQ(pthread_create(&thread, NULL, read_one, &r), 0);
	uffd_expect(fd, p, UFFDX_FAULT_WRITE);
	CHECK_EQ(uffd_copy(fd, p, data(2), 1, 0, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(p[5], 'x');
	CHECK_EQ(p[6], 2);
}

TEST(t2_sigbus, "T2-26 SIGBUS instead of a message; EXACT_ADDRESS; POISON")
{
	int fd = uffd_open(UFFDX_SIGBUS, 0), exact;
	u8 *p = map_anon(4, RW), *q = map_anon(4, RW);
	struct toucher t;
	int64_t done;

	uffd_register(fd, p, 4, UFFDX_REGISTER_MISSING);
	CHECK_BUS(try_read(p + 5), p + 5);
	CHECK_BUS(try_write(p + P, 1), p + P);
	CHECK_EQ(uffd_copy(fd, p, data(2), 1, 0, NULL), 0);
	CHECK_EQ(p[5], 2);
	uffd_quiet(fd);
	exact = uffd_open(UFFDX_EXACT_ADDRESS | UFFDX_POISON, 0);
	uffd_register(exact, q, 4, UFFDX_REGISTER_MISSING);
	touch_start(&t, q + 123, false, 0);
	uffd_expect(exact, q + 123, 0);
	CHECK_EQ(uffd_poison(exact, q, 1, 0, &done), 0);
	CHECK_EQ(done, P);
	CHECK(touch_done(&t, 10000));
	CHECK_EQ(pthread_join(t.thread, NULL), 0);
	CHECK_FAULT(t.fault, SIGBUS, 4 /* BUS_MCEERR_AR */, q + 123);
	CHECK_FAULT(try_write(q, 1), SIGBUS, 4, q);
	CHECK_EQ(uffd_poison(exact, q, 1, 0, &done), EEXIST);
	CHECK_EQ(done, -EEXIST);
	CHECK_EQ(uffd_zero(exact, q, 1, 0, NULL), EEXIST);
	CHECK_EQ(uffd_poison(exact, q + P, 1, 2, &done), EINVAL);
	CHECK_OK(madvise(q, P, MADV_DONTNEED)); /* gone with its contents */
	CHECK_EQ(uffd_zero(exact, q, 1, 0, NULL), 0);
	CHECK_EQ(q[0], 0);
}

/* -- many ---------------------------------------------------------------------------------------------------------------------- */

#define CREW 3
#define PAGES 256

static void copy_stamp(int fd, const struct uffdx_msg *msg, void *ctx)
{
	u8 *base = ctx, *page = (u8 *)(uintptr_t)msg->pagefault.address;
	static _Thread_local u32 stamp[1024];

	for (size_t i = 0; i < 1024; i++)
		stamp[i] = (u32)((size_t)(page - base) / P);
	CHECK_EQ(msg->event, UFFDX_MSG_PAGEFAULT);
	switch (uffd_copy(fd, page, stamp, 1, 0, NULL)) {
	case EEXIST:
		uffd_wake(fd, page, 1); /* another thread asked for the same */
	case 0:
		break;
	default:
		FAIL("copy: errno %d", errno);
	}
}

struct many {
	u8 *p;
	u64 end;
};

static void touch_all(unsigned me, void *arg)
{
	struct many *m = arg;
	u32 rng = suite_seed() + me * 31 + 7;

	for (u64 round = 0; race_on(m->end, round); round++) {
		size_t page = rnd(&rng) % PAGES;

		if (rnd(&rng) % 8 == 0)
			CHECK_OK(madvise(m->p + page * P, P, MADV_DONTNEED));
		else
			CHECK_EQ(((volatile u32 *)(m->p + page * P))[rnd(&rng) % 1024], page);
	}
}

TEST(t2_many, "T2-24 storm: threads touch and drop, one answers; nobody is forgotten")
{
	struct many m = {.p = map_anon(PAGES, RW), .end = race_end(1500)};
	int fd = uffd_open(0, 0);
	struct answerer a;

	uffd_register(fd, m.p, PAGES, UFFDX_REGISTER_MISSING);
	answer_start(&a, fd, copy_stamp, m.p);
	crew_run(CREW, touch_all, &m);
	answer_stop(&a);
	test_note("%llu faults answered", (unsigned long long)a.count);
	CHECK_OP(a.count, >, 0);
}
