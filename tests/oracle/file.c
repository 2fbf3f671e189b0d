/*
 * file.c - steps of files: through descriptors, into and out of the window, and their lengths.
 */
#define _GNU_SOURCE
#include "tests/oracle/step.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* A piece of the window, and a place in a file: anywhere. */
static struct iovec piece(u32 page, u32 r)
{
	size_t from = r % 3 ? 0 : r / 3 % P;

	return (struct iovec){WINDOW + arg_page(page) * P + from, (r >> 16) % 3 ? P : (r >> 12) % (3 * P)};
}

static off_t file_place(u32 r)
{
	return (off_t)(r % 9 * P + (r / 9 % 3 ? 0 : r / 27 % P));
}

void step_pread(const struct step *s)
{
	const char *name;
	int fd = arg_file(s->r[0], &name);
	struct iovec to = piece(s->r[1], s->r[2]);
	off_t at = file_place(s->r[3]);

	say("pread(%s, %s, %zu, %ld)", name, place((uintptr_t)to.iov_base), to.iov_len, (long)at);
	say_result(pread(fd, to.iov_base, to.iov_len, at));
}

void step_pwrite(const struct step *s)
{
	const char *name;
	int fd = arg_file(s->r[0], &name);
	struct iovec from = piece(s->r[1], s->r[2]);
	off_t at = file_place(s->r[3]);
	ssize_t result;

	say("pwrite(%s, %s, %zu, %ld)", name, place((uintptr_t)from.iov_base), from.iov_len, (long)at);
	result = pwrite(fd, from.iov_base, from.iov_len, at);
	say_result(result);
	for (size_t i = 0; result < 0 && i < from.iov_len; i += P) /* how much of it was looked at? */
		(void)try_read((u8 *)from.iov_base + i);
	if (result < 0 && from.iov_len)
		(void)try_read((u8 *)from.iov_base + from.iov_len - 1);
}

/* process_vm_readv and process_vm_writev with ourselves: another way of the kernel into memory. */
void step_vm(const struct step *s)
{
	static u8 buffer[3 * 4096];
	struct iovec local = {buffer, 0}, remote = piece(s->r[1], s->r[2]);
	bool write = s->r[0] & 1;
	long result;

	local.iov_len = remote.iov_len;
	memset(buffer, (int)(s->r[3] & 255), sizeof(buffer));
	say("process_vm_%s(%s, %zu)", write ? "writev" : "readv", place((uintptr_t)remote.iov_base), remote.iov_len);
	result = syscall(write ? SYS_process_vm_writev : SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
	say(" %#x", (unsigned)(page_sum(buffer) ^ page_sum(buffer + P) ^ page_sum(buffer + 2 * P)));
	say_result(result);
}

void step_truncate(const struct step *s)
{
	const char *name;
	int fd = arg_file(s->r[0], &name);
	off_t size = one_in(s->r[2], 20) ? -1 : file_place(s->r[1]);

	say("ftruncate(%s, %ld)", name, (long)size);
	say_result(ftruncate(fd, size));
}

void step_fallocate(const struct step *s)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                            FALLOC_FL_PUNCH_HOLE};
	const char *name;
	int fd = arg_file(s->r[0], &name), mode = modes[s->r[1] % 7 < 4 ? s->r[1] % 7 : 2];
	off_t at = one_in(s->r[4], 30) ? -1 : file_place(s->r[2]), size = file_place(s->r[3]);

	say("fallocate(%s, %d, %ld, %ld)", name, mode, (long)at, (long)size);
	say_result(fallocate(fd, mode, at, size));
}

void step_seal(const struct step *s)
{
	static const int seals[] = {F_SEAL_SHRINK,       F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_WRITE,
	                            F_SEAL_FUTURE_WRITE, F_SEAL_SEAL, 0x100};
	const char *name = "sealable";
	int fd = s->r[0] % 4 ? files[FILE_SEALABLE] : arg_file(s->r[0] / 4, &name), seal = seals[s->r[1] % 7];

	say("add_seals(%s, %#x)", name, (unsigned)seal);
	say_result(fcntl(fd, F_ADD_SEALS, seal));
}
