/*
 * mirrored.h - each address space of the model has a secondary MMU, which must see what the program sees.
 */
#ifndef TESTS_MODEL_MIRRORED_H
#define TESTS_MODEL_MIRRORED_H

#include "mm/service/mirror.h"
#include "tests/model/op.h"

struct drive;

struct mirrored {
	struct mirror mirror;
	bool open;
};

/* The space has come, is about to go (its last user may have gone already). */
void mirrored_begin(struct drive *d, unsigned space);
void mirrored_end(struct drive *d, unsigned space);
/* Nothing that the mirror has may be stale. */
void mirrored_check(struct drive *d, unsigned space);
/* The first @n cells of a page through the mirror: what it has, or what a fault makes. 0 or a negative errno. */
int mirrored_load(struct drive *d, unsigned space, unsigned page, u64 *values, unsigned n);

#endif
