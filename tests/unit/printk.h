/*
 * printk.h - what the kernel says, on standard output: for tests on the bare process.  Included once per test program.
 */
#ifndef TESTS_UNIT_PRINTK_H
#define TESTS_UNIT_PRINTK_H

#include "kernel/lib/printk.h"

int vprintf(const char *fmt, va_list ap);

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

#endif
