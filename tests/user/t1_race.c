/*
 * t1_race.c - lockless pins against fork and writeback, in chosen orders and as storms: T1-06, 15, 16, 17 (spec 2f), X-06 (spec 9).
 */
#define _GNU_SOURCE
#include "dma.h"
#include "swap.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a storm takes; suite.dma=n (seconds): so much for each of them. */
static unsigned storm_ms(unsigned otherwise, unsigned each)
{
	u64 n = suite_number("dma", 0);

	return n ? (unsigned)n * each : otherwise;
}

/* -- T1-06: fork --------------------------------------------------------------------------------------------------------------- */

/* The device's page is the one that we go on seeing. */
static void check_coherent(int dma, u64 id, volatile u64 *p, u64 value)
{
	*p = value;
	CHECK_EQ(dma_load(dma, id, 0), value);
}

#define LOWEST 0x100000u

struct pinning {
	int dma;
	u8 *p;
	u64 flags;
	struct edu_pin pin;
	int error;
};

static void pin_it(void *arg)
{
	struct pinning *x = arg;

	x->error = dma_try_pin(x->dma, x->p, P, x->flags, &x->pin);
}

static void fork_it(void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		for (;;)
			pause();
	}
	*(pid_t *)arg = pid;
}

/* Below everything else there is: fork copies it, and flushes, first. */
static u8 *lowest_page(void)
{
	u8 *p = mmap((void *)(uintptr_t)LOWEST, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK_EQ((uintptr_t)p, LOWEST);
	return p;
}

/*
 * Does once, with @point armed, what this thread will do while a CPU is held there with its interrupts off: the first store to a
 * page that the process shares with its parent makes the kernel wait for that CPU's flush, and then it waits for this thread.
 */
static void rehearse(int mm, const char *point, const volatile void *p)
{
	CHECK_EQ(mm_look(mm, point).paused, 0);
	(void)mm_entry_at(mm, p, MM_ENTRY_LOCKLESS);
}

/*
 * The pinner has seen the entry and counted nothing yet, its interrupts are off; fork write-protects the entry and waits for the
 * pinner's CPU to flush.  A pin that does not look again now holds a page that parent and child share.
 */
static void held_against_fork(u64 flags)
{
	struct puppet pinner = {0}, forker = {0};
	struct pinning x = {.dma = dma_open(), .p = lowest_page(), .flags = EDU_PIN_FAST | flags};
	int mm = mm_need();
	pid_t child = 0;

	puppet_need(2);
	*(volatile u64 *)x.p = 1;
	puppet_start(&pinner, 1);
	puppet_start(&forker, 2);
	mm_arm(mm, "pin-fast-seen", pinner.tid);
	rehearse(mm, "pin-fast-seen", x.p);
	puppet_tell(&pinner, pin_it, &x);
	mm_await(mm, "pin-fast-seen");
	puppet_tell(&forker, fork_it, &child);
	SPIN_UNTIL(!mm_entry_at(mm, x.p, MM_ENTRY_LOCKLESS).write);
	mm_release(mm, "pin-fast-seen");
	puppet_wait(&pinner);
	puppet_wait(&forker);
	CHECK_EQ(x.error, 0);
	check_coherent(x.dma, x.pin.id, (u64 *)x.p, 2);
	CHECK_EQ(dma_stat_at(x.dma, x.p).pfn, dma_stat_pin(x.dma, x.pin.id, 0).pfn);
	CHECK_OP(child, >, 0);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	dma_unpin(x.dma, x.pin.id, false);
	puppet_rehearse(&pinner);
	puppet_rehearse(&forker);
	puppet_stop(&pinner);
	puppet_stop(&forker);
}

TEST(T1_06s, "T1-06s fork between the look of a lockless pin and its count")
{
	held_against_fork(EDU_PIN_WRITE);
	held_against_fork(0);
}

/* Without a lock, or else with locks: was it without? */
static u64 pin_either_way(int dma, u8 *p, u64 flags, struct edu_pin *pin)
{
	CHECK_EQ(dma_try_pin(dma, p, P, flags | EDU_PIN_FAST_ONLY, pin), 0);
	if (pin->npages)
		return pin->npages;
	CHECK_EQ(dma_try_pin(dma, p, P, flags | EDU_PIN_FAST, pin), 0);
	return 0;
}

struct fork_storm {
	int dma;
	u8 *p;
	u64 end, pins, fast, forks;
	bool stop;
};

static void fork_member(unsigned me, void *arg)
{
	struct fork_storm *s = arg;
	struct edu_pin pin;

	if (me) {
		while (!LOAD(s->stop)) {
			pid_t pid = CHECK_OK(fork());

			if (!pid)
				_exit(0);
			CHECK_EQ(waitpid(pid, NULL, 0), pid);
			s->forks++;
		}
		return;
	}
	for (; race_on(s->end, s->pins); s->pins++) {
		u64 flags = s->pins & 1 ? EDU_PIN_WRITE : 0;

		*(volatile u64 *)s->p = s->pins;
		s->fast += pin_either_way(s->dma, s->p, flags, &pin);
		check_coherent(s->dma, pin.id, (u64 *)s->p, s->pins << 8);
		dma_unpin(s->dma, pin.id, false);
	}
	STORE(s->stop, true);
}

TEST_SECONDS(T1_06, "T1-06 lockless pins while another thread forks: the device's page is the parent's", 900)
{
	struct fork_storm s = {.dma = dma_open(), .p = map_anon(1, RW), .end = race_end(storm_ms(1200, 100))};
	u64 before = dma_outstanding(s.dma);

	crew_run(2, fork_member, &s);
	test_note("%llu pins, %llu without a lock, %llu forks", (unsigned long long)s.pins, (unsigned long long)s.fast,
	          (unsigned long long)s.forks);
	CHECK_OP(s.fast, >, 0);
	CHECK_EQ(dma_outstanding(s.dma), before);
}

/* -- T1-15: no store of a device is lost --------------------------------------------------------------------------------------------- */

#define STORM_PAGES 8
#define PINNERS 2

struct storm {
	int dma, fd;
	u8 *w;
	u64 end, fast[PINNERS], stores[PINNERS], syncs, maps;
	u64 value[PINNERS][STORM_PAGES]; /* stored last, by that pinner into its word of that page */
	u32 random[PINNERS];
	bool stop;
};

static void pin_and_store(struct storm *s, unsigned me)
{
	for (; race_on(s->end, s->stores[me]); s->stores[me]++) {
		u32 r = rnd(&s->random[me]);
		size_t page = r % STORM_PAGES;
		bool by_cpu = r & 64;
		struct edu_pin pin;

		if (r & 128) /* now and then the page is writable before, as the fast way needs it */
			((volatile u64 *)(s->w + page * P))[8 + me] = r;
		CHECK_EQ(dma_try_pin(s->dma, s->w + page * P, P, EDU_PIN_WRITE | EDU_PIN_FAST_ONLY, &pin), 0);
		s->fast[me] += pin.npages;
		if (!pin.npages)
			CHECK_EQ(dma_try_pin(s->dma, s->w + page * P, P, EDU_PIN_WRITE | EDU_PIN_FAST, &pin), 0);
		for (unsigned n = r & 0xf00 ? 1 : 50; n; n--) /* one store, mostly; sometimes the pin is there for longer */
			dma_store(s->dma, pin.id, me * 8, ++s->value[me][page]);
		if (by_cpu)
			CHECK_EQ(((volatile u64 *)(s->w + page * P))[me], s->value[me][page]);
		dma_unpin(s->dma, pin.id, true);
	}
	STORE(s->stop, true);
}

static void storm_member(unsigned me, void *arg)
{
	struct storm *s = arg;

	if (me < PINNERS) {
		pin_and_store(s, me);
		return;
	}
	while (!LOAD(s->stop)) {
		if (me == PINNERS) {
			CHECK_OK(fsync(s->fd));
			s->syncs++;
		} else {
			u8 *m = map_shared(s->fd, STORM_PAGES, RW);

			((volatile u64 *)(m + s->maps % STORM_PAGES * P))[32] = s->maps;
			CHECK_OK(munmap(m, STORM_PAGES * P));
			s->maps++;
		}
	}
}

static void storm_judge(const struct storm *s)
{
	u64 word;

	CHECK_OK(fsync(s->fd));
	CHECK_OK(munmap(s->w, STORM_PAGES * P));
	drop_caches();
	CHECK_EQ(cached_pages(s->fd, STORM_PAGES), 0);
	for (unsigned me = 0; me < PINNERS; me++) {
		for (size_t page = 0; page < STORM_PAGES; page++) {
			if (!s->value[me][page])
				continue;
			CHECK_EQ(pread(s->fd, &word, sizeof(word), (off_t)(page * P + me * 8)), sizeof(word));
			if (word != s->value[me][page])
				FAIL("page %zu, word %u: store %llu on the disk, %llu was the last", page, me, (unsigned long long)word,
				     (unsigned long long)s->value[me][page]);
		}
	}
}

TEST_SECONDS(T1_15, "T1-15 pin, one store, unpin, while others sync, map and unmap: every store is on the disk", 900)
{
	struct disk_page d = disk_pages("storm", STORM_PAGES);
	struct storm s = {.dma = dma_open(), .fd = d.fd, .w = d.p, .end = race_end(storm_ms(1500, 1000))};
	u64 before = dma_outstanding(s.dma);
	struct disk_stat st = disk_stat();

	for (unsigned i = 0; i < PINNERS; i++)
		s.random[i] = suite_seed() + i;
	crew_run(PINNERS + 2, storm_member, &s);
	st = disk_since(st);
	test_note("%llu stores, %llu pins without a lock, %llu syncs, %llu mappings; %ld pages copied, %ld writes checked",
	          (unsigned long long)(s.stores[0] + s.stores[1]), (unsigned long long)(s.fast[0] + s.fast[1]),
	          (unsigned long long)s.syncs, (unsigned long long)s.maps, st.copied, st.checked);
	CHECK_EQ(st.mismatches, 0);
	CHECK_EQ(dma_outstanding(s.dma), before);
	storm_judge(&s);
}

/* -- T1-16, T1-17: the verdict -------------------------------------------------------------------------------------------------------- */

#define MAPPERS 64

static void sync_it(void *fd)
{
	CHECK_OK(fsync(*(int *)fd));
}

static bool dirty_at(int dma, const u8 *p)
{
	return dma_stat_at(dma, p).flags & EDU_STAT_DIRTY;
}

/* A child that maps and dirties the page and exits when it is told to, by the end of the pipe. */
static pid_t mapper(const struct disk_page *d, int ready, int go[2])
{
	pid_t pid = CHECK_OK(fork());
	char c = 0;

	if (pid)
		return pid;
	close(go[1]);
	d->p[9] = 1;
	CHECK_EQ(write(ready, &c, 1), 1);
	CHECK_EQ(read(go[0], &c, 1), 0);
	_exit(0);
}

static void many_exit(bool pinned)
{
	int dma = dma_open(), ready[2], go[2];
	struct disk_page d = disk_pages("exit", 1);
	u64 id = 0;
	char c;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	d.p[0] = 1;
	for (int i = 0; i < MAPPERS; i++)
		mapper(&d, ready[1], go);
	for (int i = 0; i < MAPPERS; i++)
		CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(dma_stat_at(dma, d.p).mapcount, MAPPERS + 1);
	if (pinned)
		id = dma_pin(dma, d.p, P, EDU_PIN_WRITE | EDU_PIN_FAST);
	close(go[1]);
	for (int i = 0; i < 20; i++) {
		CHECK_OK(fsync(d.fd));
		if (pinned)
			CHECK(dirty_at(dma, d.p));
	}
	while (wait(NULL) > 0)
		;
	CHECK_OK(fsync(d.fd));
	CHECK_EQ(dirty_at(dma, d.p), pinned);
	CHECK_EQ(dma_stat_at(dma, d.p).mapcount, 1);
	if (pinned) {
		dma_unpin(dma, id, false);
		CHECK_OK(fsync(d.fd));
		CHECK(!dirty_at(dma, d.p));
	}
}

TEST(T1_16, "T1-16 64 processes that map a page exit during writeback: the verdict is the pin's")
{
	many_exit(false);
	many_exit(true);
}

/* One of two mappings goes after the walk over them has counted it: whoever subtracts finds no pin. */
TEST(T1_16s, "T1-16s an exit between mkclean and verdict, one pin held")
{
	int dma = dma_open(), mm = mm_need(), ready[2], go[2];
	struct disk_page d = disk_pages("one", 1);
	struct puppet syncer = {0};
	pid_t pid;
	u64 id;
	char c;

	puppet_need(1);
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	d.p[0] = 1;
	pid = mapper(&d, ready[1], go);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	id = dma_pin(dma, d.p, P, EDU_PIN_WRITE | EDU_PIN_FAST);
	puppet_start(&syncer, 1);
	mm_arm(mm, "mkclean-before-pin", syncer.tid);
	puppet_tell(&syncer, sync_it, &d.fd);
	mm_await(mm, "mkclean-before-pin");
	close(go[1]);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(dma_stat_at(dma, d.p).mapcount, 1);
	mm_release(mm, "mkclean-before-pin");
	puppet_wait(&syncer);
	CHECK(dirty_at(dma, d.p));
	dma_store(dma, id, 8, 77);
	dma_unpin(dma, id, true);
	CHECK_OK(fsync(d.fd));
	CHECK_EQ(dirty_at(dma, d.p), false);
	puppet_stop(&syncer);
}

/* The pin goes, or one comes, between mkclean and the verdict. */
TEST(T1_17, "T1-17 unpin before and after the verdict: one round more at most; a lockless pin in between is none")
{
	int dma = dma_open(), mm = mm_need();
	struct disk_page d = disk_pages("put", 1);
	struct puppet syncer = {0};
	struct edu_pin pin;
	u64 id;

	puppet_need(1);
	puppet_start(&syncer, 1);
	for (int dirty = 0; dirty < 2; dirty++) {
		d.p[0]++;
		id = dma_pin(dma, d.p, P, EDU_PIN_WRITE | EDU_PIN_FAST);
		mm_arm(mm, "mkclean-before-pin", syncer.tid);
		puppet_tell(&syncer, sync_it, &d.fd);
		mm_await(mm, "mkclean-before-pin");
		dma_unpin(dma, id, dirty);
		mm_release(mm, "mkclean-before-pin");
		puppet_wait(&syncer);
		CHECK_EQ(dirty_at(dma, d.p), dirty);
		CHECK_OK(fsync(d.fd));
		CHECK(!dirty_at(dma, d.p));
	}
	d.p[0]++;
	id = dma_pin(dma, d.p, P, EDU_PIN_WRITE | EDU_PIN_FAST);
	CHECK_OK(fsync(d.fd));
	dma_unpin(dma, id, false); /* after the verdict */
	CHECK(dirty_at(dma, d.p));
	CHECK_OK(fsync(d.fd));
	CHECK(!dirty_at(dma, d.p));

	d.p[0]++;
	mm_arm(mm, "mkclean-before-pin", syncer.tid);
	puppet_tell(&syncer, sync_it, &d.fd);
	mm_await(mm, "mkclean-before-pin");
	CHECK_EQ(dma_try_pin(dma, d.p, P, EDU_PIN_WRITE | EDU_PIN_FAST_ONLY, &pin), 0);
	mm_release(mm, "mkclean-before-pin");
	puppet_wait(&syncer);
	CHECK_EQ(dirty_at(dma, d.p), pin.npages); /* pinned, so it must be dirty; but the entry is not writable then */
	CHECK_EQ(pin.npages, 0);
	puppet_stop(&syncer);
}

/* -- everybody at one page --------------------------------------------------------------------------------------------------------- */

struct at_one {
	int dma;
	u8 *p;
	u64 end, pins, fast, forks, pageouts;
	bool stop;
};

static void at_one_member(unsigned me, void *arg)
{
	struct at_one *s = arg;
	struct edu_pin pin;
	pid_t pid;

	while (me && !LOAD(s->stop)) {
		if (me == 1) {
			pid = CHECK_OK(fork());
			if (!pid)
				_exit(s->p[8]);
			CHECK_EQ(waitpid(pid, NULL, 0), pid);
			s->forks++;
		} else {
			(void)madvise(s->p, P, me == 2 ? MADV_PAGEOUT : MADV_COLD);
			s->pageouts++;
		}
	}
	for (; !me && race_on(s->end, s->pins); s->pins++) {
		u64 flags = s->pins & 1 ? EDU_PIN_WRITE : 0;

		*(volatile u64 *)s->p = s->pins;
		s->fast += pin_either_way(s->dma, s->p, flags, &pin);
		check_coherent(s->dma, pin.id, (u64 *)s->p, s->pins << 8);
		if (flags)
			dma_store(s->dma, pin.id, 0, s->pins << 16);
		dma_unpin(s->dma, pin.id, flags);
		CHECK_EQ(*(volatile u64 *)s->p, s->pins << (flags ? 16 : 8));
	}
	STORE(s->stop, true);
}

TEST_SECONDS(X_06, "X-06 lockless pins against fork, MADV_PAGEOUT and the rest, on one page", 900)
{
	struct at_one s = {.dma = dma_open()};
	u64 before = dma_outstanding(s.dma);

	swap_begin(64);
	s.p = map_anon(1, RW);
	s.end = race_end(storm_ms(1000, 100));

	crew_run(4, at_one_member, &s);
	test_note("%llu pins, %llu without a lock, %llu forks, %llu times paged out", (unsigned long long)s.pins,
	          (unsigned long long)s.fast, (unsigned long long)s.forks, (unsigned long long)s.pageouts);
	CHECK_EQ(dma_outstanding(s.dma), before);
	swap_end();
}
