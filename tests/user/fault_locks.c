/*
 * fault_locks.c - no lock on the way of a fault belongs to everybody: two processes that have nothing in common take
 * different ones.  What they may share is the allocator's, and seldom: each CPU keeps free memory for itself.
 *
 * The kernel's trace names every lock between the begin and the end of a fault.
 */
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define N 64 /* faults of each process: their records fit a ring */
#define RECORDS 16384
#define RANKS 64
#define RW (PROT_READ | PROT_WRITE)

static struct mm_trace_record records[RECORDS];
static char ranks[RANKS][32];
static unsigned nr_ranks;

static void read_ranks(void)
{
	FILE *f = fopen("/proc/lock_waits", "r");

	CHECK(f);
	while (nr_ranks < RANKS && fscanf(f, "%31s %*d", ranks[nr_ranks]) == 1)
		nr_ranks++;
	fclose(f);
	CHECK_OP(nr_ranks, >, 10);
}

static bool is_rank(u64 rank, const char *name)
{
	return rank < nr_ranks && !strcmp(ranks[rank], name);
}

/* -- memory whose pages are good for one fault each ------------------------------------------------------------------- */

static u8 *anon(void)
{
	return map_anon(N, RW);
}

static u8 *cached(void)
{
	return map_shared(tagged_memfd(N), N, RW);
}

static u8 *fresh(void)
{
	int fd = tagged_memfd(N);

	CHECK_OK(ftruncate(fd, 0));
	CHECK_OK(ftruncate(fd, N * P));
	return map_shared(fd, N, RW);
}

static u8 *private_copy(void)
{
	return CHECK_OK(mmap(NULL, N * P, RW, MAP_PRIVATE, tagged_memfd(N), 0));
}

static const char *dir; /* on a disk */

/* Written back and not stored to since. */
static u8 *clean(void)
{
	char name[32];
	u8 *p;
	int fd;

	snprintf(name, sizeof(name), "clean%d", (int)getpid());
	fd = make_file(dir, name, 0);
	CHECK_OK(unlink(path_in(dir, name)));
	tag_file(fd, N);
	CHECK_OK(fsync(fd));
	p = map_shared(fd, N, RW);
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(p, i), i);
	return p;
}

/* -- two strangers -------------------------------------------------------------------------------------------------------- */

struct stranger {
	pid_t pid;
	u8 *volatile *start; /* shared memory: where its pages are */
	int up[2], down[2];  /* pipes to its parent and from there */
};

static void tell(int fd)
{
	char c = 0;

	CHECK_EQ(write(fd, &c, 1), 1);
}

static bool told(int fd)
{
	char c;

	return CHECK_OK(read(fd, &c, 1)) == 1;
}

static void stranger_main(struct stranger *s, u8 *(*make)(void))
{
	u8 *p = make();

	close(s->down[1]);
	*s->start = p;
	tell(s->up[1]);
	CHECK(told(s->down[0]));
	for (size_t i = 0; i < N; i++)
		*(volatile u8 *)(p + i * P) = 1;
	tell(s->up[1]);
	CHECK(!told(s->down[0])); /* live on, so that nothing of it is used again by the other */
	_exit(0);
}

static void trace(int mm, u64 events, bool clear)
{
	struct mm_trace_control c = {.events = events, .clear = clear};

	CHECK_OK(ioctl(mm, MM_IOC_TRACE_CONTROL, &c));
}

/* Start one and record its faults. */
static void stranger_faults(struct stranger *s, u8 *(*make)(void), int mm, bool first)
{
	CHECK_OK(pipe(s->up));
	CHECK_OK(pipe(s->down));
	s->pid = CHECK_OK(fork());
	if (s->pid == 0)
		stranger_main(s, make);
	CHECK(told(s->up[0]));
	trace(mm, 1 << MM_TRACE_FAULT | 1 << MM_TRACE_FAULT_END | 1 << MM_TRACE_LOCK, first);
	tell(s->down[1]);
	CHECK(told(s->up[0]));
	trace(mm, 0, false);
}

/* -- what they asked for ----------------------------------------------------------------------------------------------------- */

struct verdict {
	unsigned faults, locks, shared;
};

/* Has this lock been asked for by another process, before or after? */
static bool is_shared(const struct mm_trace_record *lock, u64 count)
{
	for (const struct mm_trace_record *r = records; r < records + count; r++)
		if (r->event == MM_TRACE_LOCK && r->va == lock->va && r->mm != lock->mm && r->mm && !r->new_entry)
			return true;
	return false;
}

static void judge_lock(struct verdict *v, const struct mm_trace_record *r, u64 count)
{
	v->locks++;
	/* The lists of pages by age are each CPU's own: strangers use the same one only if they run on the same CPU. */
	if (is_rank(r->pfn, "LOCK_LRU") || !is_shared(r, count))
		return;
	v->shared++;
	if (!is_rank(r->pfn, "LOCK_BUDDY") && !is_rank(r->pfn, "LOCK_SLAB"))
		FAIL("a fault takes %s %llx, which is shared by processes that have nothing in common",
		     r->pfn < nr_ranks ? ranks[r->pfn] : "?", (unsigned long long)r->va);
}

static struct verdict judge(u8 *volatile *start, u64 count)
{
	struct verdict v = {0};
	u64 faulting[64] = {0}; /* each CPU: the page tables whose fault it is at */

	for (const struct mm_trace_record *r = records; r < records + count; r++) {
		u64 *mm = &faulting[r->cpu % 64];
		bool ours = r->va - (uintptr_t)start[0] < N * P || r->va - (uintptr_t)start[1] < N * P;

		if (r->event == MM_TRACE_FAULT && ours) {
			*mm = r->mm;
			v.faults++;
		} else if (r->event == MM_TRACE_FAULT_END && r->mm == *mm) {
			*mm = 0;
		} else if (r->event == MM_TRACE_LOCK && *mm && r->mm == *mm && !r->new_entry) {
			judge_lock(&v, r, count);
		}
	}
	return v;
}

static void strangers(const char *what, u8 *(*make)(void), unsigned locks)
{
	struct mm_trace_read read = {.records = (uintptr_t)records, .max = RECORDS};
	u8 *volatile *start = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	struct stranger s[2];
	struct verdict v;
	int mm = mm_open();

	if (mm < 0)
		SKIP("needs a debug kernel");
	read_ranks();
	for (int i = 0; i < 2; i++) {
		s[i].start = &start[i];
		stranger_faults(&s[i], make, mm, i == 0);
	}
	CHECK_OK(ioctl(mm, (int)MM_IOC_TRACE_READ, &read));
	for (int i = 0; i < 2; i++)
		close(s[i].down[1]);
	join(s[0].pid);
	join(s[1].pid);
	CHECK_EQ(read.lost, 0);
	v = judge(start, read.count);
	test_note("%s: %u faults, %u locks, %u of them shared", what, v.faults, v.locks, v.shared);
	CHECK_OP(v.faults, >=, 2 * N);
	CHECK_OP(v.locks, >=, locks * v.faults); /* the trace does show them */
	CHECK_OP(v.shared, <=, v.faults / 4);
	close(mm);
}

TEST(fault_locks_anon, "fault.locks of anonymous memory are the process's own")
{
	strangers("anonymous", anon, 3);
}

TEST(fault_locks_cached, "fault.locks of a file in memory are the process's and the file's")
{
	strangers("cached", cached, 5);
}

TEST(fault_locks_fresh, "fault.locks of a file's new page are the process's and the file's")
{
	strangers("new page", fresh, 7);
}

TEST(fault_locks_copy, "fault.locks of a private copy are the process's and the file's")
{
	strangers("private copy", private_copy, 5);
}

TEST(fault_locks_clean, "fault.locks of a store that a disk's file must notice are the process's and the file's")
{
	dir = disk_dir(); /* not by each of them: it makes a new one */
	strangers("clean page", clean, 7);
}
