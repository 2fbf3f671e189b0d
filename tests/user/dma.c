/*
 * dma.c - see dma.h.
 */
#define _GNU_SOURCE
#include "dma.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int dma_open(void)
{
	int fd = open("/dev/dma", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		SKIP("no /dev/dma");
	return fd;
}

int dma_try_pin(int dma, const volatile void *p, size_t len, u64 flags, struct edu_pin *pin)
{
	*pin = (struct edu_pin){.addr = (uintptr_t)p, .len = len, .flags = flags};
	return ioctl(dma, EDU_IOC_PIN, pin) ? errno : 0;
}

u64 dma_pin(int dma, const volatile void *p, size_t len, u64 flags)
{
	struct edu_pin pin;

	CHECK_EQ(dma_try_pin(dma, p, len, flags, &pin), 0);
	CHECK_EQ(pin.npages, ((uintptr_t)p % P + len + P - 1) / P);
	return pin.id;
}

void dma_unpin(int dma, u64 id, bool dirty)
{
	struct edu_unpin u = {.id = id, .dirty = dirty};

	CHECK_OK(ioctl(dma, EDU_IOC_UNPIN, &u));
}

static struct edu_stat look(int dma, struct edu_stat st)
{
	CHECK_OK(ioctl(dma, EDU_IOC_STAT, &st));
	return st;
}

struct edu_stat dma_stat_at(int dma, const volatile void *p)
{
	return look(dma, (struct edu_stat){.addr = (uintptr_t)p});
}

struct edu_stat dma_stat_pin(int dma, u64 id, u64 index)
{
	return look(dma, (struct edu_stat){.id = id, .index = index});
}

u64 dma_outstanding(int dma)
{
	struct edu_stat st = dma_stat_at(dma, NULL);

	return st.acquired - st.released;
}

void dma_start(int dma, u64 id, u64 offset, u64 length, u64 first, u64 pause_us)
{
	struct dma_start s = {.id = id, .offset = offset, .length = length, .first = first, .pause = pause_us};

	CHECK_OK(ioctl(dma, DMA_IOC_START, &s));
}

struct dma_stop dma_stop(int dma, u64 id)
{
	struct dma_stop s = {.id = id};

	CHECK_OK(ioctl(dma, DMA_IOC_STOP, &s));
	return s;
}

void dma_store(int dma, u64 id, u64 offset, u64 value)
{
	struct dma_word w = {.id = id, .offset = offset, .value = value};

	CHECK_OK(ioctl(dma, DMA_IOC_WRITE, &w));
}

u64 dma_load(int dma, u64 id, u64 offset)
{
	struct dma_word w = {.id = id, .offset = offset};

	CHECK_OK(ioctl(dma, DMA_IOC_READ, &w));
	return w.value;
}

long pinstat(const char *name)
{
	char line[128], word[64];
	FILE *f = fopen("/proc/pinstat", "r");
	long value, found = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", word, &value) == 2 && !strcmp(word, name))
			found = value;
	if (f)
		fclose(f);
	return found;
}

struct disk_page disk_pages(const char *name, size_t pages)
{
	struct disk_page d = {.fd = make_file(disk_dir(), name, 0)};

	tag_file(d.fd, pages);
	CHECK_OK(fsync(d.fd));
	d.p = map_shared(d.fd, pages, RW);
	return d;
}
