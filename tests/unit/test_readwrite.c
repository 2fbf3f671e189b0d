/*
 * test_readwrite.c - mm/object/readwrite.c: read(2) and write(2) through the page cache, also from and to memory that is
 * the file itself.
 *
 * machine: amd64
 */
#include "mm/object/readahead.h"
#include "tests/unit/sim_laws.h"

#define PAGES 4
#define WORDS (PAGE_SIZE / sizeof(u64))

static struct sim_file *f;
static struct vm_object *obj;
static u8 buffer[P(PAGES)];

static void file(pgoff_t pages)
{
	f = sim_file_create(SIM_FILE_DISK, P(pages), true);
	obj = sim_file_object(f);
}

static ssize_t read_user(loff_t pos, vaddr_t to, size_t n)
{
	struct readahead ra = {.mode = READAHEAD_RANDOM};

	return object_read_user(obj, pos, (void *)to, n, &ra);
}

static ssize_t write_user(loff_t pos, vaddr_t from, size_t n)
{
	return object_write_user(obj, pos, (const void *)from, n);
}

static u64 word_at(loff_t pos)
{
	u64 word = 0;

	CHECK(sim_file_read(f, pos, &word, sizeof(word)) == sizeof(word));
	return word;
}

/* -- kernel buffers -------------------------------------------------------------------------------------------------------------- */
static void reads(void *arg)
{
	u64 *words = (u64 *)buffer;

	file(PAGES);
	CHECK(sim_file_read(f, P(1), buffer, P(2)) == P(2) && words[0] == FILLED(1) && words[WORDS] == FILLED(2));
	CHECK(sim_file_read(f, P(2) - 8, buffer, 16) == 16 && words[0] == FILLED(1) && words[1] == FILLED(2));
	CHECK(sim_file_read(f, P(PAGES) - 8, buffer, 100) == 8); /* up to the end */
	CHECK(sim_file_read(f, P(PAGES), buffer, 1) == 0 && sim_file_read(f, P(PAGES + 9), buffer, 1) == 0);
	CHECK(sim_file_read(f, 0, buffer, 0) == 0);
	sim_file_put(f);
}

/* Errors count when nothing was read before them. */
static void read_fails(void *arg)
{
	file(PAGES);
	(void)word_at(0);
	sim_disk_fail_reads(f, 2, -EIO);
	CHECK(sim_file_read(f, 8, buffer, P(2)) == (ssize_t)(P(1) - 8));
	CHECK(sim_file_read(f, P(1), buffer, P(1)) == -EIO && word_at(P(1)) == FILLED(1));
	sim_file_put(f);
}

/* A page is read only if some of it stays. */
static void writes(void *arg)
{
	memset(buffer, 0x11, sizeof(buffer));
	file(PAGES);
	CHECK(sim_file_write(f, P(1), buffer, P(1)) == P(1) && sim_disk_reads(f, 1) == 0);
	CHECK(sim_file_write(f, P(2) + 8, buffer, 8) == 8 && sim_disk_reads(f, 2) == 1);
	CHECK(word_at(P(2)) == FILLED(2) && word_at(P(2) + 8) == 0x1111111111111111 && word_at(P(2) + 16) == FILLED(2));
	CHECK(word_at(P(1) + 8) == 0x1111111111111111 && word_at(P(3)) == FILLED(3));
	CHECK(obj->size == P(PAGES) && sim_file_sync(f) == 0 && disk_word(f, 1) == 0x1111111111111111);
	sim_file_put(f);
}

/* The end moves with what is written; what lies between reads as zero. */
static void extends(void *arg)
{
	memset(buffer, 0x11, sizeof(buffer));
	file(0);
	CHECK(sim_file_write(f, 100, buffer, 4) == 4 && obj->size == 104);
	CHECK(sim_file_read(f, 0, buffer, 200) == 104 && !buffer[0] && !buffer[99] && buffer[100] == 0x11);
	CHECK(sim_file_write(f, P(2), buffer + 100, 3) == 3 && obj->size == P(2) + 3 && word_at(P(1)) == 0 &&
	      word_at(104) == 0);
	CHECK(sim_disk_reads(f, 0) == 0 && sim_disk_reads(f, 2) == 0);
	sim_file_put(f);
}

static void no_space(void *arg)
{
	file(PAGES);
	sim_disk_fail_reserve(f, 1, -ENOSPC);
	CHECK(sim_file_write(f, P(1), buffer, 8) == -ENOSPC && word_at(P(1)) == FILLED(1) && obj->size == P(PAGES));
	sim_disk_fail_reads(f, 1, -EIO);
	CHECK(sim_file_write(f, P(2) - 8, buffer, 16) == 8); /* the first page is there, the second cannot be read */
	sim_file_put(f);
}

static long write_new_page(void)
{
	ssize_t r = sim_file_write(f, P(9), buffer, 8);

	return r < 0 ? r : 0;
}

static void as_it_was(void)
{
	CHECK(obj->size == P(PAGES));
}

static void no_memory(void *arg)
{
	file(PAGES);
	CHECK(each_fails("page_alloc", write_new_page, as_it_was) >= 1 && obj->size == P(9) + 8);
	sim_file_put(f);
}

/* -- user buffers ------------------------------------------------------------------------------------------------------------------ */
static void to_and_from_users(void *arg)
{
	vaddr_t a;

	file(PAGES);
	enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	CHECK(read_user(8, a + 16, P(2)) == P(2) && load_word(a + 16) == FILLED(0) &&
	      load_word(a + P(1) + 16) == FILLED(1));
	store_word(a + 16, 7);
	CHECK(write_user(P(1) + 8, a + 16, 8) == 8 && word_at(P(1) + 8) == 7 && word_at(P(1)) == FILLED(1));
	CHECK(write_user(P(2), a, P(2)) == P(2) && word_at(P(2) + 16) == 7);
	sim_file_put(f);
}

/* As far as the buffer goes; -EFAULT if that is nowhere. */
static void bad_buffers(void *arg)
{
	vaddr_t a;

	file(PAGES);
	enter_space();
	a = map_pages(2, MAP_PRIVATE, NULL, 0);
	CHECK(mm_munmap(sim_mm(), a + P(1), P(1)) == 0);
	CHECK(read_user(0, a + P(1), 8) == -EFAULT && write_user(0, a + P(1), 8) == -EFAULT);
	CHECK(read_user(0, (vaddr_t)KERNEL_BASE, 8) == -EFAULT && write_user(0, (vaddr_t)KERNEL_BASE, 8) == -EFAULT);
	CHECK(read_user(0, a + P(1) - 100, 200) == 100 && write_user(0, a + P(1) - 104, 200) == 104);
	CHECK(mm_mprotect(sim_mm(), a, P(1), PROT_READ) == 0 && read_user(0, a, 8) == -EFAULT && write_user(0, a, 8) == 8);
	sim_file_put(f);
}

/* The buffer is a mapping of the very page that is written or read: no deadlock, and the right bytes. */
static void buffer_is_the_file(void *arg)
{
	struct mm *mm;
	vaddr_t a;

	file(PAGES);
	mm = enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	CHECK(write_user(0, a, P(1)) == P(1) && load_word(a) == FILLED(0)); /* onto itself, not in memory before */
	CHECK(mm_madvise(mm, a, P(PAGES), MADV_DONTNEED) == 0);
	CHECK(write_user(P(1), a, P(1)) == P(1) && load_word(a + P(1)) == FILLED(0)); /* page 0 into page 1 */
	CHECK(mm_madvise(mm, a, P(PAGES), MADV_DONTNEED) == 0);
	CHECK(write_user(P(2) + 8, a + P(2), 8) == 8 && load_word(a + P(2) + 8) == FILLED(2));
	CHECK(read_user(P(3), a + P(3), P(1)) == P(1) && load_word(a + P(3)) == FILLED(3));
	CHECK(read_user(P(3), a + P(2), P(1)) == P(1) && load_word(a + P(2)) == FILLED(3));
	sim_file_put(f);
}

/* The end of the source comes in only while the page is being filled: nobody sees half of it as the file. */
static void source_comes_late(void *arg)
{
	struct sim_file *source = sim_file_create(SIM_FILE_DISK, P(2), true);
	vaddr_t a;

	file(PAGES);
	enter_space();
	a = map_pages(2, MAP_SHARED, source, 0);
	CHECK(write_user(P(1), a + P(1) - 80, P(1)) == P(1));
	CHECK(word_at(P(1)) == FILLED(0) && word_at(P(1) + 80) == FILLED(1) && word_at(P(2)) == FILLED(2));
	sim_file_put(source);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(reads);
	CASE(read_fails);
	CASE(writes);
	CASE(extends);
	CASE(no_space);
	CASE_CALM(no_memory);
	CASE(to_and_from_users);
	CASE(bad_buffers);
	CASE(buffer_is_the_file);
	CASE(source_comes_late);
	return sim_end();
}
