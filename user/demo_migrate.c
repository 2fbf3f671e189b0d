/*
 * demo_migrate.c - `demo migrate`: a program goes on in another process before its memory has come there (post-copy).
 *
 *   source                                     destination
 *     computes; is stopped half-way
 *     its registers              -- pipe -->     empty memory, registered; goes on computing at once
 *     serves pages               <-- asks --     a fault: that page first
 *                                -- page -->     UFFDIO_COPY
 *     between questions: the next page that nobody asked for
 *
 * What is computed is one walk over all memory again and again, so it must end with the right sum.
 */
#define _GNU_SOURCE
#include "user/demo.h"
#include "user/uffd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 1024u
#define WORDS (PAGES * 1024u)
#define STEPS (3u * WORDS)

/* All that the computation has beside its memory. */
struct registers {
	uint32_t step, at, sum;
};

/* One page on its way. */
struct packet {
	uint32_t page;
	uint8_t data[UFFD_PAGE];
};

static void compute(struct registers *r, uint32_t *memory, uint32_t until)
{
	for (; r->step < until; r->step++) {
		r->at = (r->at * 1103515245u + 12345u) % WORDS;
		r->sum = r->sum * 31 + memory[r->at];
		memory[r->at] = r->sum;
	}
}

static uint32_t *fresh_memory(void)
{
	return mmap(NULL, PAGES * UFFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static uint32_t *first_memory(void)
{
	uint32_t *memory = fresh_memory();

	for (uint32_t i = 0; i < WORDS; i++)
		memory[i] = i * 2654435761u;
	return memory;
}

static bool put(int fd, const void *p, size_t n)
{
	for (ssize_t done; n; p = (const char *)p + done, n -= (size_t)done)
		if ((done = write(fd, p, n)) <= 0)
			return false;
	return true;
}

static bool get(int fd, void *p, size_t n)
{
	for (ssize_t done; n; p = (char *)p + done, n -= (size_t)done)
		if ((done = read(fd, p, n)) <= 0)
			return false;
	return true;
}

/* -- the source ----------------------------------------------------------------------------------------------------- */

static int serve(const uint32_t *memory, int to, int questions)
{
	static struct packet packet;
	static bool sent[PAGES];
	uint32_t next = 0, page, left = PAGES;

	while (left) {
		while (next < PAGES && sent[next])
			next++;
		page = next;
		if (poll(&(struct pollfd){.fd = questions, .events = POLLIN}, 1, 0) > 0 && !get(questions, &page, sizeof(page)))
			return 1;
		if (page >= PAGES || sent[page])
			continue; /* it crossed its answer */
		packet.page = page;
		memcpy(packet.data, (const uint8_t *)memory + page * UFFD_PAGE, UFFD_PAGE);
		if (!put(to, &packet, sizeof(packet)))
			return 1;
		sent[page] = true;
		left--;
	}
	return 0;
}

static int source(int to, int questions)
{
	struct registers r = {0};
	uint32_t *memory = first_memory();

	compute(&r, memory, STEPS / 2);
	return !put(to, &r, sizeof(r)) || serve(memory, to, questions);
}

/* -- the destination ------------------------------------------------------------------------------------------------- */

struct arrival {
	uint32_t *memory;
	int fd, from, questions;
	uint32_t asked, come;
};

static void *ask(void *arg)
{
	struct arrival *a = arg;

	while (__atomic_load_n(&a->come, __ATOMIC_SEQ_CST) < PAGES) {
		uint8_t *at = uffd_asked(a->fd, 20);
		uint32_t page = at ? (uint32_t)((size_t)(at - (uint8_t *)a->memory) / UFFD_PAGE) : 0;

		if (at && put(a->questions, &page, sizeof(page)))
			a->asked++;
	}
	return NULL;
}

static void *receive(void *arg)
{
	static struct packet packet __attribute__((aligned(16)));
	struct arrival *a = arg;

	while (a->come < PAGES && get(a->from, &packet, sizeof(packet))) {
		uffd_put_copy(a->fd, (uint8_t *)a->memory + packet.page * UFFD_PAGE, packet.data, UFFD_PAGE);
		__atomic_fetch_add(&a->come, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static uint32_t expected(void)
{
	struct registers r = {0};
	uint32_t *memory = first_memory();

	compute(&r, memory, STEPS);
	return r.sum;
}

static int destination(int from, int questions)
{
	struct arrival a = {.memory = fresh_memory(), .fd = uffd_new(0), .from = from, .questions = questions};
	struct registers r;
	pthread_t asker, receiver;
	uint32_t early;

	if (a.fd < 0 || !uffd_add(a.fd, a.memory, PAGES * UFFD_PAGE)) {
		fprintf(stderr, "no userfaultfd here\n");
		return 1;
	}
	if (!get(from, &r, sizeof(r)))
		return 1;
	printf("stopped after step %u, goes on elsewhere with no page of its %u\n", r.step, PAGES);
	pthread_create(&asker, NULL, ask, &a);
	pthread_create(&receiver, NULL, receive, &a);
	compute(&r, a.memory, STEPS / 2 + 1);
	early = __atomic_load_n(&a.come, __ATOMIC_SEQ_CST);
	compute(&r, a.memory, STEPS);
	pthread_join(receiver, NULL);
	pthread_join(asker, NULL);
	printf("its next step was done when %u pages had come; %u were asked for, %u came unasked\n", early, a.asked,
	       PAGES > a.asked ? PAGES - a.asked : 0);
	printf("sum %08x, %s\n", r.sum, r.sum == expected() ? "as if it had never moved" : "WRONG");
	return r.sum != expected();
}

int demo_migrate(int argc, char **argv)
{
	int pages[2], questions[2], status, result;
	pid_t pid;

	(void)argc;
	(void)argv;
	if (pipe(pages) || pipe(questions))
		return 1;
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		close(pages[0]);
		close(questions[1]);
		_exit(source(pages[1], questions[0]));
	}
	close(pages[1]);
	close(questions[0]);
	result = destination(pages[0], questions[1]);
	return waitpid(pid, &status, 0) != pid || status || result;
}
