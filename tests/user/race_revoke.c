/*
 * race_revoke.c - T0-19: what was taken away is gone for every CPU, whatever its TLB remembers (spec 1f).
 *
 * As a storm, and, where /dev/mm is, in chosen orders: the one who takes is held between the clearing of the entry and
 * the flush, or between the flush and the freeing, while another CPU uses the translation that it has.  On Linux the
 * entries have no permissions of their own; there the vma's are used, and what is expected is the same.
 */
#include "puppet.h"

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

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
TEST(T0_19f, "T0-19f no store reaches a frame that was given away")
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
		while (!LOAD(f->stop))
			look_once(f);
		_exit(0);
	}
	crew_run(3, frames_member, f);
	join(child);
	test_note("%u times dropped, %u times looked", f->rounds, f->looked);
}

/* -- T0-19 in chosen orders: what was taken away ------------------------------------------------------------------------ */

#define BETWEEN "clear-before-flush"
#define AFTER "flush-before-free"
#define ROUNDS 4
#define WAIT_MS 1000 /* for an access that ends at once, unless its CPU has lost its translation and must wait */

struct scene {
	int mm, fd;
	struct puppet taker, user;
	u8 *at;                    /* what is taken from the user */
	const volatile u32 *alias; /* the same page elsewhere */
	pid_t sharer;              /* a child that keeps the page shared, or 0 */
	u32 stamp;
};

static void scene_begin(struct scene *s)
{
	s->mm = mm_need();
	puppet_need(2);
	puppet_start(&s->taker, 1);
	puppet_start(&s->user, 2);
}

static void scene_end(struct scene *s)
{
	puppet_stop(&s->taker);
	puppet_stop(&s->user);
}

static struct fault user_store(struct scene *s)
{
	struct access a = {.at = (volatile u32 *)s->at, .value = ++s->stamp, .write = true};

	return puppet_try(&s->user, &a);
}

static u32 user_load(struct scene *s)
{
	struct access a = {.at = (volatile u32 *)s->at};

	CHECK_NOFAULT(puppet_try(&s->user, &a));
	return a.value;
}

/* A page of a file, which the user may store to, and does. */
static void give_file_page(struct scene *s)
{
	s->at = map_shared(s->fd, 1, RW);
	s->alias = (const volatile u32 *)map_shared(s->fd, 1, PROT_READ);
	CHECK_NOFAULT(user_store(s));
	CHECK_EQ(*s->alias, s->stamp);
}

static void judge_refused(struct scene *s, int code)
{
	u32 before = *s->alias;

	CHECK_FAULT(user_store(s), SIGSEGV, code, s->at);
	CHECK_EQ(*s->alias, before);
}

static void judge_accerr(struct scene *s)
{
	judge_refused(s, SEGV_ACCERR);
	CHECK_OK(munmap(s->at, P));
}

static void take_remap(void *scene)
{
	CHECK_OK(rfp(((struct scene *)scene)->at, P, PROT_NONE, 0, MAP_CHGPROT));
}

static void take_mprotect(void *scene)
{
	CHECK_OK(mprotect(((struct scene *)scene)->at, P, PROT_READ));
}

static void take_munmap(void *scene)
{
	CHECK_OK(munmap(((struct scene *)scene)->at, P));
}

static void judge_maperr(struct scene *s)
{
	judge_refused(s, SEGV_MAPERR);
}

/* Writeback takes the right to store without notice. */
static void give_disk_page(struct scene *s)
{
	close(s->fd);
	s->fd = make_file(disk_dir(), "revoke", 0);
	tag_file(s->fd, 1);
	CHECK_OK(fsync(s->fd)); /* nothing old for the flusher */
	give_file_page(s);
}

static void take_notice(void *scene)
{
	struct scene *s = scene;
	struct mm_range r = {.addr = (uintptr_t)s->at, .len = P};

	CHECK_OK(ioctl(s->mm, MM_IOC_CLEAN, &r));
	CHECK_EQ(r.count, 1);
}

static void judge_noticed(struct scene *s)
{
	bool noticed = false;

	for (int k = 0; k < 3 && !noticed; k++) { /* the flusher may come in between, but not every time */
		CHECK_NOFAULT(user_store(s));
		CHECK_EQ(*s->alias, s->stamp);
		noticed = mm_entry_at(s->mm, s->at, 0).dirty;
	}
	CHECK(noticed);
	CHECK_OK(munmap(s->at, P));
}

/* A store copies a page that is shared with a child: the old frame is no longer the user's. */
static void give_shared_anon(struct scene *s)
{
	s->at = map_anon(1, RW);
	*s->at = 0;
	s->sharer = CHECK_OK(fork());
	if (s->sharer == 0)
		for (;;)
			pause();
	puppet_rehearse(&s->taker);
	puppet_rehearse(&s->user);
	CHECK_EQ(user_load(s), 0);
}

static void take_copy(void *scene)
{
	*(volatile u32 *)((struct scene *)scene)->at = 77;
}

static void judge_copied(struct scene *s)
{
	CHECK_EQ(user_load(s), 77);
	CHECK_OK(kill(s->sharer, SIGKILL));
	join_signal(s->sharer, SIGKILL);
	CHECK_OK(munmap(s->at, P));
}

struct way {
	const char *name;
	void (*give)(struct scene *s); /* afterwards the user's TLB has the translation */
	void (*take)(void *scene);
	void (*judge)(struct scene *s); /* the user has it no more */
	bool store;                     /* how the user uses it meanwhile */
};

static const struct way ways[] = {
	{"remap_file_pages", give_file_page, take_remap, judge_accerr, true},
	{"mprotect", give_file_page, take_mprotect, judge_accerr, true},
	{"munmap", give_file_page, take_munmap, judge_maperr, true},
	{"writeback", give_disk_page, take_notice, judge_noticed, true},
	{"copy on write", give_shared_anon, take_copy, judge_copied, false},
};

/* The user comes while the taker is between clearing and flushing, and again when it has returned. */
static void take_while_used(struct scene *s, const struct way *way)
{
	struct access a = {.write = way->store};

	way->give(s);
	a.at = (volatile u32 *)s->at;
	mm_arm(s->mm, BETWEEN, s->taker.tid);
	puppet_tell(&s->taker, way->take, s);
	mm_await(s->mm, BETWEEN);
	puppet_access(&s->user, &a);
	puppet_within(&s->user, WAIT_MS);
	mm_release(s->mm, BETWEEN);
	CHECK_NOFAULT(puppet_wait(&s->taker));
	puppet_wait(&s->user); /* it may have got through or not */
	mm_disarm(s->mm, BETWEEN);
	way->judge(s);
}

TEST(T0_19s, "T0-19s at the sync point: who uses a translation while it is taken away")
{
	struct scene s = {.fd = tagged_memfd(1)};

	scene_begin(&s);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		test_note("%s", ways[i].name);
		for (unsigned k = 0; k < ROUNDS; k++)
			take_while_used(&s, &ways[i]);
	}
	scene_end(&s);
}

/* -- T0-19 in chosen orders: frames that are given away ------------------------------------------------------------------ */

#define FRESH 128 /* pages: more than a CPU keeps for itself, so that what the taker has freed is among them */

static void take_frame(void *scene)
{
	CHECK_OK(madvise(((struct scene *)scene)->at, P, MADV_DONTNEED));
}

static volatile u32 *word_of(u8 *fresh, size_t i)
{
	return (volatile u32 *)(fresh + i * P);
}

/* New frames, from the CPU that the taker sleeps on. */
static void fill_fresh(struct scene *s, u8 *fresh)
{
	cpu_pin(s->taker.cpu);
	for (size_t i = 0; i < FRESH; i++)
		*word_of(fresh, i) = (u32)i + 1;
	cpu_pin(0);
}

static void check_fresh(u8 *fresh)
{
	for (size_t i = 0; i < FRESH; i++)
		if (*word_of(fresh, i) != (u32)i + 1)
			FAIL("page %zu was stored to through a translation of its frame's last owner", i);
}

/* What the user sees: its page as it was, until that is flushed; or a fresh one. Never somebody else's, nor a freed one. */
static void look_at_frame(struct scene *s, bool flushed)
{
	u32 value = user_load(s);

	if (value && (flushed || value != s->stamp))
		FAIL("the user sees 0x%x, it stored 0x%x%s", value, s->stamp, flushed ? ", which is flushed" : "");
}

static void give_away_while_used(struct scene *s, const char *point, u8 *fresh)
{
	s->stamp = STAMP;
	s->at = map_anon(1, RW);
	CHECK_NOFAULT(user_store(s));
	mm_arm(s->mm, point, s->taker.tid);
	puppet_tell(&s->taker, take_frame, s);
	mm_await(s->mm, point);
	fill_fresh(s, fresh);
	look_at_frame(s, !strcmp(point, AFTER));
	CHECK_NOFAULT(user_store(s));
	check_fresh(fresh);
	mm_release(s->mm, point);
	CHECK_NOFAULT(puppet_wait(&s->taker));
	mm_disarm(s->mm, point);
	check_fresh(fresh);
	CHECK_OK(munmap(s->at, P));
	CHECK_OK(madvise(fresh, FRESH * P, MADV_DONTNEED));
}

TEST(T0_19fs, "T0-19fs at the sync points: no frame is given away while a CPU reaches it")
{
	struct scene s = {.fd = -1};
	u8 *fresh = map_anon(FRESH, RW);

	scene_begin(&s);
	for (unsigned k = 0; k < ROUNDS; k++) {
		give_away_while_used(&s, BETWEEN, fresh);
		give_away_while_used(&s, AFTER, fresh);
	}
	scene_end(&s);
}
