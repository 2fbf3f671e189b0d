/*
 * test_mincore.c - mm/service/mincore.c: what could be touched without I/O.
 *
 * machine: amd64
 */
#include "tests/unit/sim_swap.h"

#define PAGES 4

static vaddr_t vec;

static void *user_vec(void)
{
	if (!vec)
		vec = map_pages(2, MAP_PRIVATE, NULL, 0);
	return (void *)vec;
}

/* The first four answers as one number, the first on the left. */
static unsigned answers(vaddr_t a)
{
	u8 bytes[PAGES];

	CHECK(mm_mincore(sim_mm(), a, P(PAGES), user_vec()) == 0);
	CHECK(sim_load(vec, bytes, PAGES) == FAULT_OK);
	return bytes[0] * 1000u + bytes[1] * 100u + bytes[2] * 10u + bytes[3];
}

static void refuses(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);

	CHECK(mm_mincore(mm, a + 1, P(1), user_vec()) == -EINVAL);
	CHECK(mm_mincore(mm, a, ~0ul, user_vec()) == -ENOMEM &&
	      mm_mincore(mm, USER_END + P(1), P(1), user_vec()) == -ENOMEM);
	CHECK(mm_mincore(mm, a, USER_END, user_vec()) == -ENOMEM && mm_mincore(mm, P(20), P(1), user_vec()) == -ENOMEM);
	CHECK(mm_mincore(mm, a, P(1), (void *)KERNEL_BASE) == -EFAULT && mm_mincore(mm, a, P(1), (void *)P(20)) == -EFAULT);
	CHECK(mm_munmap(mm, a + P(1), P(1)) == 0 && mm_mincore(mm, a, P(3), user_vec()) == -ENOMEM);
	CHECK(mm_mincore(mm, a, 0, user_vec()) == 0);
}

static void anonymous(void *arg)
{
	vaddr_t a;

	enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	CHECK(answers(a) == 0);
	CHECK(load_word(a + P(1)) == 0);
	store_word(a + P(3), 1);
	CHECK(answers(a) == 101);
	CHECK(mm_mprotect(sim_mm(), a + P(3), P(1), 0) == 0 && answers(a) == 101); /* rights do not matter */
}

/* For files the cache counts, whoever filled it; for a nonlinear mapping, the page that the entry stands for. */
static void files(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(16), true);
	u64 word;
	vaddr_t a;

	enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	CHECK(answers(a) == 0 && sim_file_read(f, P(2), &word, sizeof(word)) == sizeof(word) && answers(a) == 10);
	CHECK(mm_remap_file_pages(sim_mm(), a, P(1), 0, 2, MAP_NONBLOCK) == 0 && answers(a) == 1010);
	CHECK(mm_remap_file_pages(sim_mm(), a + P(2), P(1), 0, 9, MAP_NONBLOCK) == 0 && answers(a) == 1000);
	sim_disk_fail_reads(f, 1, -EIO);
	CHECK(sim_file_read(f, P(3), &word, sizeof(word)) == -EIO && answers(a) == 1000); /* cached, but not read */
	sim_file_put(f);
}

/* What is swapped out counts while its page is in the swap cache, with its contents. */
static void swapped(void *arg)
{
	struct sim_swap *swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	vaddr_t a = enter_filled(PAGES);

	page_out(a, PAGES);
	CHECK(answers(a) == 0);
	CHECK(mm_madvise(sim_mm(), a, P(PAGES), MADV_WILLNEED) == 0);
	CHECK(kind_at(a + P(1)) == PTE_KIND_SWAP && answers(a) == 1111);
	CHECK(load_word(a + P(3)) == 4 && answers(a) == 1111);
	CHECK(mm_munmap(sim_mm(), a, P(PAGES)) == 0 && sim_swap_off(swap) == 0);
}

/* More than is answered at a time; the result is exact to the page. */
static void many(void *arg)
{
	struct mm *mm = enter_space();
	const unsigned pages = 600;
	vaddr_t a = map_pages(pages, MAP_PRIVATE, NULL, 0);
	u8 bytes[601];

	for (unsigned i = 0; i < pages; i += 255)
		CHECK(load_word(a + P(i)) == 0);
	memset(bytes, 9, sizeof(bytes));
	CHECK(sim_store((vaddr_t)user_vec(), bytes, sizeof(bytes)) == FAULT_OK);
	CHECK(mm_mincore(mm, a, P(pages) - 1, user_vec()) == 0);
	CHECK(sim_load(vec, bytes, sizeof(bytes)) == FAULT_OK && bytes[pages] == 9);
	for (unsigned i = 0; i < pages; i++)
		CHECK(bytes[i] == (i % 255 == 0));
}

/* Over two mappings. */
static void neighbours(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);

	store_word(a + P(1), 1);
	store_word(a + P(2), 1);
	CHECK(mm_mprotect(mm, a + P(2), P(2), PROT_READ) == 0 && answers(a) == 110);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(refuses);
	CASE(anonymous);
	CASE(files);
	CASE(swapped);
	CASE(many);
	CASE(neighbours);
	return sim_end();
}
