/*
 * uaccess.c - kernel access to user memory.  Layer 1 (x86).
 * The range check is here; the loads and stores are in {32,64}/user_copy.S.
 */
#include <arch/pgtable.h>
#include <arch/uaccess.h>
#include <asm/machine.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/kasan.h"

bool user_range_ok(const void *user, size_t n)
{
	return n <= USER_END && (vaddr_t)user <= USER_END - n;
}

size_t copy_from_user_some(void *dst, const void *user, size_t n)
{
	kasan_check(dst, n, true);
	return likely(user_range_ok(user, n)) ? user_copy(dst, user, n) : n;
}

size_t copy_to_user_some(void *user, const void *src, size_t n)
{
	kasan_check(src, n, false);
	return likely(user_range_ok(user, n)) ? user_copy(user, src, n) : n;
}

int copy_from_user(void *dst, const void *user, size_t n)
{
	return copy_from_user_some(dst, user, n) ? -EFAULT : 0;
}

int copy_to_user(void *user, const void *src, size_t n)
{
	return copy_to_user_some(user, src, n) ? -EFAULT : 0;
}

int clear_user(void *user, size_t n)
{
	return !user_range_ok(user, n) || user_clear(user, n) ? -EFAULT : 0;
}

int cmpxchg_user(u32 *user, u32 *old, u32 new)
{
	return !user_range_ok(user, sizeof(*user)) || user_cmpxchg(user, *old, new, old) ? -EFAULT : 0;
}

ssize_t strncpy_from_user(char *dst, const char *user, size_t size)
{
	size_t room = (vaddr_t)user < USER_END ? USER_END - (vaddr_t)user : 0;
	size_t limit = min(size, room);
	long length;

	kasan_check(dst, limit, true);
	length = user_string(dst, user, limit);
	if (length < 0)
		return -EFAULT;
	if ((size_t)length < limit)
		return length;
	return limit == size ? -ENAMETOOLONG : -EFAULT;
}

/* The depth belongs to the thread, so it survives sleeping. */
void pagefault_disable(void)
{
	this_cpu()->ctx->pagefault_off++;
	barrier();
}

void pagefault_enable(void)
{
	barrier();
	ASSERT(this_cpu()->ctx->pagefault_off > 0);
	this_cpu()->ctx->pagefault_off--;
}

bool pagefault_disabled(void)
{
	return this_cpu()->ctx->pagefault_off != 0;
}
