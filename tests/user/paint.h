/*
 * paint.h - the picture that many T0 tests start from: entry i of a window of n pages shows file page
 * n-1-i, with protections cycling NONE, R, RW.
 */
#ifndef TESTS_USER_PAINT_H
#define TESTS_USER_PAINT_H

#include "test.h"

static inline int paint_prot(size_t i)
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};

	return prots[i % 3];
}
/* Remap the @n pages of @w so. Pteron only. */
void paint(u8 *w, size_t n);
/* Entries 0 .. @count-1 of a picture of @n pages over a tagged file: every access must do what it should.
 * Writes through RW entries keep the tag. */
void expect_painted(u8 *w, size_t count, size_t n);

#endif
