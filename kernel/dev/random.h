/*
 * random.h - bytes nobody needs to trust: AT_RANDOM, getrandom(2), /dev/urandom.  Layer 9.
 */
#ifndef KERNEL_DEV_RANDOM_H
#define KERNEL_DEV_RANDOM_H

#include "kernel/lib/types.h"

void random_bytes(void *buf, size_t n);

#endif
