/*
 * swap_race.c - swapping against everything else: in chosen orders, as a storm, and with every step failing once.
 */
#define _GNU_SOURCE
#include "puppet.h"
#include "swap.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static u8 *p;            /* what is swapped */
static const char *area; /* to where */

/* -- H.1: between the look into the swap cache and the page lock -------------------------------------------------------- */

/* What happens to page @p meanwhile; returns the value that the held reader must see. */
struct meanwhile {
	const char *name;
	u32 (*run)(void);
};

static u32 store(void)
{
	*(volatile u32 *)p = 77; /* swapped in, exclusive: the page leaves the cache */
	return 77;
}

static u32 store_and_out(void)
{
	*(volatile u32 *)p = 78;
	swap_out(p, 1); /* in another slot now; the reader who found it in the first keeps it in memory */
	return 78;
}

static u32 read_only(void)
{
	return *(volatile u32 *)p; /* stays in the cache */
}

static u32 area_off(void)
{
	CHECK_OK(swap_off(area));
	return 5;
}

static u32 drop(void)
{
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
	return 0;
}

TEST(swap_orders, "SWAP-20 a fault held between cache lookup and page lock, while the page changes")
{
	static const struct meanwhile all[] = {{"store", store},
	                                       {"store, out again", store_and_out},
	                                       {"read", read_only},
	                                       {"swapoff", area_off},
	                                       {"DONTNEED", drop}};
	int mm = mm_need();
	struct puppet puppet = {0};

	puppet_need(1);
	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		struct access a = {.value = 0};
		u32 expected;

		area = swap_begin(256);
		p = map_anon(1, RW);
		a.at = (volatile u32 *)p;
		puppet = (struct puppet){0};
		puppet_start(&puppet, 1);
		*(u32 *)p = 5;
		CHECK_EQ(swap_out(p, 1), 1);
		CHECK_OK(madvise(p, P, MADV_WILLNEED));
		for (int ms = 0; resident(p) == 0 && ms < 5000; ms++)
			sleep_ms(1);
		CHECK_EQ(mm_entry_at(mm, p, 0).kind, MM_ENTRY_SWAP); /* cached, not mapped */
		mm_arm(mm, "swap-found", puppet.tid);
		puppet_access(&puppet, &a);
		mm_await(mm, "swap-found");
		expected = all[k].run();
		mm_release(mm, "swap-found");
		CHECK_NOFAULT(puppet_wait(&puppet));
		if (a.value != expected)
			FAIL("%s: read %u, not %u", all[k].name, a.value, expected);
		mm_disarm(mm, "swap-found");
		mm_audit_clean(mm, all[k].name);
		puppet_stop(&puppet);
		CHECK_OK(munmap(p, P));
		swap_end();
	}
}

/* -- a storm --------------------------------------------------------------------------------------------------------------- */

#define CREW 4
#define REGION 48

struct storm {
	const char *area;
	u8 *memory;
	u64 end, forks, outs, offs;
};

static u8 *region(const struct storm *s, unsigned n)
{
	return s->memory + n * REGION * P;
}

/* The child sees what was there at the fork, whatever the others do, and its stores stay its own. */
static void child_checks(u8 *mine, const u32 *value)
{
	pid_t pid = fork();

	if (pid < 0)
		return;
	if (pid == 0) {
		for (size_t i = 0; i < REGION; i++) {
			volatile u32 *word = (volatile u32 *)(mine + i * P);

			if (word[0] != value[i] || word[1023] != ~value[i])
				FAIL("the child reads %x %x, not %x", word[0], word[1023], value[i]);
			word[0] = 0xdead;
		}
		madvise(mine, REGION * P, MADV_PAGEOUT);
		for (size_t i = 0; i < REGION; i++)
			CHECK_EQ(((volatile u32 *)(mine + i * P))[0], 0xdead);
		_exit(0);
	}
	join(pid);
}

static void storm_member(unsigned me, void *arg)
{
	struct storm *s = arg;
	u32 rng = suite_seed() + me * 977 + 1, value[REGION] = {0};
	u8 *mine = region(s, me);

	for (size_t i = 0; i < REGION; i++)
		((volatile u32 *)(mine + i * P))[1023] = ~0u;
	for (u64 round = 0; race_on(s->end, round); round++) {
		size_t i = rnd(&rng) % REGION, other = rnd(&rng) % (CREW * REGION), n = rnd(&rng) % 32 + 1;
		volatile u32 *word = (volatile u32 *)(mine + i * P);

		switch (rnd(&rng) % 16) {
		case 0 ... 8:
			CHECK_EQ(word[0], value[i]);
			CHECK_EQ(word[1023], ~value[i]);
			value[i] = rnd(&rng);
			word[0] = value[i];
			word[1023] = ~value[i];
			break;
		case 9 ... 12: /* anybody's */
			if (other + n > CREW * REGION)
				n = CREW * REGION - other;
			CHECK_OK(madvise(s->memory + other * P, n * P, MADV_PAGEOUT));
			ADD(s->outs, 1);
			break;
		case 13:
			CHECK_OK(mprotect(mine + i * P, P, PROT_READ));
			CHECK_EQ(word[0], value[i]);
			CHECK_OK(mprotect(mine + i * P, P, RW));
			break;
		case 14:
			if (rnd(&rng) % 8 == 0) {
				child_checks(mine, value);
				ADD(s->forks, 1);
			}
			break;
		default:
			if (me == 0 && rnd(&rng) % 8 == 0) {
				CHECK_OK(swap_off(s->area));
				CHECK_OK(swap_on(s->area, 0));
				ADD(s->offs, 1);
			}
		}
	}
	for (size_t i = 0; i < REGION; i++)
		CHECK_EQ(((volatile u32 *)(mine + i * P))[0], value[i]);
}

TEST_SECONDS(swap_storm, "SWAP-21 storm: stores, PAGEOUT of everybody's pages, mprotect, fork, swapoff and swapon", 120)
{
	struct storm s = {.area = swap_begin(512)};
	int mm = mm_open();

	s.memory = map_anon(CREW * REGION, RW);
	s.end = race_end(4000);
	crew_run(CREW, storm_member, &s);
	test_note("%llu times out, %llu forks, %llu swapoffs", (unsigned long long)s.outs, (unsigned long long)s.forks,
	          (unsigned long long)s.offs);
	if (mm >= 0)
		mm_audit_clean(mm, "after the storm");
	swap_end();
}

/* -- every step fails once ---------------------------------------------------------------------------------------------------- */

#define N 12

struct step {
	const char *name;
	void (*run)(void); /* may do less than asked, must not do anything else */
};

static void step_out(void)
{
	CHECK_OK(madvise(p, N * P, MADV_PAGEOUT));
}

static void step_in(void)
{
	(void)madvise(p, N * P, MADV_POPULATE_READ);
}

static void step_write(void)
{
	(void)madvise(p, N * P, MADV_POPULATE_WRITE);
}

static void step_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		join(pid);
}

static void step_off(void)
{
	if (swap_off(area))
		CHECK_EQ(errno, ENOMEM);
}

static void step_on(void)
{
	if (swap_on(area, 0))
		CHECK(errno == ENOMEM || errno == EIO || errno == EBUSY);
}

/* The nth hit from now on fails; 0: none. Did one fail of what was armed before? (The child's, that is.) */
static bool fail_arm(int mm, const char *name, u64 nth)
{
	struct mm_fail f = {.nth = nth};

	snprintf(f.name, sizeof(f.name), "%s", name);
	CHECK_OK(ioctl(mm, MM_IOC_FAIL_ARM, &f));
	return f.failed;
}

/* In a process of its own: a failed allocation in a fault kills it, as it should. Did anything fail? */
static bool attempt(int mm, const char *point, const struct step *step, u64 nth)
{
	pid_t pid = CHECK_OK(fork());
	bool failed;
	int status;

	if (pid == 0) {
		p = map_anon(N, RW);
		swap_fill(p, N, (u32)nth);
		if (step->run == step_on)
			swap_off(area);
		else if (step->run != step_out)
			CHECK_EQ(swap_out(p, N), N);
		fail_arm(mm, point, nth);
		step->run();
		failed = fail_arm(mm, point, 0);
		swap_check(p, N, (u32)nth);
		_exit(failed ? 3 : 0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	failed = fail_arm(mm, point, 0) || (WIFEXITED(status) && WEXITSTATUS(status) == 3);
	if (WIFSIGNALED(status) ? !failed || WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != (failed ? 3 : 0))
		FAIL("%s, %s %llu: wait status %x", step->name, point, (unsigned long long)nth, (unsigned)status);
	swap_on(area, 0);
	return failed;
}

static void sweep(int mm, const char *point)
{
	static const struct step steps[] = {{"out", step_out},   {"in", step_in},   {"write", step_write},
	                                    {"fork", step_fork}, {"off", step_off}, {"on", step_on}};
	u64 total = 0;

	for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
		for (u64 nth = 1; nth < 500 && attempt(mm, point, &steps[k], nth); nth++)
			total++;
		mm_audit_clean(mm, steps[k].name);
	}
	test_note("%s failed %llu times", point, (unsigned long long)total);
}

TEST_SECONDS(swap_sweep, "SWAP-22 every allocation, lock attempt, slot and write fails once: nothing is lost", 120)
{
	static const char *const points[] = {"page_alloc", "slab_alloc",  "page_trylock", "rwsem_trylock",
	                                     "swap_slot",  "block_write", "swap_dup"};
	int mm = mm_need();

	area = swap_begin(256);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		sweep(mm, points[i]);
	swap_end();
}
