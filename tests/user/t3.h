/*
 * t3.h - what the tests of thread 3 share: a device that mirrors our memory (/dev/mirror).
 */
#ifndef TESTS_USER_T3_H
#define TESTS_USER_T3_H

#include "puppet.h"
#include "kernel/uapi/mirror.h"

#include <sys/ioctl.h>

#define RW (PROT_READ | PROT_WRITE)
#define POISON 0x5a5a5a5au

int device_open(void); /* of this address space; SKIPs if there is none */
/* A device for [p, p + len) alone; one that acknowledges, after @us. */
int device_open_range(const volatile void *p, size_t len, u64 flags, u64 us);
/* One word through the device: 0 or an errno. */
int device_try_load(int dev, const volatile void *p, u32 *value);
int device_try_store(int dev, volatile void *p, u32 value);
u32 device_load(int dev, const volatile void *p);
void device_store(int dev, volatile void *p, u32 value);
/* Number i from p + i % span * stride; how many it got. */
size_t device_loads(int dev, const volatile void *p, size_t stride, size_t span, u32 *out, size_t n);
struct mirror_stat device_stat(int dev);
/* Was the page used through any secondary MMU of ours? @clear: forget it. */
int device_young(int dev, const volatile void *p, bool clear);
u8 device_prot(int dev, const volatile void *p); /* MIRROR_PROT_* of its table */

static inline volatile u32 *word(volatile u8 *p, size_t page)
{
	return (volatile u32 *)(p + page * P);
}

/* A puppet's load by the device. */
struct device_access {
	int dev;
	volatile void *at;
	u32 value;
	int error;
};
void device_access_do(void *access);

#endif
