/*
 * bench_pins.c - pins: with and without locks; O_DIRECT, whose memory is pinned for each call; writeback of pinned pages, which
 * copies them (docs/pins.md).  The first and the last need /dev/dma.
 */
#define _GNU_SOURCE
#include "user/bench.h"

#include "kernel/uapi/dma.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAGES 256ul
#define ROUNDS 20
#define DIRECT_BYTES (4ul << 20)

static uint64_t pin(int dma, const uint8_t *p, size_t pages, uint64_t flags)
{
	struct edu_pin pin = {.addr = (uintptr_t)p, .len = pages * PAGE, .flags = flags};

	if (ioctl(dma, EDU_IOC_PIN, &pin) || pin.npages != pages)
		die("pin");
	return pin.id;
}

static void unpin(int dma, uint64_t id)
{
	struct edu_unpin un = {.id = id};

	if (ioctl(dma, EDU_IOC_UNPIN, &un))
		die("unpin");
}

static void pin_and_unpin(int dma, const char *name, uint64_t flags)
{
	uint8_t *p = map_anon(PAGES);
	char one[40];

	memset(p, 1, PAGES * PAGE);
	for (int i = 0; i < ROUNDS; i++)
		TIME(unpin(dma, pin(dma, p, PAGES, flags)));
	report(name, PAGES);
	for (int i = 0; i < ROUNDS; i++)
		TIME(unpin(dma, pin(dma, p, 1, flags)));
	snprintf(one, sizeof(one), "%s_alone", name);
	report(one, 1);
	munmap(p, PAGES * PAGE);
}

/* -- O_DIRECT ---------------------------------------------------------------------------------------------------------- */

/* The file once, in pieces of @size; requests of the device for it. */
static void direct_pass(int fd, uint8_t *buf, size_t size, bool write, const char *name)
{
	struct disk before = disk_now(), after;

	for (size_t at = 0; at < DIRECT_BYTES; at += size) {
		ssize_t n;

		TIME_CPU(n = write ? pwrite(fd, buf, size, (off_t)at) : pread(fd, buf, size, (off_t)at));
		if (n != (ssize_t)size)
			die("O_DIRECT");
	}
	report_cpu(name, 1);
	after = disk_now();
	put(name, "_requests", after.requests - before.requests, "requests");
}

static void direct(void)
{
	uint8_t *buf = map_anon((1ul << 20) / PAGE);
	int fd = disk_file();

	memset(buf, 'd', 1ul << 20);
	for (size_t at = 0; at < DIRECT_BYTES; at += 1ul << 20)
		if (pwrite(fd, buf, 1ul << 20, (off_t)at) != 1l << 20)
			die("pwrite");
	if (fsync(fd) || fcntl(fd, F_SETFL, O_DIRECT))
		die("O_DIRECT");
	direct_pass(fd, buf, PAGE, false, "direct_read_4k");
	direct_pass(fd, buf, 1ul << 20, false, "direct_read_1m");
	direct_pass(fd, buf, PAGE, true, "direct_write_4k");
	direct_pass(fd, buf, 1ul << 20, true, "direct_write_1m");
	close(fd);
	munmap(buf, 1ul << 20);
}

/* -- writeback ---------------------------------------------------------------------------------------------------------- */

static void dirty_and_sync(int fd, uint8_t *p, const char *name)
{
	for (int i = 0; i < ROUNDS; i++) {
		for (size_t k = 0; k < PAGES; k++)
			p[k * PAGE]++;
		TIME_CPU(fsync(fd));
	}
	report_cpu(name, PAGES);
}

static void writeback(int dma)
{
	int fd = disk_file();
	uint8_t *p;
	uint64_t id;

	if (fd < 0 || ftruncate(fd, PAGES * PAGE))
		die("ftruncate");
	p = map(PAGES, RW, MAP_SHARED, fd);
	memset(p, 1, PAGES * PAGE);
	if (fsync(fd))
		die("fsync");
	dirty_and_sync(fd, p, "writeback_unpinned");
	if (dma >= 0) {
		id = pin(dma, p, PAGES, EDU_PIN_WRITE);
		dirty_and_sync(fd, p, "writeback_pinned");
		unpin(dma, id);
	}
	munmap(p, PAGES * PAGE);
	close(fd);
}

void bench_pins(void)
{
	int dma = open("/dev/dma", O_RDWR);

	if (dma >= 0) {
		pin_and_unpin(dma, "pin_slow", EDU_PIN_WRITE);
		pin_and_unpin(dma, "pin_fast", EDU_PIN_WRITE | EDU_PIN_FAST);
	}
	direct();
	writeback(dma);
	if (dma >= 0)
		close(dma);
}
