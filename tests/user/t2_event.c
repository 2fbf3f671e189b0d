/*
 * t2_event.c - changes of the layout that who answers has to hear of: T2-22, T2-33.
 */
#define _GNU_SOURCE
#include "t2.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 8
#define EVENTS (UFFDX_EVENT_FORK | UFFDX_EVENT_REMAP | UFFDX_EVENT_REMOVE | UFFDX_EVENT_UNMAP)

static int fd;
static u8 *p;

/* A thread that changes the layout, and has to wait until we have read of it. */
struct changer {
	void (*fn)(void *arg);
	void *arg;
	unsigned done;
	pthread_t thread;
};

static void *change_main(void *arg)
{
	struct changer *c = arg;

	c->fn(c->arg);
	STORE(c->done, 1u);
	return NULL;
}

static void change(struct changer *c, void (*fn)(void *arg), void *arg)
{
	*c = (struct changer){.fn = fn, .arg = arg};
	CHECK_EQ(pthread_create(&c->thread, NULL, change_main, c), 0);
}

static struct uffdx_msg event(u8 which)
{
	struct uffdx_msg msg = uffd_message(fd);

	CHECK_EQ(msg.event, which);
	return msg;
}

static void end(struct changer *c)
{
	CHECK_EQ(pthread_join(c->thread, NULL), 0);
	uffd_quiet(fd);
}

static void registered(u64 features)
{
	fd = uffd_open(features, O_NONBLOCK);
	p = map_anon(N, RW);
	uffd_register(fd, p, N, UFFDX_REGISTER_MISSING);
}

static void do_unmap(void *arg)
{
	CHECK_OK(munmap(arg, 2 * P));
}

static void do_drop(void *arg)
{
	CHECK_OK(madvise(arg, 2 * P, MADV_DONTNEED));
}

static void do_remap(void *arg)
{
	CHECK(mremap(p, N * P, N * P, MREMAP_MAYMOVE | MREMAP_FIXED, arg) == arg);
}

TEST(t2_events, "T2-33 REMOVE, UNMAP, REMAP: the caller waits, answers are EAGAIN until the event is read")
{
	struct uffdx_msg msg;
	struct changer c;
	int64_t done;
	u8 *to;

	registered(EVENTS);
	CHECK_EQ(uffd_zero(fd, p, 4, 0, NULL), 0);
	change(&c, do_drop, p + P);
	for (int i = 0; i < 2000 && uffd_zero(fd, p + 6 * P, 1, 0, &done) != EAGAIN; i++)
		sleep_ms(1);
	CHECK_EQ(uffd_zero(fd, p + 7 * P, 1, 0, &done), EAGAIN);
	CHECK_EQ(done, -EAGAIN);
	CHECK_EQ(uffd_protect(fd, p, 1, 0), EAGAIN);
	CHECK(!LOAD(c.done));
	msg = event(UFFDX_MSG_REMOVE);
	CHECK_EQ(msg.remove.start, (uintptr_t)(p + P));
	CHECK_EQ(msg.remove.end, (uintptr_t)(p + 3 * P));
	end(&c);
	CHECK_EQ(resident(p + P), 0);
	CHECK_EQ(uffd_zero(fd, p + P, 1, 0, &done), 0);
	change(&c, do_unmap, p + 6 * P);
	msg = event(UFFDX_MSG_UNMAP);
	CHECK_EQ(msg.remove.start, (uintptr_t)(p + 6 * P));
	CHECK_EQ(msg.remove.end, (uintptr_t)(p + 8 * P));
	end(&c);
	CHECK(mmap(p + 6 * P, 2 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 6 * P);
	uffd_register(fd, p, N, UFFDX_REGISTER_MISSING);
	to = map_anon(N, RW);
	CHECK_OK(munmap(to, N * P));
	change(&c, do_remap, to);
	msg = event(UFFDX_MSG_REMAP);
	CHECK_EQ(msg.remap.from, (uintptr_t)p);
	CHECK_EQ(msg.remap.to, (uintptr_t)to);
	CHECK_EQ(msg.remap.len, N * P);
	msg = event(UFFDX_MSG_UNMAP);
	CHECK_EQ(msg.remove.start, (uintptr_t)p);
	end(&c);
	CHECK_EQ(uffd_zero(fd, to + 5 * P, 1, 0, &done), 0); /* registered where it is now */
}

TEST(t2_no_events, "T2-33 nobody wants to know: nothing waits, and what moved is registered no more")
{
	u8 *to = map_anon(N, RW);

	registered(0);
	CHECK_OK(munmap(to, N * P));
	do_drop(p);
	do_unmap(p + 6 * P);
	CHECK(mremap(p, 6 * P, 6 * P, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	to[0] = 1;
	CHECK_EQ(uffd_zero(fd, to + P, 1, 0, NULL), ENOENT);
	uffd_quiet(fd);
}

static void child_of(void *arg, unsigned long flags)
{
	pid_t pid = (pid_t)CHECK_OK(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));

	if (pid == 0) {
		CHECK_EQ(p[0], 1); /* the parent's */
		CHECK_EQ(p[P], 42);
		_exit(7);
	}
	*(pid_t *)arg = pid;
}

static void do_fork(void *arg)
{
	child_of(arg, 0);
}

/* The child has no reference of its own on the file: who closes it closes it for both. */
static void do_fork_sharing(void *arg)
{
	child_of(arg, CLONE_FILES);
}

TEST(t2_fork_event, "T2-33 FORK: the child's faults come by a descriptor of their own; X-08: else it is not registered")
{
	u8 page[4096] = {42};
	struct uffdx_msg msg;
	struct changer c;
	pid_t pid = 0;
	int status, child;

	registered(EVENTS);
	page[0] = 1;
	CHECK_EQ(uffd_copy(fd, p, page, 1, 0, NULL), 0);
	change(&c, do_fork, &pid);
	msg = event(UFFDX_MSG_FORK);
	end(&c);
	child = (int)msg.fork.ufd;
	uffd_expect(child, p + P, 0);
	page[0] = 42;
	CHECK_EQ(uffd_copy(child, p + P, page, 1, 0, NULL), 0); /* into the child's memory */
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK_EQ(resident(p + P), 0);
	CHECK_EQ(uffd_copy(child, p + 2 * P, page, 1, 0, NULL), ESRCH); /* it has ended */
	uffd_quiet(child);
	CHECK_OK(close(child));
}

TEST(t2_fork_unread, "T2-33 FORK: nobody reads of it, the context is closed: the child is not registered")
{
	struct changer c;
	pid_t pid = 0;

	registered(EVENTS);
	p = map_anon(2, RW); /* not registered: the child must not wait */
	p[0] = 1;
	p[P] = 42;
	change(&c, do_fork_sharing, &pid);
	sleep_ms(50);
	CHECK(!LOAD(c.done));
	CHECK_OK(close(fd));
	CHECK_EQ(pthread_join(c.thread, NULL), 0);
	join_exit(pid, 7);
}

/* -- T2-22 ----------------------------------------------------------------------------------------------------------- */

TEST(t2_changing, "T2-22 MOVE while an event is unread: EAGAIN; afterwards as things are")
{
	struct changer c;
	int64_t done;
	u8 *src;

	registered(EVENTS | UFFDX_MOVE);
	src = map_anon(N, RW);
	set_tag(src, 0, 3);
	set_tag(src, 7, 4);
	change(&c, do_unmap, p + 6 * P);
	for (int i = 0; i < 2000 && uffd_move(fd, p, src + P, 1, 0, &done) != EAGAIN; i++)
		sleep_ms(1);
	CHECK_EQ(uffd_move(fd, p, src, 1, 0, &done), EAGAIN);
	CHECK_EQ(done, -EAGAIN);
	CHECK_EQ(tag(src, 0), 3);
	event(UFFDX_MSG_UNMAP);
	end(&c);
	CHECK_EQ(uffd_move(fd, p + 7 * P, src + 7 * P, 1, 0, &done), ENOENT);
	CHECK_EQ(uffd_move(fd, p, src, 1, 0, &done), 0);
	CHECK_EQ(tag(p, 0), 3);
}
