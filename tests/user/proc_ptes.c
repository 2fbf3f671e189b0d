/*
 * proc_ptes.c - /proc/<pid>/ptes: what the entries of an address space say, told in runs.  Pteron only.
 */
#define _GNU_SOURCE
#include "kernel/uapi/edu.h"
#include "paint.h"
#include "swap.h"
#include "threads.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define RW (PROT_READ | PROT_WRITE)
#define N ((size_t)64)

/* One line. */
struct run {
	ulong start, end, pages;
	char kind[12], prot[8], state[8], place[32];
	unsigned pins;
};

static int open_ptes(int pid)
{
	char path[40];
	int fd;

	PTERON_ONLY();
	snprintf(path, sizeof(path), "/proc/%d/ptes", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 && errno != ENOENT)
		FAIL("%s: errno %d", path, errno);
	return fd;
}

/* -- reading line by line, with a buffer that never fits the parts the kernel makes -------------------------------- */

struct reader {
	int fd;
	size_t have, step;
	char buf[4099];
};

static struct reader reader(int pid, size_t step)
{
	return (struct reader){.fd = CHECK_OK(open_ptes(pid)), .step = step};
}

/* The next line without its end; false: no more. The file is closed then. */
static bool next_line(struct reader *r, char line[256])
{
	for (;;) {
		char *eol = memchr(r->buf, '\n', r->have);
		ssize_t got;

		if (eol) {
			size_t n = (size_t)(eol - r->buf);

			CHECK(n < 256);
			memcpy(line, r->buf, n);
			line[n] = 0;
			r->have -= n + 1;
			memmove(r->buf, eol + 1, r->have);
			return true;
		}
		CHECK(r->have + r->step <= sizeof(r->buf));
		got = CHECK_OK(read(r->fd, r->buf + r->have, r->step));
		if (!got) {
			CHECK_EQ(r->have, 0);
			close(r->fd);
			return false;
		}
		r->have += (size_t)got;
	}
}

static bool next_run(struct reader *r, struct run *run)
{
	char line[256];

	do
		if (!next_line(r, line))
			return false;
	while (line[0] == '#');
	*run = (struct run){0};
	if (sscanf(line, "%lx-%lx %lu %11s %7s %7s %u %31s", &run->start, &run->end, &run->pages, run->kind, run->prot,
	           run->state, &run->pins, run->place) < 7)
		FAIL("line '%s'", line);
	CHECK(run->start < run->end && (run->end - run->start) / P == run->pages);
	return true;
}

/* The run that holds @p, and how many overlap [p, p + n pages). */
static struct run run_at(const void *p, size_t n, int *count)
{
	struct reader r = reader(getpid(), 777);
	struct run run, found = {0};
	ulong lo = (ulong)p, last = 0;

	if (count)
		*count = 0;
	while (next_run(&r, &run)) {
		CHECK_OP(run.start, >=, last);
		last = run.end;
		if (run.end <= lo || run.start >= lo + n * P)
			continue;
		if (!found.end)
			found = run;
		if (count)
			++*count;
	}
	return found;
}

#define CHECK_STR(a, b) \
	if (strcmp(a, b))   \
	FAIL("%s is '%s', expected '%s'", #a, a, b)

/* On a machine without NX what may be read may be executed. */
static const char *prot_text(int prot, char letter)
{
	static char text[5];

	text[0] = prot & PROT_READ ? 'r' : '-';
	text[1] = prot & PROT_WRITE ? 'w' : '-';
	text[2] = prot & PROT_EXEC || (prot & PROT_READ && !has_nx()) ? 'x' : '-';
	text[3] = letter;
	return text;
}

static void expect(const void *p, size_t pages, const char *kind, const char *state, int prot, char letter,
                   const char *place)
{
	int count;
	struct run r = run_at(p, pages, &count);

	CHECK_EQ(count, 1);
	CHECK_EQ(r.start, (ulong)p);
	CHECK_EQ(r.pages, pages);
	CHECK_STR(r.kind, kind);
	CHECK_STR(r.state, state);
	CHECK_STR(r.prot, prot_text(prot, letter));
	CHECK_STR(r.place, place);
	CHECK_EQ(r.pins, 0);
}

/* Neighbours of its own, so that nothing merges with the vma. */
static u8 *island(size_t pages, int prot, int flags, int fd)
{
	u8 *p = CHECK_OK(mmap(NULL, (pages + 2) * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	CHECK_OK(mmap(p + P, pages * P, prot, flags | MAP_FIXED, fd, 0));
	return p + P;
}

TEST(ptes_kinds, "ptes.kinds what each entry says")
{
	int fd = tagged_memfd(N);
	u8 *a = island(N, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1), *w = island(N, RW, MAP_SHARED, fd);
	u8 *c = island(4, RW, MAP_PRIVATE, fd);

	expect(a, N, "none", "----", RW, 'p', "");
	CHECK_EQ(a[8 * P], 0);
	expect(a + 8 * P, 1, "zero", "R-Y-", RW, 'p', "");
	memset(a + 16 * P, 1, 4 * P);
	expect(a + 16 * P, 4, "anon", "RDYW", RW, 'p', "");
	CHECK_OK(mprotect(a + 16 * P, 4 * P, PROT_NONE));
	expect(a + 16 * P, 4, "anon", "RDY-", PROT_NONE, 'p', "");
	expect(w, N, "none", "----", RW, 's', "00000000+");
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(w, i), i);
	CHECK_STR(run_at(w, N, NULL).kind, "page");
	set_tag(w, 0, 0);
	CHECK(strchr(run_at(w, 1, NULL).state, 'D') != NULL);
	CHECK_EQ(tag(c, 1), 1);
	expect(c + P, 1, "page", "R-Y-", RW, 'p', "00001000");
	set_tag(c, 2, 9);
	expect(c + 2 * P, 1, "anon", "RDYW", RW, 'p', "");
}

TEST(ptes_steps, "ptes.steps offsets that count up, down, or stay are one run")
{
	int fd = tagged_memfd(N);
	u8 *w = island(N, RW, MAP_SHARED, fd);

	PTERON_ONLY();
	for (size_t i = 0; i < N; i++)
		CHECK_OK(rfp(w + i * P, P, PROT_READ, N - 1 - i, MAP_CHGPROT | MAP_NONBLOCK));
	expect(w, N, "page", "R-Y-", PROT_READ, 's', "0003f000-");
	for (size_t i = 0; i < N; i++)
		CHECK_OK(rfp(w + i * P, P, PROT_READ, 5, MAP_CHGPROT | MAP_NONBLOCK));
	expect(w, N, "page", "R-Y-", PROT_READ, 's', "00005000=");
	CHECK_OK(rfp(w, N * P, PROT_NONE, N, MAP_CHGPROT | MAP_NONBLOCK)); /* beyond the end of the file */
	expect(w, N, "file", "----", PROT_NONE, 's', "00040000+");
	CHECK_OK(rfp(w + 10 * P, P, RW, 20, MAP_CHGPROT | MAP_NONBLOCK));
	CHECK_EQ(run_at(w, N, NULL).pages, 10);
	CHECK_EQ(run_at(w + 11 * P, 1, NULL).pages, N - 11);
	CHECK_STR(run_at(w + 11 * P, 1, NULL).place, "0004b000+");
}

TEST(ptes_pins, "ptes.pins each page's own")
{
	int fd = open("/dev/edu", O_RDWR);
	u8 *a = island(N, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct edu_pin pin = {.addr = (uintptr_t)a + 3 * P, .len = 2 * P, .flags = EDU_PIN_WRITE};
	int count;

	if (fd < 0)
		SKIP("no /dev/edu");
	PTERON_ONLY();
	memset(a, 1, N * P);
	CHECK_OK(ioctl(fd, EDU_IOC_PIN, &pin));
	CHECK_EQ(run_at(a, N, &count).pages, 3);
	CHECK_EQ(count, 3);
	CHECK_EQ(run_at(a + 3 * P, 1, NULL).pages, 2);
	CHECK_EQ(run_at(a + 3 * P, 1, NULL).pins, 1);
	CHECK_OK(ioctl(fd, EDU_IOC_UNPIN, &(struct edu_unpin){.id = pin.id}));
	expect(a, N, "anon", "RDYW", RW, 'p', "");
}

/* What was swapped out says where it is: area, slot, and which way the slots go. */
TEST(ptes_swap, "ptes.swap a slot for a page, and the page back")
{
	u8 *a = island(N, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	unsigned area, slot;
	struct run run;

	PTERON_ONLY();
	swap_begin(4 * N);
	swap_fill(a, N, 5);
	CHECK_EQ(swap_out(a, N), N);
	run = run_at(a, N, NULL);
	CHECK_STR(run.kind, "swap");
	CHECK_STR(run.prot, prot_text(RW, 'p'));
	CHECK_STR(run.state, "----");
	CHECK(sscanf(run.place, "%u:%u", &area, &slot) == 2 && slot > 0);
	swap_check(a, N, 5);
	CHECK_STR(run_at(a, N, NULL).kind, "anon");
	swap_end();
}

/* -- long ones -------------------------------------------------------------------------------------------------------- */

#define MANY ((size_t)65536)

static size_t shown(size_t i)
{
	return i * 40503u % MANY;
}

/* Every entry of the picture once, in order, as it was set. */
static void expect_mosaic(u8 *w, size_t step)
{
	struct reader r = reader(getpid(), step);
	size_t next = 0;
	struct run run;

	while (next_run(&r, &run)) {
		unsigned long long offset;

		if (run.start < (ulong)w || run.start >= (ulong)w + MANY * P)
			continue;
		CHECK_EQ(run.start, (ulong)w + next * P);
		CHECK_EQ(run.pages, 1);
		CHECK(sscanf(run.place, "%llx", &offset) == 1);
		CHECK_EQ(offset / P, shown(next));
		CHECK_STR(run.prot, prot_text(paint_prot(next), 's'));
		CHECK_STR(run.kind, "file");
		next++;
	}
	CHECK_EQ(next, MANY);
}

TEST(ptes_mosaic, "ptes.mosaic 65,536 entries, no two alike")
{
	int fd = CHECK_OK((int)syscall(SYS_memfd_create, "mosaic", 0));
	u8 *w;

	PTERON_ONLY();
	CHECK_OK(ftruncate(fd, (off_t)(MANY * P)));
	w = map_shared(fd, MANY, RW);
	for (size_t i = 0; i < MANY; i++)
		CHECK_OK(rfp(w + i * P, P, paint_prot(i), shown(i), MAP_CHGPROT | MAP_NONBLOCK));
	expect_mosaic(w, 4001);
}

TEST(ptes_sparse, "ptes.sparse an address space with next to nothing in it")
{
	const size_t pages = (size_t)1 << (is64 ? 34 : 18), middle = pages / 2;
	u8 *p = CHECK_OK(mmap(NULL, pages * P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	u64 began;
	int count;

	PTERON_ONLY();
	began = now_ns();
	CHECK_EQ(run_at(p, pages, &count).pages, pages);
	CHECK_EQ(count, 1);
	CHECK_EQ(p[middle * P], 0);
	CHECK_EQ(run_at(p, pages, &count).pages, middle);
	CHECK_EQ(count, 3);
	CHECK_STR(run_at(p + middle * P, 1, NULL).kind, "zero");
	CHECK_EQ(run_at(p + (middle + 1) * P, 1, NULL).pages, pages - middle - 1);
	CHECK_OP(now_ns() - began, <, 20ull * 1000 * MS);
}

/* Some 80 KB of text, in many parts, of a child that stands still. */
static pid_t still_child(void)
{
	volatile u8 *ready = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	int fd = tagged_memfd(N);
	pid_t pid = CHECK_OK(fork());

	if (pid == 0) {
		u8 *w = map_shared(fd, 1024, RW);

		for (size_t i = 0; i < 1024; i++)
			CHECK_OK(rfp(w + i * P, P, paint_prot(i), i * 5 % 1024, MAP_CHGPROT | MAP_NONBLOCK));
		*ready = 1;
		for (;;)
			pause();
	}
	while (!*ready)
		sleep_ms(1);
	settle();
	return pid;
}

TEST(ptes_seek, "ptes.seek any place gives the text that reading gave")
{
	static char all[256 << 10], again[5000];
	size_t length = 0;
	u32 seed = 7;
	ssize_t n;
	pid_t pid;
	int fd;

	PTERON_ONLY();
	pid = still_child();
	fd = CHECK_OK(open_ptes(pid));
	while ((n = CHECK_OK(read(fd, all + length, 1000))) > 0)
		length += (size_t)n;
	CHECK_OP(length, >, 60000);
	for (int i = 0; i < 40; i++) {
		size_t at = rnd(&seed) % length, want = 1 + rnd(&seed) % sizeof(again);

		n = CHECK_OK(pread(fd, again, want, (off_t)at));
		CHECK_OP(n, >, 0);
		if (memcmp(all + at, again, (size_t)n))
			FAIL("at %zu, %zd bytes: another text", at, n);
	}
	CHECK_EQ(pread(fd, again, 100, (off_t)length), 0);
	CHECK_EQ(pread(fd, again, 100, (off_t)1 << 40), 0);
	CHECK_OK(kill(pid, SIGKILL));
	join_signal(pid, SIGKILL);
}

/* -- other processes, and threads that change what is read ---------------------------------------------------------------- */

/* The whole of it; how many lines hold @p. */
static int lines_of(int fd, ulong p)
{
	struct reader r = {.fd = fd, .step = 4000};
	struct run run;
	int count = 0;

	while (next_run(&r, &run))
		count += run.start <= p && p < run.end;
	return count;
}

TEST(ptes_others, "ptes.others a child, a zombie, one that is gone")
{
	u8 *shared = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	volatile ulong *where = (volatile ulong *)shared;
	int fd, late;
	pid_t pid;
	char c;

	PTERON_ONLY();
	pid = CHECK_OK(fork());
	if (pid == 0) {
		*where = (ulong)map_anon(1, RW);
		pause();
		_exit(0);
	}
	while (!*where)
		sleep_ms(1);
	CHECK_EQ(lines_of(CHECK_OK(open_ptes(pid)), *where), 1);
	fd = CHECK_OK(open_ptes(pid));
	late = CHECK_OK(open_ptes(pid));
	CHECK_OK(read(late, &c, 1)); /* in the middle of it */
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT));
	CHECK_EQ(read(fd, &c, 1), 0);
	join_signal(pid, SIGKILL);
	CHECK_ERRNO(pread(fd, &c, 1, 0), ESRCH);
	CHECK_ERRNO(pread(late, &c, 1, 1 << 20), ESRCH);
	CHECK(open_ptes(pid) < 0 && errno == ENOENT);
	CHECK_ERRNO(write(fd, "x", 1), EBADF);
}

struct churn {
	u8 *w;
	int fd;
	volatile bool stop;
};

static void *churn_body(void *arg)
{
	struct churn *c = arg;
	u32 seed = 99;

	while (!c->stop) {
		size_t i = rnd(&seed) % 1024, n = 1 + rnd(&seed) % 16;

		n = i + n > 1024 ? 1024 - i : n;
		switch (rnd(&seed) % 4) {
		case 0:
			CHECK_OK(munmap(c->w + i * P, n * P));
			break;
		case 1:
			CHECK_OK(mmap(c->w + i * P, n * P, RW, MAP_SHARED | MAP_FIXED, c->fd, (off_t)((1023 - i) * P)));
			break;
		case 2:
			rfp(c->w + i * P, n * P, paint_prot(i), rnd(&seed) % 900, MAP_CHGPROT | MAP_NONBLOCK);
			break;
		default:
			madvise(c->w + i * P, n * P, MADV_DONTNEED);
		}
	}
	return NULL;
}

TEST(ptes_race, "ptes.race a mixture, but no address twice")
{
	struct churn c = {.fd = tagged_memfd(2048)};
	pthread_t t[2];
	u64 until = now_ns() + 1000 * MS;
	int rounds = 0;

	PTERON_ONLY();
	c.w = map_shared(c.fd, 1024, RW);
	for (int i = 0; i < 2; i++)
		t[i] = start(churn_body, &c);
	for (; now_ns() < until || rounds < 3; rounds++)
		run_at(c.w, 1024, NULL); /* checks the order */
	c.stop = true;
	for (int i = 0; i < 2; i++)
		finish(t[i]);
	test_note("%d passes", rounds);
}
