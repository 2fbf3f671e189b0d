/*
 * dma.h - what the tests of thread 1 share: /dev/dma, whose engines store into pinned pages.
 */
#ifndef TESTS_USER_DMA_H
#define TESTS_USER_DMA_H

#include "disk.h"
#include "puppet.h"
#include "kernel/uapi/dma.h"

#include <sys/ioctl.h>

#ifndef RW
#define RW (PROT_READ | PROT_WRITE)
#endif

int dma_open(void); /* SKIPs if there is none */
/* The id; the test fails unless every page is pinned. */
u64 dma_pin(int dma, const volatile void *p, size_t len, u64 flags);
/* 0 and *@npages, or an errno. */
int dma_try_pin(int dma, const volatile void *p, size_t len, u64 flags, struct edu_pin *pin);
void dma_unpin(int dma, u64 id, bool dirty);
struct edu_stat dma_stat_at(int dma, const volatile void *p);
struct edu_stat dma_stat_pin(int dma, u64 id, u64 index);
u64 dma_outstanding(int dma); /* pins, of everybody */

void dma_start(int dma, u64 id, u64 offset, u64 length, u64 first, u64 pause_us);
struct dma_stop dma_stop(int dma, u64 id);
void dma_store(int dma, u64 id, u64 offset, u64 value);
u64 dma_load(int dma, u64 id, u64 offset);

/* /proc/pinstat's value of that name; -1: there is none. */
long pinstat(const char *name);

/* A page of a fresh file on the disk: the file and where it is mapped, shared. */
struct disk_page {
	int fd;
	u8 *p;
};
struct disk_page disk_pages(const char *name, size_t pages);

#endif
