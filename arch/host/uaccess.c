/*
 * uaccess.c - the kernel's access to user memory: through the executing CPU's TLB, as a user program's, with the page
 * fault handler in between.  Layer 1 (host).
 */
#include <arch/uaccess.h>
#include "arch/host/machine.h"
#include <arch/context.h>
#include "kernel/lib/errno.h"

bool user_range_ok(const void *user, size_t n)
{
	return (vaddr_t)user <= USER_END && n <= USER_END - (vaddr_t)user;
}

void pagefault_disable(void)
{
	this_cpu()->ctx->pagefault_off++;
}

void pagefault_enable(void)
{
	this_cpu()->ctx->pagefault_off--;
}

bool pagefault_disabled(void)
{
	return this_cpu()->ctx->pagefault_off;
}

/* How many bytes could not be moved. @k NULL with FAULT_WRITE: store zeros. */
static size_t move_user(vaddr_t user, enum fault_access access, char *k, size_t n)
{
	static const char zeros[64];

	if (!user_range_ok((void *)user, n))
		return n;
	while (n) {
		size_t chunk = min(n, (size_t)(PAGE_SIZE - (user & ~PAGE_MASK)));
		struct fault_cause cause;

		if (!k)
			chunk = min(chunk, sizeof(zeros));
		if (!mmu_access(user, access, k ? k : (void *)zeros, chunk, &cause)) {
			if (!upcall_page_fault(NULL, &cause))
				break;
			continue;
		}
		user += chunk;
		k = k ? k + chunk : NULL;
		n -= chunk;
		host_point();
	}
	return n;
}

size_t copy_from_user_some(void *dst, const void *user, size_t n)
{
	return move_user((vaddr_t)user, FAULT_READ, dst, n);
}

size_t copy_to_user_some(void *user, const void *src, size_t n)
{
	return move_user((vaddr_t)user, FAULT_WRITE, (char *)src, n);
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
	return move_user((vaddr_t)user, FAULT_WRITE, NULL, n) ? -EFAULT : 0;
}

int cmpxchg_user(u32 *user, u32 *old, u32 new)
{
	struct fault_cause cause;

	if (!user_range_ok(user, sizeof(*user)))
		return -EFAULT;
	while (!mmu_cmpxchg((vaddr_t)user, old, new, &cause))
		if (!upcall_page_fault(NULL, &cause))
			return -EFAULT;
	return 0;
}

ssize_t strncpy_from_user(char *dst, const char *user, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (copy_from_user(dst + i, user + i, 1))
			return -EFAULT;
		if (!dst[i])
			return (ssize_t)i;
	}
	return -ENAMETOOLONG;
}
