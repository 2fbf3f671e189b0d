/*
 * range.c - steps that are about a range of addresses: advice, syncing, locking, and questions.
 */
#define _GNU_SOURCE
#include "tests/oracle/step.h"

#include <sys/syscall.h>
#include <unistd.h>

void step_madvise(const struct step *s)
{
	static const int advices[] = {0,  1,  2,  3,  4,  4,  4,  4,  4,  4,  8, 8,  10, 10, 11,
	                              20, 21, 22, 22, 22, 23, 23, 23, 24, 24, 5, 77, -1, 9,  9};
	uintptr_t at = arg_address(s->r[0]);
	size_t size = arg_length(s->r[1], at);
	int advice = advices[s->r[2] % (sizeof(advices) / sizeof(*advices))];

	if (size > 1000 * P && at + size > at) /* it would go along everything there is, up to the stack */
		size = P;
	say("madvise(%s, %s, %d)", place(at), length(size), advice);
	say_result(syscall(SYS_madvise, at, size, advice));
	if (advice == 21 /* MADV_PAGEOUT: which pages really leave is each kernel's affair */)
		for (unsigned i = 0; i < 2 * WINDOW_PAGES; i++)
			(void)try_read(WINDOW + i * P);
}

void step_msync(const struct step *s)
{
	uintptr_t at = arg_address(s->r[0]);
	size_t size = arg_length(s->r[1], at);
	unsigned flags = s->r[2] % 9;

	say("msync(%s, %s, %u)", place(at), length(size), flags);
	say_result(syscall(SYS_msync, at, size, flags));
}

void step_mlock(const struct step *s)
{
	uintptr_t at = arg_address(s->r[0]);
	size_t size = arg_length(s->r[1], at);
	static const struct {
		const char *name;
		long nr;
	} calls[] = {{"munlock", SYS_munlock},
	             {"munlock", SYS_munlock},
	             {"mlock", SYS_mlock},
	             {"mlock2", SYS_mlock2},
	             {"mlock2", SYS_mlock2}};
	unsigned how = s->r[2] % 5, flags = how < 3 ? 0 : one_in(s->r[3], 10) ? 2 : s->r[3] % 2;

	say("%s(%s, %s, %u)", calls[how].name, place(at), length(size), flags);
	if (syscall(calls[how].nr, at, size, flags) == 0)
		say_result(0);
	else
		say_page_by_page(calls[how].nr, at, size, flags);
	if (how >= 2)
		settle(at, size);
	locks_used |= how >= 2;
}

void step_mlockall(const struct step *s)
{
	static const unsigned usual[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	unsigned flags = usual[s->r[0] % 9];

	if (s->r[1] % 2) {
		say("munlockall()");
		say_result(syscall(SYS_munlockall));
	} else {
		say("mlockall(%u)", flags);
		say_result(syscall(SYS_mlockall, flags));
		settle((uintptr_t)WINDOW, 2 * WINDOW_PAGES * P);
		locks_used = true;
	}
}

static void say_vector(const u8 *vector, size_t pages)
{
	say(" ");
	for (size_t i = 0; i < pages; i++)
		say("%u", vector[i]);
}

void step_mincore(const struct step *s)
{
	u8 vector[WINDOW_PAGES * 2];
	uintptr_t at = arg_address(s->r[0]);
	size_t size = arg_length(s->r[1], at);
	void *to = one_in(s->r[2], 16) ? (void *)8 : vector;
	long result;

	if (size > sizeof(vector) * P && (at < P || at + size >= at)) /* it could fill so much */
		size = P;
	memset(vector, 9, sizeof(vector));
	result = syscall(SYS_mincore, at, size, to);
	say("mincore(%s, %s, %s)", place(at), length(size), to == vector ? "vector" : "8");
	if (result == 0)
		say_vector(vector, (size + P - 1) / P);
	say_result(result);
}

void step_pagemap(const struct step *s)
{
	unsigned page = arg_page(s->r[0]), n = 1 + s->r[1] % 8;

	look_pagemap((uintptr_t)WINDOW + page * P, n);
}

void step_maps(const struct step *s)
{
	(void)s;
	look_maps();
}
