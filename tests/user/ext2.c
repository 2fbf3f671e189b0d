/*
 * ext2.c - the disk file system: big files through every level of indirection, full disks, sync calls.
 */
#define _GNU_SOURCE
#include "race.h"
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* Offsets on both sides of every change of indirection, for blocks of 1 and of 4 KiB. */
TEST(ext2_indirect, "ext2.indirect blocks at every level")
{
	static const u64 blocks[] = {0, 11, 12, 13, 267, 268, 269, 524, 1035, 1036, 1037, 2060, 65803, 65804, 65805, 70000};
	const size_t n = sizeof(blocks) / sizeof(*blocks);
	const char *dir = disk_dir();
	struct stat before, after;
	int fd = make_file(dir, "ind", 0);

	for (int bs = 1024; bs <= 4096; bs *= 4)
		for (size_t i = 0; i < n; i++) {
			u64 v = blocks[i] * 1000 + (u64)bs;

			CHECK_EQ(pwrite(fd, &v, 8, (off_t)(blocks[i] * (u64)bs)), 8);
		}
	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &before));
	for (size_t i = 0; i < n; i++) { /* the 4 KiB round came last */
		u64 v;

		CHECK_EQ(pread(fd, &v, 8, (off_t)(blocks[i] * 4096)), 8);
		CHECK_EQ(v, blocks[i] * 1000 + 4096);
	}
	CHECK_OK(ftruncate(fd, 12 * 4096 + 5));
	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &after));
	CHECK_OP(after.st_blocks, <, before.st_blocks);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_OK(fstat(fd, &after));
	CHECK_EQ(after.st_blocks, 0);
}

TEST(ext2_space, "ext2.space comes back when a file is removed")
{
	const char *dir = disk_dir();
	struct statfs a, b, c;
	static u8 buf[65536];
	int fd;

	sync();
	CHECK_OK(statfs(dir, &a));
	fd = make_file(dir, "big", 0);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	CHECK_OK(fsync(fd));
	CHECK_OK(statfs(dir, &b));
	CHECK_OP(b.f_bfree, <, a.f_bfree);
	CHECK_OK(unlink(path_in(dir, "big")));
	CHECK_OK(close(fd));
	if (!on_pteron())
		return; /* a busy host */
	CHECK_OK(statfs(dir, &c));
	CHECK_OP(c.f_bfree + 64, >=, a.f_bfree);
}

TEST_SECONDS(ext2_enospc, "ext2.ENOSPC by write and through a mapping", 120)
{
	const char *dir = disk_dir();
	static u8 buf[65536];
	struct statfs fs;
	int fd, map_fd;
	ssize_t n;
	u64 total = 0;
	u8 *p;

	CHECK_OK(statfs(dir, &fs));
	if ((u64)fs.f_bavail * (u64)fs.f_bsize > 256ull << 20)
		SKIP("the disk is too big to fill");
	map_fd = make_file(dir, "hole", 0);
	CHECK_OK(ftruncate(map_fd, 4 * P));
	p = map_shared(map_fd, 4, PROT_READ | PROT_WRITE);
	CHECK_EQ(p[P], 0);
	fd = make_file(dir, "fill", 0);
	while ((n = write(fd, buf, sizeof(buf))) > 0)
		total += (u64)n;
	CHECK_EQ(errno, ENOSPC);
	while ((n = write(fd, buf, 512)) > 0)
		total += (u64)n;
	CHECK_EQ(errno, ENOSPC);
	CHECK_OP(total, >, 0);
	CHECK_BUS(try_write(p + P, 1), p + P); /* no block for the hole */
	CHECK_EQ(p[P], 0);
	CHECK(open(path_in(dir, "new"), O_CREAT | O_RDWR, 0600) >= 0 || errno == ENOSPC);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_NOFAULT(try_write(p + P, 1)); /* and now there is one */
	CHECK_OK(msync(p, 4 * P, MS_SYNC));
	CHECK_OK(close(fd));
	CHECK_OK(unlink(path_in(dir, "fill")));
}

/* With blocks smaller than a page, truncation frees some of the last page's; the page itself stays, mapped. */
TEST(ext2_tail, "ext2.tail blocks of a page that stays mapped while its file shrinks and grows")
{
	int fd = make_file(disk_dir(), "tail", 0);
	struct stat st;
	u8 *p;

	CHECK_OK(ftruncate(fd, P));
	p = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	memset(p, 1, P);
	CHECK_OK(fsync(fd));
	for (size_t size = 100; size < P; size += 1000) {
		CHECK_OK(ftruncate(fd, (off_t)size));
		CHECK_EQ(p[size], 0);
		CHECK_OK(fsync(fd));
		CHECK_OK(ftruncate(fd, P));
		p[P - 1] = (u8)size;
		CHECK_OK(fstat(fd, &st));
		if (on_pteron()) /* the store has its block */
			CHECK_EQ(st.st_blocks, P / 512);
		CHECK_OK(fsync(fd));
		CHECK_EQ(p[P - 1], (u8)size);
		memset(p, 2, P);
	}
	CHECK_OK(munmap(p, P));
	CHECK_OK(close(fd));
}

struct growing {
	int fd, direct;
	u32 stop;
};

/* One file shrinks into its last page, which is mapped, and grows again; the other thread syncs it all the time. */
static void grow_or_sync(unsigned me, void *arg)
{
	static u8 buf[4096] __attribute__((aligned(4096)));
	struct growing *g = arg;
	u8 *p;

	if (me) {
		while (!LOAD(g->stop))
			CHECK_OK(fsync(g->fd));
		return;
	}
	p = map_shared(g->fd, 1, PROT_READ | PROT_WRITE);
	for (size_t round = 0; round < 300; round++) {
		size_t size = 100 + round * 12 % (P - 200);

		memset(p, 0xaa, P);
		CHECK_OK(ftruncate(g->fd, (off_t)size));
		p[0] = (u8)round;
		CHECK_OK(ftruncate(g->fd, P));
		CHECK_EQ(pread(g->direct, buf, P, 0), P);
		CHECK_EQ(buf[0], (u8)round);
		for (size_t i = size; i < P; i++)
			CHECK_EQ(buf[i], 0);
	}
	STORE(g->stop, 1);
	CHECK_OK(munmap(p, P));
}

TEST(ext2_grow_sync, "ext2.grown part of a page is zero on the disk, though somebody syncs meanwhile")
{
	struct growing g = {.stop = 0};

	PTERON_ONLY();
	g.fd = make_file(disk_dir(), "grown", 0);
	CHECK_OK(ftruncate(g.fd, P));
	g.direct = CHECK_OK(open(path_in(disk_dir(), "grown"), O_RDWR | O_DIRECT));
	crew_run(2, grow_or_sync, &g);
	CHECK_OK(close(g.direct));
	CHECK_OK(close(g.fd));
}

/* The source ends in the middle of the page: what was reserved and not written is given back. */
TEST(ext2_short, "ext2.short write into a page that grows afterwards")
{
	int fd = make_file(disk_dir(), "short", 0);
	u8 *from = map_anon(2, PROT_READ | PROT_WRITE), *p;
	struct stat st;

	CHECK_OK(munmap(from + P, P));
	CHECK_EQ(pwrite(fd, from + P - 10, P, 0), 10);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 10);
	if (on_pteron())
		CHECK_OP(st.st_blocks, <=, P / 512);
	p = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	CHECK_OK(ftruncate(fd, P));
	p[P - 1] = 7;
	CHECK_OK(fstat(fd, &st));
	if (on_pteron())
		CHECK_EQ(st.st_blocks, P / 512);
	CHECK_OK(fsync(fd));
	CHECK_EQ(p[P - 1], 7);
	CHECK_OK(munmap(p, P));
	CHECK_OK(close(fd));
}

TEST(ext2_sync, "ext2.sync fsync fdatasync syncfs")
{
	const char *dir = disk_dir();
	int fd = make_file(dir, "sy", 0), fds[2];

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(fsync(fd));
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK_OK(fdatasync(fd));
	CHECK_OK(syncfs(fd));
	sync();
	CHECK_ERRNO(fsync(999), EBADF);
	CHECK_OK(pipe(fds));
	CHECK_ERRNO(fsync(fds[0]), EINVAL);
	CHECK_OK(fsync(CHECK_OK(open(dir, O_RDONLY | O_DIRECTORY))));
}

TEST(ext2_mapwrite, "ext2.mapped writes reach the file without msync")
{
	const char *dir = disk_dir();
	int fd = make_file(dir, "mw", 0);
	u8 *p;
	u64 v;

	CHECK_OK(ftruncate(fd, 300 * P));
	p = map_shared(fd, 300, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < 300; i += 3)
		set_tag(p, i, i + 1);
	CHECK_OK(munmap(p, 300 * P)); /* dirty pages outlive the mapping */
	CHECK_OK(fsync(fd));
	CHECK_OK(close(fd));
	fd = CHECK_OK(open(path_in(dir, "mw"), O_RDONLY));
	for (size_t i = 0; i < 300; i++) {
		CHECK_EQ(pread(fd, &v, 8, (off_t)(i * P)), 8);
		CHECK_EQ(v, i % 3 ? 0 : i + 1);
	}
}

TEST(ext2_tree, "ext2.tree of directories, made and removed")
{
	const char *dir = disk_dir();
	char path[200];

	for (int i = 0; i < 8; i++)
		for (int j = -1; j < 8; j++) {
			if (j < 0)
				snprintf(path, sizeof(path), "%s/t%d", dir, i);
			else
				snprintf(path, sizeof(path), "%s/t%d/u%d", dir, i, j);
			CHECK_OK(mkdir(path, 0755));
		}
	for (int i = 0; i < 8; i++) {
		struct stat st;

		snprintf(path, sizeof(path), "%s/t%d", dir, i);
		CHECK_OK(stat(path, &st));
		CHECK_EQ(st.st_nlink, 10);
		for (int j = 0; j < 8; j++) {
			snprintf(path, sizeof(path), "%s/t%d/u%d", dir, i, j);
			CHECK_OK(rmdir(path));
		}
		snprintf(path, sizeof(path), "%s/t%d", dir, i);
		CHECK_OK(rmdir(path));
	}
}

TEST(mount_errno, "mount.errno")
{
	const char *dir = tmp_dir();
	int fd = make_file(dir, "notdir", 0);

	(void)fd;
	CHECK_ERRNO(mount("none", path_in(dir, "nope"), "tmpfs", 0, NULL), ENOENT);
	CHECK_ERRNO(mount("none", path_in(dir, "notdir"), "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERRNO(mount("none", dir, "no-such-fs", 0, NULL), ENODEV);
	CHECK_ERRNO(umount(dir), EINVAL);
	CHECK_OK(mkdir(path_in(dir, "m"), 0755));
	CHECK_OK(mount("none", path_in(dir, "m"), "tmpfs", 0, NULL));
	CHECK_OK(close(CHECK_OK(open(path_in(dir, "m/inside"), O_CREAT | O_RDWR, 0600))));
	fd = CHECK_OK(open(path_in(dir, "m/inside"), O_RDONLY));
	CHECK_ERRNO(umount(path_in(dir, "m")), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(umount(path_in(dir, "m")));
	CHECK_ERRNO(access(path_in(dir, "m/inside"), F_OK), ENOENT);
}

TEST(ext2_remount, "ext2.remount read-only is refused while a file is open for writing")
{
	char path[256];
	int fd, reader;

	PTERON_ONLY();
	snprintf(path, sizeof(path), "%s/held", disk_dir());
	fd = CHECK_OK(open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
	CHECK_EQ(write(fd, "held", 4), 4);
	CHECK_ERRNO(mount("none", "/", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK_EQ(write(fd, "held", 4), 4);
	CHECK_OK(close(fd));
	reader = CHECK_OK(open(path, O_RDONLY));
	CHECK_OK(mount("none", "/", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERRNO(open(path, O_RDWR), EROFS);
	CHECK_ERRNO(open(path, O_RDONLY | O_TRUNC), EROFS);
	CHECK_ERRNO(truncate(path, 0), EROFS);
	CHECK_OK(mount("none", "/", NULL, MS_REMOUNT, NULL));
	CHECK_OK(close(reader));
	CHECK_OK(truncate(path, 0));
	CHECK_OK(unlink(path));
}
