/*
 * debug_sync.c - sync points: a thread waits where it was told to, until it is let go.  HARNESS-07 to 10.
 */
#define _GNU_SOURCE
#include "puppet.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define SNAPSHOT "fault-snapshot"
#define MAPPED "fault-mapped"

/* A child that stores to a page when it is told to.  It does so once to another page, so that its second store is the
 * only fault that it has after it has said that it is ready. */
struct toucher {
	pid_t pid;
	int go, ready;
};

static void __attribute__((noreturn)) touch(volatile u8 *rehearsal, volatile u8 *p, int go, int ready)
{
	volatile u8 *const pages[] = {rehearsal, p};
	char c;

	for (int k = 0; k < 2; k++) {
		if (read(go, &c, 1) != 1)
			_exit(2);
		*pages[k] = 7;
		if (write(ready, "x", 1) != 1)
			_exit(2);
	}
	_exit(0);
}

static struct toucher toucher_start(volatile u8 *p)
{
	u8 *rehearsal = map_anon(1, RW);
	struct toucher t;
	int go[2], ready[2];
	char c;

	CHECK_OK(pipe(go));
	CHECK_OK(pipe(ready));
	t.pid = CHECK_OK(fork());
	if (t.pid == 0)
		touch(rehearsal, p, go[0], ready[1]);
	t.go = go[1];
	t.ready = ready[0];
	CHECK_EQ(write(t.go, "x", 1), 1);
	CHECK_EQ(read(t.ready, &c, 1), 1);
	return t;
}

/* It is in its fault. */
static void toucher_paused(const struct toucher *t, int mm)
{
	CHECK_EQ(write(t->go, "x", 1), 1);
	mm_await(mm, SNAPSHOT);
}

TEST(harness_sync, "HARNESS-07 a sync point pauses one thread and lets it go")
{
	int mm = mm_need();
	volatile u8 *p = map_shared(tagged_memfd(2), 2, RW);
	struct toucher t = toucher_start(p + P);

	mm_arm(mm, SNAPSHOT, t.pid);
	CHECK_EQ(mm_look(mm, SNAPSHOT).paused, 0);
	p[0] = 1; /* not meant: only the child is */
	CHECK_EQ(mm_look(mm, SNAPSHOT).arrivals, 0);
	toucher_paused(&t, mm);
	CHECK_EQ(mm_look(mm, SNAPSHOT).tid, t.pid);
	sleep_ms(50);
	CHECK_EQ(p[P], 1); /* its store has not happened (this is our own fault, on the tag) */
	CHECK_EQ(waitpid(t.pid, NULL, WNOHANG), 0);
	mm_release(mm, SNAPSHOT);
	join(t.pid);
	CHECK_EQ(p[P], 7);
	CHECK_EQ(mm_look(mm, SNAPSHOT).expired, 0);
	mm_disarm(mm, SNAPSHOT);
	CHECK_ERRNO(ioctl(mm, MM_IOC_SYNC_RELEASE, &(struct mm_sync){.name = SNAPSHOT}), ENOENT);
}

TEST(harness_sync_order, "HARNESS-08 a sync point makes one thread resolve the fault that another one is in")
{
	int mm = mm_need();
	struct puppet other = {0};
	struct access a = {.value = 7, .write = true};
	u32 *page;

	puppet_start(&other, 1);
	page = (u32 *)map_anon(2, RW);
	*(volatile u8 *)((u8 *)page + P) = 1; /* the table is there */
	a.at = page + 1;
	mm_arm(mm, MAPPED, other.tid);
	puppet_access(&other, &a);
	mm_await(mm, MAPPED);
	CHECK_EQ(mm_entry_at(mm, page, 0).kind, MM_ENTRY_NONE);
	*(volatile u32 *)page = 5; /* the entry that the other one is about to set */
	mm_release(mm, MAPPED);
	CHECK_NOFAULT(puppet_wait(&other));
	CHECK_EQ(page[0], 5);
	CHECK_EQ(page[1], 7);
	CHECK_EQ(mm_look(mm, MAPPED).arrivals, 1);
	CHECK_EQ(mm_look(mm, MAPPED).expired, 0);
	CHECK_EQ(mm_entry_at(mm, page, 0).mapcount, 1);
	mm_audit_clean(mm, "after the duel");
	puppet_stop(&other);
}

TEST(harness_sync_expire, "HARNESS-09 a thread that nobody releases goes on after five seconds, a killed one at once")
{
	int mm = mm_need();
	volatile u8 *p = map_shared(tagged_memfd(4), 4, RW);
	struct toucher t = toucher_start(p);

	mm_arm(mm, SNAPSHOT, t.pid);
	toucher_paused(&t, mm);
	CHECK_OK(kill(t.pid, SIGKILL));
	join_signal(t.pid, SIGKILL);
	CHECK_EQ(mm_look(mm, SNAPSHOT).expired, 0);
	CHECK_EQ(p[0], 0); /* it never came to its store */

	t = toucher_start(p + P);
	mm_arm(mm, SNAPSHOT, t.pid);
	toucher_paused(&t, mm);
	join(t.pid);
	CHECK_EQ(mm_look(mm, SNAPSHOT).expired, 1);
	CHECK_EQ(p[P], 7);
}

TEST(harness_sync_close, "HARNESS-10 closing the file disarms and releases")
{
	int mm = mm_need(), other;
	volatile u8 *p = map_shared(tagged_memfd(4), 4, RW);
	struct toucher t = toucher_start(p); /* knows mm only */

	other = mm_need();
	mm_arm(other, SNAPSHOT, t.pid);
	toucher_paused(&t, mm);
	close(other);
	join(t.pid);
	CHECK_EQ(p[0], 7);
}
