/*
 * steps.c - which steps there are and how often; seeds to steps; numbers to arguments.
 */
#include "tests/oracle/step.h"

static const struct {
	void (*run)(const struct step *s);
	unsigned weight;
} kinds[] = {
	{step_mmap, 14},     {step_munmap, 4},  {step_mprotect, 8}, {step_mremap, 7}, {step_remap, 4},
	{step_brk, 2},       {step_madvise, 8}, {step_msync, 3},    {step_mlock, 3},  {step_mlockall, 1},
	{step_mincore, 2},   {step_pagemap, 2}, {step_maps, 1},     {step_read, 9},   {step_write, 14},
	{step_exec, 3},      {step_pread, 4},   {step_pwrite, 4},   {step_vm, 3},     {step_truncate, 3},
	{step_fallocate, 2}, {step_seal, 1},    {step_fork, 2},
};
#define NR_KINDS (sizeof(kinds) / sizeof(*kinds))

/* splitmix64's upper half. */
static u32 next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (u32)((z ^ z >> 31) >> 32);
}

static unsigned kind_of(u32 r)
{
	unsigned sum = 0, kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		sum += kinds[kind].weight;
	r %= sum;
	for (kind = 0; r >= kinds[kind].weight; kind++)
		r -= kinds[kind].weight;
	return kind;
}

void steps_of(u32 seed, struct step *steps, unsigned nr)
{
	u64 state = seed;

	for (unsigned i = 0; i < nr; i++) {
		/* The first steps of a sequence make mappings, or the others would have nothing to work on. */
		u32 kind = next(&state);

		steps[i].run = i < 3 ? step_mmap : kinds[kind_of(kind)].run;
		for (unsigned n = 0; n < NR_NUMBERS; n++)
			steps[i].r[n] = next(&state);
	}
}

/* -- arguments --------------------------------------------------------------------------------------------------- */

bool one_in(u32 r, unsigned n)
{
	return (r >> 8) % n == 0;
}

unsigned arg_page(u32 r)
{
	return r % 4 ? WINDOW_PAGES / 2 - 6 + r / 4 % 12 : r / 4 % WINDOW_PAGES;
}

uintptr_t arg_address(u32 r)
{
	uintptr_t page = (uintptr_t)WINDOW + arg_page(r) * P;

	switch (r >> 16 & 127) {
	case 0:
	case 1:
		return page + 5;
	case 2:
		return page + P - 1;
	case 3:
		return 0;
	case 4:
		return (uintptr_t)0 - P;
	default:
		return page;
	}
}

size_t arg_length(u32 r, uintptr_t start)
{
	size_t pages = 1 + (r & 3 ? (r >> 2) % 4 : (r >> 2) % 20);

	switch (r >> 16 & 127) {
	case 0:
	case 1:
		return 0;
	case 2:
	case 3:
		return pages * P - 1;
	case 4:
	case 5:
		return pages * P + 100;
	case 6:
		return (size_t)0 - start;
	case 7:
		return (size_t)0 - start + P;
	case 8:
		return (size_t)0 - 1;
	case 9:
		return sizeof(long) == 8 ? (size_t)1 << (sizeof(long) * 8 - 1) : (size_t)0xf0000000;
	default:
		return pages * P;
	}
}

int arg_prot(u32 r)
{
	static const int usual[] = {0, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7};

	if ((r >> 16) % 200 == 0)
		return 0x40;
	return usual[r % 13];
}

int arg_file(u32 r, const char **name)
{
	static const char *const names[] = {"memfd", "sealable", "tmp", "readonly", "writeonly", "pipe", "closed"};
	unsigned n = r >> 8 & 15 ? r % 3 : r % NR_FILES;

	if ((r >> 8 & 15) == 1)
		n = FILE_READONLY;
	*name = names[n];
	return files[n];
}
