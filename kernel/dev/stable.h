/*
 * stable.h - what a write request hands to the device does not change until it has ended.  Layer 9, private to
 * kernel/dev.
 */
#ifndef KERNEL_DEV_STABLE_H
#define KERNEL_DEV_STABLE_H

#include "kernel/dev/block.h"

/* Replace by copies what may change under the device; note what is handed over. 0, -ENOMEM (nothing replaced).
 * => may sleep */
int stable_begin(struct bio *bio);
/* Was it so? Free the copies. => any context */
void stable_end(struct bio *bio);

#endif
