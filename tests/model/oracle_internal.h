/*
 * oracle_internal.h - what the files of the oracle share.
 */
#ifndef TESTS_MODEL_ORACLE_INTERNAL_H
#define TESTS_MODEL_ORACLE_INTERNAL_H

#include "tests/model/oracle.h"

#define LOWEST 0x10000u /* nothing is mapped below */

struct range {
	unsigned first, end; /* pages of the window */
};

#define for_each_page(p, s, r) for (struct o_page *p = &(s)->page[(r).first]; p < &(s)->page[(r).end]; p++)

u64 round_up(u64 n); /* to pages */
bool aligned(u64 addr);
/* Does the range, once its length is rounded up, fit into the address space? */
bool fits(u64 addr, u64 length);
struct range range_of(u64 addr, u64 length); /* => it begins in the window */
bool covered(const struct oracle *o, unsigned space, struct range r);
bool any_locked(const struct oracle *o, unsigned space, struct range r);

int content_new(struct oracle *o);
int content_copy(struct oracle *o, int from);
/* The page is brought in; private memory becomes its own if @own. */
void bring_in(struct oracle *o, struct o_page *p, bool own);
/* What MAP_POPULATE and mlock promise: pages that are there if they may be read; own ones for anonymous memory that
 * may be written. */
void bring_in_promised(struct oracle *o, unsigned space, struct range r);
void drop(struct o_page *p); /* nothing is mapped there */

#endif
