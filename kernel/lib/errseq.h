/*
 * errseq.h - an error that many watchers must each hear of exactly once.  Layer 0.
 *
 * The source keeps one word: the last error, a counter, and whether anybody has looked since the error was
 * set.  A watcher keeps the word as it last saw it (its cursor).  While nobody has looked, a further error only
 * replaces the number: nothing distinguishes the two for anybody, and the counter lasts longer.
 *
 *   bits 0..11   the error, positive; 0: none yet
 *   bit  12      somebody has looked: the next error must count
 *   bits 13..31  the counter
 *
 * No locks; any context.
 */
#ifndef KERNEL_LIB_ERRSEQ_H
#define KERNEL_LIB_ERRSEQ_H

#include "kernel/lib/types.h"

typedef u32 errseq_t; /* 0: no error ever */

/* Something failed: @error is -EIO, -ENOSPC, ... */
void errseq_set(errseq_t *source, int error);
/* A cursor for a new watcher.  An error that nobody has heard of yet is still ahead of it. */
errseq_t errseq_sample(errseq_t *source);
/* The error set since *@cursor, or 0; *@cursor moves behind it.  Of several callers with one cursor, one is told. */
int errseq_advance(errseq_t *source, errseq_t *cursor);
/* The last error, or 0, whoever has heard of it. */
int errseq_last(errseq_t *source);

#endif
