/*
 * extable.c - kernel instructions that may fault.  Layer 1 (x86).  A dozen entries: a linear search will do.
 */
#include <asm/extable.h>
#include <asm/machine.h>

static vaddr_t fixup_of(vaddr_t ip)
{
	for (const struct extable_entry *e = extable_start; e < extable_end; e++)
		if (e->insn == ip)
			return e->fixup;
	return 0;
}

bool arch_fixup_exists(const struct trap_frame *tf)
{
	return fixup_of(tf->ip) != 0;
}

bool arch_fixup(struct trap_frame *tf)
{
	vaddr_t fixup = fixup_of(tf->ip);

	if (!fixup)
		return false;
	tf->ip = fixup;
	return true;
}
