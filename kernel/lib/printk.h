/*
 * printk.h - the kernel's messages: to the console and into a 32 KiB ring.  Layer 0.
 *
 * => any context, also from interrupts and before anything is set up.
 */
#ifndef KERNEL_LIB_PRINTK_H
#define KERNEL_LIB_PRINTK_H

#include "kernel/lib/types.h"

__printf(1, 2) int printk(const char *fmt, ...);
int vprintk(const char *fmt, va_list ap);

/* Implemented by the machine's serial driver: write @n bytes, polling. => any context */
void console_write(const char *s, size_t n);

/* Somebody else writes a line to the console: messages wait meanwhile. False: one is being printed, try again.
 * => thread context, no sleep until printk_release() */
bool printk_hold(void);
void printk_release(void);

/* Copy out of the ring, from stream position *@pos on (older text that was overwritten is skipped).
 * Returns the number of bytes copied and advances *@pos. */
size_t log_read(unsigned long *pos, char *buf, size_t n);

/* Take no lock any more: the machine is dying (panic()). */
void printk_force(void);

#endif
