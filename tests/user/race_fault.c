/*
 * race_fault.c - T0-18: one entry and many CPUs that fault on it at once (spec 1f).
 *
 * As a storm, and, where /dev/mm is, in chosen orders: a fault is held at each of its three sync points while
 * another CPU resolves the same fault or changes the entry, and a change is held while a fault arrives.
 */
#include "puppet.h"

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

/* -- T0-18 in chosen orders ---------------------------------------------------------------------------------------------- */

/* The CPU has faulted and nothing was looked at; the entry was read; the page was found. */
static const char *const fault_points[] = {"fault-entry", "fault-snapshot", "fault-mapped"};

struct staged {
	int mm, fd;
	struct puppet faulter, changer;
	u8 *page; /* what both are about */
	u32 value;
};

static void staged_begin(struct staged *s, unsigned puppets)
{
	s->mm = mm_need();
	puppet_need(puppets);
	puppet_start(&s->faulter, 1);
	if (puppets > 1)
		puppet_start(&s->changer, 2);
}

static void staged_end(struct staged *s)
{
	puppet_stop(&s->faulter);
	if (s->changer.tid)
		puppet_stop(&s->changer);
}

/* The faulter's access to the first word, held at @point while meanwhile() runs here. */
static struct fault hold_fault(struct staged *s, const char *point, bool write, void (*meanwhile)(void *staged))
{
	struct access a = {.at = (volatile u32 *)s->page, .value = 18, .write = write};
	struct fault f;

	mm_arm(s->mm, point, s->faulter.tid);
	puppet_access(&s->faulter, &a);
	mm_await(s->mm, point);
	meanwhile(s);
	mm_release(s->mm, point);
	f = puppet_wait(&s->faulter);
	mm_disarm(s->mm, point);
	s->value = a.value;
	return f;
}

/* The other order: change() is held after it has cleared the entry, and the faulter comes. */
static struct fault hold_change(struct staged *s, bool write, void (*change)(void *staged))
{
	struct access a = {.at = (volatile u32 *)s->page, .value = 18, .write = write};
	struct fault f;

	mm_arm(s->mm, "clear-before-flush", s->changer.tid);
	puppet_tell(&s->changer, change, s);
	mm_await(s->mm, "clear-before-flush");
	puppet_access(&s->faulter, &a);
	puppet_within(&s->faulter, 20);
	mm_release(s->mm, "clear-before-flush");
	f = puppet_wait(&s->faulter);
	CHECK_NOFAULT(puppet_wait(&s->changer));
	mm_disarm(s->mm, "clear-before-flush");
	s->value = a.value;
	return f;
}

/* -- the entry changes: what it grants and shows when it is set decides, not what the fault saw first */

static void other_revoke(void *staged)
{
	CHECK_OK(rfp(((struct staged *)staged)->page, P, PROT_NONE, 3, MAP_CHGPROT | MAP_NONBLOCK));
}

static void other_remap(void *staged)
{
	CHECK_OK(rfp(((struct staged *)staged)->page, P, RW, 5, MAP_CHGPROT | MAP_NONBLOCK));
}

/* Page 3 by an entry that grants RW: with the page in it, or only with the offset. */
static void show_three(struct staged *s, bool mapped)
{
	tag_file(s->fd, 8);
	CHECK_OK(rfp(s->page, P, RW, 3, MAP_CHGPROT | MAP_NONBLOCK));
	if (!mapped)
		CHECK_OK(madvise(s->page, P, MADV_DONTNEED));
}

static void judge_revoked(struct staged *s, struct fault f)
{
	CHECK_ACCERR(f, s->page);
	CHECK_EQ(file_tag(s->fd, 3), 3);
}

static void judge_remapped(struct staged *s, struct fault f, bool write)
{
	CHECK_NOFAULT(f);
	CHECK_EQ(write ? (u32)file_tag(s->fd, 5) : s->value, write ? 18 : 5);
	CHECK_EQ(file_tag(s->fd, 3), 3);
}

TEST(T0_18s, "T0-18s at the sync points: the entry changes under a fault")
{
	struct staged s = {.fd = tagged_memfd(8)};

	staged_begin(&s, 2);
	s.page = CHECK_OK(mmap(NULL, 8 * P, PROT_NONE, MAP_SHARED, s.fd, 0));
	for (int write = 0; write < 2; write++) {
		for (size_t i = 0; i < 3; i++) {
			show_three(&s, false);
			judge_revoked(&s, hold_fault(&s, fault_points[i], write, other_revoke));
			show_three(&s, false);
			judge_remapped(&s, hold_fault(&s, fault_points[i], write, other_remap), write);
		}
		show_three(&s, true);
		judge_revoked(&s, hold_change(&s, write, other_revoke));
		show_three(&s, true);
		judge_remapped(&s, hold_change(&s, write, other_remap), write);
	}
	staged_end(&s);
}

/* -- another CPU resolves the same fault: never a signal, no store is lost */

static void other_store(void *staged)
{
	struct access a = {.at = (volatile u32 *)((struct staged *)staged)->page + 1, .value = 81, .write = true};

	CHECK_NOFAULT(access_try(&a));
}

static void other_load(void *staged)
{
	CHECK_NOFAULT(try_read(((struct staged *)staged)->page));
}

static pid_t sharer; /* a child that keeps the pages shared */

static void share_with_child(struct staged *s)
{
	sharer = CHECK_OK(fork());
	if (sharer == 0) {
		for (;;)
			pause();
	}
	puppet_rehearse(&s->faulter);
}

static void fresh_anon(struct staged *s)
{
	s->page = map_anon(1, RW);
}

static void zero_page(struct staged *s)
{
	s->page = map_anon(1, RW);
	other_load(s);
}

static void anon_shared(struct staged *s)
{
	s->page = map_anon(1, RW);
	*s->page = 0;
	share_with_child(s);
}

static void file_entry(struct staged *s)
{
	s->page = map_shared(tagged_memfd(1), 1, RW);
}

static void private_file(struct staged *s)
{
	s->page = CHECK_OK(mmap(NULL, P, RW, MAP_PRIVATE, tagged_memfd(1), 0));
}

static void clean_disk_page(struct staged *s)
{
	int fd = make_file(disk_dir(), "clean", 0);

	tag_file(fd, 1);
	CHECK_OK(fsync(fd));
	s->page = map_shared(fd, 1, RW);
	other_load(s);
	close(fd);
}

static void (*const memories[])(struct staged *s) = {fresh_anon, zero_page,    anon_shared,
                                                     file_entry, private_file, clean_disk_page};

static void resolve_meanwhile(struct staged *s, const char *point, void (*meanwhile)(void *staged))
{
	const volatile u32 *words;

	CHECK_NOFAULT(hold_fault(s, point, true, meanwhile));
	words = (const volatile u32 *)s->page;
	CHECK_EQ(words[0], 18);
	CHECK_EQ(words[1], meanwhile == other_store ? 81 : 0);
	CHECK_OK(munmap(s->page, P));
	if (sharer) {
		CHECK_OK(kill(sharer, SIGKILL));
		join_signal(sharer, SIGKILL);
		sharer = 0;
	}
}

TEST(T0_18t, "T0-18t at the sync points: another CPU resolves the same fault")
{
	struct staged s = {.fd = -1};

	staged_begin(&s, 1);
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < sizeof(memories) / sizeof(memories[0]); k++) {
			if (memories[k] == clean_disk_page && i == 2)
				continue; /* the fault has locked the page by then: nobody else could resolve it */
			memories[k](&s);
			resolve_meanwhile(&s, fault_points[i], other_store);
			memories[k](&s);
			resolve_meanwhile(&s, fault_points[i], other_load);
		}
	staged_end(&s);
}

/* -- T0-17 in the chosen order -------------------------------------------------------------------------------------------- */

static void shrink(void *staged)
{
	CHECK_OK(ftruncate(((struct staged *)staged)->fd, 2 * P));
}

/* The file has become shorter and its pages are unmapped; somebody touches one before the truncate is through. */
static void touch_while_shrinking(bool linear)
{
	struct staged s = {.fd = tagged_memfd(8)};
	struct access a = {0};
	struct fault f;
	u8 *w = map_shared(s.fd, 8, RW);

	s.page = w + (linear ? 5 : 1) * P;
	CHECK_OK(rfp(s.page, P, RW, 5, MAP_CHGPROT));
	staged_begin(&s, 2);
	a.at = (volatile u32 *)s.page;
	mm_arm(s.mm, "truncate-unmapped", s.changer.tid);
	puppet_tell(&s.changer, shrink, &s);
	mm_await(s.mm, "truncate-unmapped");
	puppet_access(&s.faulter, &a);
	puppet_within(&s.faulter, 20);
	mm_release(s.mm, "truncate-unmapped");
	f = puppet_wait(&s.faulter);
	CHECK_NOFAULT(puppet_wait(&s.changer));
	mm_disarm(s.mm, "truncate-unmapped");
	CHECK_BUS(f, s.page);
	CHECK_BUS(try_read(s.page), s.page);
	staged_end(&s);
	CHECK_OK(munmap(w, 8 * P));
}

TEST(T0_17s, "T0-17s at the sync point: a touch while the file is being truncated")
{
	PTERON_ONLY();
	touch_while_shrinking(true);
	touch_while_shrinking(false);
}
