/*
 * debug_harness.c - do the instruments of /dev/mm measure what they say?  HARNESS-01, 02, 11 to 15: auditor, trace,
 * entries, mutations.  Failpoints: debug_fail.c; sync points: debug_sync.c.
 */
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* -- the auditor ------------------------------------------------------------------------------------------------------ */

static struct mm_audit audit(int mm, u64 flags)
{
	struct mm_audit a = {.flags = flags};

	CHECK_OK(ioctl(mm, MM_IOC_AUDIT, &a));
	return a;
}

static void plant(int mm, u64 what, const void *addr)
{
	struct mm_plant p = {.what = what, .addr = (uintptr_t)addr};

	CHECK_OK(ioctl(mm, MM_IOC_PLANT, &p));
}

/* Plant, see it reported with the word @word, undo, see it gone. */
static void plant_and_find(int mm, u64 what, const void *addr, const char *word)
{
	struct mm_audit a;

	plant(mm, what, addr);
	a = audit(mm, MM_AUDIT_SILENT | MM_AUDIT_LEAKS);
	plant(mm, MM_PLANT_NONE, NULL);
	if (!a.errors || !strstr(a.first, word))
		FAIL("plant %llu: %llu violations, expected one about '%s', got: %s", (unsigned long long)what,
		     (unsigned long long)a.errors, word, a.first);
	test_note("plant %llu: %s", (unsigned long long)what, a.first);
	mm_audit_clean(mm, "after the planted violation was undone");
}

TEST(harness_audit, "HARNESS-01 the auditor sees every planted violation, and nothing else")
{
	int mm = mm_need();
	u8 *anon = map_anon(4, PROT_READ | PROT_WRITE);
	u8 *window = map_shared(tagged_memfd(8), 8, PROT_READ | PROT_WRITE);
	struct mm_audit a;

	anon[0] = 1;
	CHECK_EQ(tag(window, 3), 3);
	CHECK_OK(rfp(window, P, 0, 5, 0));
	a = audit(mm, MM_AUDIT_LEAKS);
	CHECK_EQ(a.errors, 0);
	CHECK_OP(a.processes, >=, 2);
	CHECK_OP(a.vmas, >=, 10);
	CHECK_OP(a.entries, >=, 20);
	CHECK_OP(a.pages, >, 100);
	plant_and_find(mm, MM_PLANT_REF, anon, "leaks");
	plant_and_find(mm, MM_PLANT_MAPCOUNT, anon, "mapcount");
	plant_and_find(mm, MM_PLANT_RSS, NULL, "resident pages");
	plant_and_find(mm, MM_PLANT_LEAK, NULL, "leaks");
	plant_and_find(mm, MM_PLANT_NODE, window + P, "nonlinear node");
	plant_and_find(mm, MM_PLANT_TABLES, NULL, "table pages");
	plant_and_find(mm, MM_PLANT_SHARED, window + 3 * P, "exclusive");
	plant_and_find(mm, MM_PLANT_NRPAGES, window, "counts");
}

TEST(harness_audit_dirty, "HARNESS-02 the auditor sees a writable page that does not know it is dirty")
{
	int mm = mm_need();
	int fd = make_file(disk_dir(), "dirty", 0);
	u8 *window;

	tag_file(fd, 2);
	CHECK_OK(fsync(fd)); /* nothing old for the flusher */
	window = map_shared(fd, 2, PROT_READ | PROT_WRITE);
	set_tag(window, 1, 7);
	plant_and_find(mm, MM_PLANT_DIRTY, window + P, "dirty");
}

/* -- the trace ring ------------------------------------------------------------------------------------------------------ */

#define RECORDS 4096
static struct mm_trace_record records[RECORDS];

static u64 trace_take(int mm)
{
	struct mm_trace_read r = {.records = (uintptr_t)records, .max = RECORDS};

	CHECK_OK(ioctl(mm, MM_IOC_TRACE_READ, &r));
	CHECK_EQ(r.lost, 0);
	return r.count;
}

/* The first record from @from on for which all that is asked for fits; fails the test if there is none. */
static u64 trace_find(u64 from, u64 count, u64 event, u64 va, u64 pfn)
{
	for (u64 i = from; i < count; i++) {
		const struct mm_trace_record *r = &records[i];
		bool at = event == MM_TRACE_FLUSH ? r->va <= va && va < r->new_entry : !va || r->va == va;

		if (r->event == event && at && (!pfn || r->pfn == pfn))
			return i;
	}
	FAIL("no event %llu (va %llx, frame %llx) among records %llu to %llu", (unsigned long long)event,
	     (unsigned long long)va, (unsigned long long)pfn, (unsigned long long)from, (unsigned long long)count);
}

static void trace_control(int mm, u64 events, bool clear)
{
	struct mm_trace_control c = {.events = events, .clear = clear};

	CHECK_OK(ioctl(mm, MM_IOC_TRACE_CONTROL, &c));
}

/* Take the page at @p away by @drop() and see: entry cleared, TLBs flushed, frame free; in this order. */
static void traced_drop(int mm, u8 *p, void (*drop)(u8 *p))
{
	u64 count, clear, flush, free, pfn;

	*(volatile u8 *)p = 1;
	pfn = mm_entry_at(mm, p, 0).pfn;
	CHECK_OP(pfn, >, 0);
	trace_control(mm, 1 << MM_TRACE_CLEAR | 1 << MM_TRACE_FLUSH | 1 << MM_TRACE_FREE, true);
	drop(p);
	trace_control(mm, 0, false);
	count = trace_take(mm);
	clear = trace_find(0, count, MM_TRACE_CLEAR, (uintptr_t)p, pfn);
	flush = trace_find(clear, count, MM_TRACE_FLUSH, (uintptr_t)p, 0);
	free = trace_find(flush, count, MM_TRACE_FREE, 0, pfn);
	CHECK_EQ(records[clear].mm, records[flush].mm);
	CHECK_EQ(records[clear].old_entry & 0xf, MM_ENTRY_PAGE);
	CHECK_EQ(records[clear].old_entry >> 12, pfn);
	CHECK_OP(records[clear].tsc, <=, records[flush].tsc);
	CHECK_OP(records[flush].tsc, <=, records[free].tsc);
	for (u64 i = 0; i < flush; i++)
		if (records[i].event == MM_TRACE_FREE && records[i].pfn == pfn)
			FAIL("frame %llx was free before the flush", (unsigned long long)pfn);
}

static void drop_munmap(u8 *p)
{
	CHECK_OK(munmap(p, P));
}

static void drop_dontneed(u8 *p)
{
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
}

TEST(harness_trace, "HARNESS-11 the trace shows clear, flush, free in this order")
{
	int mm = mm_need();
	u8 *p = map_anon(4, PROT_READ | PROT_WRITE);

	p[0] = 1;
	traced_drop(mm, p + P, drop_munmap);
	traced_drop(mm, p + 2 * P, drop_dontneed);
}

TEST(harness_trace_marks, "HARNESS-12 the trace keeps a program's marks in order and says what it lost")
{
	int mm = mm_need();
	struct mm_trace_record mark = {0};
	struct mm_trace_read r = {.records = (uintptr_t)records, .max = 10};
	const u64 n = 5000;

	trace_control(mm, 1 << MM_TRACE_MARK, true);
	cpu_pin(0);
	for (mark.va = 0; mark.va < n; mark.va++)
		CHECK_OK(ioctl(mm, MM_IOC_TRACE_MARK, &mark));
	CHECK_OK(ioctl(mm, MM_IOC_TRACE_READ, &r));
	CHECK_EQ(r.count, 10);
	CHECK_EQ(r.lost, n - 10);
	for (u64 i = 0; i < 10; i++) {
		CHECK_EQ(records[i].event, MM_TRACE_MARK);
		CHECK_EQ(records[i].va, n - 10 + i);
	}
	trace_control(mm, 1 << MM_TRACE_FREE, true);
	CHECK_OK(ioctl(mm, MM_IOC_TRACE_MARK, &mark)); /* not asked for */
	trace_control(mm, 0, false);
	r.max = RECORDS;
	CHECK_OK(ioctl(mm, MM_IOC_TRACE_READ, &r));
	for (u64 i = 0; i < r.count; i++)
		CHECK_EQ(records[i].event, MM_TRACE_FREE);
}

/* -- entries --------------------------------------------------------------------------------------------------------------- */

TEST(harness_entry, "HARNESS-13 an entry as it is: kind, grants, accessed, dirty, offset")
{
	int mm = mm_need(), fd = make_file(disk_dir(), "entry", 0);
	struct mm_range r = {0};
	struct mm_entry e;
	u8 *p;

	tag_file(fd, 8);
	CHECK_OK(fsync(fd)); /* nothing old for the flusher, which would clean entries */
	p = map_shared(fd, 8, PROT_READ | PROT_WRITE);
	CHECK_EQ(mm_entry_at(mm, p, 0).kind, MM_ENTRY_NONE);
	CHECK_EQ(tag(p, 0), 0);
	e = mm_entry_at(mm, p, 0);
	CHECK_EQ(e.kind, MM_ENTRY_PAGE);
	CHECK_EQ(e.grant & 3, PROT_READ | PROT_WRITE);
	CHECK_EQ(e.write, 0); /* the first store must notify */
	CHECK_EQ(e.accessed, 1);
	CHECK_EQ(e.dirty, 0);
	CHECK_EQ(e.mapcount, 1);
	CHECK_EQ(e.page & MM_PAGE_CACHED, MM_PAGE_CACHED);
	mm_clear_young(mm, p, P);
	CHECK_EQ(mm_entry_at(mm, p, 0).accessed, 0);
	CHECK_EQ(tag(p, 0), 0);
	CHECK_EQ(mm_entry_at(mm, p, 0).accessed, 1);
	set_tag(p, 0, 3);
	e = mm_entry_at(mm, p, 0);
	CHECK_EQ(e.write, 1);
	CHECK_EQ(e.dirty, 1);
	CHECK_EQ(mm_entry_at(mm, p, MM_ENTRY_LOCKLESS).pfn, e.pfn);
	r.addr = (uintptr_t)p;
	r.len = P;
	CHECK_OK(ioctl(mm, MM_IOC_CLEAN, &r));
	CHECK_EQ(r.pages, 1);
	CHECK_EQ(r.count, 1);
	e = mm_entry_at(mm, p, 0);
	CHECK_EQ(e.write, 0);
	CHECK_EQ(e.dirty, 0);
	CHECK_EQ(e.page & MM_PAGE_DIRTY, MM_PAGE_DIRTY); /* the file does not have it yet */
	CHECK_OK(rfp(p, P, PROT_READ, 6, MAP_CHGPROT));
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
	e = mm_entry_at(mm, p, 0);
	CHECK_EQ(e.kind, MM_ENTRY_FILE);
	CHECK_EQ(e.pgoff, 6);
	CHECK_EQ(e.grant & 3, PROT_READ);
	CHECK_OK(fsync(fd));
	CHECK_EQ(file_tag(fd, 0), 3);
}

/* -- mutations, bad arguments ------------------------------------------------------------------------------------------------ */

static void mutate(int mm, u64 n)
{
	struct mm_mutate m = {.n = n};

	CHECK_OK(ioctl(mm, MM_IOC_MUTATE, &m));
}

TEST(harness_mutate, "HARNESS-14 a mutation is there when it is switched on, and gone when its file is closed")
{
	int mm = mm_need();
	u8 *p = mmap(NULL, 4 * P, PROT_NONE, MAP_SHARED, tagged_memfd(4), 0);

	CHECK(p != MAP_FAILED);
	CHECK_OK(rfp(p, 2 * P, PROT_READ, 0, MAP_CHGPROT | MAP_NONBLOCK));
	CHECK_OK(madvise(p, 2 * P, MADV_DONTNEED));
	CHECK_NOFAULT(try_read(p));
	mutate(mm, 16); /* the vma's permission, which is none, comes first */
	CHECK_ACCERR(try_read(p + P), p + P);
	close(mm);
	CHECK_NOFAULT(try_read(p + P));
}

TEST(harness_bad, "HARNESS-15 bad arguments of every request")
{
	int mm = mm_need();
	struct mm_sync_arm arm = {.mode = MM_SYNC_PAUSE};
	struct mm_fail fail = {0};
	struct mm_entry e = {.addr = ~0ull};
	struct mm_range r = {.addr = 4096, .len = ~0ull};
	struct mm_mutate m = {.n = 1000};
	struct mm_plant p = {.what = 1000};
	struct mm_trace_control c = {.events = ~0ull};
	struct mm_trace_read read = {.records = 8, .max = 10};
	struct mm_audit a = {.flags = 1 << 20};
	struct mm_sync s = {.name = "nobody", .timeout_ms = 10};

	CHECK_ERRNO(ioctl(mm, 0x4d00, &arm), ENOTTY);
	CHECK_ERRNO(ioctl(mm, MM_IOC_AUDIT, BAD), EFAULT);
	CHECK_ERRNO(ioctl(mm, MM_IOC_AUDIT, &a), EINVAL);
	CHECK_ERRNO(ioctl(mm, MM_IOC_SYNC_ARM, &arm), EINVAL);
	memset(arm.name, 'x', sizeof(arm.name));
	CHECK_ERRNO(ioctl(mm, MM_IOC_SYNC_ARM, &arm), EINVAL);
	snprintf(arm.name, sizeof(arm.name), "x");
	arm.mode = 7;
	CHECK_ERRNO(ioctl(mm, MM_IOC_SYNC_ARM, &arm), EINVAL);
	CHECK_ERRNO(ioctl(mm, MM_IOC_SYNC_WAIT, &s), ENOENT);
	CHECK_ERRNO(ioctl(mm, MM_IOC_FAIL_ARM, &fail), EINVAL);
	CHECK_ERRNO(ioctl(mm, MM_IOC_ENTRY, &e), EFAULT);
	CHECK_ERRNO(ioctl(mm, MM_IOC_CLEAR_YOUNG, &r), EFAULT);
	CHECK_ERRNO(ioctl(mm, MM_IOC_CLEAN, &r), EFAULT);
	CHECK_ERRNO(ioctl(mm, MM_IOC_MUTATE, &m), EINVAL);
	CHECK_ERRNO(ioctl(mm, MM_IOC_PLANT, &p), EINVAL);
	CHECK_ERRNO(ioctl(mm, MM_IOC_TRACE_CONTROL, &c), EINVAL);
	trace_control(mm, 1 << MM_TRACE_MARK, true);
	CHECK_OK(ioctl(mm, MM_IOC_TRACE_MARK, &(struct mm_trace_record){0}));
	CHECK_ERRNO(ioctl(mm, MM_IOC_TRACE_READ, &read), EFAULT);
	arm.mode = MM_SYNC_PAUSE;
	for (unsigned i = 0; i < 16; i++) {
		snprintf(arm.name, sizeof(arm.name), "p%u", i);
		CHECK_OK(ioctl(mm, MM_IOC_SYNC_ARM, &arm));
	}
	snprintf(arm.name, sizeof(arm.name), "one too many");
	CHECK_ERRNO(ioctl(mm, MM_IOC_SYNC_ARM, &arm), ENOSPC);
}
