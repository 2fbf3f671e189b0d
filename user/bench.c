/*
 * bench.c - what operations cost.  Under `-icount shift=0` one tick of the TSC is one guest instruction, so on
 * Pteron and on Linux alike the numbers are instruction counts, seen from ring 3.
 *
 *   bench [NAME...]     all, or those benchmarks whose names are given (bench -l lists them)
 *
 * Output: one line a number, "bench NAME VALUE UNIT".  A timed operation gives NAME.min and NAME.median; the cost
 * of reading the TSC twice is taken off.  Elsewhere than under icount the unit is TSC ticks all the same.
 */
#define _GNU_SOURCE
#include "user/bench_cache.h"
#include "user/kmem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)
#define MAP_CHGPROT 0x20000
#define MAX_SAMPLES 4096
#define TILES 65536ul

/* -- measuring -------------------------------------------------------------------------------------------------- */

static uint64_t overhead;
static uint64_t samples[MAX_SAMPLES];
static unsigned nsamples;

static inline uint64_t ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

#define TIME(operation)                            \
	do {                                           \
		uint64_t t0_ = ticks(), t_;                \
		operation;                                 \
		t_ = ticks() - t0_;                        \
		sample(t_ > overhead ? t_ - overhead : 0); \
	} while (0)

static void sample(uint64_t value)
{
	if (nsamples < MAX_SAMPLES)
		samples[nsamples++] = value;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void put(const char *name, const char *suffix, unsigned long long value, const char *unit)
{
	printf("bench %s%s %llu %s\n", name, suffix, value, unit);
	fflush(stdout);
}

/* Print the samples, each divided by @per, and forget them. */
static void report(const char *name, unsigned long per)
{
	if (!nsamples)
		return;
	qsort(samples, nsamples, sizeof(*samples), compare);
	put(name, ".min", samples[0] / per, "insns");
	put(name, ".median", samples[nsamples / 2] / per, "insns");
	nsamples = 0;
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
}

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static uint8_t *map(size_t pages, int prot, int flags, int fd)
{
	uint8_t *p = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static uint8_t *map_anon(size_t pages)
{
	return map(pages, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int memfd(size_t pages, bool fill)
{
	int fd = (int)syscall(SYS_memfd_create, "bench", 0);

	if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE)))
		die("memfd");
	for (size_t i = 0; fill && i < pages; i++)
		if (pwrite(fd, &i, sizeof(i), (off_t)i * (off_t)PAGE) != sizeof(i))
			die("pwrite");
	return fd;
}

/* -- system calls and signals -------------------------------------------------------------------------------------- */

static inline long null_call(void)
{
	long n = SYS_getppid;

#ifdef __x86_64__
	__asm__ volatile("syscall" : "+a"(n)::"rcx", "r11", "memory");
#else
	__asm__ volatile("int $0x80" : "+a"(n)::"memory");
#endif
	return n;
}

static void bench_null(void)
{
	for (int i = 0; i < 2000; i++)
		TIME(null_call());
	report("null_syscall", 1);
}

static sigjmp_buf landing;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(landing, 1);
}

static void bench_signal(void)
{
	struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_NODEFER}, old;
	volatile int i;

	sigaction(SIGSEGV, &sa, &old);
	for (i = 0; i < 500; i++) {
		volatile uint64_t t = ticks();

		if (!sigsetjmp(landing, 0))
			*(volatile int *)8 = 1;
		sample(ticks() - t - overhead);
	}
	sigaction(SIGSEGV, &old, NULL);
	report("sigsegv_caught", 1);
}

static void bench_pipe(void)
{
	int a[2], b[2];
	char c = 0;
	pid_t pid;

	if (pipe(a) || pipe(b))
		die("pipe");
	pid = fork();
	if (pid == 0) {
		close(a[1]);
		while (read(a[0], &c, 1) == 1)
			if (write(b[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	for (int i = 0; i < 500; i++)
		TIME(if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1) die("pipe"));
	close(a[1]);
	waitpid(pid, NULL, 0);
	close(a[0]);
	close(b[0]);
	close(b[1]);
	report("pipe_round_trip", 1);
}

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

static void bench_anon(void)
{
	const size_t n = 1024;

	for (int round = 0; round < 3; round++) {
		uint8_t *p = map_anon(n);

		touch_each(p, n, true);
		if (round == 2)
			report("anon_write_fault", 1);
		nsamples = 0;
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

static void bench_mprotect(void)
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
}

/* The child writes first (a copy each); when it is gone, the parent's writes find their pages unshared. */
static void bench_cow(void)
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

static void bench_fork(void)
{
	static const size_t sizes[] = {0, 1024};

	for (int k = 0; k < 2; k++) {
		uint8_t *p = map_anon(sizes[k] + 1);

		memset(p, 1, sizes[k] * PAGE + 1);
		for (int i = 0; i < 20; i++)
			TIME(pid_t pid = fork(); if (pid == 0) _exit(0); waitpid(pid, NULL, 0));
		report(k ? "fork_exit_wait_1024_pages" : "fork_exit_wait", 1);
		munmap(p, (sizes[k] + 1) * PAGE);
	}
}

/* -- threads ------------------------------------------------------------------------------------------------------------ */

#define FAULTS 1024
#define MOST_THREADS 4

/* Shared with all of them. Everybody waits in the kernel, so that waiting costs no instructions that are counted. */
struct steps {
	volatile int go, done, leave;
};

struct toucher {
	volatile uint8_t *p;
	unsigned cpu;
	struct steps *steps;
	pthread_t thread;
	pid_t pid;
};

static void wait_while(volatile int *word, int value)
{
	while (*word == value)
		syscall(SYS_futex, word, 0 /* FUTEX_WAIT */, value, NULL, NULL, 0);
}

static void wake_all(volatile int *word)
{
	syscall(SYS_futex, word, 1 /* FUTEX_WAKE */, 100, NULL, NULL, 0);
}

static void *touch_pages(void *arg)
{
	struct toucher *t = arg;
	unsigned long mask = 1ul << t->cpu;

	syscall(SYS_sched_setaffinity, 0, sizeof(mask), &mask);
	wait_while(&t->steps->go, 0);
	for (size_t i = 0; i < FAULTS; i++)
		t->p[i * PAGE] = 1;
	__atomic_add_fetch(&t->steps->done, 1, __ATOMIC_SEQ_CST);
	wake_all(&t->steps->done);
	wait_while(&t->steps->leave, 0);
	return NULL;
}

/* Times that anybody found a lock taken: the total of /proc/lock_waits; -1: not counted here. */
static long long lock_waits(void)
{
	char text[8192], *line, *save;
	int fd = open("/proc/lock_waits", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	long long total = 0;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	text[n] = 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *number = strpbrk(line, "0123456789");
		char *space = strrchr(line, ' ');

		total += strtoll(space ? space + 1 : number ? number : "0", NULL, 10);
	}
	return total;
}

static void begin_toucher(struct toucher *t, bool thread)
{
	if (thread) {
		if (pthread_create(&t->thread, NULL, touch_pages, t))
			die("pthread_create");
		return;
	}
	t->pid = fork();
	if (t->pid == 0) {
		touch_pages(t);
		_exit(0);
	}
}

/* @n at once, threads of this process or processes of their own, each with fresh pages of its own: instructions of
 * the whole machine per fault.  A thread that waits for a lock spins, and so shows as instructions. */
static void touch_together(unsigned n, bool threads, bool file)
{
	struct toucher t[MOST_THREADS];
	struct steps *steps = (struct steps *)map(1, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	int fd = file ? memfd(n * FAULTS, true) : -1;
	uint8_t *p = file ? map(n * FAULTS, RW, MAP_SHARED, fd) : map_anon(n * FAULTS);
	long long waits;
	uint64_t began;
	char name[64];

	if (file)
		madvise(p, n * FAULTS * PAGE, MADV_RANDOM);
	for (unsigned i = 0; i < n; i++) {
		t[i] = (struct toucher){.p = p + i * FAULTS * PAGE, .cpu = i, .steps = steps};
		begin_toucher(&t[i], threads);
	}
	usleep(20000); /* all wait */
	waits = lock_waits();
	began = ticks();
	steps->go = 1;
	wake_all(&steps->go);
	for (int done; (done = steps->done) < (int)n;)
		wait_while(&steps->done, done);
	began = ticks() - began;
	waits = waits < 0 ? -1 : lock_waits() - waits;
	steps->leave = 1;
	wake_all(&steps->leave);
	for (unsigned i = 0; i < n; i++) {
		if (threads)
			pthread_join(t[i].thread, NULL);
		else
			waitpid(t[i].pid, NULL, 0);
	}
	snprintf(name, sizeof(name), "%s_fault_%u_%s", file ? "shared_file" : "anon", n, threads ? "threads" : "processes");
	put(name, "", began / (n * FAULTS), "insns");
	if (waits >= 0)
		printf("bench %s_lock_waits %.3f waits\n", name, (double)waits / (n * FAULTS));
	munmap(p, n * FAULTS * PAGE);
	munmap(steps, PAGE);
	if (fd >= 0)
		close(fd);
}

static void bench_threads(void)
{
	for (int file = 0; file < 2; file++)
		for (int threads = 1; threads >= 0; threads--)
			for (unsigned n = 1; n <= MOST_THREADS; n *= 2)
				touch_together(n, threads, file);
}

/* -- file memory -------------------------------------------------------------------------------------------------------- */

static void bench_file(void)
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

static int disk_file(char path[64])
{
	static const char *const dirs[] = {"/mnt", "/var", "/root", "/"};
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < sizeof(dirs) / sizeof(*dirs); i++) {
		snprintf(path, 64, "%s/bench.tmp", strcmp(dirs[i], "/") ? dirs[i] : "");
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	}
	return fd;
}

static void bench_msync(void)
{
	const size_t n = 256;
	char path[64];
	int fd = disk_file(path);
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
	unlink(path);
}

/* -- the mosaic ------------------------------------------------------------------------------------------------------------ */

static bool per_page; /* the kernel has MAP_CHGPROT */

static size_t place(size_t i)
{
	return i * 40503u % TILES;
}

static int tile_prot(size_t i)
{
	static const int prots[] = {RW, PROT_READ, PROT_NONE};

	return per_page ? prots[i % 3] : 0;
}

static long remap(uint8_t *p, size_t i, size_t pgoff, int flags)
{
	return syscall(SYS_remap_file_pages, p + i * PAGE, PAGE, tile_prot(i), pgoff, flags | (per_page ? MAP_CHGPROT : 0));
}

static unsigned long long grown(long long before, long long after, size_t pages)
{
	return after > before ? (unsigned long long)(after - before) / pages : 0;
}

/* What the mosaic took out of free memory, page tables apart: that counts everything, whatever it is called. */
static void mosaic_memory(const struct kmem *a, const struct kmem *b, size_t pages)
{
	unsigned long long all = grown(b->free_bytes, a->free_bytes, pages);
	unsigned long long tables = grown(a->table_bytes, b->table_bytes, pages);

	if (a->free_bytes < 0 || b->free_bytes < 0 || a->table_bytes < 0 || b->table_bytes < 0)
		return;
	put("mosaic_kernel_bytes_per_page", "", all > tables ? all - tables : 0, "bytes");
	put("mosaic_page_table_bytes_per_page", "", tables, "bytes");
	put("mosaic_slab_bytes_per_page", "", grown(a->slab_bytes, b->slab_bytes, pages), "bytes");
}

/* How many entries could be remapped; each maps its page at once if that is in memory. */
static size_t build_mosaic(uint8_t *p)
{
	size_t done = 0;

	per_page = syscall(SYS_remap_file_pages, p, PAGE, PROT_READ, (size_t)0, MAP_CHGPROT | MAP_NONBLOCK) == 0;
	while (done < TILES && remap(p, done, place(done), MAP_NONBLOCK) == 0)
		done++;
	return done;
}

static void bench_mosaic(void)
{
	struct kmem before, after;
	bool all = kmem_read().free_bytes > (400l << 20);
	int fd = memfd(TILES, all);
	uint8_t *p = map(TILES, RW, MAP_SHARED, fd);
	size_t done;

	for (size_t i = 0; i < 1024 && !all; i++) /* those that are remapped below are in memory in any case */
		if (pwrite(fd, &i, sizeof(i), (off_t)place(i * 61) * (off_t)PAGE) != sizeof(i))
			die("pwrite");
	before = kmem_read();
	done = build_mosaic(p);
	after = kmem_read();
	put("mosaic_pages", "", done, "pages");
	put("mosaic_all_in_memory", "", all, "flag");
	put("mosaic_vmas", "", kmem_maps_lines(p, TILES * PAGE), "vmas");
	mosaic_memory(&before, &after, done);
	if (done < TILES) { /* Linux, at its limit of vmas: make room, or every remap fails */
		done -= 256;
		munmap(p + done * PAGE, 256 * PAGE);
	}
	for (size_t i = 0; i < 1024; i++) { /* another entry comes to show a page that is in memory */
		size_t tile = (i * 97 + 13) % done, pgoff = place(i * 61);
		uint8_t *at = p + tile * PAGE;
		int prot = tile_prot(tile), flags = per_page ? MAP_CHGPROT : 0;
		long failed;

		TIME(failed = syscall(SYS_remap_file_pages, at, PAGE, prot, pgoff, flags));
		if (failed)
			die("remap_file_pages");
	}
	report("remap_resident_page", 1);
	for (int i = 0; i < 4; i++) {
		pid_t pid;

		TIME(pid = fork(); if (pid == 0) _exit(0));
		waitpid(pid, NULL, 0);
	}
	report("mosaic_fork_per_page", done);
	TIME(munmap(p, TILES * PAGE));
	report("mosaic_munmap_per_page", done);
	close(fd);
}

static const struct {
	const char *name;
	void (*run)(void);
} benches[] = {
	{"null", bench_null},         {"signal", bench_signal}, {"pipe", bench_pipe},     {"anon", bench_anon},
	{"mprotect", bench_mprotect}, {"cow", bench_cow},       {"fork", bench_fork},     {"file", bench_file},
	{"msync", bench_msync},       {"cache", bench_cache},   {"mosaic", bench_mosaic}, {"threads", bench_threads},
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
