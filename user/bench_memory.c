/*
 * bench_memory.c - what faults and the calls on memory cost one thread: anonymous memory, files in memory, a disk's.
 */
#define _GNU_SOURCE
#include "user/bench.h"

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

void bench_anon(void)
{
	const size_t n = 1024;

	for (int round = 0; round < 3; round++) {
		uint8_t *p = map_anon(n);

		touch_each(p, n, true);
		if (round == 2)
			report("anon_write_fault", 1);
		forget_samples();
		munmap(p, n * PAGE);
	}
	for (int round = 0; round < 2; round++) {
		uint8_t *p = map_anon(n);

		touch_each(p, n, false);
		munmap(p, n * PAGE);
	}
	report("anon_read_fault", 1);
	for (int round = 0; round < 20; round++) {
		uint8_t *p = map_anon(n);

		memset(p, 1, n * PAGE);
		TIME(munmap(p, n * PAGE));
	}
	report("munmap_per_page", n);
	for (int round = 0; round < 500; round++)
		TIME(munmap(map_anon(1), PAGE));
	report("mmap_munmap", 1);
}

/* What mprotect and mremap of touched memory cost for each page. */
static void bench_per_page(void)
{
	const size_t n = 512;
	uint8_t *p = map_anon(n), *q = map_anon(n);

	memset(p, 1, n * PAGE);
	for (int i = 0; i < 20; i++) {
		TIME(mprotect(p, n * PAGE, PROT_READ));
		mprotect(p, n * PAGE, RW);
	}
	report("mprotect_per_page", n);
	for (int i = 0; i < 10; i++) {
		TIME(mremap(p, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q));
		TIME(mremap(q, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p));
	}
	report("mremap_per_page", n);
	munmap(p, n * PAGE);
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
void bench_file(void)
{
	const size_t n = 512;
	int fd = memfd(n, true);
	uint8_t *p = map(n, RW, MAP_SHARED, fd);

	madvise(p, n * PAGE, MADV_RANDOM); /* Linux: no fault-around */
	touch_each(p, n, false);
	report("file_read_fault", 1);
	munmap(p, n * PAGE);
	p = map(n, RW, MAP_SHARED, fd);
	touch_each(p, n, true);
	report("file_write_fault", 1);
	munmap(p, n * PAGE);
	close(fd);
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
		TIME(msync(p, n * PAGE, MS_SYNC));
	}
	report("msync_per_dirty_page", n);
	munmap(p, n * PAGE);
	close(fd);
}
