/*
 * bench.h - measuring, for the files of `bench`.  Under `-icount shift=0` one tick of the TSC is one guest instruction,
 * so on Pteron and on Linux alike the numbers are instruction counts, seen from ring 3.
 */
#ifndef USER_BENCH_H
#define USER_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)

#define BENCH_NOTHING "-0" /* the one argument with which the program ends at once */

/* -- samples ------------------------------------------------------------------------------------------------------ */
extern uint64_t overhead; /* of reading the TSC twice */

static inline uint64_t ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

/* Take one sample: what @operation costs. */
#define TIME(operation)                            \
	do {                                           \
		uint64_t t0_ = ticks(), t_;                \
		operation;                                 \
		t_ = ticks() - t0_;                        \
		sample(t_ > overhead ? t_ - overhead : 0); \
	} while (0)

/* The same in nanoseconds of the process's CPU time, the kernel's for it included: waiting for a disk is not in it, nor
 * are interrupts that come meanwhile. Under icount a nanosecond is an instruction. */
uint64_t cpu_ns(void);
#define TIME_CPU(operation)      \
	do {                         \
		uint64_t t0_ = cpu_ns(); \
		operation;               \
		sample(cpu_ns() - t0_);  \
	} while (0)

void sample(uint64_t value);
void forget_samples(void);
/* Print the samples' least and median, each divided by @per, and forget them. */
void report(const char *name, unsigned long per);
void report_cpu(const char *name, unsigned long per); /* of TIME_CPU's */
/* Print one number. */
void put(const char *name, const char *suffix, unsigned long long value, const char *unit);
void put_fraction(const char *name, const char *suffix, double value, const char *unit);

/* -- memory: the program ends if it cannot be had --------------------------------------------------------------------- */
void die(const char *what) __attribute__((noreturn));
uint8_t *map(size_t pages, int prot, int flags, int fd);
uint8_t *map_anon(size_t pages);
int memfd(size_t pages, bool fill); /* filled: every page is in memory */
/* Where a file system on a disk is mounted: /dev/vda's, at /mnt, if it can be, or a folder of the root's. */
const char *disk_dir(void);
int disk_file(void); /* a new file without a name there, or -1 */

/* Requests to all disks so far, as /proc/diskstats has them. */
struct disk {
	unsigned long long requests, sectors; /* for data */
	unsigned long long meta;              /* requests for metadata */
};
struct disk disk_now(void);

/* -- the benchmarks ------------------------------------------------------------------------------------------------------ */
void bench_null(void);
void bench_signal(void);
void bench_pipe(void);
void bench_futex(void);
void bench_fork(void);
void bench_anon(void);
void bench_huge(void);
void bench_mmap_fixed(void);
void bench_mprotect(void);
void bench_cow(void);
void bench_file(void);
void bench_msync(void);
void bench_swap(void);
void bench_cache(void);
void bench_mosaic(void);
void bench_faults(void);
void bench_locks(void);
void bench_umk(void);
void bench_notify(void);
void bench_pins(void);
void bench_uffd(void);

#endif
