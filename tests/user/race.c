/*
 * race.c - see race.h.
 */
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FEW_ROUNDS 10
#define PATIENCE_NS 20000000000ull

/* -- numbers ------------------------------------------------------------------------------------------------ */

static bool from_environment(const char *name, char *out, size_t size)
{
	char var[64] = "SUITE_";
	size_t n = strlen(var);
	const char *value;

	for (; *name && n < sizeof(var) - 1; name++)
		var[n++] = (char)(*name & ~0x20);
	var[n] = 0;
	value = getenv(var);
	if (value)
		snprintf(out, size, "%s", value);
	return value != NULL;
}

static bool from_cmdline(const char *name, char *out, size_t size)
{
	char text[2048] = " ", word[64], *at;
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text + 1, sizeof(text) - 2);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n + 1 : 1] = 0;
	snprintf(word, sizeof(word), " suite.%s=", name);
	at = strstr(text, word);
	if (!at)
		return false;
	at += strlen(word);
	snprintf(out, size, "%.*s", (int)strcspn(at, " \n"), at);
	return true;
}

bool suite_text(const char *name, char *out, size_t size)
{
	return from_environment(name, out, size) || from_cmdline(name, out, size);
}

u64 suite_number(const char *name, u64 otherwise)
{
	char text[32];

	return suite_text(name, text, sizeof(text)) ? strtoull(text, NULL, 0) : otherwise;
}

u32 suite_seed(void)
{
	static u32 seed;

	if (!seed) {
		seed = (u32)suite_number("seed", now_ns());
		seed = seed ? seed : 1;
		test_note("suite.seed=%u", seed);
	}
	return seed;
}

u64 race_end(unsigned ms)
{
	static u64 factor;

	if (!factor)
		factor = suite_number("race", 1);
	return now_ns() + ms * 1000000ull * (factor ? factor : 1);
}

bool race_on(u64 end, u64 rounds)
{
	u64 now = now_ns();

	return now < end || (rounds < FEW_ROUNDS && now < end + PATIENCE_NS);
}

/* -- threads ------------------------------------------------------------------------------------------------- */

static cpu_set_t allowed;
static unsigned nr_allowed;

unsigned cpu_total(void)
{
	if (!nr_allowed) {
		if (sched_getaffinity(0, sizeof(allowed), &allowed))
			CPU_SET(0, &allowed);
		nr_allowed = (unsigned)CPU_COUNT(&allowed);
	}
	return nr_allowed;
}

void cpu_pin(unsigned n)
{
	cpu_set_t one;
	unsigned skip = n % cpu_total();

	CPU_ZERO(&one);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && skip-- == 0) {
			CPU_SET(cpu, &one);
			break;
		}
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
}

void cpu_unpin(void)
{
	cpu_total();
	CHECK_OK(sched_setaffinity(0, sizeof(allowed), &allowed));
}

struct member {
	void (*fn)(unsigned, void *);
	void *arg;
	unsigned me;
};

static void *member_main(void *arg)
{
	struct member *m = arg;

	cpu_pin(m->me);
	m->fn(m->me, m->arg);
	return NULL;
}

void crew_run(unsigned n, void (*fn)(unsigned me, void *arg), void *arg)
{
	struct member members[RACE_THREADS];
	pthread_t threads[RACE_THREADS];

	CHECK(n >= 1 && n <= RACE_THREADS);
	cpu_total();
	CHECK_NOFAULT(try_read(&n)); /* the handlers are there before the threads */
	for (unsigned i = 0; i < n; i++)
		members[i] = (struct member){fn, arg, i};
	for (unsigned i = 1; i < n; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, member_main, &members[i]), 0);
	member_main(&members[0]);
	for (unsigned i = 1; i < n; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	cpu_unpin();
}

void relax(unsigned *spins)
{
	__builtin_ia32_pause();
	if (++*spins % 256 == 0)
		sched_yield();
	if (*spins % 4096 == 0)
		sleep_ms(1);
}

void gate_pass(struct gate *g)
{
	unsigned turn = LOAD(g->turn);

	if (ADD(g->arrived, 1) == g->n) {
		STORE(g->arrived, 0);
		STORE(g->turn, turn + 1);
		syscall(SYS_futex, &g->turn, FUTEX_WAKE, RACE_THREADS, NULL, NULL, 0);
		return;
	}
	for (unsigned spins = 0; LOAD(g->turn) == turn;) /* together if it is soon; but an emulated CPU that spins */
		if (spins < 300)                             /* may keep another one from running */
			relax(&spins);
		else
			syscall(SYS_futex, &g->turn, FUTEX_WAIT, turn, NULL, NULL, 0);
}

/* -- one access ------------------------------------------------------------------------------------------------ */

void access_do(void *arg)
{
	struct access *a = arg;

	if (a->write)
		*a->at = a->value;
	else
		a->value = *a->at;
}

struct fault access_try(struct access *a)
{
	return try_call(access_do, a);
}

/* -- revoke races ------------------------------------------------------------------------------------------------ */

#define STAMPERS 3

struct revoke_race {
	const struct revoke *r;
	u64 end, rounds, faults;
	unsigned stampers;
	bool stop;
	u32 stamps[STAMPERS + 1]; /* [0]: unused */
};

struct stamper {
	struct revoke_race *race;
	volatile u32 *at;
	unsigned me;
};

static void stamp(void *arg)
{
	struct stamper *s = arg;

	while (!LOAD(s->race->stop))
		*s->at = ++s->race->stamps[s->me];
}

static void stamp_for_ever(struct revoke_race *race, unsigned me)
{
	struct stamper s = {race, (volatile u32 *)race->r->page + me, me};

	while (!LOAD(race->stop)) {
		struct fault f = try_call(stamp, &s);

		if (f.signo) {
			CHECK_ACCERR(f, s.at);
			ADD(race->faults, 1);
			sched_yield();
		}
	}
}

/* Until @ns have passed and, every fourth time, until somebody ran into the missing permission. */
static bool look_longer(const struct revoke_race *race, u64 began, u64 faults)
{
	u64 passed = now_ns() - began;

	return passed < 200000 || (race->rounds % 4 == 0 && passed < 100000000 && LOAD(race->faults) == faults);
}

static void revoke_once(struct revoke_race *race)
{
	const struct revoke *r = race->r;
	const volatile u32 *alias = (const volatile u32 *)r->alias;
	u32 seen[STAMPERS + 1];
	unsigned spins = 0, waited = 1 + race->rounds % race->stampers;
	u64 faults = LOAD(race->faults), began;

	r->set(r->page, r->weaker);
	began = now_ns();
	for (unsigned i = 1; i <= STAMPERS; i++)
		seen[i] = alias[i];
	do {
		for (unsigned i = 1; i <= STAMPERS; i++)
			if (alias[i] != seen[i])
				FAIL("round %llu: thread %u stored %u after the permission was gone (was %u)",
				     (unsigned long long)race->rounds, i, alias[i], seen[i]);
		relax(&spins);
	} while (look_longer(race, began, faults));
	r->set(r->page, PROT_READ | PROT_WRITE);
	for (spins = 0; alias[waited] == seen[waited] && race_on(race->end, 0);)
		relax(&spins);
	race->rounds++;
}

static void revoke_member(unsigned me, void *arg)
{
	struct revoke_race *race = arg;

	if (me) {
		stamp_for_ever(race, me);
		return;
	}
	while (race_on(race->end, race->rounds))
		revoke_once(race);
	STORE(race->stop, true);
}

static void revoke_from(const struct revoke *r, unsigned stampers)
{
	struct revoke_race race = {.r = r, .end = race_end(r->ms / 2), .stampers = stampers};

	crew_run(1 + stampers, revoke_member, &race);
	test_note("%u storing: %llu revocations, %llu faults", stampers, (unsigned long long)race.rounds,
	          (unsigned long long)race.faults);
	CHECK_OP(race.rounds, >, 0);
	CHECK_OP(race.faults, >, 0);
}

void race_revoke(const struct revoke *r)
{
	revoke_from(r, 1);
	revoke_from(r, STAMPERS);
}

/* -- the slow disk ------------------------------------------------------------------------------------------------- */

#define SLOW_DIR "/tmp/slow"

const char *slow_mount(void)
{
	char disk[32], device[64];

	if (!on_pteron() || !suite_text("slow", disk, sizeof(disk)))
		return NULL;
	snprintf(device, sizeof(device), "/dev/%s", disk);
	if (mkdir(SLOW_DIR, 0700) && errno != EEXIST)
		return NULL;
	if (mount(device, SLOW_DIR, "ext2", 0, NULL)) {
		test_note("mount %s: errno %d", device, errno);
		return NULL;
	}
	return SLOW_DIR;
}

void slow_unmount(void)
{
	CHECK_OK(umount(SLOW_DIR));
}

/* -- /dev/mm ---------------------------------------------------------------------------------------------------------- */

int mm_open(void)
{
	return open("/dev/mm", O_RDWR | O_CLOEXEC);
}

int mm_need(void)
{
	int fd = mm_open();

	if (fd < 0)
		SKIP("no /dev/mm");
	return fd;
}

struct mm_fail mm_fail_arm(int mm, const char *name, u64 nth)
{
	struct mm_fail f = {.nth = nth};

	snprintf(f.name, sizeof(f.name), "%s", name);
	CHECK_OK(ioctl(mm, MM_IOC_FAIL_ARM, &f));
	return f;
}

void mm_audit_clean(int mm, const char *when)
{
	struct mm_audit a = {0};

	CHECK_OK(ioctl(mm, MM_IOC_AUDIT, &a));
	if (a.errors)
		FAIL("%s: %llu violations, the first: %s", when, (unsigned long long)a.errors, a.first);
}

struct mm_entry mm_entry_at(int mm, const volatile void *p, u64 flags)
{
	struct mm_entry e = {.addr = (uintptr_t)p, .flags = flags};

	CHECK_OK(ioctl(mm, MM_IOC_ENTRY, &e));
	return e;
}

void mm_clear_young(int mm, void *p, size_t len)
{
	struct mm_range r = {.addr = (uintptr_t)p, .len = len};

	CHECK_OK(ioctl(mm, MM_IOC_CLEAR_YOUNG, &r));
}

pid_t tid_now(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void set_point(int mm, const char *point, u64 mode, pid_t tid, u64 skip)
{
	struct mm_sync_arm arm = {.mode = mode, .tid = (u64)tid, .skip = skip, .hits = 1};

	snprintf(arm.name, sizeof(arm.name), "%s", point);
	CHECK_OK(ioctl(mm, MM_IOC_SYNC_ARM, &arm));
}

void mm_arm(int mm, const char *point, pid_t tid)
{
	set_point(mm, point, MM_SYNC_PAUSE, tid, 0);
}

void mm_arm_after(int mm, const char *point, pid_t tid, u64 skip)
{
	set_point(mm, point, MM_SYNC_PAUSE, tid, skip);
}

void mm_disarm(int mm, const char *point)
{
	set_point(mm, point, MM_SYNC_OFF, 0, 0);
}

static struct mm_sync sync_call(int mm, unsigned long request, const char *point, u64 timeout_ms)
{
	struct mm_sync s = {.timeout_ms = timeout_ms};

	snprintf(s.name, sizeof(s.name), "%s", point);
	if (ioctl(mm, request, &s) && errno != ETIMEDOUT)
		FAIL("sync point %s: errno %d", point, errno);
	return s;
}

void mm_await(int mm, const char *point)
{
	struct mm_sync s = sync_call(mm, MM_IOC_SYNC_WAIT, point, 4000);

	if (!s.paused)
		FAIL("nobody came to %s (%llu arrivals, %llu expired)", point, (unsigned long long)s.arrivals,
		     (unsigned long long)s.expired);
}

struct mm_sync mm_look(int mm, const char *point)
{
	return sync_call(mm, MM_IOC_SYNC_WAIT, point, 0);
}

void mm_release(int mm, const char *point)
{
	sync_call(mm, MM_IOC_SYNC_RELEASE, point, 0);
}
