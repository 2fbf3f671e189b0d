/*
 * race_slow.c - T0-25 lock downgrade: who waits for a device does not hold up the rest of his process (spec 1f).
 */
#include "race.h"

#include <fcntl.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

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
