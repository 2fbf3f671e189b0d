/*
 * step.h - one step of a generated sequence: which call, and the random numbers that its arguments are made of.
 *
 * A sequence is the steps of a seed, made before any of them runs: leaving one out changes no other.  Everything that a
 * step does and prints follows from its numbers and from what the steps before it did, so that two kernels that agree
 * print the same lines.
 */
#ifndef TESTS_ORACLE_STEP_H
#define TESTS_ORACLE_STEP_H

#include "tests/user/test.h"

#define MAX_STEPS 64
#define NR_NUMBERS 10

/* The window that steps use: across the end of a page table of every level but the highest. */
#define WINDOW_PAGES 32
#define WINDOW_MIDDLE ((uintptr_t)(sizeof(long) == 8 ? 0x8000000000ull : 0x40000000ull))
#define WINDOW ((u8 *)(WINDOW_MIDDLE - WINDOW_PAGES / 2 * P))

struct step {
	void (*run)(const struct step *s);
	u32 r[NR_NUMBERS];
};

/* The @nr steps of @seed. */
void steps_of(u32 seed, struct step *steps, unsigned nr);

/* What there is, and how often each is chosen: a table in steps.c. Each prints one line. */
void step_mmap(const struct step *s);
void step_munmap(const struct step *s);
void step_mprotect(const struct step *s);
void step_mremap(const struct step *s);
void step_remap(const struct step *s);
void step_brk(const struct step *s);
void step_madvise(const struct step *s);
void step_msync(const struct step *s);
void step_mlock(const struct step *s);
void step_mlockall(const struct step *s);
void step_mincore(const struct step *s);
void step_pagemap(const struct step *s);
void step_maps(const struct step *s);
void step_read(const struct step *s);
void step_write(const struct step *s);
void step_exec(const struct step *s);
void step_pread(const struct step *s);
void step_pwrite(const struct step *s);
void step_vm(const struct step *s);
void step_truncate(const struct step *s);
void step_fallocate(const struct step *s);
void step_seal(const struct step *s);
void step_fork(const struct step *s);

/* -- arguments out of a step's numbers ------------------------------------------------------------------------- */
bool one_in(u32 r, unsigned n);
unsigned arg_page(u32 r);                  /* of the window, mostly near its middle */
uintptr_t arg_address(u32 r);              /* mostly such a page */
size_t arg_length(u32 r, uintptr_t start); /* mostly a few pages */
int arg_prot(u32 r);
#define NR_FILES 7
enum { FILE_MEMFD, FILE_SEALABLE, FILE_TMP, FILE_READONLY, FILE_WRITEONLY, FILE_PIPE, FILE_CLOSED };
int arg_file(u32 r, const char **name);

/* -- where sequences happen (run.c) ---------------------------------------------------------------------------- */
extern uintptr_t heap_start; /* the program break before the first step */
extern int files[NR_FILES];

/*
 * Populated and locked private mappings of files: Linux copies the pages that may be written at once, other kernels may wait
 * for a store, and both may.  So each page of the window's part [at, at + size) is stored to once, as it is, on all of them.
 */
void settle(uintptr_t at, size_t size);
extern bool locks_used; /* memory was locked in this sequence: what is mapped or becomes writable may be populated */

/* -- what is printed ------------------------------------------------------------------------------------------- */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Names of an address and of a length that are the same on every kernel; static rings of buffers. */
const char *place(uintptr_t address);
const char *length(size_t n);
const char *prot_text(int prot);
/* " = 0" or the errno's name, of what a call returned. */
void say_result(long result);
/* " = the errno", then the same call (with one argument more) for each page of the range alone: where a call that failed has
 * done a part of its work on one kernel and nothing on the other, all of it that can be done is now done on both. */
void say_page_by_page(long nr, uintptr_t at, size_t size, long argument);
void say_fault(struct fault f, uintptr_t at);

/* -- state (look.c) -------------------------------------------------------------------------------------------- */
void look_maps(void);                               /* of the window, neighbours that continue each other made one */
void look_mincore(void);                            /* of every page of the window */
void look_pagemap(uintptr_t start, unsigned pages); /* present, swapped, exclusive, file */
void look_window(void);                             /* look_pagemap() of all of it */
void look_contents(void);                           /* a sum of each page, or the signal that reading it raises */
void look_files(void);                              /* sizes and sums */
u32 page_sum(const volatile u8 *page);              /* the page must be readable */

#endif
