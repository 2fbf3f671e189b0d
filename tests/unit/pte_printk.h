/*
 * pte_printk.h - what the kernel says, and its end: for the tests of entries, which are linked with nothing else.
 */
#ifndef TESTS_UNIT_PTE_PRINTK_H
#define TESTS_UNIT_PTE_PRINTK_H

#include "kernel/lib/assert.h"
#include "tests/unit/printk.h"

__noreturn void exit(int status);

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	exit(2);
}

#endif
