/*
 * cpus.c - several CPUs as a program sees them: how many there are, which one it may use, that all are used, that
 * threads get a fair share, and that a busy one can be reached from another CPU.
 */
#define _GNU_SOURCE
#include "test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPUS_MAX 32

static ulong cpus_present(void)
{
	cpu_set_t set;
	ulong mask = 0;

	CPU_ZERO(&set);
	CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
	for (int i = 0; i < CPUS_MAX; i++)
		mask |= CPU_ISSET(i, &set) ? 1UL << i : 0;
	return mask;
}

static int affine(pid_t pid, ulong mask)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < CPUS_MAX; i++)
		if (mask >> i & 1)
			CPU_SET(i, &set);
	return sched_setaffinity(pid, sizeof(set), &set);
}

static int lines_with(const char *path, const char *start)
{
	FILE *f = fopen(path, "r");
	char line[512];
	int n = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		n += !strncmp(line, start, strlen(start));
	fclose(f);
	return n;
}

TEST(cpus_count, "cpus.count: mask, sysconf, cpuinfo and stat agree")
{
	int n = __builtin_popcountl(cpus_present());

	CHECK_OP(n, >=, 1);
	CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN), n);
	CHECK_EQ(lines_with("/proc/cpuinfo", "processor"), n);
	CHECK_EQ(lines_with("/proc/stat", "cpu"), n + 1);
	test_note("%d CPUs", n);
}

static void stays_on(void *arg)
{
	int cpu = (int)(long)arg;

	CHECK_EQ(cpus_present(), 1UL << cpu); /* inherited */
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(sched_getcpu(), cpu);
		sched_yield();
		if (i % 50 == 0)
			sleep_ms(1);
	}
}

TEST(cpus_affinity, "cpus.affinity is obeyed at once and inherited")
{
	ulong all = cpus_present();

	CHECK_ERRNO(affine(0, 0), EINVAL);
	CHECK_ERRNO(affine(0, ~all & 0xffffffff), EINVAL);
	CHECK_ERRNO(affine(0x3fffffff, all), ESRCH);
	CHECK_ERRNO(sched_setaffinity(0, sizeof(cpu_set_t), BAD), EFAULT);
	for (int round = 0; round < 20; round++)
		for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
			if (!(all >> cpu & 1))
				continue;
			CHECK_OK(affine(0, 1UL << cpu));
			CHECK_EQ(sched_getcpu(), cpu);
			CHECK_EQ(cpus_present(), 1UL << cpu);
			if (round == 0)
				in_child(stays_on, (void *)(long)cpu);
		}
	CHECK_OK(affine(0, all | 1UL << 31)); /* more than there are: fine */
	CHECK_EQ(cpus_present() & all, all);
}

/* -- busy children: each counts in a line of its own, and says where it is ---------------------------------------- */
struct spinner {
	volatile ulong count;
	volatile int cpu;
	volatile int stop;
	ulong seen; /* CPUs */
	char pad[64];
};

static struct spinner *spinners;
static pid_t pids[3 * CPUS_MAX];

static void spin_start(int n)
{
	spinners = (struct spinner *)map_shared(tagged_memfd(4), 4, PROT_READ | PROT_WRITE);
	memset(spinners, 0, 4 * P);
	CHECK_OP(n * sizeof(struct spinner), <=, 4 * P);
	for (int i = 0; i < n; i++) {
		pids[i] = CHECK_OK(fork());
		if (pids[i])
			continue;
		for (struct spinner *s = &spinners[i]; !s->stop; s->count++) {
			s->cpu = sched_getcpu();
			s->seen |= 1UL << s->cpu;
		}
		_exit(0);
	}
}

static void spin_stop(int n)
{
	for (int i = 0; i < n; i++)
		spinners[i].stop = 1;
	for (int i = 0; i < n; i++)
		join(pids[i]);
}

TEST(cpus_used, "cpus.used: every CPU works when there is work for each")
{
	ulong all = cpus_present(), seen = 0;
	int n = __builtin_popcountl(all);

	spin_start(n);
	for (int i = 0; i < 100 && seen != all; i++) {
		sleep_ms(20);
		seen = 0;
		for (int k = 0; k < n; k++)
			seen |= 1UL << spinners[k].cpu;
	}
	spin_stop(n);
	CHECK_EQ(seen, all);
}

/* Threads one more than CPUs: without turns in being alone, two would have half of what the others have. */
TEST(cpus_fair, "cpus.fair: more threads than CPUs, nobody starves")
{
	int n = __builtin_popcountl(cpus_present()) + 1;
	double least = -1, most = 0;

	spin_start(n);
	sleep_ms(2000);
	spin_stop(n);
	for (int i = 0; i < n; i++) {
		u64 ns = spinners[i].count;

		if (least < 0 || ns < least)
			least = ns;
		if (ns > most)
			most = ns;
	}
	test_note("%d threads: least %.0f, most %.0f rounds", n, least, most);
	CHECK(least > 0 && most / least < 8); /* counts, on an emulator that shares its own CPUs */
}

TEST(cpus_move, "cpus.move: a busy process goes where it is told")
{
	ulong all = cpus_present();

	spin_start(2);
	for (int round = 0; round < 10; round++)
		for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
			if (!(all >> cpu & 1))
				continue;
			CHECK_OK(affine(pids[0], 1UL << cpu));
			for (int i = 0; spinners[0].cpu != cpu; i++) {
				CHECK_OP(i, <, 2000);
				sleep_ms(1);
			}
		}
	spin_stop(2);
}

TEST(cpus_reach, "cpus.reach: a signal reaches a busy process on another CPU")
{
	ulong all = cpus_present();
	int last = CPUS_MAX - 1;

	while (!(all >> last & 1))
		last--;
	CHECK_OK(affine(0, 1));
	for (int round = 0; round < 20; round++) {
		spin_start(1);
		CHECK_OK(affine(pids[0], 1UL << last));
		while (spinners[0].cpu != last || !spinners[0].count)
			sleep_ms(1);
		CHECK_OK(kill(pids[0], SIGKILL));
		join_signal(pids[0], SIGKILL);
	}
}

/* Pairs that wake one another through pipes while their masks change all the time. */
TEST(cpus_storm, "cpus.storm: wake-ups while masks change")
{
	enum { PAIRS = 4 };
	ulong all = cpus_present();
	pid_t pid[2 * PAIRS];
	u32 seed = 12345;
	u64 end;
	ulong moves = 0;

	for (int i = 0; i < PAIRS; i++) {
		int there[2], back[2];

		CHECK_OK(pipe(there));
		CHECK_OK(pipe(back));
		for (int side = 0; side < 2; side++) {
			int in = side ? there[0] : back[0], out = side ? back[1] : there[1];
			char c = 'x';

			pid[2 * i + side] = CHECK_OK(fork());
			if (pid[2 * i + side])
				continue;
			close(side ? there[1] : back[1]);
			close(side ? back[0] : there[0]);
			if (!side)
				CHECK_EQ(write(out, &c, 1), 1);
			while (read(in, &c, 1) == 1 && write(out, &c, 1) == 1)
				;
			_exit(0);
		}
		close(there[0]), close(there[1]), close(back[0]), close(back[1]);
	}
	for (end = now_ns() + 1000000000; now_ns() < end; moves++) {
		ulong mask = rnd(&seed) & all;

		CHECK_OK(affine(pid[rnd(&seed) % (2 * PAIRS)], mask ? mask : all));
	}
	test_note("%lu changes", moves);
	for (int i = 0; i < 2 * PAIRS; i++)
		CHECK_OK(kill(pid[i], SIGKILL));
	for (int i = 0; i < 2 * PAIRS; i++) {
		int status;

		CHECK_OK(waitpid(pid[i], &status, 0)); /* killed, or its partner was first */
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	}
}
