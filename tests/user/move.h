/*
 * move.h - what tests ask of /dev/mm that moves pages about.
 */
#ifndef TESTS_USER_MOVE_H
#define TESTS_USER_MOVE_H

#include "puppet.h"

/* 0 or errno. */
int migrate(int mm, const volatile void *p);
int merge(int mm, const volatile void *keep, const volatile void *drop);
int compact(int mm, u64 order);

/* migrate() by a puppet. */
struct migrating {
	int mm;
	volatile void *at;
	int err;
};
void migrate_do(void *migrating);

/* It goes to another frame, and nothing else that /dev/mm can see changes. */
void migrate_check(int mm, const volatile void *p);

#endif
