/*
 * bench_uffd.c - what userfaultfd costs: a missing page until the thread goes on, by each kind of answer; UFFDIO_MOVE by
 * itself (docs/userfaultfd.md).
 */
#define _GNU_SOURCE
#include "user/bench.h"
#include "user/uffd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 100
#define BATCH 512

/* One thread touches, this one answers. */
struct answerer {
	int fd;
	uint8_t *dst, *src;
	int kind; /* 0 COPY, 1 ZEROPAGE, 2 MOVE */
};

static void *answer(void *arg)
{
	struct answerer *a = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint8_t *at;

		while (!(at = uffd_asked(a->fd, 1000)))
			;
		if (a->kind == 0)
			uffd_put_copy(a->fd, at, a->src, PAGE);
		else if (a->kind == 1)
			uffd_put_zero(a->fd, at, PAGE);
		else
			uffd_put_moved(a->fd, at, a->src + (at - a->dst), PAGE);
	}
	return NULL;
}

static void missing(const char *name, int fd, int kind)
{
	struct answerer a = {fd, map_anon(ROUNDS), map_anon(ROUNDS), kind};
	pthread_t thread;

	memset(a.src, 1, ROUNDS * PAGE);
	if (!uffd_add(fd, a.dst, ROUNDS * PAGE) || pthread_create(&thread, NULL, answer, &a))
		die("userfaultfd");
	for (size_t i = 0; i < ROUNDS; i++)
		TIME(*(volatile uint8_t *)(a.dst + i * PAGE));
	pthread_join(thread, NULL);
	report(name, 1);
	munmap(a.dst, ROUNDS * PAGE);
	munmap(a.src, ROUNDS * PAGE);
}

static void moves(int fd)
{
	uint8_t *dst = map_anon(BATCH), *src = map_anon(BATCH);

	memset(src, 1, BATCH * PAGE);
	if (!uffd_add(fd, dst, BATCH * PAGE) || !uffd_add(fd, src, BATCH * PAGE))
		die("userfaultfd");
	for (size_t i = 0; i < BATCH; i++)
		TIME(uffd_put_moved(fd, dst + i * PAGE, src + i * PAGE, PAGE));
	report("uffd_move_one_page", 1);
	for (int i = 0; i < 10; i++) {
		TIME(uffd_put_moved(fd, i % 2 ? dst : src, i % 2 ? src : dst, BATCH * PAGE));
	}
	report("uffd_move_page_of_512", BATCH);
	munmap(dst, BATCH * PAGE);
	munmap(src, BATCH * PAGE);
}

void bench_uffd(void)
{
	int fd = uffd_new(UFFDX_MOVE);

	if (fd < 0)
		return;
	missing("uffd_missing_copy", fd, 0);
	missing("uffd_missing_zeropage", fd, 1);
	missing("uffd_missing_move", fd, 2);
	moves(fd);
	close(fd);
}
