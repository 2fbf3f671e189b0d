/*
 * image.c - a file of the real machine, for a simulated disk.  arch/host/os.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/host/os/os.h"

struct os_image {
	int fd;
};

struct os_image *os_image_open(const char *path, bool write)
{
	int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct os_image *i;

	if (fd < 0)
		return NULL;
	i = os_alloc(sizeof(*i));
	i->fd = fd;
	return i;
}

uint64_t os_image_size(struct os_image *i)
{
	struct stat st;

	return fstat(i->fd, &st) ? 0 : (uint64_t)st.st_size;
}

bool os_image_read(struct os_image *i, uint64_t offset, void *to, size_t n)
{
	return pread(i->fd, to, n, (off_t)offset) == (ssize_t)n;
}

bool os_image_write(struct os_image *i, uint64_t offset, const void *from, size_t n)
{
	return pwrite(i->fd, from, n, (off_t)offset) == (ssize_t)n;
}

bool os_image_sync(struct os_image *i)
{
	return fdatasync(i->fd) == 0;
}

void os_image_close(struct os_image *i)
{
	close(i->fd);
	os_free(i);
}
