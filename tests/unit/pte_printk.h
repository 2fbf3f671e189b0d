/*
 * pte_printk.h - what the kernel says, on standard output: for the tests of entries, which are linked with nothing else.
 */
#ifndef TESTS_UNIT_PTE_PRINTK_H
#define TESTS_UNIT_PTE_PRINTK_H

#include "kernel/lib/assert.h"
#include "kernel/lib/printk.h"

int vprintf(const char *fmt, va_list ap);
__noreturn void exit(int status);

int vprintk(const char *fmt, va_list ap)
{
	return vprintf(fmt, ap);
}

int printk(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vprintk(fmt, ap);
	va_end(ap);
	return n;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	exit(2);
}

#endif
