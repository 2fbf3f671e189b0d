/*
 * debug_harness.c - do the instruments of /dev/mm measure what they say?  (HARNESS-*)
 */
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* -- the auditor ------------------------------------------------------------------------------------------------------ */

static struct mm_audit audit(int mm, u64 flags)
{
	struct mm_audit a = {.flags = flags};

	CHECK_OK(ioctl(mm, MM_IOC_AUDIT, &a));
	return a;
}

static void audit_clean(int mm, const char *when)
{
	struct mm_audit a = audit(mm, 0);

	if (a.errors)
		FAIL("%s: %llu violations, the first: %s", when, (unsigned long long)a.errors, a.first);
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
	audit_clean(mm, "after the planted violation was undone");
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
	window = map_shared(fd, 2, PROT_READ | PROT_WRITE);
	set_tag(window, 1, 7);
	plant_and_find(mm, MM_PLANT_DIRTY, window + P, "dirty");
}

/* -- failpoints -------------------------------------------------------------------------------------------------------- */

static struct mm_fail fail_arm(int mm, const char *name, u64 nth)
{
	struct mm_fail f = {.nth = nth};

	snprintf(f.name, sizeof(f.name), "%s", name);
	CHECK_OK(ioctl(mm, MM_IOC_FAIL_ARM, &f));
	return f; /* of what was armed before */
}

static struct mm_fail fail_hits(int mm, const char *name)
{
	struct mm_fail f = {0};

	snprintf(f.name, sizeof(f.name), "%s", name);
	CHECK_OK(ioctl(mm, MM_IOC_FAIL_HITS, &f));
	return f;
}

TEST(harness_fail_nth, "HARNESS-03 a failpoint fails exactly the nth allocation")
{
	int mm = mm_need();
	u8 *p = map_anon(16, PROT_READ | PROT_WRITE);
	struct mm_fail f;

	p[0] = 1; /* the table is there: from here on a fault is one page_alloc() */
	for (u64 nth = 1; nth <= 4; nth++) {
		CHECK_OK(madvise(p + P, 15 * P, MADV_DONTNEED));
		fail_arm(mm, "page_alloc", nth);
		for (u64 i = 1; i <= 6; i++) {
			int r = madvise(p + i * P, P, MADV_POPULATE_WRITE);

			if ((r != 0) != (i == nth))
				FAIL("n = %llu: allocation %llu %s", (unsigned long long)nth, (unsigned long long)i,
				     r ? "failed" : "did not fail");
		}
		f = fail_hits(mm, "page_alloc");
		CHECK_EQ(f.hits, 6);
		CHECK_EQ(f.failed, 1);
	}
	fail_arm(mm, "page_alloc", 0);
	audit_clean(mm, "after failed allocations");
}

/* One operation that may fail for want of memory; the result only says whether it did. */
struct attempt {
	const char *name;
	bool (*run)(void);
};

/* What the attempts work on. */
static u8 *anon, *window;
static int fd;

static bool do_mmap(void)
{
	u8 *p = mmap(NULL, 8 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return false;
	return munmap(p, 8 * P) == 0;
}

static bool do_populate(void)
{
	CHECK_OK(madvise(anon, 8 * P, MADV_DONTNEED));
	return madvise(anon, 8 * P, MADV_POPULATE_WRITE) == 0;
}

static bool do_split(void)
{
	bool done = mprotect(anon + 3 * P, P, PROT_READ) == 0;

	return mprotect(anon, 8 * P, PROT_READ | PROT_WRITE) == 0 && done;
}

static bool do_hole(void)
{
	return munmap(anon + 20 * P, P) == 0 &&
	       mmap(anon + 20 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static bool do_remap(void)
{
	bool done = true;

	for (size_t i = 0; i < 8 && done; i++)
		done = rfp(window + i * P, P, PROT_READ, 7 - i, MAP_CHGPROT) == 0;
	CHECK_OK(rfp(window, 8 * P, PROT_READ | PROT_WRITE, 0, MAP_CHGPROT));
	return done;
}

static bool do_move(void)
{
	u8 *to = mremap(window, 8 * P, 16 * P, MREMAP_MAYMOVE), *back;

	if (to == MAP_FAILED)
		return false;
	back = mremap(to, 16 * P, 8 * P, MREMAP_MAYMOVE | MREMAP_FIXED, window);
	for (unsigned i = 0; back == MAP_FAILED && i < 3; i++) /* the failpoint may have hit this one */
		back = mremap(to, 16 * P, 8 * P, MREMAP_MAYMOVE | MREMAP_FIXED, window);
	CHECK(back == window);
	return true;
}

static bool do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return false;
	join(pid);
	return true;
}

static bool do_file(void)
{
	char *path = path_in("/tmp", "fail");
	int f = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool done = f >= 0 && pwrite(f, "x", 1, 5 * 4096) == 1;

	if (f >= 0)
		close(f);
	unlink(path);
	return done;
}

static bool do_pipe(void)
{
	int fds[2];
	bool done;

	if (pipe(fds))
		return false;
	done = write(fds[1], window, 64) == 64;
	close(fds[0]);
	close(fds[1]);
	return done;
}

static const struct attempt attempts[] = {
	{"mmap", do_mmap},   {"populate", do_populate}, {"mprotect", do_split}, {"hole", do_hole}, {"remap", do_remap},
	{"mremap", do_move}, {"fork", do_fork},         {"file", do_file},      {"pipe", do_pipe},
};

/* The attempt in a process of its own, its nth allocation failing. Returns whether it succeeded; a failed allocation in
 * a page fault kills the process, as it should. */
static bool attempt_in_child(int mm, const struct attempt *a, const char *point, u64 n, bool *failed)
{
	pid_t pid = CHECK_OK(fork());
	int status;

	if (pid == 0) {
		bool done = a->run(); /* once without: what is touched for the first time is there then */

		if (!done)
			FAIL("%s fails although no allocation did", a->name);
		fail_arm(mm, point, n);
		done = a->run();
		_exit(done ? 0 : 3);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	*failed = fail_arm(mm, point, 0).failed;
	if (WIFSIGNALED(status) ? !*failed || WTERMSIG(status) != SIGKILL
	                        : WEXITSTATUS(status) != 0 && (!*failed || WEXITSTATUS(status) != 3))
		FAIL("%s, allocation %llu: wait status %x, %s", a->name, (unsigned long long)n, (unsigned)status,
		     *failed ? "failed" : "nothing failed");
	return status == 0;
}

/* n = 1, 2, ... until it succeeds although nothing failed: every way out was taken. */
static void exhaust(int mm, const struct attempt *a, const char *point)
{
	u64 told = 0, n = 1;

	for (bool failed = true; failed; n++) {
		if (n > 2000)
			FAIL("%s still fails at allocation %llu", a->name, (unsigned long long)n);
		told += !attempt_in_child(mm, a, point, n, &failed);
		audit_clean(mm, a->name);
	}
	test_note("%s: %s failed in %llu places, %llu told", a->name, point, (unsigned long long)n - 2,
	          (unsigned long long)told);
}

static void exhaust_all(const char *point)
{
	int mm = mm_need();

	fd = tagged_memfd(16);
	anon = map_anon(32, PROT_READ | PROT_WRITE);
	window = map_shared(fd, 8, PROT_READ | PROT_WRITE);
	memset(anon, 1, 32 * P);
	for (size_t i = 0; i < 8; i++)
		set_tag(window, i, i);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		exhaust(mm, &attempts[i], point);
	}
}

TEST_SECONDS(harness_fail_slab, "HARNESS-04 every slab allocation of an operation may fail", 120)
{
	exhaust_all("slab_alloc");
}

TEST_SECONDS(harness_fail_page, "HARNESS-05 every page allocation of an operation may fail", 120)
{
	exhaust_all("page_alloc");
}

TEST(harness_fail_io, "HARNESS-06 a failed write is told once and tried again")
{
	int mm = mm_need();
	int fd = make_file(disk_dir(), "io", 0);
	u8 *window;

	tag_file(fd, 4);
	CHECK_OK(fsync(fd));
	window = map_shared(fd, 4, PROT_READ | PROT_WRITE);
	set_tag(window, 2, 99);
	fail_arm(mm, "block_write", 1);
	CHECK_ERRNO(msync(window, 4 * P, MS_SYNC), EIO);
	CHECK_EQ(fail_arm(mm, "block_write", 0).failed, 1);
	audit_clean(mm, "after a failed write");
	CHECK_OK(msync(window, 4 * P, MS_SYNC));
	CHECK_EQ(fail_arm(mm, "block_write", 0).failed, 0);
	CHECK_EQ(file_tag(fd, 2), 99);
	audit_clean(mm, "after the second attempt");
}

/* -- sync points -------------------------------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) toucher(volatile u8 *p, int go)
{
	char c;

	if (read(go, &c, 1) != 1)
		_exit(2);
	*p = 7;
	_exit(0);
}

/* A child that stores to @p once it is told to. */
static pid_t start_toucher(volatile u8 *p, int *go)
{
	int fds[2];
	pid_t pid;

	CHECK_OK(pipe(fds));
	pid = CHECK_OK(fork());
	if (pid == 0)
		toucher(p, fds[0]);
	close(fds[0]);
	*go = fds[1];
	return pid;
}

static struct mm_sync sync_look(int mm, const char *point)
{
	struct mm_sync s = {0};

	snprintf(s.name, sizeof(s.name), "%s", point);
	if (ioctl(mm, MM_IOC_SYNC_WAIT, &s) && errno != ETIMEDOUT)
		FAIL("SYNC_WAIT: errno %d", errno);
	return s;
}

TEST(harness_sync, "HARNESS-07 a sync point pauses one thread and lets it go")
{
	int mm = mm_need(), go;
	volatile u8 *p = map_shared(tagged_memfd(2), 2, PROT_READ | PROT_WRITE);
	pid_t pid = start_toucher(p + P, &go);

	mm_arm(mm, "fault-snapshot", pid);
	CHECK_EQ(sync_look(mm, "fault-snapshot").paused, 0);
	p[0] = 1; /* not meant: only the child is */
	CHECK_EQ(sync_look(mm, "fault-snapshot").arrivals, 0);
	CHECK_OK(write(go, "x", 1));
	mm_await(mm, "fault-snapshot");
	CHECK_EQ(sync_look(mm, "fault-snapshot").tid, pid);
	sleep_ms(50);
	CHECK_EQ(p[P], 1); /* its store has not happened (this is our own fault, on the tag) */
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	mm_release(mm, "fault-snapshot");
	join(pid);
	CHECK_EQ(p[P], 7);
	mm_disarm(mm, "fault-snapshot");
	CHECK_ERRNO(ioctl(mm, MM_IOC_SYNC_RELEASE, &(struct mm_sync){.name = "fault-snapshot"}), ENOENT);
}

/* Two threads and one entry. */
struct duel {
	int mm;
	u8 *page;
	pid_t tid; /* of the thread that is paused */
};

static void duel(unsigned me, void *arg)
{
	struct duel *d = arg;

	if (me == 1) {
		STORE(d->tid, tid_now());
		SPIN_UNTIL(LOAD(d->tid) < 0); /* armed */
		((volatile u8 *)d->page)[1] = 7;
		return;
	}
	SPIN_UNTIL(LOAD(d->tid) > 0);
	mm_arm(d->mm, "fault-mapped", d->tid);
	STORE(d->tid, -1);
	mm_await(d->mm, "fault-mapped");
	CHECK_EQ(mm_entry_at(d->mm, d->page, 0).kind, MM_ENTRY_NONE);
	((volatile u8 *)d->page)[0] = 5; /* the entry that the other one is about to set */
	mm_release(d->mm, "fault-mapped");
}

TEST(harness_sync_order, "HARNESS-08 a sync point makes one thread resolve the fault that another one is in")
{
	struct duel d = {.mm = mm_need()};

	d.page = map_anon(2, PROT_READ | PROT_WRITE);
	*(volatile u8 *)(d.page + P) = 1; /* the table is there */
	crew_run(2, duel, &d);
	CHECK_EQ(d.page[0], 5);
	CHECK_EQ(d.page[1], 7);
	CHECK_EQ(sync_look(d.mm, "fault-mapped").expired, 0);
	CHECK_EQ(mm_entry_at(d.mm, d.page, 0).mapcount, 1);
	audit_clean(d.mm, "after the duel");
}

TEST(harness_sync_expire, "HARNESS-09 a thread that nobody releases goes on after five seconds, a killed one at once")
{
	int mm = mm_need(), go;
	u8 *p = map_shared(tagged_memfd(4), 4, PROT_READ | PROT_WRITE);
	pid_t pid = start_toucher(p, &go);
	u64 start;

	mm_arm(mm, "fault-snapshot", pid);
	CHECK_OK(write(go, "x", 1));
	mm_await(mm, "fault-snapshot");
	start = now_ns();
	CHECK_OK(kill(pid, SIGKILL));
	join_signal(pid, SIGKILL);
	CHECK_OP(now_ns() - start, <, 3000000000ull);

	pid = start_toucher(p, &go);
	mm_arm(mm, "fault-snapshot", pid);
	CHECK_OK(write(go, "x", 1));
	mm_await(mm, "fault-snapshot");
	join(pid);
	CHECK_EQ(sync_look(mm, "fault-snapshot").expired, 1);
}

TEST(harness_sync_close, "HARNESS-10 closing the file disarms and releases")
{
	int mm = mm_need(), other = mm_need(), go;
	u8 *p = map_shared(tagged_memfd(4), 4, PROT_READ | PROT_WRITE);
	pid_t pid;

	CHECK_OK(fcntl(other, F_SETFD, 0));
	close(other);
	pid = start_toucher(p, &go); /* knows mm only */
	other = mm_need();
	mm_arm(other, "fault-snapshot", pid);
	CHECK_OK(write(go, "x", 1));
	mm_await(mm, "fault-snapshot");
	close(other);
	join(pid);
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
