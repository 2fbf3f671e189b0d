/*
 * guest.c - a machine for the guest system.  Interface: guest.h.
 */
#define _GNU_SOURCE
#include "user/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(offsetof(struct guest_mail, c) == MAIL_C && offsetof(struct guest_mail, count) == MAIL_COUNT, "mail");

static int call(struct guest *g, unsigned long request, void *arg)
{
	return ioctl(g->fd, request, arg) < 0 ? errno : 0;
}

int vm_map(struct guest *g, uint64_t gpa, void *addr, uint64_t len, uint64_t flags)
{
	struct vmm_map map = {.gpa = gpa, .addr = (uintptr_t)addr, .len = len, .flags = flags};

	return call(g, VMM_IOC_MAP, &map);
}

int vm_run(struct guest *g, struct vmm_run *run)
{
	return call(g, VMM_IOC_RUN, run);
}

static int start(struct guest *g)
{
	struct vmm_regs regs = {.ip = GUEST_CODE};
	struct vmm_run run = {0};
	int err = vm_map(g, 0, g->low, GUEST_LOW, 0);

	if (!err)
		err = call(g, VMM_IOC_SET_REGS, &regs);
	while (!err && run.reason != VMM_EXIT_HALT) {
		err = vm_run(g, &run);
		if (err == EINTR)
			err = 0;
		else if (!err && run.reason != VMM_EXIT_HALT)
			err = EPROTO;
	}
	return err;
}

int vm_boot(struct guest *g)
{
	int err;

	g->low = MAP_FAILED;
	g->fd = open("/dev/vmm", O_RDWR | O_CLOEXEC);
	if (g->fd < 0)
		return errno;
	g->low = mmap(NULL, GUEST_LOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->low == MAP_FAILED)
		return ENOMEM;
	memcpy(g->low + GUEST_CODE, guest_code, (size_t)(guest_code_end - guest_code));
	g->mail = (volatile struct guest_mail *)(g->low + GUEST_MAIL);
	err = start(g);
	if (err)
		vm_end(g);
	return err;
}

void vm_end(struct guest *g)
{
	close(g->fd);
	munmap(g->low, GUEST_LOW);
}

void vm_tell(struct guest *g, enum guest_command command, uint64_t a, uint64_t b, uint64_t c)
{
	*g->mail = (struct guest_mail){.command = command, .a = a, .b = b, .c = c};
}

int vm_do(struct guest *g, enum guest_command command, uint64_t a, uint64_t b, uint64_t c, uint64_t *result)
{
	struct vmm_run run = {0};
	int err;

	vm_tell(g, command, a, b, c);
	do
		err = vm_run(g, &run);
	while (err == EINTR);
	if (err)
		return err;
	if (result)
		*result = g->mail->result;
	return run.reason == VMM_EXIT_HALT ? 0 : -(int)run.reason;
}
