/*
 * inject.h - the operation in which an attempt to allocate fails.
 */
#ifndef TESTS_MODEL_INJECT_H
#define TESTS_MODEL_INJECT_H

#include "tests/model/drive.h"

/* drive_op() for that operation: if it reports that there is no memory, nothing has changed, but for what an operation
 * may leave half done; then everything is compared. */
void inject_op(struct drive *d);

#endif
