/*
 * move.c - migration and merging by /dev/mm.  Interface: move.h.
 */
#define _GNU_SOURCE
#include "move.h"

#include <sys/ioctl.h>

static int call(int mm, unsigned long request, const volatile void *p, const volatile void *other)
{
	struct mm_move m = {.addr = (uintptr_t)p, .other = (uintptr_t)other};

	return ioctl(mm, request, &m) ? errno : 0;
}

int migrate(int mm, const volatile void *p)
{
	return call(mm, MM_IOC_MIGRATE, p, NULL);
}

int merge(int mm, const volatile void *keep, const volatile void *drop)
{
	return call(mm, MM_IOC_MERGE, keep, drop);
}

int compact(int mm, u64 order)
{
	return call(mm, MM_IOC_COMPACT, (void *)(uintptr_t)order, NULL);
}

void migrate_do(void *arg)
{
	struct migrating *m = arg;

	m->err = migrate(m->mm, m->at);
}

void migrate_check(int mm, const volatile void *p)
{
	struct mm_entry before = mm_entry_at(mm, p, 0), after;

	CHECK_EQ(migrate(mm, p), 0);
	after = mm_entry_at(mm, p, 0);
	CHECK(after.pfn != before.pfn);
	CHECK_EQ(after.kind, before.kind);
	CHECK_EQ(after.grant, before.grant);
	CHECK_EQ(after.write, before.write);
	CHECK_EQ(after.accessed, before.accessed);
	CHECK_EQ(after.dirty, before.dirty);
	CHECK_EQ(after.page, before.page & ~(u64)MM_PAGE_HUGE);
	CHECK_EQ(after.mapcount, before.mapcount);
	CHECK_EQ(after.refs, before.refs);
	CHECK_EQ(after.index, before.index);
}
