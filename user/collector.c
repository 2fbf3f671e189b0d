/*
 * collector.c - see collector.h.
 *
 * The heap is one of two spaces of pages with four objects each.  A cycle:
 *
 *   stop      every page with live objects gets a new number, from the start of the other space on: one that is mostly
 *             alive keeps its objects together, those of sparse pages are packed.  References (a table) are changed.
 *             Nothing is copied: that is all the program waits for
 *   go on     the other space is empty and registered: who touches a page there waits for it, and a thread delivers it: a
 *             whole one by UFFDIO_MOVE, a packed one by UFFDIO_COPY from a buffer that it is put together in
 *   sweep     the rest is delivered, what is left of the old space is dropped
 *
 * Each thread of the program has objects of its own and changes them all the time; each object has a sum.
 */
#define _GNU_SOURCE
#include "user/collector.h"
#include "user/uffd.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define OBJECT 1024ul
#define EACH (UFFD_PAGE / OBJECT) /* objects a page */
#define WORDS (OBJECT / sizeof(uint32_t))
#define MOSTLY 3 /* live objects that make it worth while to keep a page together */
#define NOWHERE UINT32_MAX

struct object {
	uint32_t id, count, sum;
	uint32_t word[WORDS - 3];
};

/* What a page of the new space is made of. */
struct plan {
	bool whole, done;    /* done: it has come to its place; what it was made of may be gone */
	uint32_t from[EACH]; /* old slots; NOWHERE */
};

struct heap {
	size_t pages;
	uint32_t slots, objects;
	uint8_t *space[2];
	unsigned now;      /* which of them the references lead to */
	uint32_t *slot;    /* of each object; NOWHERE: it is dead. Its thread's, and the collector's while all stand */
	struct plan *plan; /* of the new space's pages */
	size_t planned;    /* so many */
	size_t fresh;      /* slots behind them, for what is born */
	pthread_mutex_t delivering; /* plan against the next cycle's */
	int fd;
	bool move, stop;
	unsigned standing; /* threads that wait at the gate */
	bool gate;
	struct collector_result r;
};

struct worker {
	struct heap *heap;
	unsigned me;
	uint32_t random;
	uint64_t operations;
};

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST)
#define ADD(x, v) __atomic_fetch_add(&(x), (v), __ATOMIC_SEQ_CST)

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

/* -- objects ------------------------------------------------------------------------------------------------------- */

static struct object *at(const struct heap *h, uint32_t slot)
{
	return (struct object *)(h->space[h->now] + slot * OBJECT);
}

static uint32_t sum_of(const struct object *o)
{
	uint32_t sum = o->id * 31 + o->count;

	for (size_t i = 0; i < WORDS - 3; i++)
		sum = sum * 33 + o->word[i];
	return sum;
}

static void change(struct object *o, uint32_t random)
{
	o->count++;
	o->word[random % (WORDS - 3)] = random;
	o->sum = sum_of(o);
}

/* A place behind what the last cycle has packed: false if the space is full until the next one. */
static bool give_birth(struct heap *h, uint32_t id)
{
	uint64_t slot = ADD(h->fresh, 1);
	struct object *o;

	if (slot >= h->slots)
		return false;
	o = at(h, (uint32_t)slot);
	memset(o, 0, sizeof(*o));
	o->id = id;
	o->sum = sum_of(o);
	h->slot[id] = (uint32_t)slot;
	return true;
}

/* -- the program ------------------------------------------------------------------------------------------------------ */

static void stand(struct heap *h)
{
	ADD(h->standing, 1);
	while (LOAD(h->gate) && !LOAD(h->stop))
		sched_yield();
	ADD(h->standing, -1u);
}

static void work_once(struct worker *w)
{
	struct heap *h = w->heap;
	uint32_t random = next_random(&w->random),
			 id = random % (h->objects / COLLECTOR_THREADS) * COLLECTOR_THREADS + w->me;
	struct object *o;

	if (h->slot[id] == NOWHERE) {
		give_birth(h, id);
		return;
	}
	o = at(h, h->slot[id]);
	if (o->id != id || o->sum != sum_of(o))
		ADD(h->r.corrupt, 1);
	if ((random >> 20) % 8 == 0)
		h->slot[id] = NOWHERE;
	else
		change(o, next_random(&w->random));
	w->operations++;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!LOAD(w->heap->stop)) {
		if (LOAD(w->heap->gate))
			stand(w->heap);
		else
			work_once(w);
	}
	ADD(w->heap->r.operations, w->operations);
	return NULL;
}

/* -- delivering ---------------------------------------------------------------------------------------------------------- */

static int deliver_packed(struct heap *h, const struct plan *p, uint8_t *to)
{
	static _Thread_local uint8_t page[UFFD_PAGE] __attribute__((aligned(4096)));

	for (size_t i = 0; i < EACH; i++)
		if (p->from[i] != NOWHERE)
			memcpy(page + i * OBJECT, h->space[!h->now] + p->from[i] * OBJECT, OBJECT);
	return uffd_put_copy(h->fd, to, page, UFFD_PAGE);
}

/* Page @n of the new space comes to its place, unless it has. => h->delivering */
static void deliver(struct heap *h, size_t n, bool asked)
{
	uint8_t *to = h->space[h->now] + n * UFFD_PAGE, *from;
	bool moved = false;
	int err;

	if (n < h->planned && h->plan[n].done) {
		uffd_let_go(h->fd, to, UFFD_PAGE); /* the question crossed its answer */
		return;
	}
	if (n >= h->planned) {
		err = uffd_put_zero(h->fd, to, UFFD_PAGE);
	} else if (h->plan[n].whole) {
		from = h->space[!h->now] + h->plan[n].from[0] / EACH * UFFD_PAGE;
		moved = h->move;
		err = moved ? uffd_put_moved(h->fd, to, from, UFFD_PAGE) : uffd_put_copy(h->fd, to, from, UFFD_PAGE);
	} else {
		err = deliver_packed(h, &h->plan[n], to);
	}
	if (err == EEXIST)
		uffd_let_go(h->fd, to, UFFD_PAGE);
	else if (err)
		h->r.corrupt++;
	if (err || n >= h->planned)
		return;
	h->plan[n].done = true;
	h->r.delivered++;
	h->r.asked += asked;
	*(moved ? &h->r.moved : &h->r.copied) += UFFD_PAGE;
}

static void *answer(void *arg)
{
	struct heap *h = arg;

	while (!LOAD(h->stop)) {
		uint8_t *page = uffd_asked(h->fd, 20);

		if (!page)
			continue;
		pthread_mutex_lock(&h->delivering);
		if (page >= h->space[h->now] && page < h->space[h->now] + h->pages * UFFD_PAGE)
			deliver(h, (size_t)(page - h->space[h->now]) / UFFD_PAGE, true);
		else /* the sweep was faster, and since then there was another cycle */
			uffd_let_go(h->fd, page, UFFD_PAGE);
		pthread_mutex_unlock(&h->delivering);
	}
	return NULL;
}

/* -- a cycle -------------------------------------------------------------------------------------------------------------- */

/* Which object lies in each slot of the space; NOWHERE: none. */
static uint32_t *owners(const struct heap *h)
{
	uint32_t *owner = malloc(h->slots * sizeof(*owner));

	memset(owner, 0xff, h->slots * sizeof(*owner));
	for (uint32_t id = 0; id < h->objects; id++)
		if (h->slot[id] != NOWHERE)
			owner[h->slot[id]] = id;
	return owner;
}

static unsigned alive(const uint32_t *owner)
{
	unsigned n = 0;

	for (size_t i = 0; i < EACH; i++)
		n += owner[i] != NOWHERE;
	return n;
}

/* => the program stands */
static void make_plan(struct heap *h)
{
	uint32_t *owner = owners(h), packed = 0;
	size_t n = 0, open = 0;

	for (size_t i = 0; i < h->pages; i++)
		h->plan[i] = (struct plan){.from = {NOWHERE, NOWHERE, NOWHERE, NOWHERE}};
	for (size_t page = 0; page < h->pages; page++) {
		const uint32_t *mine = owner + page * EACH;
		bool whole = alive(mine) >= MOSTLY;

		if (whole)
			h->plan[n].whole = true;
		for (uint32_t i = 0; i < EACH; i++) {
			if (!whole && mine[i] != NOWHERE && packed % EACH == 0) {
				open = n++;
				h->plan[open].whole = false;
			}
			if (mine[i] != NOWHERE) {
				uint32_t to = whole ? (uint32_t)n * EACH + i : (uint32_t)open * EACH + packed++ % EACH;

				h->plan[to / EACH].from[to % EACH] = (uint32_t)page * EACH + i;
				h->slot[mine[i]] = to;
			} else if (whole) {
				h->plan[n].from[i] = (uint32_t)page * EACH + i;
			}
		}
		n += whole;
	}
	h->planned = n;
	STORE(h->fresh, n * EACH);
	free(owner);
}

static void cycle(struct heap *h)
{
	uint64_t began = now_ns();

	STORE(h->gate, true);
	while (LOAD(h->standing) < COLLECTOR_THREADS)
		sched_yield();
	pthread_mutex_lock(&h->delivering);
	make_plan(h);
	h->now = !h->now;
	pthread_mutex_unlock(&h->delivering);
	STORE(h->gate, false);
	while (LOAD(h->standing))
		sched_yield();
	began = now_ns() - began;
	if (began > h->r.longest_stop_ns)
		h->r.longest_stop_ns = began;
	for (size_t n = 0; n < h->planned; n++) {
		pthread_mutex_lock(&h->delivering);
		deliver(h, n, false);
		pthread_mutex_unlock(&h->delivering);
	}
	madvise(h->space[!h->now], h->pages * UFFD_PAGE, MADV_DONTNEED);
	h->r.cycles++;
}

/* -- all of it ---------------------------------------------------------------------------------------------------------------- */

static bool prepare(struct heap *h)
{
	size_t len = h->pages * UFFD_PAGE;

	h->fd = uffd_new(h->move ? UFFDX_MOVE : 0);
	if (h->fd < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		h->space[i] = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (h->space[i] == MAP_FAILED || !uffd_add(h->fd, h->space[i], len))
			return false;
	}
	h->slot = malloc(h->objects * sizeof(*h->slot));
	h->plan = malloc(h->pages * sizeof(*h->plan));
	memset(h->slot, 0xff, h->objects * sizeof(*h->slot));
	pthread_mutex_init(&h->delivering, NULL);
	return true;
}

bool collector_run(size_t pages, unsigned ms, bool move, uint32_t seed, struct collector_result *result)
{
	struct heap h = {
		.pages = pages, .slots = (uint32_t)(pages * EACH), .objects = (uint32_t)(pages * EACH / 2), .move = move};
	struct worker workers[COLLECTOR_THREADS];
	pthread_t threads[COLLECTOR_THREADS], answerer;
	uint64_t end = now_ns() + ms * 1000000ull;

	if (!prepare(&h))
		return false;
	pthread_create(&answerer, NULL, answer, &h);
	for (unsigned i = 0; i < COLLECTOR_THREADS; i++) {
		workers[i] = (struct worker){.heap = &h, .me = i, .random = seed + i * 7919 + 1};
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	while (now_ns() < end || h.r.cycles < 3) {
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* the program makes something to collect */
		cycle(&h);
	}
	STORE(h.gate, true); /* who still waits for a page gets it first */
	while (LOAD(h.standing) < COLLECTOR_THREADS)
		sched_yield();
	STORE(h.stop, true);
	for (unsigned i = 0; i < COLLECTOR_THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(answerer, NULL);
	*result = h.r;
	for (int i = 0; i < 2; i++)
		munmap(h.space[i], pages * UFFD_PAGE);
	free(h.slot);
	free(h.plan);
	return true;
}
