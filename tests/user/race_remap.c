/*
 * race_remap.c - one entry, many CPUs: T0-18 one PTE two CPUs, T0-19 revoke, T0-25 lock downgrade (spec 1f).
 *
 * Each race runs as a storm and, where /dev/mm is, in both orders at a sync point.  On Linux the entries have no
 * permissions of their own; there the vma's are used, and what is expected is the same.
 */
#include "race.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

/* -- T0-18: the same entry, faulted in by all at once -------------------------------------------------------------- */

#define CREW 4
#define N 32

enum kind { FILE_ENTRIES, ANON, PRIVATE_FILE, DISK_FILE };

struct crowd {
	enum kind kind;
	bool readers; /* odd threads only read */
	int fd;
	u8 *w;
	struct gate gate;
	u64 end, rounds;
	bool stop;
};

static u32 *counter(const struct crowd *c, size_t i)
{
	return (u32 *)(c->w + i * P);
}

/* Entry i shows page (i + shift) mod N; every entry grants RW and holds no page. */
static void fresh_entries(struct crowd *c)
{
	if (on_pteron() && c->kind == FILE_ENTRIES && c->rounds % 64 == 0) {
		size_t shift = c->rounds / 64 % N;

		CHECK_OK(rfp(c->w, (N - shift) * P, RW, shift, MAP_CHGPROT | MAP_NONBLOCK));
		if (shift)
			CHECK_OK(rfp(c->w + (N - shift) * P, shift * P, RW, 0, MAP_CHGPROT | MAP_NONBLOCK));
	}
	if (c->kind == DISK_FILE && c->rounds % 16 == 0) /* present, but write-protected: the other kind of fault */
		CHECK_OK(msync(c->w, N * P, MS_SYNC));
	else
		CHECK_OK(madvise(c->w, N * P, MADV_DONTNEED));
}

static unsigned writers(const struct crowd *c)
{
	return c->readers ? c->gate.n / 2 : c->gate.n;
}

/* Memory that starts afresh in every round is judged in every round. */
static void judge_round(const struct crowd *c)
{
	u32 base = c->kind == PRIVATE_FILE ? 100 : 0;

	if (c->kind == ANON || c->kind == PRIVATE_FILE)
		for (size_t i = 0; i < N; i++)
			CHECK_EQ(*counter(c, i), base + writers(c));
}

static void touch_all(void *arg)
{
	struct crowd *c = arg;

	for (size_t i = 0; i < N; i++)
		ADD(*counter(c, i), 1);
}

static void read_all(void *arg)
{
	struct crowd *c = arg;

	for (size_t i = 0; i < N; i++)
		(void)LOAD(*counter(c, i));
}

static void crowd_member(unsigned me, void *arg)
{
	struct crowd *c = arg;

	for (;;) {
		if (me == 0) {
			c->stop = !race_on(c->end, c->rounds);
			if (!c->stop)
				fresh_entries(c);
		}
		gate_pass(&c->gate);
		if (c->stop)
			return;
		CHECK_NOFAULT(try_call(c->readers && me & 1 ? read_all : touch_all, c));
		gate_pass(&c->gate);
		if (me == 0) {
			judge_round(c);
			c->rounds++;
		}
	}
}

static void crowd_of(unsigned crew, enum kind kind, bool readers, int fd, unsigned ms)
{
	struct crowd c = {.kind = kind, .readers = readers, .fd = fd, .gate.n = crew, .end = race_end(ms)};

	if (kind == ANON)
		c.w = map_anon(N, RW);
	else
		c.w = CHECK_OK(mmap(NULL, N * P, on_pteron() && kind == FILE_ENTRIES ? PROT_NONE : RW,
		                    kind == PRIVATE_FILE ? MAP_PRIVATE : MAP_SHARED, fd, 0));
	crew_run(crew, crowd_member, &c);
	test_note("%llu rounds of %d pages and %u threads", (unsigned long long)c.rounds, N, crew);
	CHECK_OP(c.rounds, >, 0);
	if (kind == FILE_ENTRIES || kind == DISK_FILE)
		for (size_t i = 0; i < N; i++)
			CHECK_EQ((u32)file_tag(fd, i), (u32)(c.rounds * writers(&c)));
	CHECK_OK(munmap(c.w, N * P));
}

/* Every word of the file's pages at offset 0 is @value. */
static void reset_file(int fd, u32 value)
{
	for (size_t i = 0; i < N && fd >= 0; i++)
		CHECK_EQ(pwrite(fd, &value, 4, (off_t)(i * P)), 4);
}

/* Two threads are together more often, four meet more. */
static void crowd(enum kind kind, bool readers, int fd, unsigned ms)
{
	reset_file(fd, kind == PRIVATE_FILE ? 100 : 0);
	crowd_of(2, kind, readers, fd, ms / 2);
	reset_file(fd, kind == PRIVATE_FILE ? 100 : 0);
	crowd_of(CREW, kind, readers, fd, ms / 2);
}

static int disk_file(void)
{
	int fd = make_file(disk_dir(), "crowd", 0);

	tag_file(fd, N);
	return fd;
}

TEST(T0_18, "T0-18 one PTE, four CPUs: write against write")
{
	crowd(FILE_ENTRIES, false, tagged_memfd(N), 1500);
}

TEST(T0_18r, "T0-18r one PTE, four CPUs: write against read")
{
	crowd(FILE_ENTRIES, true, tagged_memfd(N), 1000);
}

TEST(T0_18a, "T0-18a one PTE, four CPUs: anonymous memory, no store is lost")
{
	crowd(ANON, false, -1, 800);
	crowd(ANON, true, -1, 400);
}

TEST(T0_18p, "T0-18p one PTE, four CPUs: private file pages, no store is lost")
{
	int fd = tagged_memfd(N);

	crowd(PRIVATE_FILE, false, fd, 500);
	crowd(PRIVATE_FILE, true, fd, 500);
}

TEST(T0_18d, "T0-18d one PTE, four CPUs: the first store to a clean page of a disk file")
{
	crowd(DISK_FILE, false, disk_file(), 800);
}

/* T0-18f: all threads of a forked process store into pages that a child still shares. */
struct shared {
	u8 *p;
	struct gate gate;
	u64 end, rounds;
	bool stop;
	pid_t child;
	int go[2];
};

static void hold_snapshot(struct shared *s)
{
	char c;

	s->child = fork();
	CHECK(s->child >= 0);
	if (s->child)
		return;
	if (read(s->go[0], &c, 1) != 1)
		_exit(1);
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(*(u32 *)(s->p + i * P), s->rounds * CREW);
	_exit(0);
}

static void shared_member(unsigned me, void *arg)
{
	struct shared *s = arg;

	for (;;) {
		if (me == 0) {
			s->stop = !race_on(s->end, s->rounds);
			if (!s->stop)
				hold_snapshot(s);
		}
		gate_pass(&s->gate);
		if (s->stop)
			return;
		for (size_t i = 0; i < N; i++)
			ADD(*(u32 *)(s->p + i * P), 1);
		gate_pass(&s->gate);
		if (me == 0) {
			CHECK_EQ(write(s->go[1], "x", 1), 1);
			join(s->child);
			s->rounds++;
			for (size_t i = 0; i < N; i++)
				CHECK_EQ(*(u32 *)(s->p + i * P), s->rounds * CREW);
		}
	}
}

TEST(T0_18f, "T0-18f one PTE, four CPUs: copy on write after fork, no store is lost")
{
	struct shared s = {.p = map_anon(N, RW), .gate.n = CREW, .end = race_end(800)};

	CHECK_OK(pipe(s.go));
	memset(s.p, 0, N * P);
	crew_run(CREW, shared_member, &s);
	test_note("%llu rounds", (unsigned long long)s.rounds);
}

/* -- T0-18 at the sync point: a fault that has read the entry, and what happened to it meanwhile --------------------- */

#define SNAPSHOT "fault-snapshot"

struct staged {
	int mm;
	u8 *page;
	bool write;
	pid_t tid;
	bool armed, resolved;
	void (*meanwhile)(struct staged *);
	struct fault fault;
	u32 value;
};

static void staged_member(unsigned me, void *arg)
{
	struct staged *s = arg;
	struct access a = {.at = (volatile u32 *)s->page, .value = 18, .write = s->write};

	if (me) {
		STORE(s->tid, tid_now());
		SPIN_UNTIL(LOAD(s->armed));
		s->fault = access_try(&a);
		s->value = a.value;
		return;
	}
	SPIN_UNTIL(LOAD(s->tid));
	mm_arm(s->mm, SNAPSHOT, s->tid);
	STORE(s->armed, true);
	mm_await(s->mm, SNAPSHOT);
	s->meanwhile(s);
	mm_release(s->mm, SNAPSHOT);
}

static void other_write(struct staged *s)
{
	struct access a = {.at = (volatile u32 *)s->page + 1, .value = 81, .write = true};

	CHECK_NOFAULT(access_try(&a));
}

static void other_read(struct staged *s)
{
	struct access a = {.at = (volatile u32 *)s->page + 1};

	CHECK_NOFAULT(access_try(&a));
}

static void other_revoke(struct staged *s)
{
	CHECK_OK(rfp(s->page, P, PROT_NONE, 3, MAP_CHGPROT | MAP_NONBLOCK));
}

static void other_remap(struct staged *s)
{
	CHECK_OK(rfp(s->page, P, RW, 5, MAP_CHGPROT | MAP_NONBLOCK));
}

static struct staged stage(int mm, u8 *page, bool write, void (*meanwhile)(struct staged *))
{
	struct staged s = {.mm = mm, .page = page, .write = write, .meanwhile = meanwhile};

	crew_run(2, staged_member, &s);
	mm_disarm(mm, SNAPSHOT);
	return s;
}

TEST(T0_18s, "T0-18s at the sync point: the entry changed under a fault")
{
	int mm = mm_need(), fd = tagged_memfd(N);
	u8 *w = CHECK_OK(mmap(NULL, N * P, PROT_NONE, MAP_SHARED, fd, 0)), *anon = map_anon(2, RW);
	struct staged s;

	for (int write = 0; write < 2; write++) {
		void (*const same[])(struct staged *) = {other_write, other_read};

		for (int k = 0; k < 2; k++) { /* another thread resolved it: never a signal, no store lost */
			CHECK_OK(rfp(w, P, RW, 3, MAP_CHGPROT | MAP_NONBLOCK));
			CHECK_OK(madvise(w, P, MADV_DONTNEED));
			s = stage(mm, w, write, same[k]);
			CHECK_NOFAULT(s.fault);
			CHECK_EQ(((u32 *)w)[0], write ? 18 : 3);
			CHECK_EQ(((u32 *)w)[1], k ? 0 : 81);
			tag_file(fd, N);
		}
		CHECK_OK(rfp(w, P, RW, 3, MAP_CHGPROT | MAP_NONBLOCK)); /* the permission went away: always a signal */
		CHECK_OK(madvise(w, P, MADV_DONTNEED));
		s = stage(mm, w, write, other_revoke);
		CHECK_ACCERR(s.fault, w);
		CHECK_EQ(file_tag(fd, 3), 3);
		CHECK_OK(rfp(w, P, RW, 3, MAP_CHGPROT | MAP_NONBLOCK)); /* the offset changed: the new page */
		CHECK_OK(madvise(w, P, MADV_DONTNEED));
		s = stage(mm, w, write, other_remap);
		CHECK_NOFAULT(s.fault);
		CHECK_EQ(write ? (u32)file_tag(fd, 5) : s.value, write ? 18 : 5);
		CHECK_EQ(file_tag(fd, 3), 3);
		tag_file(fd, N);
	}
	s = stage(mm, anon, true, other_write);
	CHECK_NOFAULT(s.fault);
	CHECK_EQ(((u32 *)anon)[0], 18);
	CHECK_EQ(((u32 *)anon)[1], 81);
	s = stage(mm, anon + P, true, other_read); /* the zero page came first: the store must not go there */
	CHECK_NOFAULT(s.fault);
	CHECK_EQ(*(u32 *)(anon + P), 18);
	CHECK_EQ(map_anon(1, PROT_READ)[0], 0);
}

/* -- T0-19: nothing is stored after the permission is gone ------------------------------------------------------------ */

static void set_entry_prot(u8 *page, int prot)
{
	if (on_pteron())
		CHECK_OK(rfp(page, P, prot, 3, MAP_CHGPROT));
	else
		CHECK_OK(mprotect(page, P, prot));
}

static void revoke_race(int weaker)
{
	int fd = tagged_memfd(8);
	u8 *w = map_shared(fd, 8, RW), *alias = map_shared(fd, 8, PROT_READ);

	race_revoke(&(struct revoke){w + 3 * P, alias + 3 * P, weaker, set_entry_prot, 1500});
}

TEST(T0_19, "T0-19 revoke race: RW to NONE")
{
	revoke_race(PROT_NONE);
}

TEST(T0_19r, "T0-19r revoke race: RW to R")
{
	revoke_race(PROT_READ);
}

/* -- T0-19: no store reaches a frame that was freed --------------------------------------------------------------------- */

#define VICTIMS 512 /* more than a CPU's own list of free frames holds */
#define STAMP 0xb0b0b0b0u

/* In memory that is shared with the child that looks. */
struct frames {
	u8 *region;
	u64 end;
	unsigned rounds, looked;
	pid_t zapper;
	bool stop;
	unsigned running;
};

static void stamp_region(struct frames *f)
{
	ADD(f->running, 1);
	while (!LOAD(f->stop))
		for (size_t i = 0; i < VICTIMS && !LOAD(f->stop); i++)
			*(volatile u32 *)(f->region + i * P + 64) = STAMP;
}

/* Fresh frames, stamped as ours: nobody else's stamp may appear. */
static void look_once(struct frames *f)
{
	u8 *p = map_anon(VICTIMS, RW);

	for (size_t i = 0; i < VICTIMS; i++)
		*(volatile u32 *)(p + i * P + 64) = (u32)i;
	for (int pass = 0; pass < 3; pass++)
		for (size_t i = 0; i < VICTIMS; i++)
			if (*(volatile u32 *)(p + i * P + 64) != (u32)i)
				FAIL("round %u: a frame of ours was stored to through a translation that should be gone", f->rounds);
	CHECK_OK(munmap(p, VICTIMS * P));
	ADD(f->looked, 1);
}

static void zap_region(struct frames *f)
{
	CHECK_OK(madvise(f->region, VICTIMS * P, MADV_DONTNEED));
}

static void frames_member(unsigned me, void *arg)
{
	struct frames *f = arg;

	if (me) {
		stamp_region(f);
		return;
	}
	SPIN_UNTIL(LOAD(f->running) == 2);
	while (race_on(f->end, f->rounds)) {
		zap_region(f);
		f->rounds++;
		sleep_ms(1); /* let the others fill it again */
	}
	STORE(f->stop, true);
}

static void on_child(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	if (info->si_code != CLD_EXITED || info->si_status)
		_exit(1); /* it said why */
}

/* The one who looks is a process of its own: what holds up the others' address space does not hold it up. */
static void frames_race(void (*look)(struct frames *), void (*member)(unsigned, void *))
{
	struct frames *f = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	struct sigaction sa = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
	pid_t child;

	CHECK_OK(sigaction(SIGCHLD, &sa, NULL));
	f->region = map_anon(VICTIMS, RW);
	f->end = race_end(1500);
	cpu_total();
	child = fork();
	if (child == 0) {
		cpu_pin(3);
		look(f);
		_exit(0);
	}
	crew_run(3, member, f);
	join(child);
	test_note("%u times dropped, %u times looked", f->rounds, f->looked);
}

static void look_always(struct frames *f)
{
	while (!LOAD(f->stop))
		look_once(f);
}

TEST(T0_19f, "T0-19f no store reaches a frame that was given away")
{
	frames_race(look_always, frames_member);
}

/* The same, with the zap held between the cleared entry and the flush, and between the flush and the free. */
#define STAGES 6

static void staged_frames_member(unsigned me, void *arg)
{
	struct frames *f = arg;

	if (me) {
		stamp_region(f);
		return;
	}
	SPIN_UNTIL(LOAD(f->running) == 2);
	STORE(f->zapper, tid_now());
	while (LOAD(f->looked) < 2 * STAGES) {
		sleep_ms(2);
		zap_region(f);
		f->rounds++;
	}
	STORE(f->stop, true);
}

static void look_staged(struct frames *f)
{
	static const char *const points[] = {"clear-before-flush", "flush-before-free"};
	int mm = mm_open();

	SPIN_UNTIL(LOAD(f->zapper));
	for (unsigned k = 0; k < STAGES; k++) {
		mm_arm(mm, points[k & 1], f->zapper);
		mm_await(mm, points[k & 1]);
		look_once(f);
		look_once(f);
		mm_release(mm, points[k & 1]);
		mm_disarm(mm, points[k & 1]);
	}
}

TEST(T0_19s, "T0-19s at the sync points: no store reaches a frame that was given away")
{
	close(mm_need());
	if (cpu_total() < 4)
		SKIP("needs 4 CPUs");
	frames_race(look_staged, staged_frames_member);
}

/* -- T0-25: others go on while one waits for a device ---------------------------------------------------------------------- */

struct slow {
	u8 *w, *other;
	size_t pages, touched_during, maps_during;
	bool started, done, waiting;
};

/* A file of which nothing is in memory; its size in pages to @pages. */
static int cold_file(size_t *pages)
{
	const char *dir = slow_mount();
	int fd;

	if (dir) {
		fd = CHECK_OK(open(path_in(dir, "big"), O_RDWR));
	} else if (on_pteron()) {
		fd = CHECK_OK(open("/bin/bench", O_RDWR)); /* large, and not run in this boot */
	} else {
		fd = make_file(disk_dir(), "cold", 0);
		tag_file(fd, 4096);
		CHECK_OK(fsync(fd));
		CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0); /* a page a request: it is to be slow */
	*pages = (size_t)lseek(fd, 0, SEEK_END) / P;
	CHECK_OP(*pages, >, 16);
	return fd;
}

static void populate(struct slow *s)
{
	STORE(s->started, true);
	CHECK_OK(rfp(s->w, (s->pages - 1) * P, 0, 1, 0));
	STORE(s->done, true);
}

/* Fresh pages of the same process, a fault each. */
static void touch_meanwhile(struct slow *s)
{
	SPIN_UNTIL(LOAD(s->started));
	for (size_t i = 0; i < 4096 && !LOAD(s->done); i++) {
		s->other[i * P] = 1;
		if (!LOAD(s->done))
			s->touched_during++;
		sleep_ms(1);
	}
}

/* A writer in the queue for the mmap lock must not stop the faults either. */
static void map_meanwhile(struct slow *s)
{
	SPIN_UNTIL(LOAD(s->started));
	while (!LOAD(s->done)) {
		CHECK_OK(munmap(map_anon(1, RW), P));
		if (!LOAD(s->done))
			s->maps_during++;
		sleep_ms(1);
	}
}

static void slow_member(unsigned me, void *arg)
{
	void (*const what[])(struct slow *) = {populate, touch_meanwhile, map_meanwhile};

	what[me](arg);
}

TEST(T0_25, "T0-25 faults and mmap go on while a populate waits for its device")
{
	struct slow s = {.other = map_anon(4096, RW)};
	int fd = cold_file(&s.pages);
	char disk[32];
	u64 began;

	s.w = map_shared(fd, s.pages, RW);
	if (resident(s.w + (s.pages - 1) * P) != 0)
		SKIP("the file is in memory already");
	began = now_ns();
	crew_run(3, slow_member, &s);
	test_note("%zu pages in %u ms; meanwhile %zu faults, %zu mmaps", s.pages, (unsigned)((now_ns() - began) / 1000000),
	          s.touched_during, s.maps_during);
	if (suite_text("slow", disk, sizeof(disk))) {
		CHECK_OP(s.touched_during, >=, 5);
		CHECK_OK(munmap(s.w, s.pages * P));
		close(fd);
		slow_unmount();
	}
}
