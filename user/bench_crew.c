/*
 * bench_crew.c - see bench_crew.h.
 */
#define _GNU_SOURCE
#include "user/bench_crew.h"

#include "user/bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- memory for each kind of fault ------------------------------------------------------------------------------------ */

static uint8_t *make_shared(size_t pages, bool fill, int type)
{
	int fd = memfd(pages, fill);
	uint8_t *p = map(pages, RW, type, fd);

	madvise(p, pages * PAGE, MADV_RANDOM); /* Linux: no fault-around */
	close(fd);
	return p;
}

static uint8_t *make_cached(size_t pages)
{
	return make_shared(pages, true, MAP_SHARED);
}

static uint8_t *make_holes(size_t pages)
{
	return make_shared(pages, false, MAP_SHARED);
}

static uint8_t *make_private(size_t pages)
{
	return make_shared(pages, true, MAP_PRIVATE);
}

/* Pages of a disk's file that are clean and can be read: the store must be noticed. */
static uint8_t *make_clean(size_t pages)
{
	int fd = disk_file();
	uint8_t *p;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)(pages * PAGE)))
		die("ftruncate");
	p = map(pages, RW, MAP_SHARED, fd);
	memset(p, 1, pages * PAGE);
	if (msync(p, pages * PAGE, MS_SYNC))
		die("msync");
	close(fd);
	return p;
}

const struct fault_kind fault_kinds[] = {
	{"anon", map_anon},          /* nothing there yet */
	{"cached", make_cached},     /* a shared file's page that is in memory */
	{"new_page", make_holes},    /* a shared file's page that must be made */
	{"file_copy", make_private}, /* a private mapping's page of a file: a copy */
	{"clean_page", make_clean},  /* a disk file's page, written back before */
};
const unsigned nr_fault_kinds = sizeof(fault_kinds) / sizeof(*fault_kinds);

/* -- the members ------------------------------------------------------------------------------------------------------- */

static void wait_while(volatile int *word, int value)
{
	while (*word == value)
		syscall(SYS_futex, word, 0 /* FUTEX_WAIT */, value, NULL, NULL, 0);
}

static void wait_until(volatile int *word, int value)
{
	for (int seen; (seen = *word) != value;)
		wait_while(word, seen);
}

static void add_one(volatile int *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, 1 /* FUTEX_WAKE */, 100, NULL, NULL, 0);
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	struct crew *c = m->crew;
	bool one = c->who == ONE_MAPPING;
	size_t step = (one ? c->n : 1) * PAGE;
	unsigned long mask = 1ul << m->number;
	uint8_t *own = one ? NULL : c->kind->make(c->pages);
	volatile uint8_t *p = one ? c->common + m->number * PAGE : own;

	syscall(SYS_sched_setaffinity, 0, sizeof(mask), &mask);
	c->steps->start[m->number] = (uint8_t *)p;
	add_one(&c->steps->ready);
	wait_while(&c->steps->go, 0);
	for (size_t i = 0; i < c->touches; i++)
		p[i * step] = 1;
	add_one(&c->steps->done);
	wait_while(&c->steps->leave, 0);
	if (own)
		munmap(own, c->pages * PAGE);
	return NULL;
}

static void member_start(struct member *m)
{
	if (m->crew->who != PROCESSES) {
		if (pthread_create(&m->thread, NULL, member_main, m))
			die("pthread_create");
		return;
	}
	m->pid = fork();
	if (m->pid < 0)
		die("fork");
	if (m->pid == 0) {
		member_main(m);
		_exit(0);
	}
}

bool crew_gather(struct crew *c, const struct fault_kind *kind, enum crew_who who, unsigned n, size_t pages,
                 size_t touches)
{
	*c = (struct crew){.kind = kind, .who = who, .n = n, .pages = pages, .touches = touches};
	c->common = kind->make(who == ONE_MAPPING ? n * pages : 1); /* one page: is there such memory? */
	if (!c->common)
		return false;
	c->steps = (struct steps *)map(1, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	for (unsigned i = 0; i < n; i++) {
		c->member[i] = (struct member){.crew = c, .number = i};
		member_start(&c->member[i]);
	}
	wait_until(&c->steps->ready, (int)n);
	return true;
}

void crew_go(struct crew *c)
{
	add_one(&c->steps->go);
	wait_until(&c->steps->done, (int)c->n);
}

void crew_dismiss(struct crew *c)
{
	add_one(&c->steps->leave);
	for (unsigned i = 0; i < c->n; i++) {
		if (c->who == PROCESSES)
			waitpid(c->member[i].pid, NULL, 0);
		else
			pthread_join(c->member[i].thread, NULL);
	}
	munmap(c->common, (c->who == ONE_MAPPING ? c->n * c->pages : 1) * PAGE);
	munmap(c->steps, PAGE);
}

/* -- waits ---------------------------------------------------------------------------------------------------------------- */

unsigned read_lock_waits(struct rank ranks[RANKS_MAX])
{
	FILE *f = fopen("/proc/lock_waits", "r");
	unsigned n = 0;

	if (!f)
		return 0;
	while (n < RANKS_MAX && fscanf(f, "%23s %lld", ranks[n].name, &ranks[n].waits) == 2)
		n++;
	fclose(f);
	return n;
}
