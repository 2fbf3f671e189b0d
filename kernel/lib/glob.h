/*
 * glob.h - names against patterns, for choosing tests.  Layer 0.
 */
#ifndef KERNEL_LIB_GLOB_H
#define KERNEL_LIB_GLOB_H

#include "kernel/lib/types.h"

/* @pattern: alternatives separated by commas, each with * (any text) and ? (any one character); the whole
 * of @s must match one of them. An empty alternative matches only the empty string. */
bool glob_match(const char *pattern, const char *s);

#endif
