/*
 * bench_notify.c - what an unmap costs when secondary MMUs subscribe to the address space (docs/notifiers.md).
 *
 * Subscribers are open files of /dev/mirror, each with a range of its own elsewhere; and one on the range itself.
 */
#define _GNU_SOURCE
#include "user/bench.h"
#include "kernel/uapi/mirror.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MIRRORS 64

static int subscribe(const void *p, size_t len)
{
	struct mirror_subscribe s = {.addr = (uintptr_t)p, .len = len};
	int dev = open("/dev/mirror", O_RDWR);

	if (dev >= 0 && ioctl(dev, MIRROR_IOC_SUBSCRIBE, &s))
		die("subscribe");
	return dev;
}

/* munmap of one written page, in the middle of a vma that stays. */
static void unmap_pages(const char *name)
{
	uint8_t *p = map_anon(402);

	for (int i = 0; i < 200; i++) {
		p[(2 * i + 1) * PAGE] = 1;
		TIME(munmap(p + (2 * i + 1) * PAGE, PAGE));
	}
	report(name, 1);
	munmap(p, 402 * PAGE);
}

static void retries_elsewhere(int dev, uint8_t *p)
{
	struct mirror_stat st = {0};
	uint8_t *q = map_anon(1);
	uint32_t word;

	for (int i = 0; i < 1000; i++) {
		struct mirror_run r = {.addr = (uintptr_t)p, .span = 1, .count = 1, .ptr = (uintptr_t)&word};

		madvise(p, PAGE, MADV_DONTNEED);
		ioctl(dev, MIRROR_IOC_RUN, &r);
		q[0] = 1;
		madvise(q, PAGE, MADV_DONTNEED);
	}
	ioctl(dev, MIRROR_IOC_STAT, &st);
	put("mirror_faults", "", st.faults, "of 1000 drops");
	put("mirror_retries", "", st.retries, "of 1000 drops");
}

void bench_notify(void)
{
	uint8_t *elsewhere = map_anon(MIRRORS + 1);
	char name[40];
	int dev;

	unmap_pages("munmap_subscribers_0");
	for (int n = 1; n <= MIRRORS; n++) {
		dev = subscribe(elsewhere + (size_t)(n - 1) * PAGE, PAGE);
		if (dev < 0)
			return;
		if (n == 1 || n == MIRRORS) {
			snprintf(name, sizeof(name), "munmap_subscribers_%d_elsewhere", n);
			unmap_pages(name);
		}
	}
	dev = open("/dev/mirror", O_RDWR);
	unmap_pages("munmap_subscribers_here");
	retries_elsewhere(dev, elsewhere);
}
