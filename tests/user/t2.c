/*
 * t2.c - see t2.h.
 */
#define _GNU_SOURCE
#include "t2.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

int uffd_try(int flags)
{
	return (int)syscall(SYS_userfaultfd, flags);
}

int uffd_handshake(int fd, u64 features)
{
	struct uffdx_api api = {.api = UFFDX_API_VERSION, .features = features};

	return ioctl(fd, UFFDX_IOC_API, &api) ? errno : 0;
}

int uffd_open(u64 features, int flags)
{
	int fd = uffd_try(flags);

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		SKIP("no userfaultfd");
	CHECK_OK(fd);
	if (uffd_handshake(fd, features))
		SKIP("this kernel lacks the features");
	return fd;
}

u64 uffd_register(int fd, const volatile void *p, size_t pages, u64 mode)
{
	struct uffdx_register r = {.range = {(uintptr_t)p, pages * P}, .mode = mode};

	CHECK_OK(ioctl(fd, UFFDX_IOC_REGISTER, &r));
	return r.ioctls;
}

void uffd_unregister(int fd, const volatile void *p, size_t pages)
{
	struct uffdx_range r = {(uintptr_t)p, pages * P};

	CHECK_OK(ioctl(fd, UFFDX_IOC_UNREGISTER, &r));
}

void uffd_wake(int fd, const volatile void *p, size_t pages)
{
	struct uffdx_range r = {(uintptr_t)p, pages * P};

	CHECK_OK(ioctl(fd, UFFDX_IOC_WAKE, &r));
}

/* -- answers ---------------------------------------------------------------------------------------------------- */

static int request(int fd, unsigned long cmd, void *arg, const int64_t *result, int64_t *done)
{
	int err = ioctl(fd, cmd, arg) ? errno : 0;

	if (done)
		*done = *result;
	return err;
}

int uffd_copy(int fd, volatile void *dst, const volatile void *src, size_t pages, u64 mode, int64_t *done)
{
	struct uffdx_copy c = {(uintptr_t)dst, (uintptr_t)src, pages * P, mode, 77};

	return request(fd, UFFDX_IOC_COPY, &c, &c.copy, done);
}

int uffd_zero(int fd, volatile void *p, size_t pages, u64 mode, int64_t *done)
{
	struct uffdx_zeropage z = {{(uintptr_t)p, pages * P}, mode, 77};

	return request(fd, UFFDX_IOC_ZEROPAGE, &z, &z.zeropage, done);
}

int uffd_move(int fd, volatile void *dst, volatile void *src, size_t pages, u64 mode, int64_t *done)
{
	struct uffdx_move m = {(uintptr_t)dst, (uintptr_t)src, pages * P, mode, 77};

	return request(fd, UFFDX_IOC_MOVE, &m, &m.move, done);
}

int uffd_continue(int fd, volatile void *p, size_t pages, u64 mode, int64_t *done)
{
	struct uffdx_continue c = {{(uintptr_t)p, pages * P}, mode, 77};

	return request(fd, UFFDX_IOC_CONTINUE, &c, &c.mapped, done);
}

int uffd_poison(int fd, volatile void *p, size_t pages, u64 mode, int64_t *done)
{
	struct uffdx_poison c = {{(uintptr_t)p, pages * P}, mode, 77};

	return request(fd, UFFDX_IOC_POISON, &c, &c.updated, done);
}

int uffd_protect(int fd, volatile void *p, size_t pages, u64 mode)
{
	struct uffdx_writeprotect w = {{(uintptr_t)p, pages * P}, mode};

	return ioctl(fd, UFFDX_IOC_WRITEPROTECT, &w) ? errno : 0;
}

/* -- messages ------------------------------------------------------------------------------------------------------ */

struct uffdx_msg uffd_message(int fd)
{
	struct uffdx_msg msg;
	ssize_t n;

	for (u64 end = now_ns() + 10000000000ull; now_ns() < end;) {
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		n = read(fd, &msg, sizeof(msg));
		if (n == (ssize_t)sizeof(msg))
			return msg;
		CHECK(n == -1 && errno == EAGAIN);
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 100);
	}
	FAIL("no message");
}

void uffd_expect(int fd, const volatile void *p, u64 flags)
{
	struct uffdx_msg msg = uffd_message(fd);

	CHECK_EQ(msg.event, UFFDX_MSG_PAGEFAULT);
	CHECK_EQ(msg.pagefault.address, (uintptr_t)p);
	CHECK_EQ(msg.pagefault.flags, flags);
}

void uffd_quiet(int fd)
{
	struct uffdx_msg msg;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	CHECK_ERRNO(read(fd, &msg, sizeof(msg)), EAGAIN);
}

/* -- threads ---------------------------------------------------------------------------------------------------------- */

static void touch(void *arg)
{
	struct toucher *t = arg;

	if (t->write)
		*t->at = t->value;
	else
		t->value = *t->at;
}

static void *touch_main(void *arg)
{
	struct toucher *t = arg;

	STORE(t->tid, tid_now());
	t->fault = try_call(touch, t);
	STORE(t->done, 1u);
	return NULL;
}

void touch_start(struct toucher *t, volatile void *at, bool write, u8 value)
{
	*t = (struct toucher){.at = at, .write = write, .value = value};
	CHECK_NOFAULT(try_read(t)); /* the handlers are there before the thread */
	CHECK_EQ(pthread_create(&t->thread, NULL, touch_main, t), 0);
}

bool touch_done(const struct toucher *t, unsigned ms)
{
	for (u64 end = now_ns() + ms * 1000000ull; !LOAD(t->done);) {
		if (now_ns() >= end)
			return false;
		sleep_ms(1);
	}
	return true;
}

u8 touch_end(struct toucher *t)
{
	CHECK(touch_done(t, 20000));
	CHECK_EQ(pthread_join(t->thread, NULL), 0);
	CHECK_NOFAULT(t->fault);
	return t->value;
}

static void *answer_main(void *arg)
{
	struct answerer *a = arg;
	struct uffdx_msg msg;

	while (!LOAD(a->stop)) {
		ssize_t n = read(a->fd, &msg, sizeof(msg));

		if (n == (ssize_t)sizeof(msg)) {
			a->answer(a->fd, &msg, a->ctx);
			ADD(a->count, 1);
		} else {
			CHECK(n == -1 && errno == EAGAIN);
			poll(&(struct pollfd){.fd = a->fd, .events = POLLIN}, 1, 20);
		}
	}
	return NULL;
}

void answer_start(struct answerer *a, int fd, void (*answer)(int fd, const struct uffdx_msg *msg, void *ctx), void *ctx)
{
	*a = (struct answerer){.fd = fd, .answer = answer, .ctx = ctx};
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	CHECK_EQ(pthread_create(&a->thread, NULL, answer_main, a), 0);
}

void answer_stop(struct answerer *a)
{
	STORE(a->stop, 1u);
	CHECK_EQ(pthread_join(a->thread, NULL), 0);
}
