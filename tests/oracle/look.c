/*
 * look.c - what can be seen of the window without changing it, and, last, what is in it.
 */
#define _GNU_SOURCE
#include "tests/oracle/step.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(n) ((u64)1 << (n))

u32 page_sum(const volatile u8 *page)
{
	const volatile u32 *words = (const volatile u32 *)(uintptr_t)page;
	u32 h = 2166136261u;

	for (size_t i = 0; i < P / 4; i++)
		h = (h ^ words[i]) * 16777619u;
	return h;
}

/* -- /proc/self/maps ---------------------------------------------------------------------------------------------- */

struct area {
	unsigned long long start, end, offset, inode;
	char perms[8];
};

/* Files are known by their places among ours, anonymous shared memory by its offset only. */
static int number_of(unsigned long long inode)
{
	struct stat st;

	for (int i = 0; inode && i <= FILE_TMP; i++)
		if (!fstat(files[i], &st) && st.st_ino == inode)
			return i;
	return inode ? 9 : -1;
}

static bool continues(const struct area *a, const struct area *b)
{
	return a->end == b->start && !strcmp(a->perms, b->perms) && a->inode == b->inode &&
	       (!a->inode || a->offset + (a->end - a->start) == b->offset);
}

static void say_area(const struct area *a)
{
	if (a->end > a->start)
		say(" %s-%s %s %d %llx;", place((uintptr_t)a->start), place((uintptr_t)a->end), a->perms, number_of(a->inode),
		    a->inode ? a->offset / P : 0);
}

static bool in_window(const struct area *a)
{
	return a->start < (uintptr_t)WINDOW + 2 * WINDOW_PAGES * P && a->end > (uintptr_t)WINDOW;
}

void look_maps(void)
{
	struct area last = {0}, a;
	static char text[64 << 10];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(text) - 1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = 0;
	say("maps");
	for (char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		if (sscanf(s, "%llx-%llx %7s %llx %*s %llu", &a.start, &a.end, a.perms, &a.offset, &a.inode) != 5 ||
		    !in_window(&a))
			continue;
		if (continues(&last, &a)) {
			last.end = a.end;
			continue;
		}
		say_area(&last);
		last = a;
	}
	say_area(&last);
	say("\n");
}

/* -- page by page -------------------------------------------------------------------------------------------------- */

void look_mincore(void)
{
	say("mincore");
	for (unsigned i = 0; i < WINDOW_PAGES; i++) {
		u8 there = 0;
		long result = syscall(SYS_mincore, WINDOW + i * P, P, &there);

		say(result ? " ." : " %u", there);
	}
	say("\n");
}

void look_pagemap(uintptr_t start, unsigned pages)
{
	u64 entries[WINDOW_PAGES] = {0};
	int fd = open("/proc/self/pagemap", O_RDONLY);
	ssize_t got = pread64(fd, entries, pages * sizeof(*entries), (off64_t)(start / P * sizeof(*entries)));

	close(fd);
	say("pagemap %s", place(start));
	for (ssize_t i = 0; i < got / (ssize_t)sizeof(*entries); i++) {
		u64 e = entries[i];

		say(" %c%s%s", e & BIT(63) ? 'p' : e & BIT(62) ? 's' : '.', e & BIT(61) ? "f" : "", e & BIT(56) ? "x" : "");
	}
	say("\n");
}

void look_window(void)
{
	look_pagemap((uintptr_t)WINDOW, WINDOW_PAGES);
}

void look_contents(void)
{
	say("contents");
	for (unsigned i = 0; i < WINDOW_PAGES; i++) {
		u8 *page = WINDOW + i * P;
		struct fault f = try_read(page);

		if (!f.signo)
			say(" %x", (unsigned)page_sum(page));
		else
			say(" %d/%d%s", f.signo, f.code, f.addr == page ? "" : "!");
	}
	say("\n");
}

static u32 file_sum(int fd, off_t size)
{
	static u8 page[4096];
	u32 h = 0;

	for (off_t at = 0; at < size && at < (off_t)(64 * P); at += (off_t)P) {
		memset(page, 0, sizeof(page));
		if (pread(fd, page, P, at) > 0)
			h = h * 31 + page_sum(page);
	}
	return h;
}

void look_files(void)
{
	struct stat st;

	say("files");
	for (int i = 0; i <= FILE_TMP; i++) {
		if (fstat(files[i], &st))
			st.st_size = -1;
		say(" %lld bytes %lld blocks %x;", (long long)st.st_size, (long long)st.st_blocks,
		    (unsigned)file_sum(files[i], st.st_size));
	}
	say("\n");
}
