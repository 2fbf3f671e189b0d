/*
 * bench_locks.c - which locks a page fault takes, and which of them unrelated processes share.
 *
 * Four processes that have nothing in common fault at the same time, and a debug kernel's trace tells each lock that
 * was asked for between the begin and the end of such a fault.  For each rank:
 *
 *   locks.KIND.RANK            asked for, a fault
 *   locks.KIND.RANK.different  how many different locks these were
 *   locks.KIND.RANK.shared     asked for, a fault, of locks that more than one of the processes asked for
 */
#include "user/bench.h"
#include "user/bench_crew.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kernel/uapi/mm_debug.h"

#define FAULTS 128 /* of each process: their locks must fit the rings */
#define RECORDS (16 * 4096)
#define LOCKS 4096 /* a power of two, and more than there are faults */
#define CPUS 64

static struct mm_trace_record records[RECORDS];

/* A lock that was asked for. */
static struct lock {
	uint64_t address, mm; /* the first process that asked */
	unsigned rank, times;
	bool shared;
} locks[LOCKS];

static struct lock *lock_at(uint64_t address)
{
	size_t i = (size_t)((address >> 2) * 0x9e3779b1u) % LOCKS;

	while (locks[i].address && locks[i].address != address)
		i = (i + 1) % LOCKS;
	return &locks[i];
}

static void note_lock(const struct mm_trace_record *r)
{
	struct lock *l = lock_at(r->va);

	if (!l->address)
		*l = (struct lock){.address = r->va, .mm = r->mm, .rank = (unsigned)r->pfn};
	l->times++;
	l->shared |= l->mm != r->mm;
}

static bool is_ours(const struct crew *c, uint64_t va)
{
	for (unsigned i = 0; i < c->n; i++)
		if (va - (uintptr_t)c->steps->start[i] < FAULTS * PAGE)
			return true;
	return false;
}

/* Note every lock between begin and end of one of our faults; returns how many faults there were. */
static unsigned note_faults(const struct crew *c, uint64_t count)
{
	uint64_t faulting[CPUS] = {0}; /* whose fault each CPU is at; 0: none */
	unsigned faults = 0;

	memset(locks, 0, sizeof(locks));
	for (const struct mm_trace_record *r = records; r < records + count; r++) {
		uint64_t *mm = &faulting[r->cpu % CPUS];

		if (r->event == MM_TRACE_FAULT && is_ours(c, r->va)) {
			*mm = r->mm;
			faults++;
		} else if (r->event == MM_TRACE_FAULT_END && r->mm == *mm) {
			*mm = 0;
		} else if (r->event == MM_TRACE_LOCK && *mm && r->mm == *mm && !r->new_entry) {
			note_lock(r);
		}
	}
	return faults;
}

static void put_rank(const char *kind, const char *name, unsigned rank, double faults)
{
	unsigned times = 0, different = 0, shared = 0;
	char text[64];

	for (unsigned i = 0; i < LOCKS; i++) {
		if (!locks[i].address || locks[i].rank != rank)
			continue;
		different++;
		times += locks[i].times;
		shared += locks[i].shared ? locks[i].times : 0;
	}
	if (!times)
		return;
	snprintf(text, sizeof(text), "locks.%s.%.23s", kind, name);
	put_fraction(text, "", times / faults, "locks");
	put(text, ".different", different, "locks");
	put_fraction(text, ".shared", shared / faults, "locks");
}

static void trace(int mm, uint64_t events)
{
	struct mm_trace_control control = {.events = events, .clear = events != 0};

	if (ioctl(mm, (int)MM_IOC_TRACE_CONTROL, &control))
		die("trace");
}

static void locks_of(int mm, const struct fault_kind *kind)
{
	struct mm_trace_read read = {.records = (uintptr_t)records, .max = RECORDS};
	struct rank ranks[RANKS_MAX];
	unsigned n = read_lock_waits(ranks), faults;
	struct crew crew;

	if (!crew_gather(&crew, kind, PROCESSES, CREW_MAX, FAULTS, FAULTS))
		return;
	trace(mm, 1u << MM_TRACE_FAULT | 1u << MM_TRACE_FAULT_END | 1u << MM_TRACE_LOCK);
	crew_go(&crew);
	trace(mm, 0);
	if (ioctl(mm, (int)MM_IOC_TRACE_READ, &read))
		die("trace");
	faults = note_faults(&crew, read.count);
	crew_dismiss(&crew);
	if (read.lost || faults < CREW_MAX * FAULTS) {
		fprintf(stderr, "locks of %s: %llu records lost, %u faults seen\n", kind->name, (unsigned long long)read.lost,
		        faults);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		put_rank(kind->name, ranks[i].name, i, faults);
}

void bench_locks(void)
{
	int mm = open("/dev/mm", O_RDWR | O_CLOEXEC);

	if (mm < 0) /* not a debug kernel */
		return;
	for (unsigned k = 0; k < nr_fault_kinds; k++)
		locks_of(mm, &fault_kinds[k]);
	close(mm);
}
