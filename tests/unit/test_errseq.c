/*
 * test_errseq.c - each watcher hears of each error once.
 * links: kernel/lib/errseq.c
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/errseq.h"
#include "tests/unit/test.h"

static void told_once(void)
{
	errseq_t source = 0, a = errseq_sample(&source), b = errseq_sample(&source);

	CHECK(errseq_advance(&source, &a) == 0);
	errseq_set(&source, -EIO);
	CHECK(errseq_last(&source) == -EIO);
	CHECK(errseq_advance(&source, &a) == -EIO && errseq_advance(&source, &a) == 0);
	errseq_set(&source, -EIO); /* the same number again is another error */
	CHECK(errseq_advance(&source, &a) == -EIO && errseq_advance(&source, &a) == 0);
	CHECK(errseq_advance(&source, &b) == -EIO && errseq_advance(&source, &b) == 0); /* two, told as one */
}

static void unheard(void)
{
	errseq_t source = 0, late;

	errseq_set(&source, -EIO);
	errseq_set(&source, -ENOSPC);
	late = errseq_sample(&source);
	CHECK(errseq_advance(&source, &late) == -ENOSPC && errseq_advance(&source, &late) == 0);
	late = errseq_sample(&source); /* now somebody has */
	CHECK(errseq_advance(&source, &late) == 0);
	errseq_set(&source, -EIO);
	CHECK(errseq_advance(&source, &late) == -EIO);
}

static void many(void)
{
	errseq_t source = 0, a = 0;

	for (unsigned i = 0; i < 1u << 20; i++) { /* the counter goes round, twice */
		errseq_set(&source, -EIO);
		CHECK(errseq_advance(&source, &a) == -EIO && errseq_advance(&source, &a) == 0);
	}
}

int main(void)
{
	RUN(told_once);
	RUN(unheard);
	RUN(many);
	return test_end();
}
