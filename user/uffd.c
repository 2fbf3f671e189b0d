/*
 * uffd.c - see uffd.h.
 */
#define _GNU_SOURCE
#include "user/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int uffd_new(unsigned features)
{
	struct uffdx_api api = {.api = UFFDX_API_VERSION, .features = features};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFDX_USER_MODE_ONLY);

	if (fd >= 0 && ioctl(fd, UFFDX_IOC_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool uffd_add(int fd, void *p, size_t len)
{
	struct uffdx_register r = {.range = {(uintptr_t)p, len}, .mode = UFFDX_REGISTER_MISSING};

	return !ioctl(fd, UFFDX_IOC_REGISTER, &r);
}

int uffd_put_copy(int fd, void *dst, const void *src, size_t len)
{
	struct uffdx_copy c = {(uintptr_t)dst, (uintptr_t)src, len, 0, 0};

	return ioctl(fd, UFFDX_IOC_COPY, &c) ? errno : 0;
}

int uffd_put_zero(int fd, void *dst, size_t len)
{
	struct uffdx_zeropage z = {{(uintptr_t)dst, len}, 0, 0};

	return ioctl(fd, UFFDX_IOC_ZEROPAGE, &z) ? errno : 0;
}

int uffd_put_moved(int fd, void *dst, void *src, size_t len)
{
	struct uffdx_move m = {(uintptr_t)dst, (uintptr_t)src, len, 0, 0};

	return ioctl(fd, UFFDX_IOC_MOVE, &m) ? errno : 0;
}

void uffd_let_go(int fd, void *p, size_t len)
{
	struct uffdx_range r = {(uintptr_t)p, len};

	ioctl(fd, UFFDX_IOC_WAKE, &r);
}

void *uffd_asked(int fd, int ms)
{
	struct uffdx_msg msg;

	if (read(fd, &msg, sizeof(msg)) != (ssize_t)sizeof(msg)) {
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, ms);
		if (read(fd, &msg, sizeof(msg)) != (ssize_t)sizeof(msg))
			return NULL;
	}
	return msg.event == UFFDX_MSG_PAGEFAULT ? (void *)(uintptr_t)msg.pagefault.address : NULL;
}
