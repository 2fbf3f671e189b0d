/*
 * thread_futex.c - futex(2) and clone3(2) themselves: errors, keys, time limits; robust mutexes.
 */
#define _GNU_SOURCE
#include "threads.h"

#include <linux/futex.h>
#include <sys/wait.h>

/* -- the calls themselves -------------------------------------------------------------------------------------------- */

TEST(futex_errno, "futex.errno")
{
	u32 *ro = (u32 *)map_anon(1, PROT_READ), word = 5;
	struct timespec ts = {0, 1000000}, bad = {0, 1000000000};
	int p = FUTEX_PRIVATE_FLAG;

	CHECK_ERRNO(futex(&word, FUTEX_WAIT | p, 4, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT | p, 5, &ts, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 5, &ts, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 5, &ts, NULL, 1), ETIMEDOUT); /* absolute: long ago */
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 5, &ts, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 5, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 5, BAD, NULL, 0), EFAULT);
	CHECK_ERRNO(futex((u32 *)((u8 *)&word + 1), FUTEX_WAIT, 5, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(BAD, FUTEX_WAIT | p, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(BAD, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_EQ(futex(ro, FUTEX_WAKE | p, 1, NULL, NULL, 0), 0);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE | p, 1, (void *)1, &word, 4), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE | p, 1, (void *)1, BAD + 1, 5), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_REQUEUE | p, -1, (void *)1, &word, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
	CHECK_ERRNO(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, ro, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)), EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &word, 7u << 28), ENOSYS);
}

TEST(futex_wake_op, "futex.WAKE_OP changes the second word")
{
	static const struct {
		u32 code, before, after;
	} cases[] = {
		{FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 0), 1, 7},
		{FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_LT, 0), 10, 9},
		{FUTEX_OP(FUTEX_OP_OR, 6, FUTEX_OP_CMP_NE, 0), 1, 7},
		{FUTEX_OP(FUTEX_OP_ANDN, 6, FUTEX_OP_CMP_GT, 0), 15, 9},
		{FUTEX_OP(FUTEX_OP_XOR, 3, FUTEX_OP_CMP_LE, 0), 1, 2},
		{FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 20, FUTEX_OP_CMP_GE, 0), 1, 0x100001},
	};
	u32 word = 0, second;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		second = cases[i].before;
		CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &second, cases[i].code), 0);
		CHECK_EQ(second, cases[i].after);
	}
}

struct sleeper {
	u32 *word;
	u32 bits;
	int private;
	volatile int tid, done;
};

static void *sleep_on_word(void *arg)
{
	struct sleeper *s = arg;

	s->tid = gettid_();
	while (*(volatile u32 *)s->word == 0 && futex(s->word, FUTEX_WAIT_BITSET | s->private, 0, NULL, NULL, s->bits) < 0)
		if (errno != EINTR)
			break;
	s->done = 1;
	return NULL;
}

static int done_of(struct sleeper *s, int n)
{
	int done = 0;

	settle();
	for (int i = 0; i < n; i++)
		done += s[i].done;
	return done;
}

TEST(futex_bits, "futex.bitset, requeue: who wakes and who moves")
{
	enum { N = 6 };
	static struct sleeper s[N];
	static u32 first, second;
	pthread_t t[N];

	for (int i = 0; i < N; i++) {
		s[i] = (struct sleeper){.word = &first, .bits = 1u << i, .private = FUTEX_PRIVATE_FLAG};
		t[i] = start(sleep_on_word, &s[i]);
	}
	settle();
	CHECK_EQ(futex(&first, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 1u << 20), 0);
	CHECK_EQ(futex(&first, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 1u << 2), 1);
	CHECK_EQ(done_of(s, N), 1);
	CHECK(s[2].done);
	/* one wakes, two move, two stay */
	CHECK_EQ(futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &second, 0), 3);
	CHECK_EQ(done_of(s, N), 2);
	CHECK_EQ(futex(&second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
	CHECK_EQ(done_of(s, N), 4);
	CHECK_EQ(futex(&first, FUTEX_REQUEUE_PRIVATE, 0, (void *)10, &first, 0), 2); /* to itself: nothing moves */
	CHECK_EQ(
		futex(&second, FUTEX_WAKE_OP_PRIVATE, 1, (void *)10, &first, FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)), 2);
	for (int i = 0; i < N; i++)
		finish(t[i]);
	CHECK_EQ(first, 1);
}

/* Two addresses, two processes, and one of the mappings goes while it is waited on. */
TEST(futex_shared, "futex.shared in two mappings, after munmap, and after remap_file_pages")
{
	int fd = tagged_memfd(4);
	u8 *a = map_shared(fd, 4, PROT_READ | PROT_WRITE), *b = map_shared(fd, 4, PROT_READ | PROT_WRITE);
	struct sleeper s = {.word = (u32 *)(a + 2 * P + 64), .bits = ~0u};
	pthread_t t = start(sleep_on_word, &s);
	pid_t pid;

	settle();
	CHECK_EQ(futex((u32 *)(b + 2 * P + 64), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(futex((u32 *)(b + 1 * P + 64), FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_OK(munmap(a + 3 * P, P));
	pid = CHECK_OK(fork());
	if (!pid)
		_exit(futex((u32 *)(b + 2 * P + 64), FUTEX_WAKE, 9, NULL, NULL, 0) == 1 ? 0 : 1);
	join(pid);
	finish(t);
	if (!on_pteron())
		return;
	/* page 2 of the file at the address of page 0 */
	s.done = 0;
	s.word = (u32 *)(a + 64);
	CHECK_OK(rfp(a, P, 0, 2, 0));
	t = start(sleep_on_word, &s);
	settle();
	CHECK_EQ(futex((u32 *)(b + 64), FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(futex((u32 *)(b + 2 * P + 64), FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	finish(t);
}

static void *wake_through(void *arg)
{
	sleep_ms(60);
	*(volatile u32 *)arg = 1;
	futex(arg, FUTEX_WAKE, 1, NULL, NULL, 0);
	return NULL;
}

TEST(futex_unmapped, "futex.unmapped while it is waited on")
{
	int fd = tagged_memfd(1);
	u8 *a = map_shared(fd, 1, PROT_READ | PROT_WRITE), *b = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	struct sleeper s = {.word = (u32 *)(a + 128), .bits = ~0u};
	struct timespec limit = {0, 100 * MS};
	pthread_t t = start(sleep_on_word, &s), w;
	u32 *gone;

	settle();
	munmap(a, P);
	close(fd);
	CHECK_EQ(futex((u32 *)(b + 128), FUTEX_WAKE, 1, NULL, NULL, 0), 1); /* it does not touch the word again */
	finish(t);
	/* and the last mapping of the file */
	gone = (u32 *)(b + 256);
	w = start(wake_through, b + 512);
	CHECK_EQ(futex(gone, FUTEX_WAIT, 0, &limit, NULL, 0), -1);
	finish(w);
	munmap(b, P);
}

static volatile int handled;

static void note_signal(int sig)
{
	(void)sig;
	handled++;
}

/* Stopped and continued: no handler runs, the call is made again, and what is left of its time is what is left. */
TEST(futex_restart, "futex.timeout goes on after a stop; EINTR after a handler")
{
	struct timespec limit = {0, 400 * MS};
	u32 word = 0;
	u64 t0 = now_ns();
	pid_t pid = CHECK_OK(fork()), self = getppid();

	if (!pid) {
		t0 = now_ns();
		CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &limit, NULL, 0), ETIMEDOUT);
		CHECK_BETWEEN(t0, 390, 740);
		_exit(0);
	}
	(void)self;
	for (int i = 0; i < 3; i++) {
		sleep_ms(100);
		kill(pid, SIGSTOP);
		sleep_ms(10);
		kill(pid, SIGCONT);
	}
	join(pid);
	CHECK_BETWEEN(t0, 380, 5000);
	signal(SIGUSR1, note_signal);
	pid = CHECK_OK(fork());
	if (!pid) {
		sleep_ms(50);
		_exit(kill(getppid(), SIGUSR1));
	}
	limit.tv_sec = 10;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &limit, NULL, 0), EINTR);
	join(pid);
}

struct clone3_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup, more;
};

TEST(clone3_args, "clone3.args sizes and errors")
{
	struct clone3_args a = {.exit_signal = SIGCHLD};
	u8 *big = map_anon(2, PROT_READ | PROT_WRITE);
	long pid;

	CHECK_ERRNO(syscall(SYS_clone3, &a, 56), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone3, &a, 4097), E2BIG);
	CHECK_ERRNO(syscall(SYS_clone3, BAD, 64), EFAULT);
	a.more = 1;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof(a)), E2BIG);
	a.more = 0;
	a.exit_signal = 256;
	CHECK_ERRNO(syscall(SYS_clone3, &a, 88), EINVAL);
	a.exit_signal = SIGCHLD;
	a.flags = 0xff;
	CHECK_ERRNO(syscall(SYS_clone3, &a, 88), EINVAL);
	a.flags = 0x10000; /* CLONE_THREAD with an exit signal */
	CHECK_ERRNO(syscall(SYS_clone3, &a, 88), EINVAL);
	a.flags = 0;
	a.stack_size = 4096;
	CHECK_ERRNO(syscall(SYS_clone3, &a, 88), EINVAL);
	a.stack_size = 0;
	memcpy(big, &a, sizeof(a));
	for (size_t size = 64; size <= 4096; size += size < 88 ? 8 : 2004) {
		pid = CHECK_OK(syscall(SYS_clone3, big, size));
		if (!pid)
			_exit(0);
		join((pid_t)pid);
	}
	big[4095] = 1;
	CHECK_ERRNO(syscall(SYS_clone3, big, 4096), E2BIG);
}

/* -- robust mutexes ----------------------------------------------------------------------------------------------------------------- */

static void robust_init(pthread_mutex_t *m, int shared)
{
	pthread_mutexattr_t attr;

	CHECK_PT(pthread_mutexattr_init(&attr));
	CHECK_PT(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	CHECK_PT(pthread_mutexattr_setpshared(&attr, shared));
	CHECK_PT(pthread_mutex_init(m, &attr));
}

static void *lock_and_leave(void *m)
{
	pthread_mutex_lock(m);
	sleep_ms(50);
	return NULL;
}

static void *lock_dead(void *m)
{
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
	CHECK_PT(pthread_mutex_consistent(m));
	CHECK_PT(pthread_mutex_unlock(m));
	return NULL;
}

TEST(thread_robust, "thread.robust mutexes of dead threads, processes, and across exec")
{
	static char *argv[] = {"suite", "-exec", "sleep", NULL};
	struct {
		pthread_mutex_t m[3];
	} *shared = CHECK_OK(mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pthread_mutex_t own;
	pthread_t t;
	pid_t pid;

	robust_init(&own, PTHREAD_PROCESS_PRIVATE);
	t = start(lock_and_leave, &own);
	sleep_ms(20);
	finish(start(lock_dead, &own)); /* waits for it */
	finish(t);
	CHECK_PT(pthread_mutex_lock(&own));

	for (int i = 0; i < 3; i++)
		robust_init(&shared->m[i], PTHREAD_PROCESS_SHARED);
	pid = CHECK_OK(fork());
	if (!pid) {
		for (int i = 0; i < 3; i++)
			pthread_mutex_lock(&shared->m[i]);
		pause();
	}
	sleep_ms(30);
	t = start(lock_dead, &shared->m[0]);
	settle();
	kill(pid, SIGKILL);
	join_signal(pid, SIGKILL);
	finish(t);
	lock_dead(&shared->m[1]);
	CHECK_EQ(pthread_mutex_lock(&shared->m[2]), EOWNERDEAD);
	CHECK_PT(pthread_mutex_unlock(&shared->m[2])); /* not made consistent: lost for good */
	CHECK_EQ(pthread_mutex_lock(&shared->m[2]), ENOTRECOVERABLE);

	pid = CHECK_OK(fork());
	if (!pid) {
		pthread_mutex_lock(&shared->m[0]);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	sleep_ms(30);
	lock_dead(&shared->m[0]);
	kill(pid, SIGKILL);
	join_signal(pid, SIGKILL);
}

/* A hostile list: the exit must end, whatever it is. */
TEST(thread_robust_bad, "thread.robust lists that are circles and rubbish")
{
	struct {
		void *next;
		long offset;
		void *pending;
	} *head = (void *)map_anon(1, PROT_READ | PROT_WRITE);
	void *lists[] = {head, &head->pending, BAD, (void *)-8, (void *)1};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		pid_t pid = CHECK_OK(fork());

		if (!pid) {
			head->next = lists[i];
			head->pending = lists[i];
			*(void **)&head->pending = &head->pending; /* points to itself */
			head->offset = (long)i;
			CHECK_OK(syscall(SYS_set_robust_list, head, sizeof(*head)));
			syscall(SYS_exit, 0);
		}
		join(pid);
	}
	CHECK_ERRNO(syscall(SYS_set_robust_list, head, 1), EINVAL);
}
