/*
 * t3.c - see t3.h.
 */
#include "t3.h"

#include <fcntl.h>
#include <unistd.h>

int device_open(void)
{
	int dev = open("/dev/mirror", O_RDWR | O_CLOEXEC);

	if (dev < 0 && errno == ENOENT)
		SKIP("no /dev/mirror");
	return CHECK_OK(dev);
}

int device_open_range(const volatile void *p, size_t len, u64 flags, u64 us)
{
	struct mirror_subscribe s = {.addr = (uintptr_t)p, .len = len, .flags = flags, .ack_us = us};
	int dev = device_open();

	CHECK_OK(ioctl(dev, MIRROR_IOC_SUBSCRIBE, &s));
	return dev;
}

static int run(int dev, struct mirror_run *r)
{
	return ioctl(dev, MIRROR_IOC_RUN, r) == 0 ? 0 : errno;
}

int device_try_load(int dev, const volatile void *p, u32 *value)
{
	struct mirror_run r = {.addr = (uintptr_t)p, .span = 1, .count = 1, .ptr = (uintptr_t)value};

	return run(dev, &r);
}

int device_try_store(int dev, volatile void *p, u32 value)
{
	struct mirror_run r = {.addr = (uintptr_t)p, .span = 1, .count = 1, .value = value, .flags = MIRROR_RUN_WRITE};

	return run(dev, &r);
}

u32 device_load(int dev, const volatile void *p)
{
	u32 value = 0;

	CHECK_EQ(device_try_load(dev, p, &value), 0);
	return value;
}

void device_store(int dev, volatile void *p, u32 value)
{
	CHECK_EQ(device_try_store(dev, p, value), 0);
}

size_t device_loads(int dev, const volatile void *p, size_t stride, size_t span, u32 *out, size_t n)
{
	struct mirror_run r = {.addr = (uintptr_t)p, .stride = stride, .span = span, .count = n, .ptr = (uintptr_t)out};
	int err = run(dev, &r);

	if (err && err != EFAULT)
		FAIL("the device's loads: errno %d", err);
	return r.done;
}

struct mirror_stat device_stat(int dev)
{
	struct mirror_stat st = {0};

	CHECK_OK(ioctl(dev, MIRROR_IOC_STAT, &st));
	return st;
}

int device_young(int dev, const volatile void *p, bool clear)
{
	struct mirror_young y = {.addr = (uintptr_t)p, .len = P, .clear = clear};

	CHECK_OK(ioctl(dev, MIRROR_IOC_YOUNG, &y));
	return (int)y.young;
}

u8 device_prot(int dev, const volatile void *p)
{
	u8 prot = MIRROR_PROT_ERROR;
	struct hmm_dmirror_cmd c = {.addr = (uintptr_t)p & ~(P - 1), .ptr = (uintptr_t)&prot, .npages = 1};

	CHECK_OK(ioctl(dev, HMM_DMIRROR_SNAPSHOT, &c));
	return prot;
}

void device_access_do(void *access)
{
	struct device_access *a = access;

	a->error = device_try_load(a->dev, a->at, &a->value);
}
