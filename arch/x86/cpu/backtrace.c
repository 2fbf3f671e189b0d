/*
 * backtrace.c - the call chain, by frame pointers, with names.  Layer 1 (x86).
 * Trusts nothing: every word is read through an instruction that may fault.
 */
#include <arch/debug.h>
#include <arch/pgtable.h>
#include <asm/machine.h>
#include "kernel/lib/ksyms.h"
#include "kernel/lib/printk.h"

#define BACKTRACE_MAX 32
#define FRAME_SPAN_MAX 65536 /* no stack is larger */

bool arch_probe_read(void *dst, const void *src, size_t n)
{
	return user_copy(dst, src, n) == 0;
}

/* A return address belongs to the call before it, which may be its function's last instruction. */
static void print_address(vaddr_t address, bool is_return, const char *what)
{
	unsigned long offset;
	const char *name = ksym_lookup(address - is_return, &offset);

	if (name)
		printk("  %0*lx %s+0x%lx%s\n", BITS / 4, address, name, offset + is_return, what);
	else
		printk("  %0*lx%s\n", BITS / 4, address, what);
}

static void walk(vaddr_t bp)
{
	vaddr_t word[2];

	for (unsigned i = 0; i < BACKTRACE_MAX; i++) {
		if (bp < KERNEL_BASE || !IS_ALIGNED(bp, sizeof(word[0])) || !arch_probe_read(word, (void *)bp, sizeof(word)))
			return;
		if (!word[1])
			return;
		print_address(word[1], true, "");
		if (word[0] <= bp || word[0] - bp > FRAME_SPAN_MAX)
			return;
		bp = word[0];
	}
	printk("  ...\n");
}

void arch_backtrace(void)
{
	printk("backtrace:\n");
	walk((vaddr_t)__builtin_frame_address(0));
}

void arch_backtrace_frame(const struct trap_frame *tf)
{
	printk("backtrace:\n");
	print_address(tf->ip, false, tf->cs & 3 ? " (program)" : "");
	if (!(tf->cs & 3))
		walk(tf->bp);
}
