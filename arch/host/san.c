/*
 * san.c - what kernel/lib/kasan.h promises, by the address sanitizer of the process.  Layer 1 (host).
 *
 * Freed frames and free slab objects are poisoned: whoever touches one, the kernel, the walker or a user program
 * through a stale translation, is reported with the stack of the access.  RAM outside the direct map is not tracked.
 */
#include "kernel/lib/kasan.h"
#include <arch/phys.h>
#include "arch/host/os/os.h"
#include "kernel/lib/assert.h"

static bool tracked(const void *p)
{
	return (const char *)p >= host_direct && (const char *)p < host_direct + phys_direct_end();
}

void kasan_start(void)
{
}

void kasan_poison_range(const void *p, size_t size, enum kasan_why why)
{
	if (tracked(p))
		os_poison(p, ALIGN_UP(size, 8), true);
}

void kasan_unpoison_range(const void *p, size_t size)
{
	if (tracked(p))
		os_poison(p, size, false);
}

void kasan_check_range(const void *p, size_t size, bool write, const void *ip)
{
	os_touch_checked(p, size, write);
}

bool kasan_is_poisoned(const void *p)
{
	return tracked(p) && os_poisoned(p, 1);
}

void kasan_check_free(const void *p, const void *ip)
{
	if (kasan_is_poisoned(p))
		panic("kasan: %p is freed, but nobody has it\n", p);
}
