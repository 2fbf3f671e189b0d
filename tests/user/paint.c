/*
 * paint.c - see paint.h.
 */
#include "paint.h"

void paint(u8 *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CHECK_OK(rfp(w + i * P, P, paint_prot(i), n - 1 - i, MAP_CHGPROT));
}

void expect_painted(u8 *w, size_t count, size_t n)
{
	for (size_t i = 0; i < count; i++) {
		u8 *p = w + i * P;

		if (paint_prot(i) == PROT_NONE) {
			CHECK_ACCERR(try_read(p), p);
			CHECK_ACCERR(try_write(p, 1), p);
			continue;
		}
		CHECK_NOFAULT(try_read(p));
		CHECK_EQ(tag(w, i), n - 1 - i);
		if (paint_prot(i) & PROT_WRITE)
			CHECK_NOFAULT(try_write64(p, n - 1 - i));
		else
			CHECK_ACCERR(try_write(p, 1), p);
	}
}
