/*
 * debug.h - gdb inside the kernel, at the second serial port (docs/debugging.md).
 *
 * Layer 9 (kernel/debug).  Without gdb= on the command line nothing of it ever runs, and the port is not touched.
 *
 *   gdb=on      a gdb may attach at any time
 *   gdb=wait    the machine waits for one as soon as it can
 *   gdb=panic   also when it dies; else it waits then only if a gdb is attached
 */
#ifndef KERNEL_DEBUG_DEBUG_H
#define KERNEL_DEBUG_DEBUG_H

#include "kernel/lib/types.h"

/* @words: the option's value, words with commas between them. => first thing in kernel_main() */
void debugger_init(const char *words);
/* From here on a running machine hears its line. => after arch_init() */
void debugger_listen(void);
/* Frames that breakpoints in programs keep are let go of by a thread. => thread context, once */
void debugger_start(void);

#endif
