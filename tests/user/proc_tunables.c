/*
 * proc_tunables.c - /proc/sys/vm/max_map_count and overcommit_memory, which programs look at and testers set; /proc/loadavg.
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

static long get(const char *path)
{
	char text[64] = "";
	int fd = CHECK_OK(open(path, O_RDONLY));

	CHECK_OP(read(fd, text, sizeof(text) - 1), >, 0);
	close(fd);
	return strtol(text, NULL, 10);
}

/* An errno, or 0. */
static int set(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY)), error = write(fd, text, strlen(text)) < 0 ? errno : 0;

	close(fd);
	return error;
}

static void set_number(const char *path, long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", n);
	CHECK_EQ(set(path, text), 0);
}

static int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int lines = 0;

	CHECK(f);
	for (int c; (c = fgetc(f)) != EOF;)
		lines += c == '\n';
	fclose(f);
	return lines;
}

TEST(max_map_count, "tunables.max_map_count is how many mappings there may be")
{
	const char *path = "/proc/sys/vm/max_map_count";
	long usual = get(path);
	u8 *p = map_anon(64, RW);
	int made = 0;

	CHECK_EQ(usual, 65530);
	set_number(path, count_maps() + 10);
	while (made < 32 && mprotect(p + (2 * made + 1) * P, P, PROT_READ) == 0)
		made++;
	set_number(path, usual);
	CHECK_OP(made, >=, 3); /* each splits in three */
	CHECK_OP(made, <=, 6);
	CHECK_OK(mprotect(p + (2 * made + 1) * P, P, PROT_READ));
	CHECK_EQ(set(path, "-1"), EINVAL);
	CHECK_EQ(set(path, "many"), EINVAL);
	CHECK_EQ(get(path), usual);
}

TEST(overcommit_memory, "tunables.overcommit_memory 1: no mapping is too large")
{
	const char *path = "/proc/sys/vm/overcommit_memory";
	size_t huge = is64 ? (size_t)1 << (is64 ? 42 : 0) : (size_t)3 << 29;
	long usual = get(path);
	void *p;

	CHECK_EQ(usual, 0);
	CHECK_EQ(set(path, "3"), EINVAL);
	set_number(path, 1);
	p = mmap(NULL, huge, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	set_number(path, 0);
	CHECK(p != MAP_FAILED);
	*(u8 *)p = 1;
	CHECK_OK(munmap(p, huge));
	CHECK_ERRNO(mmap(NULL, huge, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

TEST(loadavg, "tunables.loadavg and sysinfo say the same")
{
	FILE *f = fopen("/proc/loadavg", "r");
	double load[3], diff;
	int running, all, last;
	struct sysinfo info;

	CHECK(f);
	CHECK_EQ(fscanf(f, "%lf %lf %lf %d/%d %d", &load[0], &load[1], &load[2], &running, &all, &last), 6);
	fclose(f);
	CHECK_OK(sysinfo(&info));
	for (int i = 0; i < 3; i++) {
		diff = load[i] - (double)info.loads[i] / 65536;
		CHECK(diff > -0.5 && diff < 0.5);
		CHECK(load[i] >= 0 && load[i] < 1000);
	}
	CHECK_OP(running, >=, 1); /* who reads it */
	CHECK_OP(all, >=, running);
	CHECK_OP(last, >=, (int)getpid());
}
