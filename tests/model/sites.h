/*
 * sites.h - which allocations have failed: the places in the sources, by return addresses.
 */
#ifndef TESTS_MODEL_SITES_H
#define TESTS_MODEL_SITES_H

/* From now on every attempt that a failpoint lets fail is noted. => the machine has booted */
void sites_start(void);
/* Each once, as "# site ADDRESS...": return addresses relative to the program's start, innermost first, for addr2line. */
void sites_print(void);

#endif
