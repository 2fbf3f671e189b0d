/*
 * writer.c - the ring-3 side of test_cuts.py: changes files at random and says what it was promised.
 *
 *   writer DISK FS_KIB SEED OPS
 *
 * DISK (vdc, say) carries an ext2 file system of FS_KIB and a tail that belongs to nobody.  Each operation is
 * printed before it is done ("op N KIND ARGS"); tests/crash/model.py knows what each of them means.  When a call
 * that promises durability has returned, its number is written into the tail of the disk, past the page cache and
 * without a flush, and then printed ("ack N"): so the record of the disk's writes itself tells at which point the
 * promise had been given.
 *
 * "dma" begins what a device does to whole pages of a file, "dmaend N ..." says what all their u64 are in the end.
 * Word w of what operation N writes is N << 16 | w's index in the file: a stale or misplaced word is told apart.
 * A static Linux program; it is on the second disk (init's exec=vdb).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/uapi/dma.h"

#define TOP "/mnt/"
#define PAGE 4096u
#define NAMES 14                  /* in each of two directories */
#define PATHS (2 * NAMES + TREES) /* the last ones: t0/x, t1/x ... */
#define TREES 4
#define SIZE_MAX_FILE (400u << 10)
#define HELD 4

static uint64_t state;
static unsigned op;
static int mark_fd;
static off_t mark_at;
static char paths[PATHS][256];
static int exists[PATHS], tree_exists[TREES];
static uint32_t sizes[PATHS];
static int held[HELD]; /* descriptors kept open, of files that may lose their names */
static uint32_t words[SIZE_MAX_FILE / 4];

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("writer: ");
	vprintf(fmt, ap);
	printf(": %s\n", strerror(errno));
	exit(1);
}

static unsigned below(unsigned n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(state >> 33) % n;
}

static unsigned small(unsigned n) /* small numbers more often */
{
	return below(below(n) + 1);
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	va_list ap;

	printf("op %u ", ++op);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* The operation that was just done is durable. */
static void acknowledge(void)
{
	static uint32_t mark[PAGE / 4] __attribute__((aligned(PAGE)));

	memcpy(mark, "cut mark", 8);
	mark[2] = op;
	if (pwrite(mark_fd, mark, PAGE, mark_at) != PAGE)
		die("mark");
	printf("ack %u\n", op);
}

static void promised(int err, const char *what)
{
	if (err)
		die("%s", what);
	acknowledge();
}

static int open_path(int i, int flags)
{
	int fd = open(paths[i], O_RDWR | flags, 0644);

	if (fd < 0)
		die("%s", paths[i]);
	return fd;
}

/* A file that there is, or -1. */
static int some_file(void)
{
	for (int tries = 0; tries < 50; tries++) {
		int i = (int)below(PATHS);

		if (exists[i])
			return i;
	}
	return -1;
}

/* A name that is free, in a directory that there is; or -1. */
static int free_name(void)
{
	for (int tries = 0; tries < 50; tries++) {
		int i = (int)below(PATHS);

		if (!exists[i] && (i < 2 * NAMES || tree_exists[i - 2 * NAMES]))
			return i;
	}
	return -1;
}

static void fill(uint32_t offset, uint32_t length)
{
	for (uint32_t w = 0; w < length / 4; w++)
		words[w] = op << 16 | ((offset / 4 + w) & 0xffff);
}

/* -- operations --------------------------------------------------------------------------------------------------- */

static void do_fsync(int i, int data_only)
{
	int fd = open_path(i, 0);

	say("%s %s", data_only ? "fdatasync" : "fsync", paths[i]);
	promised(data_only ? fdatasync(fd) : fsync(fd), "fsync");
	close(fd);
}

static void do_write(int i, int flags)
{
	uint32_t offset = below(3) ? below(sizes[i] + 1) & ~3u : below(sizes[i] + 8192) & ~3u;
	uint32_t length = (small(below(6) ? 9000 : 60000) & ~3u) + 4;
	int fd = open_path(i, flags);

	if (offset + length > SIZE_MAX_FILE)
		offset = SIZE_MAX_FILE - length;
	say("write %s %u %u%s", paths[i], offset, length, flags ? " sync" : "");
	fill(offset, length);
	if (pwrite(fd, words, length, offset) != (ssize_t)length)
		die("pwrite");
	if (offset + length > sizes[i])
		sizes[i] = offset + length;
	if (flags)
		acknowledge();
	close(fd);
}

/* Stores through a mapping, and perhaps a msync of all that was stored to. */
static void do_store(int i)
{
	uint32_t offset, length, first, last;
	uint32_t *map;
	int fd;

	if (sizes[i] < 16)
		return;
	offset = below(sizes[i] - 8) & ~3u;
	length = (small(below(4) ? 5000 : 40000) & ~3u) + 4;
	if (offset + length > sizes[i])
		length = (sizes[i] - offset) & ~3u;
	fd = open_path(i, 0);
	map = mmap(NULL, SIZE_MAX_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	close(fd);
	say("store %s %u %u", paths[i], offset, length);
	fill(offset, length);
	memcpy((char *)map + offset, words, length);
	if (below(3)) {
		first = offset & ~(PAGE - 1);
		last = offset + length;
		say("msync %s %u %u", paths[i], first, last - first);
		promised(msync((char *)map + first, last - first, MS_SYNC), "msync");
	}
	munmap(map, SIZE_MAX_FILE);
}

/* -- a device stores (kernel/uapi/dma.h): whole pages, of which nothing is known until it has stopped --------------- */

static int dma_fd = -1;

static uint64_t dma_pin_range(void *p, uint32_t length)
{
	struct edu_pin pin = {
		.addr = (uintptr_t)p, .len = length, .flags = EDU_PIN_WRITE | EDU_PIN_LONGTERM | EDU_PIN_FAST};

	if (ioctl(dma_fd, EDU_IOC_PIN, &pin) || pin.npages != length / PAGE)
		die("pin");
	return pin.id;
}

/* While the device goes on: this file is synced, which promises nothing about those pages; others change. */
static void others_change(int i, int fd)
{
	for (unsigned n = 1 + below(4); n; n--) {
		int other = some_file();

		if (below(3) == 0 && fsync(fd))
			die("fsync under DMA");
		if (other >= 0 && other != i)
			do_write(other, 0);
		if (other >= 0 && other != i && below(2))
			do_fsync(other, 0);
		usleep(1000 * below(10));
	}
}

static void do_dma(int i)
{
	uint32_t pages = sizes[i] / PAGE, offset, length;
	struct dma_start start = {.first = (uint64_t)op << 32};
	struct dma_stop stop = {0};
	char *map;
	int fd;

	if (!pages || dma_fd < 0)
		return;
	length = (1 + below(pages < 4 ? pages : 4)) * PAGE;
	offset = below(pages - length / PAGE + 1) * PAGE;
	fd = open_path(i, 0);
	map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (map == MAP_FAILED)
		die("mmap");
	say("dma %s %u %u", paths[i], offset, length);
	start.id = stop.id = dma_pin_range(map, length);
	start.length = length;
	if (below(2))
		munmap(map, length);
	if (ioctl(dma_fd, DMA_IOC_START, &start))
		die("start");
	others_change(i, fd);
	if (ioctl(dma_fd, DMA_IOC_STOP, &stop))
		die("stop");
	say("dmaend %s %u %u %llu", paths[i], offset, length, (unsigned long long)stop.last);
	if (ioctl(dma_fd, EDU_IOC_UNPIN, &(struct edu_unpin){.id = stop.id, .dirty = 1}))
		die("unpin");
	close(fd);
	if (below(4))
		do_fsync(i, below(4) == 0);
}

static void do_truncate(int i)
{
	uint32_t size = below(4) ? below(sizes[i] + 1) & ~3u : below(SIZE_MAX_FILE / 2) & ~3u;

	say("truncate %s %u", paths[i], size);
	if (truncate(paths[i], size))
		die("truncate");
	sizes[i] = size;
}

static void do_create(int i)
{
	int fd;

	say("create %s", paths[i]);
	fd = open_path(i, O_CREAT | O_EXCL);
	close(fd);
	exists[i] = 1;
	sizes[i] = 0;
	do_write(i, 0);
	if (below(2))
		do_fsync(i, 0);
}

/* Keep @i open, in place of another. */
static void hold(int i)
{
	int slot = (int)below(HELD);

	if (held[slot] > 0)
		close(held[slot]);
	held[slot] = open_path(i, 0);
}

static void do_unlink(int i)
{
	if (below(3) == 0)
		hold(i);
	say("unlink %s", paths[i]);
	if (unlink(paths[i]))
		die("unlink");
	exists[i] = 0;
}

static void do_rename(int from, int to)
{
	if (exists[to] && below(3) == 0)
		hold(to);
	say("rename %s %s", paths[from], paths[to]);
	if (rename(paths[from], paths[to]))
		die("rename");
	exists[from] = 0;
	exists[to] = 1;
	sizes[to] = sizes[from];
}

/* The way to rename without replacing. */
static void do_relink(int from, int to)
{
	say("link %s %s", paths[from], paths[to]);
	if (link(paths[from], paths[to]))
		die("link");
	say("unlink %s", paths[from]);
	if (unlink(paths[from]))
		die("unlink");
	exists[from] = 0;
	exists[to] = 1;
	sizes[to] = sizes[from];
}

static void do_dirsync(int d)
{
	static const char *const dirs[] = {TOP, TOP "a", TOP "b"};
	int fd = open(dirs[d], O_RDONLY | O_DIRECTORY);

	say("dirsync %s", dirs[d]);
	promised(fd < 0 || fsync(fd), "fsync of a directory");
	close(fd);
}

static void do_tree(int t)
{
	int i = 2 * NAMES + t;
	char dir[64];

	snprintf(dir, sizeof(dir), TOP "t%d", t);
	if (!tree_exists[t]) {
		say("mkdir %s", dir);
		if (mkdir(dir, 0755))
			die("mkdir");
		tree_exists[t] = 1;
		if (below(2))
			do_create(i);
		return;
	}
	if (exists[i])
		do_unlink(i);
	say("rmdir %s", dir);
	if (rmdir(dir))
		die("rmdir");
	tree_exists[t] = 0;
}

static void do_sync(void)
{
	say("sync");
	sync();
	acknowledge();
}

static void change_file(unsigned what, int i)
{
	int to = below(3) ? free_name() : some_file();

	if (what < 30)
		do_write(i, 0);
	else if (what < 34)
		do_write(i, O_SYNC);
	else if (what < 50)
		do_store(i);
	else if (what < 58)
		do_truncate(i);
	else if (what < 74)
		do_fsync(i, below(4) == 0);
	else if (what < 80)
		do_unlink(i);
	else if (what < 88 && to >= 0 && to != i)
		do_rename(i, to);
	else if (what >= 88 && to >= 0 && !exists[to])
		do_relink(i, to);
}

static void step(void)
{
	unsigned what = below(114);
	int i = some_file(), fresh = free_name();

	if (what < 91 && i >= 0)
		change_file(what, i);
	else if (what < 100 && fresh >= 0)
		do_create(fresh);
	else if (what < 104)
		do_dirsync((int)below(3));
	else if (what < 105)
		do_sync();
	else if (what < 109)
		do_tree((int)below(TREES));
	else if (what < 110)
		usleep(1000 * below(50));
	else if (i >= 0)
		do_dma(i);
}

/* Short names in a; in b long ones, so that it has several blocks. */
static void make_paths(void)
{
	char pad[201];

	memset(pad, 'x', 200);
	pad[200] = 0;
	for (int i = 0; i < NAMES; i++) {
		snprintf(paths[i], sizeof(paths[i]), TOP "a/f%d", i);
		snprintf(paths[NAMES + i], sizeof(paths[i]), TOP "b/g%d%s", i, pad);
	}
	for (int t = 0; t < TREES; t++)
		snprintf(paths[2 * NAMES + t], sizeof(paths[0]), TOP "t%d/x", t);
}

int main(int argc, char **argv)
{
	char device[32];
	unsigned ops;

	if (argc != 5)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 4096);
	snprintf(device, sizeof(device), "/dev/%s", argv[1]);
	mark_at = (off_t)atoi(argv[2]) << 10;
	state = strtoull(argv[3], NULL, 0);
	ops = (unsigned)atoi(argv[4]);
	make_paths();
	dma_fd = open("/dev/dma", O_RDWR);
	mark_fd = open(device, O_RDWR);
	if (mark_fd < 0 || mount(device, "/mnt", "ext2", 0, NULL))
		die("%s", device);
	say("mkdir %sa", TOP);
	say("mkdir %sb", TOP);
	if (mkdir(TOP "a", 0755) || mkdir(TOP "b", 0755))
		die("mkdir");
	do_sync();
	while (op < ops)
		step();
	for (int i = 0; i < HELD; i++)
		if (held[i] > 0)
			close(held[i]);
	if (umount("/mnt"))
		die("umount");
	printf("done\n");
	return 0;
}
