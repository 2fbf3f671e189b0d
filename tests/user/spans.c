/*
 * spans.c - see spans.h.
 */
#define _GNU_SOURCE
#include "spans.h"

long huge_kb(const volatile void *p, size_t size)
{
	return smaps_kb(p, size, "AnonHugePages");
}

size_t span(void)
{
	static size_t known;
	size_t most = 4 << 20;
	u8 *p, *a;

	if (known)
		return known;
	p = CHECK_OK(mmap(NULL, 2 * most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	a = (u8 *)(((uintptr_t)p + most - 1) & -most);
	CHECK_OK(madvise(a, most, MADV_HUGEPAGE));
	*(volatile u8 *)a = 1;
	known = (size_t)huge_kb(a, most) << 10;
	CHECK_OK(munmap(p, 2 * most));
	if (!known)
		SKIP("no huge pages");
	return known;
}

u8 *map_spans(size_t n, bool want)
{
	size_t size = span();
	u8 *p = CHECK_OK(mmap(NULL, (n + 1) * size + P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	u8 *a = (u8 *)(((uintptr_t)p + P + size - 1) & -size), *end = p + (n + 1) * size + P;

	if (a - P > p)
		CHECK_OK(munmap(p, (size_t)(a - P - p)));
	if (end > a + n * size)
		CHECK_OK(munmap(a + n * size, (size_t)(end - (a + n * size))));
	CHECK_OK(mprotect(a - P, P, PROT_NONE)); /* no neighbour becomes one mapping with it */
	CHECK_OK(madvise(a, n * size, want ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	return a;
}

void span_fill(u8 *p, u64 seed)
{
	for (size_t i = 0; i < span() / P; i++)
		set_tag(p, i, seed + i);
}

void span_check(const u8 *p, u64 seed)
{
	for (size_t i = 0; i < span() / P; i++)
		CHECK_EQ(tag(p, i), seed + i);
}

u8 *span_filled(u64 seed)
{
	u8 *p = map_spans(1, true);

	span_fill(p, seed);
	CHECK_EQ(huge_kb(p, span()), (long)(span() >> 10));
	return p;
}

/* -- moved ---------------------------------------------------------------------------------------------------------- */

void moving_begin(struct moving *m, size_t n)
{
	m->mm = mm_open();
	m->size = span();
	m->pages = m->size / P;
	m->src = span_filled(1);
	m->dst = map_spans(n, true);
	m->fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(m->fd, m->dst, n * m->pages, UFFDX_REGISTER_MISSING);
}

bool moving_whole(const struct moving *m, const u8 *p)
{
	return m->mm >= 0 ? mm_entry_at(m->mm, p, 0).page & MM_PAGE_HUGE : huge_kb(p, 1) >= (long)(m->size >> 10);
}

u64 moving_frame(const struct moving *m, const u8 *p)
{
	return m->mm >= 0 ? mm_entry_at(m->mm, p, 0).pfn : 0;
}

void moving_audit(const struct moving *m, const char *when)
{
	if (m->mm >= 0)
		mm_audit_clean(m->mm, when);
}

int moving_span(const struct moving *m, u8 *to, u8 *from, u64 mode)
{
	int64_t done;
	int err = uffd_move(m->fd, to, from, m->pages, mode, &done);

	CHECK_EQ(done, err ? -err : (int64_t)m->size);
	return err;
}
