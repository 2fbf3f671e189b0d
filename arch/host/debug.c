/*
 * debug.c - the console, and the end of the machine.  Layer 1 (host).
 */
#include <arch/debug.h>
#include "arch/host/machine.h"
#include "arch/host/os/os.h"
#include "kernel/lib/ksyms.h"
#include "kernel/lib/printk.h"

bool host_verbose; /* print what the kernel says; else only what it says when it dies */

void console_write(const char *s, size_t n)
{
	if (host_verbose)
		os_write(s, n);
}

void cpu_exit(unsigned code)
{
	os_exit(code == EXIT_PANIC ? 2 : 4);
}

void cpu_poweroff(void)
{
	os_exit(0);
}

void cpu_reboot(void)
{
	os_exit(0);
}

void arch_dump_walk(vaddr_t va)
{
}

void arch_dump_frame(const struct trap_frame *tf)
{
}

void arch_dump_here(void)
{
}

void arch_backtrace(void)
{
	os_backtrace();
}

void arch_backtrace_frame(const struct trap_frame *tf)
{
}

const char *ksym_lookup(vaddr_t address, unsigned long *offset)
{
	return NULL;
}
