/*
 * t4_stale.c - a store through a translation that is on its way out, against writeback (docs/protocols.md, "zap").
 */
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORKERS = 4 };

struct stale {
	u8 *page;
	int fd, mm;
	pid_t zapper;
	bool armed, held, moved, synced;
	u32 after_sync;
};

static u32 file_word(int fd)
{
	u32 v = 0;

	CHECK_EQ(pread(fd, &v, sizeof(v), 0), (long)sizeof(v));
	return v;
}

/* The address gets another page of the file; in the middle of that the first one's entry is empty, not yet flushed. */
static void stale_zap(struct stale *s)
{
	STORE(s->zapper, tid_now());
	SPIN_UNTIL(LOAD(s->armed));
	CHECK_OK(remap_file_pages(s->page, P, 0, 1, 0));
	STORE(s->moved, true);
}

static void stale_store(struct stale *s)
{
	while (!LOAD(s->moved))
		ADD(*(u32 *)s->page, 1);
}

static void stale_sync(struct stale *s)
{
	SPIN_UNTIL(LOAD(s->held));
	CHECK_OK(fsync(s->fd));
	s->after_sync = file_word(s->fd);
	STORE(s->synced, true);
}

static void stale_direct(struct stale *s)
{
	SPIN_UNTIL(LOAD(s->zapper));
	mm_arm(s->mm, "clear-before-flush", s->zapper);
	STORE(s->armed, true);
	mm_await(s->mm, "clear-before-flush");
	STORE(s->held, true);
	for (int i = 0; i < 20 && !LOAD(s->synced); i++) /* it may wait for the zapper, and then does not end here */
		sleep_ms(5);
	mm_release(s->mm, "clear-before-flush");
	mm_disarm(s->mm, "clear-before-flush");
}

static void stale_member(unsigned me, void *arg)
{
	static void (*const part[WORKERS])(struct stale *) = {stale_direct, stale_zap, stale_store, stale_sync};

	part[me](arg);
}

TEST(T4_05z, "T4-05z a store through a stale translation is written, or its page is still dirty")
{
	struct stale s = {.mm = mm_need()};
	u32 last;

	s.fd = make_file(disk_dir(), "stale", 0);
	CHECK_OK(ftruncate(s.fd, 2 * P));
	s.page = map_shared(s.fd, 1, PROT_READ | PROT_WRITE);
	CHECK_OK(fsync(s.fd));
	STORE(*(u32 *)s.page, 1);
	crew_run(WORKERS, stale_member, &s);
	last = file_word(s.fd);
	test_note("%u at fsync, %u at last", s.after_sync, last);
	if (last != s.after_sync) { /* then writeback must know that there is something left to write */
		u8 *again = map_shared(s.fd, 1, PROT_READ);

		CHECK_EQ(LOAD(*(u32 *)again), last);
		CHECK(mm_entry_at(s.mm, again, 0).page & MM_PAGE_DIRTY);
	}
	close(s.mm);
}
