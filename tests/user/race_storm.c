/*
 * race_storm.c - T0-20: eight threads do at random what can be done to a nonlinear window, against a model of
 * every entry's offset and protection (spec 1f).
 *
 * Each thread owns a part of the window, remaps and protects only that, and so knows exactly what its own entries
 * must do at any moment; it touches, drops and truncates everywhere.  Every page holds its tag and one word for each
 * thread, whose last value its thread knows: no store may be lost, whichever entry it went through.  Pages from
 * KEEP on are truncated and extended again and again, so they may raise SIGBUS or be zero.  Now and then all
 * stop, and the whole model is compared.
 */
#define _GNU_SOURCE
#include "race.h"

#include "kernel/uapi/remap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define CREW 8
#define SLICE 32
#define WINDOW (CREW * SLICE)
#define PAGES 256u
#define KEEP 192u
#define TAG 0x5a000000u
#define OPERATIONS 150 /* between two comparisons */

struct storm {
	u8 *w;
	int fd;
	struct gate gate;
	u64 end;
	bool stop;
	unsigned truncating;
	struct {
		u32 pgoff;
		int prot;
	} model[WINDOW];
	u32 wrote[CREW][PAGES];
	u32 random[CREW];
	unsigned rounds, operations;
};

static volatile u32 *word_at(const struct storm *s, size_t entry, unsigned word)
{
	return (volatile u32 *)(s->w + entry * P) + word;
}

static u32 dice(struct storm *s, unsigned me, u32 n)
{
	return rnd(&s->random[me]) % n;
}

/* Does the signal, or that there was none, fit the model? */
static void judge_fault(const struct storm *s, const struct fault *f, size_t i, bool write)
{
	bool allowed = write ? s->model[i].prot & PROT_WRITE : s->model[i].prot != PROT_NONE;
	bool fits;

	if (!allowed)
		fits = f->signo == SIGSEGV && f->code == SEGV_ACCERR;
	else
		fits = f->signo == 0 || (f->signo == SIGBUS && s->model[i].pgoff >= KEEP);
	if (!fits)
		FAIL("entry %zu (page %u, prot %d), %s: signal %d code %d", i, s->model[i].pgoff, s->model[i].prot,
		     write ? "write" : "read", f->signo, f->code);
}

static void check_read(struct storm *s, size_t i, unsigned word, u32 expected)
{
	struct access a = {.at = word_at(s, i, word)};
	struct fault f = access_try(&a);
	u32 q = s->model[i].pgoff;

	judge_fault(s, &f, i, false);
	if (!f.signo && a.value != expected && !(q >= KEEP && a.value == 0))
		FAIL("entry %zu (page %u) word %u: 0x%x, expected 0x%x", i, q, word, a.value, expected);
}

static void check_write(struct storm *s, unsigned me, size_t i)
{
	u32 q = s->model[i].pgoff;
	struct access a = {.at = word_at(s, i, 1 + me), .value = s->wrote[me][q] + 1, .write = true};
	struct fault f = access_try(&a);

	judge_fault(s, &f, i, true);
	if (!f.signo)
		s->wrote[me][q]++;
}

/* -- operations -------------------------------------------------------------------------------------------------- */

static size_t own_range(struct storm *s, unsigned me, size_t most, size_t *count)
{
	size_t at = dice(s, me, SLICE);

	*count = 1 + dice(s, me, (u32)most);
	if (*count > SLICE - at)
		*count = SLICE - at;
	return me * SLICE + at;
}

static int dice_prot(struct storm *s, unsigned me)
{
	static const int prots[] = {PROT_NONE, PROT_READ, RW, RW};

	return prots[dice(s, me, 4)];
}

static void remap(struct storm *s, size_t i, size_t count, u32 pgoff, int prot, int flags)
{
	if (on_pteron()) {
		CHECK_OK(rfp(s->w + i * P, count * P, prot, pgoff, MAP_CHGPROT | flags));
	} else {
		for (size_t k = 0; k < count; k++) { /* its vmas differ in protection */
			CHECK_OK(rfp(s->w + (i + k) * P, P, 0, pgoff + k, flags));
			CHECK_OK(mprotect(s->w + (i + k) * P, P, prot));
		}
	}
	for (size_t k = 0; k < count; k++) {
		s->model[i + k].pgoff = pgoff + (u32)k;
		s->model[i + k].prot = prot;
	}
}

static void op_remap(struct storm *s, unsigned me)
{
	size_t count, i = own_range(s, me, 6, &count);

	remap(s, i, count, dice(s, me, PAGES - (u32)count + 1), dice_prot(s, me), dice(s, me, 2) ? MAP_NONBLOCK : 0);
}

/* Many entries, each another page. */
static void op_vector(struct storm *s, unsigned me)
{
	size_t count, i = own_range(s, me, 12, &count);
	struct remap_entry e[12];

	if (!on_pteron())
		return;
	for (size_t k = 0; k < count; k++) {
		s->model[i + k].pgoff = dice(s, me, PAGES);
		s->model[i + k].prot = dice_prot(s, me);
		e[k] = (struct remap_entry){.addr = (uintptr_t)s->w + (i + k) * P,
		                            .length = P,
		                            .pgoff = s->model[i + k].pgoff,
		                            .prot = (u32)s->model[i + k].prot};
	}
	CHECK_OK(syscall(NR_remap_vector, e, count, dice(s, me, 2) ? MAP_NONBLOCK : 0));
}

static void op_mprotect(struct storm *s, unsigned me)
{
	size_t count, i = own_range(s, me, 8, &count);
	int prot = dice_prot(s, me);

	CHECK_OK(mprotect(s->w + i * P, count * P, prot));
	for (size_t k = 0; k < count; k++)
		s->model[i + k].prot = prot;
}

static void op_touch_own(struct storm *s, unsigned me)
{
	size_t count, i = own_range(s, me, 8, &count);

	for (; count--; i++) {
		u32 q = s->model[i].pgoff;

		check_read(s, i, 0, TAG | q);
		check_write(s, me, i);
		check_read(s, i, 1 + me, s->wrote[me][q]);
	}
}

/* Somebody else's entry: what it shows is anybody's guess, but it is a page of this file. */
static void op_touch_any(struct storm *s, unsigned me)
{
	size_t i = dice(s, me, WINDOW);
	struct access a = {.at = word_at(s, i, 0)};
	struct fault f = access_try(&a);

	if (f.signo == SIGSEGV)
		CHECK_EQ(f.code, SEGV_ACCERR);
	else if (!f.signo && a.value)
		CHECK(a.value >= TAG && a.value < TAG + PAGES);
}

static void op_drop(struct storm *s, unsigned me)
{
	size_t i = dice(s, me, WINDOW), count = 1 + dice(s, me, 16);

	CHECK_OK(madvise(s->w + i * P, (count < WINDOW - i ? count : WINDOW - i) * P,
	                 dice(s, me, 2) ? MADV_DONTNEED : MADV_PAGEOUT));
}

static void op_truncate(struct storm *s, unsigned me)
{
	if (__atomic_exchange_n(&s->truncating, 1, __ATOMIC_SEQ_CST))
		return;
	CHECK_OK(ftruncate(s->fd, (off_t)((KEEP + dice(s, me, PAGES - KEEP)) * P)));
	CHECK_OK(ftruncate(s->fd, (off_t)(PAGES * P)));
	STORE(s->truncating, 0);
}

static void forked(struct storm *s, unsigned me)
{
	size_t first = me * SLICE;

	for (size_t i = first; i < first + SLICE; i++) {
		check_read(s, i, 0, TAG | s->model[i].pgoff);
		check_read(s, i, 1 + me, s->wrote[me][s->model[i].pgoff]);
	}
	remap(s, first, 4, 0, PROT_READ, 0); /* the parent must not notice */
	for (size_t i = first; i < first + 4; i++)
		check_read(s, i, 0, TAG | s->model[i].pgoff);
}

static void op_fork(struct storm *s, unsigned me)
{
	pid_t pid = fork();

	if (pid == 0) {
		forked(s, me);
		_exit(0);
	}
	join(pid);
}

static void operation(struct storm *s, unsigned me)
{
	u32 n = dice(s, me, 1000);

	if (n < 220)
		op_remap(s, me);
	else if (n < 300)
		op_vector(s, me);
	else if (n < 340)
		op_mprotect(s, me);
	else if (n < 700)
		op_touch_own(s, me);
	else if (n < 900)
		op_touch_any(s, me);
	else if (n < 975)
		op_drop(s, me);
	else if (n < 995)
		op_truncate(s, me);
	else
		op_fork(s, me);
}

/* -- the quiescent points ------------------------------------------------------------------------------------------ */

/* Every page has its tag again; those that may have been truncated, no words. */
static void tag_again(struct storm *s)
{
	u32 page[1 + CREW] = {0};

	for (u32 q = KEEP; q < PAGES; q++) {
		page[0] = TAG | q;
		CHECK_EQ(pwrite(s->fd, page, sizeof(page), (off_t)q * (off_t)P), sizeof(page));
		for (unsigned t = 0; t < CREW; t++)
			s->wrote[t][q] = 0;
	}
}

static void compare(struct storm *s)
{
	u32 page[1 + CREW];

	for (u32 q = 0; q < KEEP; q++) {
		CHECK_EQ(pread(s->fd, page, sizeof(page), (off_t)q * (off_t)P), sizeof(page));
		CHECK_EQ(page[0], TAG | q);
		for (unsigned t = 0; t < CREW; t++)
			if (page[1 + t] != s->wrote[t][q])
				FAIL("page %u: thread %u wrote %u, found %u", q, t, s->wrote[t][q], page[1 + t]);
	}
	tag_again(s);
	for (size_t i = 0; i < WINDOW; i++) {
		u32 q = s->model[i].pgoff;

		check_read(s, i, 0, TAG | q);
		check_write(s, 0, i);
		check_read(s, i, 1, s->wrote[0][q]);
	}
	if (on_pteron()) /* mprotect splits, but never one entry from the next for its offset */
		CHECK_OP(vma_count(s->w, WINDOW * P, NULL), <=, WINDOW);
	s->rounds++;
}

static void storm_member(unsigned me, void *arg)
{
	struct storm *s = arg;

	while (!s->stop) {
		for (unsigned k = 0; k < OPERATIONS; k++)
			operation(s, me);
		ADD(s->operations, OPERATIONS);
		gate_pass(&s->gate);
		if (me == 0) {
			compare(s);
			s->stop = !race_on(s->end, s->rounds);
		}
		gate_pass(&s->gate);
	}
}

static void begin(struct storm *s, u32 seed, unsigned seconds)
{
	for (unsigned t = 0; t < CREW; t++)
		s->random[t] = seed * 2654435761u + t * 40503u + 1;
	s->gate.n = CREW;
	s->end = now_ns() + seconds * 1000000000ull;
	s->fd = tagged_memfd(PAGES);
	for (u32 q = 0; q < KEEP; q++)
		CHECK_EQ(pwrite(s->fd, &(u32){TAG | q}, 4, (off_t)q * (off_t)P), 4);
	tag_again(s);
	s->w = map_shared(s->fd, WINDOW, RW);
	for (size_t i = 0; i < WINDOW; i++) {
		s->model[i].pgoff = (u32)i;
		s->model[i].prot = RW;
	}
	for (unsigned t = 0; t < CREW; t++)
		for (size_t i = t * SLICE; i < (t + 1) * SLICE; i++)
			remap(s, i, 1, dice(s, t, PAGES), dice_prot(s, t), MAP_NONBLOCK);
}

static void one_storm(u32 seed, unsigned seconds)
{
	static struct storm s;

	memset(&s, 0, sizeof(s));
	begin(&s, seed, seconds);
	crew_run(CREW, storm_member, &s);
	test_note("seed %u: %u operations, %u comparisons", seed, s.operations, s.rounds);
	CHECK_OK(munmap(s.w, WINDOW * P));
	CHECK_OK(close(s.fd));
}

TEST_SECONDS(T0_20, "T0-20 storm of eight threads against a model", 1500)
{
	unsigned seconds = (unsigned)suite_number("storm", 5), storms = (unsigned)suite_number("storms", 1);
	u32 seed = suite_seed();

	for (unsigned k = 0; k < storms; k++) {
		alarm(seconds + 60);
		one_storm(seed + k, seconds);
	}
}
