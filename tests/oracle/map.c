/*
 * map.c - steps that make, change and end mappings.
 *
 * Where the kernel chooses the place, it is not compared: what is there is summed up and unmapped at once.
 */
#define _GNU_SOURCE
#include "tests/oracle/step.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static bool in_window(uintptr_t at)
{
	return at - (uintptr_t)WINDOW < 2 * WINDOW_PAGES * P;
}

static void say_elsewhere(uintptr_t at, size_t size)
{
	say(" = elsewhere");
	for (size_t i = 0; i < size / P && i < WINDOW_PAGES; i++) {
		struct fault f = try_read((u8 *)at + i * P);

		say(f.signo ? " %d" : " %x", f.signo ? -f.signo : (int)page_sum((u8 *)at + i * P));
	}
	say("\n");
	syscall(SYS_munmap, at, size);
}

/* A mapping at @result of @size bytes, or an errno. */
static void say_mapping(long result, size_t size)
{
	uintptr_t at = (uintptr_t)result;

	if (result == -1)
		say_result(-1);
	else if (in_window(at))
		say(" = %s\n", place(at));
	else
		say_elsewhere(at, (size + P - 1) & ~(P - 1));
}

/* -- mmap -------------------------------------------------------------------------------------------------------- */

static long raw_mmap(uintptr_t at, size_t size, int prot, unsigned flags, int fd, u64 offset)
{
#ifdef SYS_mmap2
	return syscall(SYS_mmap2, at, size, prot, flags, fd, (u32)(offset / P));
#else
	return syscall(SYS_mmap, at, size, prot, flags, fd, offset);
#endif
}

static unsigned place_flags(u32 r)
{
	static const unsigned flags[] = {MAP_FIXED, MAP_FIXED, MAP_FIXED, MAP_FIXED, MAP_FIXED_NOREPLACE, 0};

	return flags[r % 6];
}

static unsigned more_flags(u32 r)
{
	return (r % 6 ? 0 : MAP_POPULATE) | (r / 6 % 12 ? 0 : MAP_LOCKED) | (r / 72 % 8 ? 0 : MAP_NORESERVE) |
	       (r / 576 % 12 ? 0 : MAP_NONBLOCK) | (r / 6912 % 40 ? 0 : 0x80000 /* MAP_SYNC */);
}

static unsigned sharing(u32 r)
{
	switch (r % 32) {
	case 0:
		return 0;
	case 1:
		return MAP_SHARED_VALIDATE;
	default:
		return r & 32 ? MAP_SHARED : MAP_PRIVATE;
	}
}

/* Large ones only where Linux is of the same width: a 64-bit kernel has other limits for 32-bit programs. */
static u64 map_offset(u32 r)
{
	if (sizeof(long) == 4)
		return r % 10 * P;
	switch (r >> 16 & 63) {
	case 0:
		return P + 7;
	case 1:
		return ((u64)1 << 63) - P;
	case 2:
		return (u64)0 - P;
	default:
		return r % 10 * P;
	}
}

void step_mmap(const struct step *s)
{
	const char *name = "anon";
	bool anon = s->r[6] % 5 < 2;
	int fd = anon ? -1 : arg_file(s->r[7], &name), prot = arg_prot(s->r[2]);
	unsigned flags = sharing(s->r[3]) | place_flags(s->r[4]) | more_flags(s->r[5]) | (anon ? MAP_ANONYMOUS : 0);
	uintptr_t at = arg_address(s->r[0]);
	u64 offset = anon ? 0 : map_offset(s->r[8]);
	size_t size = arg_length(s->r[1], at);
	long result;

	if (at < P) /* the superuser may map the first page of Linux: not what is asked here */
		at = (uintptr_t)WINDOW;
	say("mmap(%s, %s, %s, %#x, %s, %#llx)", place(at), length(size), prot_text(prot), flags, name,
	    (unsigned long long)offset);
	result = raw_mmap(at, size, prot, flags, fd, offset);
	if (result != -1 && (locks_used || flags & (MAP_POPULATE | MAP_LOCKED)))
		settle((uintptr_t)result, size);
	locks_used |= !!(flags & MAP_LOCKED);
	say_mapping(result, size);
}

/* -- the others -------------------------------------------------------------------------------------------------- */

void step_munmap(const struct step *s)
{
	uintptr_t at = arg_address(s->r[0]);
	size_t size = arg_length(s->r[1], at);

	say("munmap(%s, %s)", place(at), length(size));
	say_result(syscall(SYS_munmap, at, size));
}

void step_mprotect(const struct step *s)
{
	uintptr_t at = arg_address(s->r[0]);
	size_t size = arg_length(s->r[1], at);
	int prot = arg_prot(s->r[2]);

	say("mprotect(%s, %s, %s)", place(at), length(size), prot_text(prot));
	if (syscall(SYS_mprotect, at, size, prot) == 0)
		say_result(0);
	else
		say_page_by_page(SYS_mprotect, at, size, prot);
	if (locks_used)
		settle(at, size);
}

/* Kernels may differ in what a call that fails has cleared. */
static void clear_after_failure(uintptr_t at, size_t old, size_t new, unsigned flags, uintptr_t to)
{
	if (flags & MREMAP_FIXED && in_window(to) && new <= WINDOW_PAGES *P)
		syscall(SYS_munmap, to & ~(P - 1), new);
	if (old > new &&old <= WINDOW_PAGES * P &&in_window(at))
		syscall(SYS_munmap, (at + new) & ~(P - 1), old - new + P);
}

void step_mremap(const struct step *s)
{
	static const unsigned usual[] = {0, 1, 1, 1, 3, 3, 3, 5, 7, 2, 4, 8};
	uintptr_t at = arg_address(s->r[0]), to = arg_address(s->r[2]);
	size_t old = arg_length(s->r[1], at), new = s->r[3] & 0x8000 ? old : arg_length(s->r[3], to);
	unsigned flags = usual[s->r[4] % 12];
	long result;

	if (s->r[5] % 10 == 0)
		old = 0;
	say("mremap(%s, %s, %s, %u, %s)", place(at), length(old), length(new), flags, place(to));
	result = syscall(SYS_mremap, at, old, new, flags, to);
	if (result != -1 && locks_used)
		settle((uintptr_t)result, new);
	say_mapping(result, new);
	if (result == -1)
		clear_after_failure(at, old, new, flags, to);
}

#define MADVISE_DONTNEED_LOCKED 24

/* Which cached pages are mapped at once may differ (with MAP_NONBLOCK, in memory that is locked as it is touched, where nothing
 * may be done with them): now those are that can be. */
static void same_presence(uintptr_t at, size_t size)
{
	for (uintptr_t end = at + size; at + P <= end; at += P)
		if (try_read((u8 *)at).signo)
			syscall(SYS_madvise, at, P, MADVISE_DONTNEED_LOCKED);
}

void step_remap(const struct step *s)
{
	uintptr_t at = arg_address(s->r[0]);
	size_t size = arg_length(s->r[1], at), pgoff = one_in(s->r[3], 40) ? (size_t)0 - 1 : s->r[3] % 10;
	unsigned prot = one_in(s->r[2], 20) ? PROT_READ : 0, flags = one_in(s->r[4], 8) ? MAP_NONBLOCK : 0;
	long result;

	say("remap_file_pages(%s, %s, %u, %ld, %#x)", place(at), length(size), prot, (long)pgoff, flags);
	result = syscall(SYS_remap_file_pages, at, size, prot, pgoff, flags);
	say_result(result);
	if (result == 0)
		same_presence(at & ~(P - 1), size);
}

void step_brk(const struct step *s)
{
	uintptr_t at = heap_start + s->r[0] % 6 * P + (s->r[1] % 4 ? 0 : s->r[1] / 4 % P), end;

	if (one_in(s->r[2], 20))
		at = (uintptr_t)0 - P;
	end = (uintptr_t)syscall(SYS_brk, at);
	say("brk(%ld) = %ld", (long)(at - heap_start), (long)(end - heap_start));
	if (end > heap_start && end - heap_start < 10 * P) {
		say(", last byte");
		say_fault(try_write((u8 *)end - 1, (u8)s->r[3]), end - 1);
	} else {
		say("\n");
	}
}
