/*
 * test_access.c - mm/space/access.c: the kernel reads and writes an address space that need not be the current one.
 *
 * machine: amd64 pae
 */
#include "tests/unit/sim_laws.h"

#define PAGES 3

static u8 buffer[P(PAGES)];

/* Any address and length, also of a space that no CPU has loaded; pages come into being as for a program. */
static void reads_and_writes(void *arg)
{
	struct mm *mm = mm_create();
	vaddr_t a = (vaddr_t)sim_mmap(mm, 0, P(PAGES), RW, MAP_PRIVATE, NULL, 0);
	CHECK(mm_access(mm, a + 5, buffer, P(2), false) == P(2) && buffer[0] == 0 && buffer[P(2) - 1] == 0);
	for (unsigned i = 0; i < P(2); i++)
		buffer[i] = (u8)(i * 7 + 1);
	CHECK(mm_access(mm, a + 5, buffer, P(2), true) == P(2));
	memset(buffer, 0, sizeof(buffer));
	CHECK(mm_access(mm, a, buffer, P(PAGES), false) == P(PAGES));
	CHECK(buffer[4] == 0 && buffer[P(2) + 5] == 0);
	for (unsigned i = 0; i < P(2); i++)
		if (buffer[5 + i] != (u8)(i * 7 + 1))
			return sim_fail("byte %u", i);
	CHECK(mm_access(mm, a, buffer, 0, false) == 0);
	mm_put(mm);
}

/* Nothing at all: -EFAULT; some: how much. */
static void short_counts(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);

	CHECK(mm_munmap(mm, a + P(2), P(1)) == 0);
	CHECK(mm_access(mm, a + P(1) + 100, buffer, P(1), true) == (ssize_t)(P(1) - 100));
	CHECK(mm_access(mm, a + P(2), buffer, 1, false) == -EFAULT);
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0);
	CHECK(mm_access(mm, a, buffer, 1, true) == -EFAULT && mm_access(mm, a, buffer, 1, false) == 1);
	sim_failpoint("page_alloc", 1);
	CHECK(mm_madvise(mm, a + P(1), P(1), MADV_DONTNEED) == 0 && mm_access(mm, a + P(1), buffer, 1, true) == -ENOMEM);
	CHECK(sim_failpoint_end("page_alloc") == 1);
}

/* A write parts a page that a child shares, as a store would. */
static void writes_copy(void *arg)
{
	struct mm *mm = enter_space(), *child;
	vaddr_t a = map_pages(1, MAP_PRIVATE, NULL, 0);
	u64 word = 2;

	store_word(a, 1);
	child = mm_fork(mm);
	CHECK(mm_access(child, a, &word, sizeof(word), true) == sizeof(word));
	CHECK(load_word(a) == 1);
	mm_put(child);
}

/* What is written through a shared mapping reaches the file. */
static void writes_reach_the_file(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(1), true);
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(1, MAP_SHARED, f, 0);
	u64 word = 2;

	CHECK(mm_access(mm, a, &word, sizeof(word), true) == sizeof(word));
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 2);
	sim_disk_fail_reserve(f, 1, -ENOSPC);
	CHECK(mm_access(mm, a, &word, sizeof(word), true) == -EFAULT);
	sim_file_put(f);
}

struct cleaner {
	struct sim_file *file;
	bool stop;
};

static void keep_cleaning(void *arg)
{
	struct cleaner *c = arg;

	while (!READ_ONCE(c->stop)) {
		CHECK(sim_file_sync(c->file) == 0);
		sim_yield();
	}
}

/* Writeback may take the right to write away between the fault and the copy: no write is lost for that. */
static void against_writeback(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(1), true);
	struct cleaner c = {.file = f};
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(1, MAP_SHARED, f, 0);
	struct sim_thread *t = sim_spawn(NULL, 1, keep_cleaning, &c);

	for (u64 i = 1; i <= 200; i++)
		CHECK(mm_access(mm, a, &i, sizeof(i), true) == sizeof(i));
	WRITE_ONCE(c.stop, true);
	sim_join(t);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 200);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(reads_and_writes);
	CASE(short_counts);
	CASE(writes_copy);
	CASE(writes_reach_the_file);
	CASE(against_writeback);
	return sim_end();
}
