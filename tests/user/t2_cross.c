/*
 * t2_cross.c - userfaultfd and UFFDIO_MOVE together with pins, secondary MMUs, fork, swapping, and sudden death: X-05, 06, 08, 11.
 */
#define _GNU_SOURCE
#include "swap.h"
#include "t2.h"
#include "t3.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static int fd;

/* -- X-05 ------------------------------------------------------------------------------------------------------- */

struct store {
	int dev;
	u8 *at;
	u32 value;
};

static void device_stores(void *arg)
{
	struct store *s = arg;

	device_store(s->dev, s->at, s->value);
}

TEST(x_device,
     "X-05 MOVE with a device's store in flight: it lands at the new place or at the old one, in no third page")
{
	u8 *dst = map_anon(1, RW), *src = map_anon(1, RW);
	struct puppet puppet = {0};
	int mm = mm_need(), dev;
	struct store s;

	puppet_need(1);
	fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(fd, dst, 1, UFFDX_REGISTER_MISSING);
	dev = device_open();
	set_tag(src, 0, 5);
	puppet_start(&puppet, 1);
	s = (struct store){dev, src, 99};
	mm_arm(mm, "mirror-got-page", 0); /* the device has the page of the old place ... */
	puppet_tell(&puppet, device_stores, &s);
	mm_await(mm, "mirror-got-page");
	CHECK_EQ(uffd_move(fd, dst, src, 1, 0, NULL), 0);
	mm_release(mm, "mirror-got-page"); /* ... and is refused it */
	CHECK_NOFAULT(puppet_wait(&puppet));
	mm_disarm(mm, "mirror-got-page");
	CHECK_EQ(tag(dst, 0), 5);
	CHECK_EQ(*word(src, 0), 99);
	device_store(dev, dst, 7); /* in order: before the move, so it comes along */
	CHECK_OK(madvise(src, P, MADV_DONTNEED));
	uffd_register(fd, src, 1, UFFDX_REGISTER_MISSING);
	CHECK_EQ(uffd_move(fd, src, dst, 1, 0, NULL), 0);
	CHECK_EQ(*word(src, 0), 7);
	CHECK_EQ(device_try_load(dev, dst, &s.value), EFAULT); /* a device does not wait for a program */
	puppet_stop(&puppet);
}

/* -- X-06 ---------------------------------------------------------------------------------------------------------- */

struct mix {
	u8 *home, *away;
	int edu, mm;
	u64 end, moves, forks, pins;
	bool stop;
};

static void mover(struct mix *m)
{
	const u64 mode = UFFDX_MOVE_UNSHARE;

	for (u64 n = 0; race_on(m->end, n); n++) {
		if (uffd_move(fd, m->away, m->home, 1, mode, NULL))
			continue;
		m->moves++;
		while (uffd_move(fd, m->home, m->away, 1, mode, NULL))
			sched_yield();
	}
	STORE(m->stop, true);
}

static void pinner(struct mix *m)
{
	struct edu_pin pin = {.addr = (uintptr_t)m->home, .len = P, .flags = EDU_PIN_WRITE};
	struct edu_unpin unpin = {0};
	struct edu_stat st = {0};

	CHECK_OK(ioctl(m->edu, EDU_IOC_PIN, &pin));
	st.id = unpin.id = pin.id;
	CHECK_OK(ioctl(m->edu, EDU_IOC_STAT, &st));
	CHECK_EQ(mm_entry_at(m->mm, m->home, 0).pfn, st.pfn);
	CHECK_OK(ioctl(m->edu, EDU_IOC_UNPIN, &unpin));
	m->pins++;
}

static void forker(struct mix *m)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0) {
		join(pid);
		m->forks++;
	}
	sleep_ms(2);
}

static void mixed(unsigned me, void *arg)
{
	struct mix *m = arg;

	if (!me)
		mover(m);
	while (!LOAD(m->stop)) {
		if (me == 1)
			pinner(m);
		else if (me == 2)
			forker(m);
		else
			CHECK_OK(madvise(m->home, 2 * P, MADV_PAGEOUT)), sched_yield();
	}
}

TEST(x_mix, "X-06 storm on one page: pins, MOVE, fork, PAGEOUT; what is pinned stays where it was pinned")
{
	struct mix m = {.home = map_anon(2, RW), .mm = mm_need()};
	struct edu_stat before = {0}, after = {0};

	m.edu = open("/dev/edu", O_RDWR | O_CLOEXEC);
	if (m.edu < 0)
		SKIP("no /dev/edu");
	swap_begin(256);
	m.away = m.home + P;
	fd = uffd_open(UFFDX_MOVE, O_CLOEXEC);
	uffd_register(fd, m.home, 2, UFFDX_REGISTER_MISSING);
	CHECK_EQ(uffd_zero(fd, m.home, 1, 0, NULL), 0);
	before.addr = after.addr = (uintptr_t)&m;
	CHECK_OK(ioctl(m.edu, EDU_IOC_STAT, &before));
	m.end = race_end(1200);
	crew_run(4, mixed, &m);
	CHECK_OK(ioctl(m.edu, EDU_IOC_STAT, &after));
	CHECK_EQ(after.acquired - after.released, before.acquired - before.released);
	test_note("%llu moves, %llu pins, %llu forks", (unsigned long long)m.moves, (unsigned long long)m.pins,
	          (unsigned long long)m.forks);
	CHECK_OP(m.moves, >, 0);
	CHECK_OP(m.pins, >, 0);
	mm_audit_clean(m.mm, "after the storm");
	swap_end();
}

/* -- X-08 ---------------------------------------------------------------------------------------------------------- */

TEST(x_fork,
     "X-08 fork of memory that is write-protected, pinned and mirrored: the child has its content and nothing else")
{
	u8 *p = map_anon(4, RW);
	struct edu_pin pin = {.addr = (uintptr_t)(p + P), .len = P, .flags = EDU_PIN_WRITE | EDU_PIN_LONGTERM};
	int edu = open("/dev/edu", O_RDWR), mm = mm_need(), dev;
	u64 pfn;
	pid_t pid;

	if (edu < 0)
		SKIP("no /dev/edu");
	fd = uffd_open(UFFDX_PAGEFAULT_FLAG_WP, 0);
	for (u32 i = 0; i < 4; i++)
		set_tag(p, i, i + 1);
	uffd_register(fd, p, 4, UFFDX_REGISTER_WP);
	CHECK_OK(ioctl(edu, EDU_IOC_PIN, &pin));
	dev = device_open();
	CHECK_EQ(device_load(dev, p), 1);
	CHECK_EQ(uffd_protect(fd, p, 4, UFFDX_WRITEPROTECT_WP), 0);
	pfn = mm_entry_at(mm, p + P, 0).pfn;
	pid = CHECK_OK(fork());
	if (pid == 0) {
		for (u32 i = 0; i < 4; i++) {
			CHECK_EQ(tag(p, i), i + 1);
			set_tag(p, i, 50);
		}
		_exit(0);
	}
	join(pid);
	CHECK_EQ(mm_entry_at(mm, p + P, 0).pfn, pfn);
	for (u32 i = 0; i < 4; i++) {
		struct toucher t;

		CHECK_EQ(tag(p, i), i + 1);
		touch_start(&t, p + i * P, true, 9);
		uffd_expect(fd, p + i * P, UFFDX_FAULT_WRITE | UFFDX_FAULT_WP);
		CHECK_EQ(uffd_protect(fd, p + i * P, 1, 0), 0);
		touch_end(&t);
	}
	CHECK_EQ(mm_entry_at(mm, p + P, 0).pfn, pfn); /* still the device's */
	CHECK_OK(close(edu));
	mm_audit_clean(mm, "afterwards");
}

/* -- X-11 ------------------------------------------------------------------------------------------------------------ */

#define PAGES 32

static void give_zero(int ufd, const struct uffdx_msg *msg, void *ctx)
{
	(void)ctx;
	if (msg->event == UFFDX_MSG_PAGEFAULT &&
	    uffd_zero(ufd, (u8 *)(uintptr_t)msg->pagefault.address, 1, 0, NULL) == EEXIST)
		uffd_wake(ufd, (u8 *)(uintptr_t)msg->pagefault.address, 1);
}

static void live_dangerously(unsigned me, void *arg)
{
	u8 *p = arg;
	u32 rng = suite_seed() + (u32)getpid() * 31 + me;

	for (;;) {
		size_t i = rnd(&rng) % PAGES, j = rnd(&rng) % PAGES;
		u8 *q;

		switch (rnd(&rng) % 6) {
		case 0:
			uffd_move(fd, p + i * P, p + j * P, 1 + rnd(&rng) % 4, rnd(&rng) % 2 * UFFDX_MOVE_ALLOW_SRC_HOLES, NULL);
			break;
		case 1:
			p[i * P] = (u8)me;
			break;
		case 2:
			madvise(p + i * P, P, rnd(&rng) % 2 ? MADV_DONTNEED : MADV_PAGEOUT);
			break;
		case 3:
			uffd_protect(fd, p + i * P, 1, rnd(&rng) % 2);
			break;
		case 4: /* without a hole at any time: the others store there */
			q = mremap(p + i * P, P, P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
			if (q != MAP_FAILED)
				munmap(q, P);
			break;
		default:
			if (rnd(&rng) % 16 == 0 && fork() == 0)
				_exit(0);
		}
	}
}

/* A process of four threads that do all of it; @events: it also hears of what happens to its memory. */
static pid_t dangerous_process(bool events)
{
	pid_t pid = CHECK_OK(fork());
	struct answerer a;
	u8 *p;

	if (pid)
		return pid;
	p = map_anon(PAGES, RW);
	signal(SIGCHLD, SIG_IGN);
	fd = uffd_open(UFFDX_MOVE | UFFDX_PAGEFAULT_FLAG_WP | (events ? UFFDX_EVENT_REMOVE | UFFDX_EVENT_REMAP : 0), 0);
	uffd_register(fd, p, PAGES, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	answer_start(&a, fd, give_zero, NULL);
	crew_run(3, live_dangerously, p);
	_exit(1);
}

TEST_SECONDS(x_killed,
             "X-11 storm: a process is killed in the middle of all of it, again and again: nothing is left behind", 120)
{
	int mm = mm_open();
	u32 rng = suite_seed();
	u64 rounds, end;

	swap_begin(256);
	end = race_end(1500);
	for (rounds = 0; race_on(end, rounds); rounds++) {
		pid_t pid = dangerous_process(rounds % 2);

		sleep_ms(5 + rnd(&rng) % 40);
		CHECK_OK(kill(pid, SIGKILL));
		join_signal(pid, SIGKILL);
		if (mm >= 0)
			mm_audit_clean(mm, "after a death");
	}
	test_note("%llu deaths", (unsigned long long)rounds);
	swap_end();
}

/* Was somebody caught at @point, some time in the next @ms? */
static bool caught_at(int mm, const char *point, unsigned ms)
{
	while (!mm_look(mm, point).paused && ms--)
		sleep_ms(1);
	return mm_look(mm, point).paused;
}

TEST_SECONDS(x_killed_at, "X-11s a process is killed while a thread of it is at a place chosen at random", 3600)
{
	static const char *const points[] = {"clear-before-flush", "flush-before-free", "fault-entry",    "fault-snapshot",
	                                     "fault-mapped",       "swap-found",        "notify-started", "uffd-queued",
	                                     "move-judged",        "move-cleared",      "page-locked",    "unmap-owed",
	                                     "migrate-taken",      "migrate-copied",    "mkclean-begins"};
	u64 rounds = suite_number("kills", 40), caught = 0;
	u32 rng = suite_seed();
	int mm = mm_need();

	swap_begin(256);
	for (u64 i = 0; i < rounds; i++) {
		const char *point = points[rnd(&rng) % (sizeof(points) / sizeof(points[0]))];
		pid_t pid = dangerous_process(i % 2);

		sleep_ms(rnd(&rng) % 10);
		mm_arm_after(mm, point, 0, rnd(&rng) % 16);
		caught += caught_at(mm, point, 30);
		CHECK_OK(kill(pid, SIGKILL));
		mm_disarm(mm, point);
		join_signal(pid, SIGKILL);
		mm_audit_clean(mm, point);
	}
	test_note("%llu deaths, %llu of them with a thread held", (unsigned long long)rounds, (unsigned long long)caught);
	CHECK_OP(caught, >, rounds / 8);
	swap_end();
}
