/*
 * tsan.c - READ_ONCE() and WRITE_ONCE() for the thread sanitizer.  arch/host/os.
 *
 * The compiler (tsan-distinguish-volatile) announces each volatile access before it makes it.  READ_ONCE() says that the
 * reader is ready for anything, so it races with nobody.  WRITE_ONCE() becomes a relaxed atomic store: it may meet the
 * first kind, atomic accesses and its like, but no plain access.  Its value is not known here: adding 0 stands for it.
 */
#include <stdint.h>

#include "arch/host/os/sanitizer.h"

#if HAVE_TSAN
#define MARKED(bytes, type)                                       \
	void __tsan_volatile_read##bytes(void *p);                    \
	void __tsan_volatile_write##bytes(void *p);                   \
	void __tsan_volatile_read##bytes(void *p)                     \
	{                                                             \
		(void)p;                                                  \
	}                                                             \
	void __tsan_volatile_write##bytes(void *p)                    \
	{                                                             \
		(void)__atomic_fetch_add((type *)p, 0, __ATOMIC_RELAXED); \
	}

MARKED(1, uint8_t)
MARKED(2, uint16_t)
MARKED(4, uint32_t)
MARKED(8, uint64_t)
#endif
