/*
 * stack_guard.c - what the compiler's stack protector needs (debug builds, -fstack-protector-strong).  Layer 0.
 *
 * A function with an array on its stack puts the guard word above it and looks at it before it returns.
 */
#include "kernel/lib/stack_guard.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/ksyms.h"
#include "kernel/lib/types.h"

extern unsigned long __stack_chk_guard;
__noreturn void __stack_chk_fail(void);

unsigned long __stack_chk_guard = (unsigned long)0xa7c35ad1e96b2400;

__attribute__((no_stack_protector)) void stack_guard_init(unsigned long entropy)
{
	/* The lowest byte stays 0: a string that is too long ends there. */
	__stack_chk_guard ^= entropy * (unsigned long)0x9e3779b97f4a7c15 << 8;
}

__noreturn void __stack_chk_fail(void)
{
	vaddr_t ip = (vaddr_t)__builtin_return_address(0);
	unsigned long offset;
	const char *name = ksym_lookup(ip - 1, &offset);

	panic("stack: %s wrote beyond an array on its stack\n", name ? name : "?");
}
