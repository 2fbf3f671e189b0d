/*
 * readahead.h - reading pages of a file before they are asked for.  Layer 5b (mm/object).
 */
#ifndef MM_OBJECT_READAHEAD_H
#define MM_OBJECT_READAHEAD_H

#include "mm/object/object.h"

enum readahead_mode { READAHEAD_NORMAL, READAHEAD_RANDOM, READAHEAD_SEQUENTIAL };

/* What one reader (an open file description) has read lately. All zero: nothing yet. Nobody locks it: threads that
 * share a description and read at once spoil each other's guess, and nothing else. */
struct readahead {
	pgoff_t next;    /* where a sequential reader goes on */
	pgoff_t end;     /* up to here reading was started */
	unsigned window; /* pages; grows while the guess is right */
	unsigned mode;   /* enum readahead_mode */
};

/* @ra's owner is about to use @nr pages from @index on: start reading them, and more if it looks like the middle of
 * a sequential pass. => may sleep, no lock on the object or its pages held */
void readahead_access(struct vm_object *obj, struct readahead *ra, pgoff_t index, unsigned long nr);
/* Start reading what is not cached of [first, last]. => the same */
void readahead_range(struct vm_object *obj, pgoff_t first, pgoff_t last);

#endif
