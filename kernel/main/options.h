/*
 * options.h - words of the kernel command line: "name" or "name=value", separated by spaces.  Layer 11.
 */
#ifndef KERNEL_MAIN_OPTIONS_H
#define KERNEL_MAIN_OPTIONS_H

#include "kernel/lib/types.h"

/* Is the word there, with or without a value? */
bool option_present(const char *name);
/* Copy the value of @name, cut to @size; false (and "") if it is absent. */
bool option_value(const char *name, char *value, size_t size);

#endif
