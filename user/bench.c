/*
 * bench.c - what operations cost: the program and its measuring.  The benchmarks are in bench_*.c.
 *
 *   bench [NAME...]     all, or those benchmarks whose names are given (bench -l lists them)
 *
 * Output: one line a number, "bench NAME VALUE UNIT".  A timed operation gives NAME.min and NAME.median; the cost
 * of reading the TSC twice is taken off.  Elsewhere than under icount the unit is TSC ticks all the same.
 */
#define _GNU_SOURCE
#include "user/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES 4096

/* -- measuring -------------------------------------------------------------------------------------------------- */
uint64_t overhead;
static uint64_t samples[MAX_SAMPLES];
static unsigned nsamples;

void sample(uint64_t value)
{
	if (nsamples < MAX_SAMPLES)
		samples[nsamples++] = value;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void put(const char *name, const char *suffix, unsigned long long value, const char *unit)
{
	printf("bench %s%s %llu %s\n", name, suffix, value, unit);
	fflush(stdout);
}

void put_fraction(const char *name, const char *suffix, double value, const char *unit)
{
	printf("bench %s%s %.4f %s\n", name, suffix, value, unit);
	fflush(stdout);
}

void forget_samples(void)
{
	nsamples = 0;
}

static void report_as(const char *name, unsigned long per, const char *unit)
{
	if (!nsamples)
		return;
	qsort(samples, nsamples, sizeof(*samples), compare);
	put(name, ".min", samples[0] / per, unit);
	put(name, ".median", samples[nsamples / 2] / per, unit);
	forget_samples();
}

void report(const char *name, unsigned long per)
{
	report_as(name, per, "insns");
}

void report_cpu(const char *name, unsigned long per)
{
	report_as(name, per, "ns");
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* How long a tick is: 1,000 a microsecond under icount. */
static void calibrate_ticks(void)
{
	uint64_t t = ticks(), ns = clock_ns(CLOCK_MONOTONIC), took;

	while ((took = clock_ns(CLOCK_MONOTONIC) - ns) < 20000000u)
		;
	put("ticks_per_us", "", (ticks() - t) * 1000 / took, "ticks");
}

static void calibrate(void)
{
	for (int i = 0; i < 1000; i++) {
		uint64_t t = ticks();

		sample(ticks() - t);
	}
	qsort(samples, nsamples, sizeof(*samples), compare);
	overhead = samples[0];
	nsamples = 0;
	put("rdtsc_pair", "", overhead, "insns");
	calibrate_ticks();
}

/* -- memory ----------------------------------------------------------------------------------------------------- */
void die(const char *what)
{
	perror(what);
	exit(1);
}

uint8_t *map(size_t pages, int prot, int flags, int fd)
{
	uint8_t *p = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

uint8_t *map_anon(size_t pages)
{
	return map(pages, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

int memfd(size_t pages, bool fill)
{
	int fd = (int)syscall(SYS_memfd_create, "bench", 0);

	if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE)))
		die("memfd");
	for (size_t i = 0; fill && i < pages; i++)
		if (pwrite(fd, &i, sizeof(i), (off_t)i * (off_t)PAGE) != sizeof(i))
			die("pwrite");
	return fd;
}

const char *disk_dir(void)
{
	static const char *const dirs[] = {"/mnt", "/var", "/root"};
	static bool tried;

	if (!tried)
		mount("/dev/vda", "/mnt", "ext2", 0, NULL); /* it is the root's, perhaps, or mounted before, or there is none */
	tried = true;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (access(dirs[i], W_OK) == 0)
			return dirs[i];
	return "/";
}

int disk_file(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/bench.%ld", disk_dir(), syscall(SYS_gettid));
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* -- the program --------------------------------------------------------------------------------------------------- */
static const struct {
	const char *name;
	void (*run)(void);
} benches[] = {
	{"null", bench_null},     {"signal", bench_signal},    {"pipe", bench_pipe},         {"anon", bench_anon},
	{"futex", bench_futex},   {"fixed", bench_mmap_fixed}, {"mprotect", bench_mprotect}, {"cow", bench_cow},
	{"fork", bench_fork},     {"file", bench_file},        {"msync", bench_msync},       {"cache", bench_cache},
	{"mosaic", bench_mosaic}, {"faults", bench_faults},    {"locks", bench_locks},       {"umk", bench_umk},
	{"swap", bench_swap},     {"notify", bench_notify},    {"pins", bench_pins},         {"uffd", bench_uffd},
	{"huge", bench_huge},
};

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	bool list = argc == 2 && !strcmp(argv[1], "-l");

	if (argc == 2 && !strcmp(argv[1], BENCH_NOTHING))
		_exit(0);
	if (!list)
		calibrate();
	for (size_t i = 0; i < sizeof(benches) / sizeof(*benches); i++) {
		if (list)
			puts(benches[i].name);
		else if (wanted(benches[i].name, argc, argv))
			benches[i].run();
	}
	return 0;
}
