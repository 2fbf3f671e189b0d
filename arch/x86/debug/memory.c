/*
 * memory.c - writing where something may not be mapped, or only be read; and where breakpoints must not be.
 * Layer 1 (x86).
 */
#include <arch/debug.h>
#include <arch/pgtable.h>
#include <asm/msr.h>
#include "arch/x86/debug/internal.h"

extern char text_start[], text_end[];
extern char debug_text_start[], debug_text_end[]; /* from trap_entry() to the debugger */
extern char entry_text_start[], entry_text_end[]; /* entry.S */
extern char entry_trap_start[], entry_trap_end[]; /* ... its way to trap_entry() */

bool arch_debug_write(void *dst, const void *src, size_t n, bool force)
{
	unsigned long cr0 = read_cr0();
	bool good;

	if (force)
		write_cr0(cr0 & ~(unsigned long)CR0_WP);
	good = user_copy(dst, src, n) == 0;
	if (force)
		write_cr0(cr0);
	return good;
}

u8 arch_debug_code(vaddr_t va)
{
	return *(volatile u8 *)va;
}

void arch_debug_set_code(vaddr_t va, u8 byte)
{
	unsigned long cr0 = read_cr0();

	write_cr0(cr0 & ~(unsigned long)CR0_WP);
	*(volatile u8 *)va = byte;
	write_cr0(cr0);
}

static bool within(vaddr_t va, const char *start, const char *end)
{
	return va >= (vaddr_t)start && va < (vaddr_t)end;
}

/*
 * A breakpoint in entry.S may hit between two stacks, or before GS is the kernel's; on x86-64 debug exceptions have a stack of
 * their own and look at GS themselves.  On the way to the debugger itself either would come back to itself for ever.
 */
enum debug_place arch_debug_place(vaddr_t va)
{
	if (!within(va, text_start, text_end) || within(va, debug_text_start, debug_text_end) ||
	    within(va, entry_trap_start, entry_trap_end))
		return DEBUG_PLACE_NEVER;
	return within(va, entry_text_start, entry_text_end) ? DEBUG_PLACE_REGISTER : DEBUG_PLACE_ANY;
}
