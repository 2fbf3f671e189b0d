/*
 * files.c - what open, read, write, rename, unlink, directories and stat promise; run on tmpfs and on disk.
 *
 * Every case takes a directory; FILE_TEST registers it for both.
 */
#define _GNU_SOURCE
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_stat64
#define RAW_STAT SYS_stat64
#else
#define RAW_STAT SYS_stat
#endif

#define FILE_TEST(sym, title)                \
	static void file_##sym(const char *dir); \
	TEST(tmp_##sym, "tmpfs." title)          \
	{                                        \
		file_##sym(tmp_dir());               \
	}                                        \
	TEST(disk_##sym, "disk." title)          \
	{                                        \
		file_##sym(disk_dir());              \
	}                                        \
	static void file_##sym(const char *dir)

FILE_TEST(open, "open flags and errnos")
{
	const char *f = path_in(dir, "o");
	int fd;
	char c;

	CHECK_ERRNO(open(f, O_RDONLY), ENOENT);
	fd = CHECK_OK(open(f, O_RDWR | O_CREAT | O_EXCL, 0640));
	CHECK_ERRNO(open(f, O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
	CHECK_EQ(write(fd, "abcdef", 6), 6);
	CHECK_ERRNO(open(path_in(dir, "o/x"), O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open(f, O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open(dir, O_WRONLY), EISDIR);
	CHECK_ERRNO(open(dir, O_RDWR | O_CREAT, 0600), EISDIR);
	CHECK_ERRNO(open(path_in(dir, "none/x"), O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
	CHECK_ERRNO(open(BAD, O_RDONLY), EFAULT);
	CHECK_ERRNO(read(CHECK_OK(open(dir, O_RDONLY)), &c, 1), EISDIR);
	CHECK_ERRNO(write(CHECK_OK(open(f, O_RDONLY)), "x", 1), EBADF);
	CHECK_ERRNO(read(CHECK_OK(open(f, O_WRONLY)), &c, 1), EBADF);
	CHECK_OK(open(f, O_RDWR | O_TRUNC));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
}

FILE_TEST(name, "names long and odd")
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[255] = 0;
	CHECK_OK(close(CHECK_OK(openat(CHECK_OK(open(dir, O_RDONLY | O_DIRECTORY)), name, O_CREAT | O_RDWR, 0600))));
	name[255] = 'n';
	name[256] = 0;
	CHECK_ERRNO(openat(CHECK_OK(open(dir, O_RDONLY | O_DIRECTORY)), name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	{
		static char path[5000];

		memset(path, '/', 4999);
		CHECK_ERRNO(open(path, O_RDONLY), ENAMETOOLONG);
		snprintf(path, sizeof(path), "%s//./../%s/.//f", dir, strrchr(dir, '/') + 1);
		CHECK_OK(close(CHECK_OK(open(path, O_CREAT | O_RDWR, 0600))));
		CHECK_OK(access(path_in(dir, "f"), F_OK));
	}
}

FILE_TEST(append, "O_APPEND and positions")
{
	int fd = make_file(dir, "a", 0), ap = CHECK_OK(open(path_in(dir, "a"), O_WRONLY | O_APPEND));
	char buf[16];

	CHECK_EQ(write(fd, "12345", 5), 5);
	CHECK_EQ(write(ap, "67", 2), 2);
	CHECK_OK(lseek(ap, 0, SEEK_SET));
	CHECK_EQ(write(ap, "89", 2), 2);
	CHECK_EQ(lseek(ap, 0, SEEK_CUR), 9);
	CHECK_EQ(pread(fd, buf, 16, 0), 9);
	CHECK(!memcmp(buf, "123456789", 9));
	CHECK_EQ(lseek(fd, -2, SEEK_END), 7);
	CHECK_ERRNO(lseek(fd, -100, SEEK_CUR), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
	CHECK_ERRNO(pread(fd, buf, 1, -1), EINVAL);
	CHECK_EQ(pread(fd, buf, 5, 100), 0);
}

FILE_TEST(rename, "rename replaces, moves, refuses")
{
	const char *a = path_in(dir, "ra"), *b = path_in(dir, "rb"), *d = path_in(dir, "rd");
	int fd = make_file(dir, "ra", 0), old;
	struct stat st;
	char c;

	CHECK_EQ(write(fd, "A", 1), 1);
	old = make_file(dir, "rb", 0);
	CHECK_EQ(write(old, "B", 1), 1);
	CHECK_OK(rename(a, b));
	CHECK_ERRNO(access(a, F_OK), ENOENT);
	CHECK_EQ(read(CHECK_OK(open(b, O_RDONLY)), &c, 1), 1);
	CHECK_EQ(c, 'A');
	CHECK_EQ(pread(old, &c, 1, 0), 1); /* replaced, but still open */
	CHECK_EQ(c, 'B');
	CHECK_OK(fstat(old, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_OK(mkdir(d, 0755));
	CHECK_OK(mkdir(path_in(dir, "rd/sub"), 0755));
	CHECK_ERRNO(rename(d, path_in(dir, "rd/sub/x")), EINVAL);
	CHECK_ERRNO(rename(b, d), EISDIR);
	CHECK_ERRNO(rename(d, b), ENOTDIR);
	CHECK_ERRNO(rename(path_in(dir, "nope"), b), ENOENT);
	CHECK_OK(rename(b, path_in(dir, "rd/in")));
	CHECK_OK(rename(d, path_in(dir, "re")));
	CHECK_OK(access(path_in(dir, "re/in"), F_OK));
	CHECK_OK(mkdir(d, 0755));
	CHECK_ERRNO(rename(d, path_in(dir, "re")), ENOTEMPTY);
	CHECK_OK(rename(path_in(dir, "re"), d)); /* onto an empty directory */
	CHECK_OK(rename(path_in(dir, "rd/in"), path_in(dir, "rd/in")));
}

FILE_TEST(unlink, "unlink while open, links")
{
	const char *f = path_in(dir, "u"), *g = path_in(dir, "v");
	int fd = make_file(dir, "u", 0);
	struct stat st;
	char buf[4];

	CHECK_EQ(write(fd, "data", 4), 4);
	CHECK_OK(link(f, g));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 2);
	CHECK_ERRNO(link(f, g), EEXIST);
	CHECK_ERRNO(link(dir, path_in(dir, "hd")), EPERM);
	CHECK_OK(unlink(f));
	CHECK_OK(unlink(g));
	CHECK_ERRNO(unlink(g), ENOENT);
	CHECK_EQ(pread(fd, buf, 4, 0), 4);
	CHECK_EQ(pwrite(fd, "more", 4, 100000), 4);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 100004);
	CHECK_OK(close(fd));
	CHECK_ERRNO(unlink(dir), EISDIR);
}

FILE_TEST(dirs, "mkdir, rmdir, getcwd, ..")
{
	char cwd[512], want[300];
	struct stat st;

	CHECK_OK(mkdir(path_in(dir, "d"), 0755));
	CHECK_ERRNO(mkdir(path_in(dir, "d"), 0755), EEXIST);
	CHECK_ERRNO(mkdir(path_in(dir, "x/y"), 0755), ENOENT);
	CHECK_OK(mkdir(path_in(dir, "d/e"), 0755));
	CHECK_OK(stat(path_in(dir, "d"), &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_ERRNO(rmdir(path_in(dir, "d")), ENOTEMPTY);
	CHECK_OK(chdir(path_in(dir, "d/e")));
	snprintf(want, sizeof(want), "%s/d/e", dir);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, want));
	CHECK_ERRNO(syscall(SYS_getcwd, cwd, 3), ERANGE);
	CHECK_OK(close(CHECK_OK(open("../file", O_CREAT | O_RDWR, 0600))));
	CHECK_OK(access(path_in(dir, "d/file"), F_OK));
	CHECK_ERRNO(rmdir(path_in(dir, "d/file")), ENOTDIR);
	CHECK_ERRNO(rmdir("."), EINVAL);
	CHECK_OK(rmdir(path_in(dir, "d/e"))); /* the one we stand in */
	CHECK_ERRNO(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_OK(chdir("/"));
	CHECK_OK(chdir(".."));
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/"));
	CHECK_ERRNO(chdir(path_in(dir, "d/file")), ENOTDIR);
}

FILE_TEST(getdents, "getdents over 500 entries")
{
	const int n = 500;
	u8 seen[500] = {0};
	char name[32];
	struct dirent *e;
	DIR *d;
	int others = 0;

	CHECK_OK(mkdir(path_in(dir, "many"), 0755));
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many/entry-%d", i);
		CHECK_OK(close(CHECK_OK(open(path_in(dir, name), O_CREAT | O_RDWR, 0600))));
	}
	d = opendir(path_in(dir, "many"));
	CHECK(d != NULL);
	for (int round = 0; round < 2; round++) {
		memset(seen, 0, sizeof(seen));
		others = 0;
		while ((e = readdir(d)) != NULL) {
			int i;

			if (sscanf(e->d_name, "entry-%d", &i) == 1 && i >= 0 && i < n)
				seen[i]++;
			else
				others++;
		}
		CHECK_EQ(others, 2);
		for (int i = 0; i < n; i++)
			CHECK_EQ(seen[i], 1);
		rewinddir(d);
	}
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many/entry-%d", i);
		CHECK_OK(unlink(path_in(dir, name)));
	}
	CHECK_ERRNO(syscall(SYS_getdents64, dirfd(d), name, 1), EINVAL);
	CHECK_OK(rmdir(path_in(dir, "many")));
}

FILE_TEST(sparse, "sparse files, holes read as zeros")
{
	int fd = make_file(dir, "s", 0);
	struct stat st;
	u8 buf[4096];

	CHECK_EQ(pwrite(fd, "end", 3, (off_t)200 << 20), 3);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, ((off_t)200 << 20) + 3);
	CHECK_OP(st.st_blocks, <, 1000);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 100 << 20), 4096);
	for (size_t i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(pwrite(fd, "mid", 3, (100 << 20) + 4094), 3);
	CHECK_EQ(pread(fd, buf, 4, (100 << 20) + 4093), 4);
	CHECK(!memcmp(buf, "\0mid", 4));
	CHECK_OK(fsync(fd));
	CHECK_EQ(pread(fd, buf, 4096, (off_t)200 << 20), 3);
	CHECK_OK(ftruncate(fd, 10));
	CHECK_OK(ftruncate(fd, (off_t)200 << 20));
	CHECK_EQ(pread(fd, buf, 4, (100 << 20) + 4093), 4);
	CHECK(!memcmp(buf, "\0\0\0\0", 4));
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
	CHECK_ERRNO(truncate(path_in(dir, "nope"), 1), ENOENT);
	CHECK_ERRNO(truncate(dir, 1), EISDIR);
	CHECK_OK(truncate(path_in(dir, "s"), 5));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 5);
}

FILE_TEST(random, "random writes against a model")
{
	const size_t size = 256 << 10;
	u8 *model = calloc(1, size), *buf = malloc(16384);
	int fd = make_file(dir, "r", 0);
	u32 seed = 42;
	size_t end = 0;

	for (int i = 0; i < 300; i++) {
		size_t off = rnd(&seed) % (size - 16384), n = rnd(&seed) % 16384;

		if (i % 50 == 49) {
			end = off;
			CHECK_OK(ftruncate(fd, (off_t)off));
			memset(model + off, 0, size - off);
			continue;
		}
		for (size_t k = 0; k < n; k++)
			buf[k] = (u8)rnd(&seed);
		CHECK_EQ(pwrite(fd, buf, n, (off_t)off), n);
		memcpy(model + off, buf, n);
		if (n && off + n > end)
			end = off + n;
	}
	CHECK_EQ(lseek(fd, 0, SEEK_END), end);
	CHECK_OK(fsync(fd));
	for (size_t off = 0; off < end; off += 16384) {
		size_t n = end - off < 16384 ? end - off : 16384;

		CHECK_EQ(pread(fd, buf, 16384, (off_t)off), n);
		CHECK(!memcmp(buf, model + off, n));
	}
}

FILE_TEST(stat, "stat, chmod, times, symlinks")
{
	const char *f = path_in(dir, "st"), *l = path_in(dir, "ln");
	int fd = make_file(dir, "st", 0);
	struct timespec ts[2] = {{1000000000, 0}, {1100000000, 0}};
	struct stat st, lst;
	char buf[64];

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0644 && st.st_size == 1 && st.st_nlink == 1 && st.st_ino);
	CHECK_OK(chmod(f, 0400));
	CHECK_OK(stat(f, &st));
	CHECK_EQ(st.st_mode & 07777, 0400);
	CHECK_OK(futimens(fd, ts));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mtime, 1100000000);
	CHECK_OK(symlink("st", l));
	CHECK_OK(lstat(l, &lst));
	CHECK(S_ISLNK(lst.st_mode) && lst.st_size == 2);
	CHECK_OK(stat(l, &lst));
	CHECK_EQ(lst.st_ino, st.st_ino);
	CHECK_EQ(readlink(l, buf, sizeof(buf)), 2);
	CHECK_ERRNO(readlink(f, buf, sizeof(buf)), EINVAL);
	CHECK_ERRNO(open(l, O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_OK(symlink("loop", path_in(dir, "loop")));
	CHECK_ERRNO(open(path_in(dir, "loop"), O_RDONLY), ELOOP);
	CHECK_ERRNO(symlink("a", l), EEXIST);
	CHECK_OK(unlink(l));
	CHECK_OK(access(f, R_OK));
	CHECK_ERRNO(syscall(RAW_STAT, f, BAD), EFAULT);
	CHECK_ERRNO(fstat(999, &st), EBADF);
}

FILE_TEST(sendfile, "sendfile and large reads")
{
	int in = make_file(dir, "in", 0), out = make_file(dir, "out", 0);
	off_t off = 100;
	u8 a[300], b[300];

	for (int i = 0; i < 100; i++) {
		memset(a, i, sizeof(a));
		CHECK_EQ(write(in, a, sizeof(a)), sizeof(a));
	}
	CHECK_EQ(sendfile(out, in, &off, 20000), 20000);
	CHECK_EQ(off, 20100);
	CHECK_EQ(pread(in, a, 300, 10100), 300);
	CHECK_EQ(pread(out, b, 300, 10000), 300);
	CHECK(!memcmp(a, b, 300));
	CHECK_EQ(read(in, a, 300), 0);
}

FILE_TEST(statfs, "statfs")
{
	struct statfs fs;

	CHECK_OK(statfs(dir, &fs));
	CHECK_OP(fs.f_bsize, >, 0);
	CHECK_OP(fs.f_blocks, >=, fs.f_bfree);
	CHECK_OP(fs.f_namelen, ==, 255);
}

TEST(proc_files, "procfs.files can be read")
{
	static const char *const files[] = {"/proc/self/maps", "/proc/meminfo", "/proc/self/stat",   "/proc/self/status",
	                                    "/proc/mounts",    "/proc/cmdline", "/proc/self/cmdline"};
	char buf[256];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		int fd = open(files[i], O_RDONLY);

		if (fd < 0)
			FAIL("%s: %s", files[i], strerror(errno));
		CHECK_OP(read(fd, buf, sizeof(buf)), >, 0);
		close(fd);
	}
	CHECK_OP(meminfo_kb("MemTotal"), >, 0);
	CHECK_OP(meminfo_kb("MemFree"), >, 0);
	CHECK_ERRNO(open("/proc/self/nothing", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/999999", O_RDONLY), ENOENT);
}

TEST(memfd_seals, "memfd.seals")
{
	int fd = CHECK_OK((int)syscall(SYS_memfd_create, "s", MFD_ALLOW_SEALING)), plain = tagged_memfd(1);
	u8 *w;

	CHECK_ERRNO(syscall(SYS_memfd_create, "s", 0x8000), EINVAL);
	CHECK_ERRNO(syscall(SYS_memfd_create, BAD, 0), EFAULT);
	CHECK_OK(ftruncate(fd, 2 * P));
	CHECK_EQ(fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERRNO(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CHECK_ERRNO(ftruncate(fd, P), EPERM);
	CHECK_OK(ftruncate(fd, 3 * P));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_ERRNO(ftruncate(fd, 4 * P), EPERM);
	CHECK_ERRNO(pwrite(fd, "x", 1, 3 * P), EPERM);
	w = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_OK(munmap(w, P));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_ERRNO(write(fd, "x", 1), EPERM);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}
