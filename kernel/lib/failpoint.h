/*
 * failpoint.h - places where a test may make the nth attempt fail (H.2).
 * Layer 0: the macro and what it reads; mm/debug/failpoint.c is behind the hook.
 */
#ifndef KERNEL_LIB_FAILPOINT_H
#define KERNEL_LIB_FAILPOINT_H

#include "kernel/lib/types.h"

extern unsigned failpoints_armed; /* how many; atomic */
extern bool (*failpoint_hook)(const char *name);

/* True: behave as if this attempt had failed.  Constant false in release builds.  => any context */
#define FAILPOINT(name) (DEBUG && unlikely(READ_ONCE(failpoints_armed)) && failpoint_hook(name))

#endif
