/*
 * errseq.c - see errseq.h.  Layer 0.
 */
#include "kernel/lib/errseq.h"

#include "kernel/lib/assert.h"

#define ERROR_MASK 0xfffu
#define SEEN 0x1000u
#define COUNT_ONE 0x2000u

static bool replace(errseq_t *source, errseq_t *old, errseq_t new)
{
	return __atomic_compare_exchange_n(source, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void errseq_set(errseq_t *source, int error)
{
	errseq_t old = __atomic_load_n(source, __ATOMIC_SEQ_CST), new;

	ASSERT(error < 0 && (unsigned)-error <= ERROR_MASK);
	do {
		new = (old & ~(ERROR_MASK | SEEN)) | (unsigned)-error;
		if (old & SEEN)
			new += COUNT_ONE;
	} while (!replace(source, &old, new));
}

errseq_t errseq_sample(errseq_t *source)
{
	errseq_t now = __atomic_load_n(source, __ATOMIC_SEQ_CST);

	return now & SEEN ? now : 0;
}

int errseq_advance(errseq_t *source, errseq_t *cursor)
{
	errseq_t now = __atomic_load_n(source, __ATOMIC_SEQ_CST);
	errseq_t mine = __atomic_load_n(cursor, __ATOMIC_SEQ_CST);

	if (now == mine)
		return 0;
	while (!(now & SEEN) && !replace(source, &now, now | SEEN))
		;
	now |= SEEN;
	/* Of several callers with one cursor, the one that moves it is told. */
	while (mine != now)
		if (replace(cursor, &mine, now))
			return -(int)(now & ERROR_MASK);
	return 0;
}

int errseq_last(errseq_t *source)
{
	return -(int)(__atomic_load_n(source, __ATOMIC_SEQ_CST) & ERROR_MASK);
}
