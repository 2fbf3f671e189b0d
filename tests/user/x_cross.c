/*
 * x_cross.c - where threads 0 and 3 meet writeback: X-03 (spec 9).
 */
#define _GNU_SOURCE
#include "disk.h"
#include "t3.h"
#include "kernel/uapi/remap.h"

#include <fcntl.h>
#include <unistd.h>

#define PAGES 12u

struct scrambled {
	int dev, fd;
	u8 *w;
	u64 end, syncs;
	u32 stored[2][PAGES]; /* by the program, by the device: the last value, by page of the window */
	bool stop;
};

static int prot_of(size_t i)
{
	static const int prots[] = {RW, PROT_READ, PROT_NONE};

	return prots[i % 3];
}

static void member(unsigned me, void *arg)
{
	struct scrambled *s = arg;

	if (me == 0) {
		for (; race_on(s->end, s->syncs); s->syncs++)
			CHECK_OK(msync(s->w, PAGES * P, MS_SYNC));
		STORE(s->stop, true);
		return;
	}
	for (size_t i = 0; !LOAD(s->stop); i = (i + 3) % PAGES) {
		u32 value = ++s->stored[me - 1][i];

		if (me == 1)
			word(s->w, i)[4] = value;
		else
			device_store(s->dev, word(s->w, i) + 5, value);
	}
}

TEST(X_03, "X-03 msync of a scrambled window into which the program and a device store: the disk has it all")
{
	struct scrambled s = {.dev = device_open(), .fd = make_file(disk_dir(), "cross", 0)};
	u32 last[2];

	PTERON_ONLY();
	tag_file(s.fd, PAGES);
	CHECK_OK(fsync(s.fd));
	s.w = map_shared(s.fd, PAGES, RW);
	for (size_t i = 0; i < PAGES; i++)
		CHECK_OK(rfp(s.w + i * P, P, prot_of(i), PAGES - 1 - i, MAP_CHGPROT));
	s.end = race_end(500);
	crew_run(3, member, &s);
	test_note("%llu syncs, %u stores, %u by the device", (unsigned long long)s.syncs, s.stored[0][0], s.stored[1][0]);
	for (size_t i = 0; i < PAGES; i++)
		if (prot_of(i) != RW)
			CHECK(device_try_store(s.dev, word(s.w, i) + 5, 1) != 0);
	CHECK_OK(close(s.dev));
	CHECK_OK(msync(s.w, PAGES * P, MS_SYNC));
	CHECK_OK(munmap(s.w, PAGES * P));
	drop_caches();
	for (size_t i = 0; i < PAGES; i++) {
		CHECK_EQ(pread(s.fd, last, sizeof(last), (off_t)((PAGES - 1 - i) * P + 16)), sizeof(last));
		if (prot_of(i) != RW) {
			CHECK_EQ(file_tag(s.fd, PAGES - 1 - i), PAGES - 1 - i);
			continue;
		}
		CHECK_EQ(last[0], s.stored[0][i]);
		CHECK_EQ(last[1], s.stored[1][i]);
	}
}
