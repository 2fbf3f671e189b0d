/*
 * mm_mmap.c - mmap's flags and errnos, shared file mappings against read/write, beyond the end of file, msync.
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

TEST(mmap_errno, "mmap.errno matrix")
{
	const char *dir = tmp_dir();
	int fd = make_file(dir, "f", 0), ro, wo, dirfd, pipefd[2];
	u8 *p;

	CHECK_OK(ftruncate(fd, 4 * P));
	ro = CHECK_OK(open(path_in(dir, "f"), O_RDONLY));
	wo = CHECK_OK(open(path_in(dir, "f"), O_WRONLY));
	dirfd = CHECK_OK(open(dir, O_RDONLY | O_DIRECTORY));
	CHECK_OK(pipe(pipefd));
	CHECK_ERRNO(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, P, RW, MAP_ANONYMOUS, -1, 0), EINVAL); /* neither shared nor private */
	CHECK_ERRNO(mmap((void *)0x10001001, P, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, P, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO(mmap(NULL, P, RW, MAP_PRIVATE, 9999, 0), EBADF);
	CHECK_ERRNO(mmap(NULL, P, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ, MAP_PRIVATE, dirfd, 0), ENODEV);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ, MAP_PRIVATE, pipefd[0], 0), ENODEV);
	CHECK_ERRNO(mmap(NULL, ~(size_t)0, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap(NULL, is64 ? (size_t)(1ull << 47) : 0xff000000u, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap((void *)(uintptr_t)(is64 ? 0x800000000000ull : 0xfffff000u), P, RW, ANON | MAP_FIXED, -1, 0),
	            ENOMEM);
	p = CHECK_OK(mmap(NULL, P, RW, MAP_PRIVATE, ro, 0)); /* a private copy may be written */
	CHECK_NOFAULT(try_write(p, 1));
	p = CHECK_OK(mmap(NULL, P, PROT_READ, MAP_SHARED, ro, 0));
	CHECK_ERRNO(mprotect(p, P, RW), EACCES);
	CHECK_OK(mmap(NULL, 100, RW, ANON, -1, 0)); /* length is rounded up */
	CHECK_ERRNO(mmap(NULL, P, RW, 0x80000000u | MAP_SHARED_VALIDATE, fd, 0), EOPNOTSUPP);
}

TEST(mmap_offset, "mmap.offset must be page-aligned")
{
	int fd = tagged_memfd(4);

	if (is64)
		CHECK_ERRNO(syscall(SYS_mmap, NULL, P, RW, MAP_PRIVATE, fd, 5), EINVAL);
	CHECK_EQ(tag(CHECK_OK(mmap(NULL, P, RW, MAP_PRIVATE, fd, 3 * P)), 0), 3);
}

TEST(mmap_fixed, "mmap.fixed replaces, NOREPLACE refuses, a hint is a hint")
{
	u8 *p = map_anon(8, RW), *q;

	memset(p, 5, 8 * P);
	CHECK(mmap(p + 2 * P, 2 * P, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + 2 * P);
	CHECK_EQ(p[2 * P], 0);
	CHECK_EQ(p[P], 5);
	CHECK_EQ(p[4 * P], 5);
	CHECK_ERRNO(mmap(p, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK_EQ(p[0], 5);
	q = CHECK_OK(mmap(p, P, RW, ANON, -1, 0)); /* taken: elsewhere */
	CHECK(q != p);
	CHECK_OK(munmap(p + 6 * P, 2 * P));
	CHECK(mmap(p + 6 * P, P, RW, ANON, -1, 0) == p + 6 * P); /* free: there */
	CHECK(mmap(p + 7 * P, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 7 * P);
}

TEST(mmap_stackbit, "mmap.0x20000 is MAP_STACK and harmless")
{
	u8 *p = CHECK_OK(mmap(NULL, P, RW, ANON | 0x20000, -1, 0));
	int fd = tagged_memfd(1);

	CHECK_NOFAULT(try_write(p, 1));
	p = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | 0x20000, fd, 0));
	CHECK_NOFAULT(try_write(p, 1));
	CHECK_OK(mprotect(p, P, PROT_READ));
	CHECK_ACCERR(try_write(p, 1), p);
}

TEST(mmap_populate, "mmap.populate makes memory resident")
{
	u8 *p = CHECK_OK(mmap(NULL, 16 * P, RW, ANON | MAP_POPULATE, -1, 0));

	for (int i = 0; i < 16; i++)
		CHECK_EQ(resident(p + i * P), 1);
	p = CHECK_OK(mmap(NULL, 16 * P, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1, 0));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(resident(p + i * P), 0);
}

static void coherence(int fd)
{
	u8 *a = map_shared(fd, 8, RW), *b = map_shared(fd, 8, PROT_READ);
	char buf[16];

	memcpy(a + 100, "through a", 9);
	CHECK_EQ(pread(fd, buf, 9, 100), 9);
	CHECK(!memcmp(buf, "through a", 9));
	CHECK(!memcmp(b + 100, "through a", 9));
	CHECK_EQ(pwrite(fd, "by write", 8, 3 * P - 4), 8); /* across a page boundary */
	CHECK(!memcmp(a + 3 * P - 4, "by write", 8));
	CHECK(!memcmp(b + 3 * P - 4, "by write", 8));
	/* write(2) whose source is the mapped destination page, and the reverse. */
	CHECK_EQ(pwrite(fd, a + 100, 9, 200), 9);
	CHECK(!memcmp(a + 200, "through a", 9));
	CHECK_EQ(pread(fd, a + 5 * P, 9, 100), 9);
	CHECK(!memcmp(b + 5 * P, "through a", 9));
	CHECK_EQ(pwrite(fd, a + 100, 2 * P, 101), 2 * P); /* overlapping itself */
	CHECK_OK(munmap(a, 8 * P));
	CHECK_OK(munmap(b, 8 * P));
}

TEST(mmap_coherent, "mmap.coherent with read and write, tmpfs")
{
	coherence(tagged_memfd(8));
}

TEST(mmap_coherent_disk, "mmap.coherent with read and write, disk")
{
	int fd = make_file(disk_dir(), "coh", 0);

	tag_file(fd, 8);
	coherence(fd);
}

static void beyond_eof(int fd)
{
	u8 *p;

	CHECK_OK(ftruncate(fd, P + 10));
	p = map_shared(fd, 4, RW);
	CHECK_NOFAULT(try_write(p + P + 9, 1));
	CHECK_EQ(p[2 * P - 1], 0); /* the tail of the last page is there, zero */
	CHECK_NOFAULT(try_write(p + 2 * P - 1, 1));
	CHECK_BUS(try_read(p + 2 * P), p + 2 * P);
	CHECK_BUS(try_write(p + 3 * P + 5, 1), p + 3 * P + 5);
	CHECK_OK(ftruncate(fd, 4 * P));
	CHECK_NOFAULT(try_write(p + 3 * P + 5, 1));
	CHECK_EQ(p[2 * P], 0);
	CHECK_OK(ftruncate(fd, P));
	CHECK_BUS(try_read(p + P), p + P);
	CHECK_BUS(try_read(p + 3 * P), p + 3 * P);
	CHECK_NOFAULT(try_read(p + P - 1));
	CHECK_OK(ftruncate(fd, 4 * P));
	for (size_t i = P; i < 4 * P; i++)
		CHECK_EQ(p[i], 0);
	CHECK_OK(munmap(p, 4 * P));
	/* A private mapping too, also its copied pages. */
	p = CHECK_OK(mmap(NULL, 4 * P, RW, MAP_PRIVATE, fd, 0));
	p[2 * P] = 1;
	CHECK_OK(ftruncate(fd, P));
	CHECK_BUS(try_read(p + 2 * P), p + 2 * P);
	CHECK_BUS(try_write(p + 3 * P, 1), p + 3 * P);
	CHECK_OK(munmap(p, 4 * P));
}

TEST(mmap_eof, "mmap.eof SIGBUS beyond the end, tmpfs")
{
	beyond_eof(tagged_memfd(1));
}

TEST(mmap_eof_disk, "mmap.eof SIGBUS beyond the end, disk")
{
	beyond_eof(make_file(disk_dir(), "eof", 0));
}

TEST(mmap_eof_syscall, "mmap.eof a system call gets EFAULT")
{
	int fd = tagged_memfd(1), fds[2];
	u8 *p = map_shared(fd, 2, RW);

	CHECK_OK(pipe(fds));
	CHECK_ERRNO(write(fds[1], p + P, 1), EFAULT);
	CHECK_EQ(write(fds[1], p + P - 3, 3), 3);
	CHECK_ERRNO(read(fds[0], p + P, 3), EFAULT);
}

TEST(mmap_closed, "mmap.closed and unlinked file stays mapped")
{
	const char *dir = disk_dir();
	int fd = make_file(dir, "gone", 0);
	u8 *p;

	tag_file(fd, 4);
	p = map_shared(fd, 4, RW);
	CHECK_OK(unlink(path_in(dir, "gone")));
	CHECK_OK(close(fd));
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(tag(p, i), i);
	set_tag(p, 2, 9);
	CHECK_OK(msync(p, 4 * P, MS_SYNC));
	CHECK_EQ(tag(p, 2), 9);
	CHECK_OK(munmap(p, 4 * P));
}

TEST(mmap_maps, "mmap.maps shows offset, flags and name")
{
	const char *dir = disk_dir();
	int fd = make_file(dir, "named", 0);
	char line[256], perms[5];
	u64 offset;
	u8 *p;

	CHECK_OK(ftruncate(fd, 8 * P));
	p = CHECK_OK(mmap(NULL, 2 * P, PROT_READ, MAP_SHARED, fd, 3 * P));
	CHECK(vma_at(p, perms, &offset, NULL, NULL));
	CHECK(!strcmp(perms, "r--s"));
	CHECK_EQ(offset, 3 * P);
	CHECK_EQ(vma_count(p, 2 * P, line), 1);
	CHECK(strstr(line, "/named") != NULL);
	CHECK(vma_at(sbrk(0) - 1, perms, NULL, NULL, NULL));
	CHECK_EQ(vma_count(sbrk(0) - 1, 1, line), 1);
	CHECK(strstr(line, "[heap]") != NULL);
	CHECK_EQ(vma_count(line, 1, line), 1);
	CHECK(strstr(line, "[stack]") != NULL);
}

TEST(mmap_maxmap, "mmap.max_map_count gives ENOMEM")
{
	const size_t n = 70000;
	u8 *p = CHECK_OK(mmap(NULL, n * P, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
	size_t i = 0;

	while (i < n && mprotect(p + i * P, P, PROT_READ) == 0)
		i += 2;
	CHECK_OP(i, <, n);
	CHECK_EQ(errno, ENOMEM);
	CHECK_OP(i, >, 60000); /* each step made two areas more, or nearly so */
	CHECK_OK(munmap(p, n * P));
	CHECK_OK(mmap(NULL, P, RW, ANON, -1, 0));
}

TEST(msync_errno, "msync.errno")
{
	int fd = tagged_memfd(4);
	u8 *p = map_shared(fd, 4, RW), *anon = map_anon(2, RW);

	CHECK_ERRNO(msync(p + 1, P, MS_SYNC), EINVAL);
	CHECK_ERRNO(msync(p, P, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(p, P, 0x100), EINVAL);
	CHECK_OK(msync(p, 0, MS_SYNC));
	CHECK_OK(msync(p, P, 0));
	CHECK_OK(msync(p, 1, MS_ASYNC));
	CHECK_OK(msync(anon, 2 * P, MS_SYNC));
	CHECK_ERRNO(msync(p, (size_t)0 - 2 * P, MS_SYNC), ENOMEM);
	CHECK_OK(munmap(p + 2 * P, P));
	CHECK_ERRNO(msync(p, 4 * P, MS_SYNC), ENOMEM);
	CHECK_ERRNO(msync(p, 4 * P, MS_ASYNC), ENOMEM);
	CHECK_OK(msync(p, 2 * P, MS_SYNC | MS_INVALIDATE));
}

TEST(mmap_iov, "mmap.iov readv and writev gather from odd places")
{
	int fd = tagged_memfd(4);
	u8 *p = map_anon(3, RW), *hole;
	struct iovec iov[3] = {{p + P - 3, 6}, {p + 7, 0}, {p + 2 * P, 10}};

	hole = map_anon(1, RW);
	CHECK_OK(munmap(hole, P));
	memset(p, 'x', 3 * P);
	CHECK_EQ(writev(fd, iov, 3), 16);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 16);
	CHECK_EQ(pread(fd, p, 16, 0), 16);
	CHECK_ERRNO(syscall(SYS_writev, fd, iov, -1), EINVAL);
	CHECK_ERRNO(syscall(SYS_writev, fd, iov, 1025), EINVAL);
	CHECK_ERRNO(writev(fd, (struct iovec *)hole, 1), EFAULT);
	iov[0].iov_base = hole;
	CHECK_ERRNO(writev(fd, iov, 1), EFAULT);
	iov[0].iov_len = (size_t)-1;
	CHECK_ERRNO(writev(fd, iov, 1), EINVAL);
}
