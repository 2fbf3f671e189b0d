/*
 * storm.c - many threads at the same things: names in the same directories, mounts, descriptors, pipes, processes,
 * signals.  Each storm blows for two seconds from a seed that it prints; what is left must add up.
 */
#define _GNU_SOURCE
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORM_MS 2000
#define THREADS 6

static volatile int over;
static u32 storm_seed;
static const char *where;

/* Run fn(number) in THREADS threads for the time of a storm. */
static void storm(void *(*fn)(void *), unsigned ms)
{
	pthread_t t[THREADS];

	over = 0;
	storm_seed = (u32)now_ns() | 1;
	test_note("seed %u", storm_seed);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, fn, (void *)i), 0);
	for (u64 end = now_ns() + ms * 1000000ull; now_ns() < end;) /* a storm of signals would stretch one long sleep */
		usleep(1000);
	over = 1;
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
}

static u32 seed_of(void *arg)
{
	return storm_seed * 2654435761u + (u32)(uintptr_t)arg * 40503u + 1;
}

/* Others are at it: these answers are as good as success. */
static void allow(const char *what, long r, const int *errors)
{
	int e = errno;

	if (r >= 0)
		return;
	for (; *errors; errors++)
		if (e == *errors)
			return;
	FAIL("%s: errno %d %s", what, e, strerror(e));
}

#define ALLOW(call, ...)                  \
	({                                    \
		long r_ = (long)(call);           \
		int errors_[] = {__VA_ARGS__, 0}; \
		allow(#call, r_, errors_);        \
		r_;                               \
	})

/* -- names ---------------------------------------------------------------------------------------------------------- */

enum { DIRS = 3, NAMES = 5 };

static void random_name(char path[256], u32 *rng)
{
	int n = snprintf(path, 256, "%s/d%u", where, rnd(rng) % DIRS);

	if (rnd(rng) % 4 == 0) /* deeper: in what may be a directory just now */
		n += snprintf(path + n, 256 - (size_t)n, "/n%u", rnd(rng) % NAMES);
	snprintf(path + n, 256 - (size_t)n, "/n%u", rnd(rng) % NAMES);
}

#define NAME_ERRORS ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, ELOOP, EROFS

static void write_and_check(const char *path, u32 *rng)
{
	int fd = (int)ALLOW(open(path, O_RDWR | O_CREAT | (rnd(rng) % 2 ? O_TRUNC : 0), 0600), NAME_ERRORS, ENXIO);
	u64 value = rnd(rng), got[2];
	ssize_t n;

	if (fd < 0)
		return;
	if (ALLOW(pwrite(fd, &value, sizeof(value), 8), EROFS) == sizeof(value)) {
		n = CHECK_OK(pread(fd, got, sizeof(got), 0));
		CHECK(n == 16 || n == 0 || n == 8); /* others truncate it */
		if (n == 16)
			CHECK(got[0] == 0);
	}
	if (rnd(rng) % 4 == 0)
		ALLOW(ftruncate(fd, (off_t)(rnd(rng) % 9000)), EROFS), ALLOW(ftruncate(fd, 0), EROFS);
	close(fd);
}

static void list(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	if (!d)
		return;
	while ((e = readdir(d)))
		CHECK(e->d_name[0] == 'n' || e->d_name[0] == '.');
	(void)n;
	closedir(d);
}

static void change_names(u32 *rng)
{
	char a[256], b[256];
	struct stat st;

	random_name(a, rng);
	random_name(b, rng);
	switch (rnd(rng) % 10) {
	case 0:
	case 1:
		write_and_check(a, rng);
		break;
	case 2:
		ALLOW(mkdir(a, 0700), NAME_ERRORS);
		break;
	case 3:
		ALLOW(rmdir(a), NAME_ERRORS);
		break;
	case 4:
		ALLOW(unlink(a), NAME_ERRORS);
		break;
	case 5:
	case 6:
		ALLOW(rename(a, b), NAME_ERRORS, EINVAL, EBUSY);
		break;
	case 7:
		ALLOW(link(a, b), NAME_ERRORS, EPERM);
		break;
	case 8:
		if (rnd(rng) % 4)
			ALLOW(symlink(a, b), NAME_ERRORS);
		else
			list(a);
		break;
	default:
		if (ALLOW(lstat(a, &st), NAME_ERRORS) == 0)
			CHECK(st.st_nlink < 1000);
	}
}

static void *storm_of_names(void *arg)
{
	u32 rng = seed_of(arg);

	while (!over)
		change_names(&rng);
	return NULL;
}

static void remove_below(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];
	struct stat st;

	CHECK(d != NULL);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		CHECK_OK(lstat(path, &st));
		if (S_ISDIR(st.st_mode)) {
			remove_below(path);
			CHECK_OK(rmdir(path));
		} else {
			CHECK_OK(unlink(path));
		}
	}
	closedir(d);
	CHECK_OK(stat(dir, &st));
	CHECK_EQ(st.st_nlink, 2);
}

static void names_on(const char *dir)
{
	struct statfs before, after;
	char path[256];

	where = dir;
	sync();
	CHECK_OK(statfs(dir, &before));
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "%s/d%d", dir, i);
		CHECK_OK(mkdir(path, 0700));
	}
	storm(storm_of_names, STORM_MS);
	remove_below(dir);
	for (int i = 0; i < 100; i++) { /* the flusher may hold the last reference to a file for a moment */
		CHECK_OK(statfs(dir, &after));
		if (before.f_ffree == after.f_ffree && before.f_bfree == after.f_bfree)
			return;
		sync();
		sleep_ms(10);
	}
	if (after.f_type == 0xEF53 && on_pteron())
		FAIL("free blocks %ld -> %ld, inodes %ld -> %ld", (long)before.f_bfree, (long)after.f_bfree,
		     (long)before.f_ffree, (long)after.f_ffree);
}

TEST(storm_tmp, "storm.names on tmpfs")
{
	names_on(tmp_dir());
}

TEST(storm_disk, "storm.names on a disk")
{
	names_on(disk_dir());
}

/* -- mounts ----------------------------------------------------------------------------------------------------------- */

static void *storm_of_mounts(void *arg)
{
	u32 rng = seed_of(arg);
	char a[256], b[300];

	while (!over) {
		snprintf(a, sizeof(a), "%s/d%u", where, rnd(&rng) % DIRS);
		snprintf(b, sizeof(b), "%s/n%u", a, rnd(&rng) % NAMES);
		switch (rnd(&rng) % 8) {
		case 0:
			ALLOW(mount("none", a, "tmpfs", 0, NULL), ENOENT, EBUSY, ENOTDIR);
			break;
		case 1:
			ALLOW(umount(a), ENOENT, EBUSY, EINVAL);
			break;
		case 2:
			ALLOW(rmdir(a), ENOENT, EBUSY, ENOTEMPTY);
			break;
		case 3:
			ALLOW(mkdir(a, 0700), EEXIST);
			break;
		default:
			write_and_check(b, &rng);
			unlink(b);
		}
	}
	return NULL;
}

TEST(storm_mounts, "storm.mounts come and go under those who walk through")
{
	char path[256];

	where = tmp_dir();
	snprintf(path, sizeof(path), "%s/try", where);
	CHECK_OK(mkdir(path, 0700));
	if (mount("none", path, "tmpfs", 0, NULL))
		SKIP("may not mount");
	CHECK_OK(umount(path));
	CHECK_OK(rmdir(path));
	storm(storm_of_mounts, STORM_MS);
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "%s/d%d", where, i);
		while (umount(path) == 0)
			;
	}
	remove_below(where);
}

static void *storm_of_remounts(void *arg)
{
	u32 rng = seed_of(arg);

	while (!over) {
		if ((uintptr_t)arg) {
			change_names(&rng);
			continue;
		}
		ALLOW(mount("none", "/", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
		CHECK_OK(mount("none", "/", NULL, MS_REMOUNT, NULL));
		sleep_ms(1 + rnd(&rng) % 20);
	}
	return NULL;
}

TEST(storm_remount, "storm.remount read-only and back under writers")
{
	char path[256];

	PTERON_ONLY();
	where = disk_dir();
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "%s/d%d", where, i);
		CHECK_OK(mkdir(path, 0700));
	}
	storm(storm_of_remounts, STORM_MS);
	remove_below(where);
}

/* -- descriptors -------------------------------------------------------------------------------------------------------- */

enum { FD_LOW = 50, FD_COUNT = 8 };

static void *storm_of_fds(void *arg)
{
	u32 rng = seed_of(arg);
	char buf[64], path[256];

	while (!over) {
		int fd = FD_LOW + (int)(rnd(&rng) % FD_COUNT), new;
		struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLOUT};

		switch (rnd(&rng) % 8) {
		case 0:
			snprintf(path, sizeof(path), "%s/f%u", where, rnd(&rng) % 3);
			new = CHECK_OK(open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0600));
			ALLOW(dup2(new, fd), EBUSY);
			CHECK_OK(close(new));
			break;
		case 1: {
			int ends[2];

			CHECK_OK(pipe2(ends, O_NONBLOCK));
			ALLOW(dup2(ends[0], fd), EBUSY);
			ALLOW(dup2(ends[1], FD_LOW + (int)(rnd(&rng) % FD_COUNT)), EBUSY);
			CHECK_OK(close(ends[0]));
			CHECK_OK(close(ends[1]));
			break;
		}
		case 2:
			ALLOW(close(fd), EBADF);
			break;
		case 3:
			ALLOW(read(fd, buf, sizeof(buf)), EBADF, EAGAIN);
			break;
		case 4:
			ALLOW(write(fd, buf, sizeof(buf)), EBADF, EAGAIN, EPIPE);
			break;
		case 5:
			ALLOW(poll(&pfd, 1, 0), EINTR);
			break;
		case 6:
			ALLOW(fcntl(fd, F_SETFL, O_NONBLOCK | (rnd(&rng) % 2 ? O_APPEND : 0)), EBADF);
			break;
		default:
			new = (int)ALLOW(fcntl(fd, F_DUPFD_CLOEXEC, 70), EBADF);
			if (new >= 0)
				CHECK_OK(close(new));
		}
	}
	return NULL;
}

TEST(storm_fds, "storm.descriptors shared by threads")
{
	where = tmp_dir();
	signal(SIGPIPE, SIG_IGN);
	storm(storm_of_fds, STORM_MS);
}

/* -- pipes ---------------------------------------------------------------------------------------------------------------- */

static int ends[2];
static u64 sum_in, sum_out;

/* Half of them write, half read; pieces of one size arrive whole. */
static void *storm_of_pipes(void *arg)
{
	u32 rng = seed_of(arg), block[16];
	u64 sum = 0;
	ssize_t n;

	if ((uintptr_t)arg % 2) {
		while ((n = CHECK_OK(read(ends[0], block, sizeof(block)))) > 0) {
			CHECK_EQ(n, sizeof(block));
			for (int i = 0; i < 16; i++) {
				CHECK_EQ(block[i], block[0] + (u32)i);
				sum += block[i];
			}
		}
		__atomic_fetch_add(&sum_out, sum, __ATOMIC_SEQ_CST);
		return NULL;
	}
	while (!over) {
		for (u32 i = 0, first = rnd(&rng); i < 16; i++)
			sum += block[i] = first + i;
		CHECK_EQ(write(ends[1], block, sizeof(block)), sizeof(block));
	}
	__atomic_fetch_add(&sum_in, sum, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 16; i++)
		block[i] = (u32)i;
	return NULL;
}

static void *close_when_over(void *arg)
{
	while (!over)
		sleep_ms(5);
	sleep_ms(100); /* the writers have noticed */
	close(ends[1]);
	return arg;
}

TEST(storm_pipes, "storm.pipe with many ends: nothing lost, nothing torn")
{
	pthread_t closer;

	CHECK_OK(pipe(ends));
	CHECK_EQ(pthread_create(&closer, NULL, close_when_over, NULL), 0);
	storm(storm_of_pipes, STORM_MS);
	pthread_join(closer, NULL);
	CHECK(sum_in == sum_out);
}

/* Both ends close at once: whoever is last frees the pipe. */
static void *close_end(void *fd)
{
	close((int)(uintptr_t)fd);
	return NULL;
}

TEST(storm_close, "storm.pipe ends that close together")
{
	for (int i = 0; i < 1500; i++) {
		pthread_t t;
		int two[2];

		CHECK_OK(pipe(two));
		CHECK_EQ(pthread_create(&t, NULL, close_end, (void *)(uintptr_t)two[i % 2]), 0);
		close(two[!(i % 2)]);
		pthread_join(t, NULL);
	}
}

/* -- processes ---------------------------------------------------------------------------------------------------------------- */

static char *const exec_argv[] = {"suite", "-exec", "count", NULL};

static void *storm_of_processes(void *arg)
{
	u32 rng = seed_of(arg);

	while (!over) {
		u32 kind = rnd(&rng) % 4;
		pid_t pid = CHECK_OK(kind == 3 ? vfork() : fork());
		int status;

		if (!pid) {
			if (kind == 2 || kind == 3)
				execv("/proc/self/exe", exec_argv);
			if (kind == 1)
				pause();
			_exit(5);
		}
		if (kind == 1)
			CHECK_OK(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (kind == 1)
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		else
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (kind ? 3 : 5));
	}
	return NULL;
}

TEST(storm_processes, "storm.processes: fork, vfork, exec, kill, wait")
{
	storm(storm_of_processes, STORM_MS);
	CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
}

/* -- signals ------------------------------------------------------------------------------------------------------------------- */

static u32 taken, sent;

static void on_queued(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	__atomic_fetch_add(&taken, (u32)info->si_value.sival_int, __ATOMIC_SEQ_CST);
}

static void *storm_of_signals(void *arg)
{
	u32 rng = seed_of(arg);
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	while (!over) {
		union sigval v = {.sival_int = (int)(rnd(&rng) % 100)};

		switch (rnd(&rng) % 4) {
		case 0: /* what was sent to us goes to others, or waits */
			pthread_sigmask(SIG_BLOCK, &set, &old);
			sched_yield();
			pthread_sigmask(SIG_SETMASK, &old, NULL);
			break;
		case 1:
			kill(getpid(), SIGUSR1);
			break;
		default:
			if (ALLOW(sigqueue(getpid(), SIGRTMIN + 1, v), EAGAIN) == 0)
				__atomic_fetch_add(&sent, (u32)v.sival_int, __ATOMIC_SEQ_CST);
		}
	}
	return NULL;
}

static void ignore(int sig)
{
	(void)sig;
}

TEST(storm_signals, "storm.signals: every queued one arrives once")
{
	struct sigaction sa = {.sa_sigaction = on_queued, .sa_flags = SA_SIGINFO | SA_RESTART};

	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){200, 200}));
	signal(SIGUSR1, ignore);
	CHECK_OK(sigaction(SIGRTMIN + 1, &sa, NULL));
	storm(storm_of_signals, STORM_MS);
	for (int i = 0; i < 200 && taken != sent; i++)
		sleep_ms(10);
	CHECK_EQ(taken, sent);
}

/* -- seals ----------------------------------------------------------------------------------------------------------------------- */

static int sealed_fd;
static volatile int go;
static void *mapping;

static void *map_it(void *arg)
{
	while (!go)
		sched_yield();
	mapping = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED, sealed_fd, 0);
	return arg;
}

TEST(storm_seals, "storm.seals against mmap: one of them is too late")
{
	for (int i = 0; i < 300; i++) {
		pthread_t t;
		int r;

		sealed_fd = CHECK_OK(memfd_create("seal", MFD_ALLOW_SEALING));
		CHECK_OK(ftruncate(sealed_fd, P));
		go = 0;
		CHECK_EQ(pthread_create(&t, NULL, map_it, NULL), 0);
		if (i % 2)
			sched_yield();
		go = 1;
		r = (int)ALLOW(fcntl(sealed_fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
		pthread_join(t, NULL);
		CHECK(r != 0 || mapping == MAP_FAILED);
		if (mapping != MAP_FAILED)
			CHECK_OK(munmap(mapping, P));
		close(sealed_fd);
	}
}
