/*
 * bench_memory.c - what faults and the calls on memory cost one thread: anonymous memory, files in memory, a disk's.
 */
#define _GNU_SOURCE
#include "user/bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- anonymous memory ------------------------------------------------------------------------------------------------- */
static void touch_each(volatile uint8_t *p, size_t pages, bool write)
{
	for (size_t i = 0; i < pages; i++) {
		if (write)
			TIME(p[i * PAGE] = 1);
		else
			TIME((void)p[i * PAGE]);
	}
}

/* Each of these memories is touched in a mapping of its own. */
static void fault_each(const char *name, size_t n, bool write)
{
	for (int round = 0; round < 3; round++) {
		uint8_t *p = map_anon(n);

		forget_samples(); /* the first rounds made tables and stocked allocators */
		touch_each(p, n, write);
		munmap(p, n * PAGE);
	}
	report(name, 1);
}

/* Memory that is written, then taken away by munmap, by madvise, and made by a call that touches nothing. */
static void bench_given_back(size_t n)
{
	for (int round = 0; round < 20; round++) {
		uint8_t *p = map_anon(n);

		memset(p, 1, n * PAGE);
		TIME(munmap(p, n * PAGE));
	}
	report("munmap_per_page", n);
	for (int round = 0; round < 20; round++) {
		uint8_t *p = map_anon(n);

		memset(p, 1, n * PAGE);
		TIME(madvise(p, n * PAGE, MADV_DONTNEED));
		munmap(p, n * PAGE);
	}
	report("dontneed_per_page", n);
	for (int round = 0; round < 20; round++) {
		uint8_t *p;

		TIME(p = map(n, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1));
		munmap(p, n * PAGE);
	}
	report("populate_per_page", n);
}

void bench_anon(void)
{
	const size_t n = 1024;

	fault_each("anon_write_fault", n, true);
	fault_each("anon_read_fault", n, false);
	bench_given_back(n);
	for (int round = 0; round < 500; round++)
		TIME(munmap(map_anon(1), PAGE));
	report("mmap_munmap", 1);
}

/* Each of [p, p + n pages) is mapped over by a page with a protection of its own, as who has no remap does it. */
void bench_mmap_fixed(void)
{
	const size_t n = 1024;
	int fd = memfd(n, true);
	uint8_t *p = map(n, RW, MAP_SHARED, fd);

	for (size_t i = 0; i < n; i++) {
		size_t at = i * 405 % n;
		void *q;

		TIME(q = mmap(p + at * PAGE, PAGE, at % 2 ? RW : PROT_READ, MAP_SHARED | MAP_FIXED, fd,
		              (off_t)((at * 7 % n) * PAGE)));
		if (q == MAP_FAILED)
			die("mmap");
	}
	report("mmap_fixed_page", 1);
	munmap(p, n * PAGE);
	close(fd);
}

#define TABLE (512 * PAGE) /* what one table of entries maps on x86-64 */

static void move(uint8_t *from, uint8_t *to, size_t n)
{
	if (mremap(from, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		die("mremap");
}

/* To and fro. @shift: pages that the two places differ by, seen from their tables. */
static void bench_move(const char *name, size_t n, size_t shift, unsigned long per)
{
	uint8_t *all = map_anon(2 * (n + 1024)), *p = (uint8_t *)(((uintptr_t)all + TABLE - 1) / TABLE * TABLE);
	uint8_t *q = p + n * PAGE + TABLE + shift * PAGE;

	memset(p, 1, n * PAGE);
	for (int i = 0; i < 10; i++) {
		TIME(move(p, q, n));
		TIME(move(q, p, n));
	}
	report(name, per);
	munmap(all, 2 * (n + 1024) * PAGE);
}

/* What mprotect and mremap of touched memory cost for each page. */
static void bench_per_page(void)
{
	const size_t n = 1024;
	uint8_t *p = map_anon(n);

	memset(p, 1, n * PAGE);
	for (int i = 0; i < 20; i++) {
		TIME(mprotect(p, n * PAGE, PROT_READ));
		mprotect(p, n * PAGE, RW);
	}
	report("mprotect_per_page", n);
	for (int i = 0; i < 20; i++) {
		mprotect(p, n * PAGE, PROT_READ);
		TIME(mprotect(p, n * PAGE, RW));
	}
	report("mprotect_back_per_page", n);
	munmap(p, n * PAGE);
	bench_move("mremap_per_page", n, 5, n);
	bench_move("mremap_aligned", n, 0, 1);
}

void bench_mprotect(void)
{
	uint8_t *p = map_anon(16);

	memset(p, 1, 16 * PAGE);
	for (int i = 0; i < 300; i++) {
		TIME(mprotect(p + 7 * PAGE, PAGE, PROT_READ));
		mprotect(p + 7 * PAGE, PAGE, RW);
	}
	report("mprotect_split", 1);
	for (int i = 0; i < 300; i++) {
		mprotect(p + 7 * PAGE, PAGE, PROT_READ);
		TIME(mprotect(p + 7 * PAGE, PAGE, RW));
	}
	report("mprotect_merge", 1);
	munmap(p, 16 * PAGE);
	bench_per_page();
}

/* The child writes first (a copy each); when it is gone, the parent's writes find their pages unshared. */
void bench_cow(void)
{
	const size_t n = 512;
	uint8_t *p = map_anon(n);
	pid_t pid;

	memset(p, 1, n * PAGE);
	pid = fork();
	if (pid == 0) {
		touch_each(p, n, true);
		report("cow_copy_fault", 1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	touch_each(p, n, true);
	report("cow_reuse_fault", 1);
	munmap(p, n * PAGE);
}

/* -- file memory -------------------------------------------------------------------------------------------------------- */
/* Linux maps pages around one that is touched; a page alone costs less. */
static void fault_around(unsigned long bytes)
{
	FILE *f = fopen("/sys/kernel/debug/fault_around_bytes", "w");

	if (f)
		fprintf(f, "%lu", bytes);
	if (f && fclose(f))
		die("fault_around_bytes");
}

static void fault_each_of_file(const char *name, int fd, size_t n, int type, bool write)
{
	uint8_t *p = map(n, RW, type, fd);

	touch_each(p, n, write);
	report(name, 1);
	munmap(p, n * PAGE);
}

/* One reading of @n pages one after the other, as the kernel likes it best. */
static void read_pass(const char *name, int fd, size_t n)
{
	uint8_t sum = 0;

	for (int round = 0; round < 5; round++) {
		volatile uint8_t *p = map(n, PROT_READ, MAP_SHARED, fd);

		TIME(for (size_t i = 0; i < n; i++) sum += p[i * PAGE]);
		munmap((void *)p, n * PAGE);
	}
	report(name, n);
}

void bench_file(void)
{
	const size_t n = 1024;
	int fd = memfd(n, true), holes = memfd(n, false);

	read_pass("file_read_pass_per_page", fd, n);
	fault_around(PAGE);
	fault_each_of_file("file_read_fault", fd, n, MAP_SHARED, false);
	fault_each_of_file("file_write_fault", fd, n, MAP_SHARED, true);
	fault_each_of_file("file_private_read_fault", fd, n, MAP_PRIVATE, false);
	fault_each_of_file("file_copy_fault", fd, n, MAP_PRIVATE, true);
	fault_each_of_file("file_hole_fault", holes, n, MAP_SHARED, true);
	fault_around(16 * PAGE);
	close(fd);
	close(holes);
}

void bench_msync(void)
{
	const size_t n = 256;
	int fd = disk_file();
	uint8_t *p;

	if (fd < 0)
		return;
	if (ftruncate(fd, (off_t)(n * PAGE)))
		die("ftruncate");
	p = map(n, RW, MAP_SHARED, fd);
	memset(p, 1, n * PAGE);
	msync(p, n * PAGE, MS_SYNC);
	touch_each(p, n, true);
	report("write_fault_after_msync", 1);
	for (int i = 0; i < 10; i++) {
		for (size_t k = 0; k < n; k++)
			p[k * PAGE] = (uint8_t)i;
		TIME_CPU(msync(p, n * PAGE, MS_SYNC));
	}
	report_cpu("msync_per_dirty_page", n);
	munmap(p, n * PAGE);
	close(fd);
}
