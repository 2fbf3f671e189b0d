/*
 * test_truncate.c - mm/object/truncate.c: what a file no longer has, nobody sees any more, in the cache or through a mapping.
 *
 * machine: amd64 i386 tiny2
 */
#include "mm/object/pagecache.h"

#include "mm/service/pin.h"
#include "tests/unit/sim_laws.h"

#define PAGES 6

static struct sim_file *f;
static struct vm_object *obj;
static struct mm *mm;
static vaddr_t shared, private;

static void file_mapped_twice(enum sim_file_kind kind)
{
	f = sim_file_create(kind, P(PAGES), true);
	obj = sim_file_object(f);
	mm = enter_space();
	shared = map_pages(PAGES, MAP_SHARED, f, 0);
	private = map_pages(PAGES, MAP_PRIVATE, f, 0);
}

static bool cached(pgoff_t pgoff)
{
	struct page *page = pagecache_find(obj, pgoff);

	if (page)
		page_put(page);
	return page;
}

/* -- shorter -------------------------------------------------------------------------------------------------------------------- */

/* Out of every mapping, with the private copies (as Linux has it), and out of the cache; what is left stays as it is. */
static void unmaps_everywhere(void *arg)
{
	struct mm *child;
	u64 word;

	file_mapped_twice(SIM_FILE_DISK);
	for (unsigned i = 0; i < PAGES; i++) {
		store_word(shared + P(i), i + 1);
		store_word(private + P(i), i + 100);
	}
	child = mm_fork(mm);
	CHECK(mm_access(child, shared + P(3), &word, 8, false) == 8 && word == 4);
	sim_file_truncate(f, P(2));
	for (unsigned i = 0; i < PAGES; i++) {
		enum fault_result expected = i < 2 ? FAULT_OK : FAULT_SIGBUS;

		CHECK(cached(i) == (i < 2));
		CHECK(sim_touch(shared + P(i), FAULT_READ) == expected && sim_touch(private + P(i), FAULT_READ) == expected);
	}
	CHECK(sim_entry(child, shared + P(3)).kind == PTE_KIND_NONE &&
	      sim_entry(child, private + P(3)).kind == PTE_KIND_NONE);
	CHECK(load_word(shared + P(1)) == 2 && load_word(private + P(1)) == 101);
	mm_put(child);
	sim_file_put(f);
}

/* Nothing is written that is not the file's any more; when the file grows again it is zero there. */
static void gone_for_good(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	store_word(shared + P(3), 7);
	sim_file_truncate(f, P(2));
	sim_file_truncate(f, P(PAGES));
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 3) == 0);
	CHECK(load_word(shared + P(3)) == 0 && load_word(private + P(2)) == 0);
	sim_file_put(f);
}

/* The rest of the last page reads as zero, at once and after growing, in the cache and on the disk. */
static void tail(void *arg)
{
	u64 page[PAGE_SIZE / sizeof(u64)];

	file_mapped_twice(SIM_FILE_DISK);
	CHECK(load_word(shared + P(1) + 16) == FILLED(1));
	sim_file_truncate(f, P(1) + 12);
	CHECK(load_word(shared + P(1)) == FILLED(1) && load_word(shared + P(1) + 8) == (u32)FILLED(1));
	CHECK(load_word(shared + P(1) + 16) == 0);
	sim_file_truncate(f, P(PAGES));
	CHECK(load_word(shared + P(1) + 16) == 0 && sim_file_sync(f) == 0 && sim_disk_read(f, 1, page));
	CHECK(page[0] == FILLED(1) && page[2] == 0 && page[PAGE_SIZE / 8 - 1] == 0);
	sim_file_put(f);
}

/* Growing too: what a mapping stored beyond the end, in the last page, never becomes content. */
static void stored_beyond_the_end(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	sim_file_truncate(f, P(1) + 8);
	store_word(shared + P(1) + 64, 99);
	sim_file_truncate(f, P(PAGES));
	CHECK(load_word(shared + P(1) + 64) == 0 && load_word(shared + P(1)) == FILLED(1));
	sim_file_put(f);
}

/* A tail that is zero already costs no block. */
static void zero_tail_is_left_alone(void *arg)
{
	f = sim_file_create(SIM_FILE_DISK, P(PAGES), false);
	sim_file_truncate(f, 100);
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 0) == 0);
	sim_file_put(f);
}

/* The tail's page cannot be read, or the file system has no room: the file is shorter all the same. */
static void tail_cannot_be_had(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	sim_disk_fail_reads(f, 1, -EIO);
	sim_file_truncate(f, P(2) + 8);
	CHECK(obj->size == P(2) + 8 && load_word(shared + P(2) + 8) == 0);
	sim_disk_fail_reserve(f, 1, -ENOSPC);
	sim_file_truncate(f, P(1) + 8);
	CHECK(obj->size == P(1) + 8 && sim_touch(shared + P(2), FAULT_READ) == FAULT_SIGBUS);
	sim_file_put(f);
}

/* -- nonlinear mappings: the entries keep their places -------------------------------------------------------------------------- */
static void nonlinear(void *arg)
{
	file_mapped_twice(SIM_FILE_TMPFS);
	CHECK(mm_remap_file_pages(mm, shared, P(2), 0, 4, 0) == 0);
	CHECK(mm_remap_file_pages(mm, shared + P(3), P(1), PROT_READ, 3, MAP_CHGPROT) == 0);
	store_word(shared + P(2), 3);
	sim_file_truncate(f, P(3));
	CHECK(kind_at(shared) == PTE_KIND_FILE && sim_entry(mm, shared).payload == 4);
	CHECK(sim_entry(mm, shared + P(1)).payload == 5 && kind_at(shared + P(3)) == PTE_KIND_FILE); /* rights of its own */
	CHECK(load_word(shared + P(2)) == 3 && sim_touch(shared, FAULT_WRITE) == FAULT_SIGBUS);
	sim_file_truncate(f, P(PAGES));
	CHECK(load_word(shared) == 0 && frame_at(shared)->index == 4);
	CHECK(mm_fault(mm, shared + P(3), FAULT_WRITE) == FAULT_ACCERR && load_word(shared + P(3)) == 0);
	sim_file_put(f);
}

/* -- holes -------------------------------------------------------------------------------------------------------------------------- */

/* The range reads as zero; private copies, which are nobody's file, stay. */
static void punch(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	for (unsigned i = 0; i < PAGES; i++) {
		store_word(shared + P(i), i + 1);
		if (i != 2)
			store_word(private + P(i), i + 100);
	}
	CHECK(load_word(private + P(2)) == 3);
	sim_file_punch(f, 2, 3);
	for (unsigned i = 0; i < PAGES; i++) {
		bool hole = i == 2 || i == 3;

		CHECK(cached(i) == !hole && load_word(shared + P(i)) == (hole ? 0 : i + 1));
		CHECK(load_word(private + P(i)) == (i == 2 ? 0 : i + 100));
	}
	CHECK(obj->size == P(PAGES) && sim_file_sync(f) == 0 && disk_word(f, 1) == 2 && disk_word(f, 3) == 0);
	sim_file_put(f);
}

/* -- zeros --------------------------------------------------------------------------------------------------------------------------- */
static u64 word_at(loff_t pos)
{
	u64 word = 0;

	CHECK(sim_file_read(f, pos, &word, sizeof(word)) == sizeof(word));
	return word;
}

/* Just these bytes, in the file, in its mappings, and on the disk. */
static void zero(void *arg)
{
	u64 page[PAGE_SIZE / sizeof(u64)];

	file_mapped_twice(SIM_FILE_DISK);
	CHECK(object_zero(obj, P(2) + 16, P(2) + 32) == 0);
	CHECK(load_word(shared + P(2) + 8) == FILLED(2) && load_word(shared + P(2) + 16) == 0);
	CHECK(load_word(private + P(2) + 24) == 0 && load_word(shared + P(2) + 32) == FILLED(2));
	CHECK(object_zero(obj, P(3), P(4)) == 0 && sim_file_sync(f) == 0);
	CHECK(sim_disk_read(f, 2, page) && page[1] == FILLED(2) && page[2] == 0 && page[3] == 0 && page[4] == FILLED(2));
	CHECK(sim_disk_read(f, 3, page) && page[0] == 0 && page[PAGE_SIZE / 8 - 1] == 0 && disk_word(f, 4) == FILLED(4));
	sim_file_put(f);
}

/* Nothing asked is nothing done, and what is zero already gets no block. */
static void zero_for_nothing(void *arg)
{
	f = sim_file_create(SIM_FILE_DISK, P(PAGES), false);
	obj = sim_file_object(f);
	CHECK(object_zero(obj, 8, 8) == 0 && object_zero(obj, 8, 0) == 0 && obj->nr_pages == 0);
	sim_disk_fail_reserve(f, 1, -ENOSPC);
	CHECK(object_zero(obj, 0, P(1)) == 0 && sim_file_sync(f) == 0 && sim_disk_writes(f, 0) == 0);
	sim_file_put(f);
}

static long zero_page_1(void)
{
	return object_zero(obj, P(1), P(1) + 8);
}

static void nothing_cached(void)
{
	CHECK(obj->nr_pages == 0);
}

/* The caller hears why not; then it is as it was. */
static void zero_fails(void *arg)
{
	f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	obj = sim_file_object(f);
	sim_disk_fail_reads(f, 1, -EIO);
	CHECK(zero_page_1() == -EIO);
	sim_disk_fail_reserve(f, 1, -ENOSPC);
	CHECK(zero_page_1() == -ENOSPC && word_at(P(1)) == FILLED(1));
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 1) == 0);
	pagecache_drop(obj, 0, ~0UL);
	CHECK(each_fails("page_alloc", zero_page_1, nothing_cached) >= 1 && word_at(P(1)) == 0 &&
	      word_at(P(1) + 8) == FILLED(1));
	sim_file_put(f);
}

/* -- holes whose blocks are given away --------------------------------------------------------------------------------------- */
struct look {
	vaddr_t va;
	bool mapped;
};

static void look_at(void *arg)
{
	struct look *l = arg;

	l->mapped = kind_at(l->va) == PTE_KIND_PAGE;
}

/* By another thread: who holds invalidate_lock may not take the address space's lock. */
static bool mapped(vaddr_t va)
{
	struct look l = {.va = va};

	sim_join(sim_spawn(mm, 2, look_at, &l));
	return l.mapped;
}

static unsigned freed;
static int freed_result;

/* The range is nowhere; a reader brings a page of it in once more. */
static int free_blocks(struct vm_object *o, pgoff_t first, pgoff_t last)
{
	struct page *page;

	CHECK(o == obj && first == 2 && last == 3 && freed++ == 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(cached(i) == (i != 2 && i != 3) && mapped(shared + P(i)) == (i != 2 && i != 3));
	page = pagecache_read(o, 2);
	page_put(page);
	return freed_result;
}

static void load_page_2(void *arg)
{
	CHECK(load_word(shared + P(2)) == FILLED(2) && freed == 1);
}

static struct sim_thread *faulter;

static int free_while_they_fault(struct vm_object *o, pgoff_t first, pgoff_t last)
{
	faulter = sim_spawn(mm, 1, load_page_2, NULL);
	sim_sleep(1000000);
	CHECK(!mapped(shared + P(2)) && freed == 0);
	freed = 1;
	return 0;
}

static void punch_blocks(void *arg)
{
	static const int results[] = {0, -EIO};

	file_mapped_twice(SIM_FILE_DISK);
	for (unsigned i = 0; i < ARRAY_SIZE(results); i++) {
		for (unsigned page = 0; page < PAGES; page++)
			store_word(shared + P(page), page + 1);
		freed = 0;
		freed_result = results[i];
		CHECK(object_punch_blocks(obj, 2, 3, free_blocks) == results[i] && freed == 1);
		CHECK(!cached(2) && !cached(3) && load_word(shared + P(1)) == 2 && load_word(shared + P(4)) == 5);
	}
	sim_file_put(f);
}

/* Who faults while the blocks are being freed waits until they are. */
static void punch_keeps_faults_out(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	CHECK(load_word(shared + P(2)) == FILLED(2));
	freed = 0;
	CHECK(object_punch_blocks(obj, 2, 2, free_while_they_fault) == 0);
	sim_join(faulter);
	sim_file_put(f);
}

/* -- read(2) and a punched hole, in both orders ----------------------------------------------------------------------------- */
static unsigned reads_before_free;

static void read_page_2(void *arg)
{
	u64 word;

	CHECK(sim_file_read(f, P(2), &word, 8) == 8);
	if (freed)
		reads_before_free = ~0u; /* it came after */
}

static int free_while_they_read(struct vm_object *o, pgoff_t first, pgoff_t last)
{
	CHECK(!cached(2));
	reads_before_free = (unsigned)sim_disk_reads(f, 2);
	faulter = faulter ? faulter : sim_spawn(NULL, 1, read_page_2, NULL);
	sim_sleep(3000000);
	CHECK(!cached(2) && sim_disk_reads(f, 2) == reads_before_free); /* nobody reads a block that is being given away */
	freed = 1;
	return 0;
}

static void punch_then_read(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	freed = 0;
	faulter = NULL;
	CHECK(object_punch_blocks(obj, 2, 2, free_while_they_read) == 0);
	sim_join(faulter);
	CHECK(reads_before_free == ~0u && cached(2));
	sim_file_put(f);
}

/* The block is not given away before the reading of it has ended, and what was read does not stay. */
static void read_then_punch(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	pagecache_shed(obj, 0, ~0UL);
	CHECK(!cached(2));
	freed = 0;
	sim_disk_delay(f, 2000000);
	faulter = sim_spawn(NULL, 1, read_page_2, NULL);
	sim_sleep(1000000);
	CHECK(sim_disk_reads(f, 2) == 0); /* under way */
	CHECK(object_punch_blocks(obj, 2, 2, free_while_they_read) == 0);
	CHECK(reads_before_free == 1 && !cached(2));
	sim_join(faulter);
	sim_file_put(f);
}

/* -- pages that must not be in memory for a while ------------------------------------------------------------------------------ */

/* Written, in no mapping and not cached; just the range; private copies stay. */
static void evict(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(shared + P(i), i + 1);
	store_word(private + P(3), 100);
	CHECK(load_word(private + P(2)) == 3);
	CHECK(object_evict_begin(obj, 2, 3) == 0);
	for (unsigned i = 0; i < PAGES; i++) {
		bool out = i == 2 || i == 3;

		CHECK(cached(i) == !out && sim_disk_writes(f, i) == out && (!out || disk_word(f, i) == i + 1));
		CHECK(mapped(shared + P(i)) == !out);
	}
	CHECK(!mapped(private + P(2)) && mapped(private + P(3)));
	object_evict_end(obj);
	CHECK(load_word(shared + P(2)) == 3 && load_word(private + P(2)) == 3 && load_word(private + P(3)) == 100);
	sim_file_put(f);
}

/* Who wants one waits, and then sees what is there by then. */
static void evicted_until_the_end(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	CHECK(load_word(shared + P(2)) == FILLED(2) && object_evict_begin(obj, 2, 2) == 0);
	freed = 0;
	faulter = sim_spawn(mm, 1, load_page_2, NULL);
	sim_sleep(1000000);
	CHECK(!cached(2) && sim_disk_reads(f, 2) == 1);
	freed = 1;
	object_evict_end(obj);
	sim_join(faulter);
	CHECK(cached(2) && sim_disk_reads(f, 2) == 2);
	sim_file_put(f);
}

/* It has failed: the pages are in the cache as before, and nobody is kept out. */
static bool still_in(u64 word)
{
	return cached(2) && load_word(shared + P(2)) == word && load_word(shared + P(5)) == FILLED(5);
}

/* A device that stores into a page of the range cannot be stopped; one that reads, or stores elsewhere, is no matter. */
static void evict_pinned(void *arg)
{
	struct page *page;

	file_mapped_twice(SIM_FILE_DISK);
	store_word(shared + P(2), 7);
	CHECK(load_word(shared + P(3)) == FILLED(3));
	CHECK(pin_user_pages(mm, shared + P(2), 1, FOLL_WRITE, &page) == 1);
	CHECK(object_evict_begin(obj, 0, 2) == -EBUSY && still_in(7));
	CHECK(object_evict_begin(obj, 2, ~0UL) == -EBUSY && still_in(7));
	CHECK(object_evict_begin(obj, 0, 1) == 0);
	object_evict_end(obj);
	CHECK(object_evict_begin(obj, 3, ~0UL) == 0 && !cached(3));
	object_evict_end(obj);
	unpin_user_pages(&page, 1, FOLL_WRITE, true);
	CHECK(pin_user_pages(mm, shared + P(2), 1, 0, &page) == 1);
	CHECK(object_evict_begin(obj, 2, 2) == 0 && !cached(2) && disk_word(f, 2) == 7);
	object_evict_end(obj);
	unpin_user_pages(&page, 1, 0, false);
	sim_file_put(f);
}

static void evict_unwritten(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	store_word(shared + P(2), 7);
	sim_disk_fail_writes(f, 1, -EIO);
	CHECK(object_evict_begin(obj, 2, 3) == -EIO && still_in(7) && disk_word(f, 2) == FILLED(2));
	CHECK(object_evict_begin(obj, 2, 3) == 0 && disk_word(f, 2) == 7);
	object_evict_end(obj);
	CHECK(load_word(shared + P(2)) == 7);
	sim_file_put(f);
}

/* -- while others are there --------------------------------------------------------------------------------------------------------- */
static void store_and_load(void *arg)
{
	for (unsigned i = 0; i < 150; i++) {
		vaddr_t va = (sim_below(2) ? shared : private) + P(sim_below(PAGES));
		enum fault_result result = sim_touch(va, FAULT_WRITE);

		CHECK(result == FAULT_OK || result == FAULT_SIGBUS);
	}
}

/* Whatever faults do meanwhile: when it is over, no entry shows what is not in the file. */
static void against_faults(void *arg)
{
	struct sim_thread *t[3];

	file_mapped_twice(SIM_FILE_DISK);
	for (unsigned i = 0; i < 3; i++)
		t[i] = sim_spawn(mm, -1, store_and_load, NULL);
	for (unsigned i = 0; i < 40; i++) {
		pgoff_t pages = sim_below(PAGES);

		sim_file_truncate(f, P(pages));
		for (unsigned page = (unsigned)pages; page < PAGES; page++)
			CHECK(kind_at(shared + P(page)) == PTE_KIND_NONE && !cached(page));
		sim_file_truncate(f, P(PAGES));
	}
	for (unsigned i = 0; i < 3; i++)
		sim_join(t[i]);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(unmaps_everywhere);
	CASE(gone_for_good);
	CASE(tail);
	CASE(stored_beyond_the_end);
	CASE(zero_tail_is_left_alone);
	CASE(tail_cannot_be_had);
	CASE(nonlinear);
	CASE(punch);
	CASE(zero);
	CASE(zero_for_nothing);
	CASE_CALM(zero_fails);
	CASE(punch_blocks);
	CASE_CALM(punch_keeps_faults_out);
	CASE_CALM(punch_then_read);
	CASE_CALM(read_then_punch);
	CASE(evict);
	CASE_CALM(evicted_until_the_end);
	CASE(evict_pinned);
	CASE(evict_unwritten);
	CASE(against_faults);
	return sim_end();
}
