/*
 * mutation.h - known bugs that can be switched on, to prove that a test finds them (H.3).  Layer 0.
 *
 * The numbers are those of the mutation table in the specification: MUTATION(2) is M2, "free before flush"; from 101 on
 * they are ours.  One at a time, by the boot option mutate=M2 or through /dev/mm.  Constant false in release builds.
 */
#ifndef KERNEL_LIB_MUTATION_H
#define KERNEL_LIB_MUTATION_H

#include "kernel/lib/types.h"

extern unsigned mutation_active; /* 0: none */

#define MUTATION(n) (DEBUG && unlikely(READ_ONCE(mutation_active) == (n)))

#endif
