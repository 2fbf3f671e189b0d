/*
 * test_fork.c - mm/space/fork.c: what the child gets, for each kind of entry.
 *
 * machine: all
 */
#include "mm/service/pin.h"
#include "tests/unit/sim_laws.h"

static struct mm *parent, *child;

static void do_fork(void)
{
	child = mm_fork(parent);
	if (IS_ERR(child))
		sim_fail("fork: %ld", PTR_ERR(child));
}

static u64 childs_word(vaddr_t va)
{
	u64 word = ~0ull;

	CHECK(mm_access(child, va, &word, sizeof(word), false) == sizeof(word));
	return word;
}

static void childs_store(vaddr_t va, u64 word)
{
	CHECK(mm_access(child, va, &word, sizeof(word), true) == sizeof(word));
}

/* One page, read-only for both, until somebody stores. */
static void anonymous(void *arg)
{
	vaddr_t a;

	parent = enter_space();
	a = map_pages(2, MAP_PRIVATE, NULL, 0);
	store_word(a, 1);
	do_fork();
	CHECK(sim_entry(child, a).payload == sim_entry(parent, a).payload && frame_at(a)->mapcount == 2);
	CHECK(!sim_entry(child, a).write && !sim_entry(parent, a).write && !page_test(frame_at(a), PG_ANON_EXCLUSIVE));
	store_word(a, 2);
	CHECK(childs_word(a) == 1 && childs_word(a + P(1)) == 0);
	childs_store(a, 3);
	CHECK(load_word(a) == 2);
	mm_put(child);
}

/* The parent's CPUs may not go on storing through what they remember. */
static void cpus_forget(void *arg)
{
	u64 word = 2;
	vaddr_t a;

	parent = enter_space();
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(a, 0);
	sim_move(1);
	store_word(a, 1);
	do_fork();
	CHECK(!sim_try(a, FAULT_WRITE, &word, sizeof(word)) && !sim_tlb_stale(true));
	sim_move(0);
	CHECK(!sim_try(a, FAULT_WRITE, &word, sizeof(word)) && childs_word(a) == 1);
	mm_put(child);
}

static bool stop;

static void keep_storing(void *arg)
{
	vaddr_t a = *(vaddr_t *)arg;

	for (u64 i = 1; !READ_ONCE(stop); i++)
		store_word(a, i);
}

static void parent_keeps_storing(void *arg)
{
	struct sim_thread *t;
	vaddr_t a;

	parent = enter_space();
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(a, 0);
	t = sim_spawn(parent, 1, keep_storing, &a);
	for (unsigned i = 0; i < 10; i++) {
		u64 then;

		do_fork();
		then = childs_word(a);
		for (unsigned look = 0; look < 5; look++)
			CHECK(childs_word(a) == then);
		mm_put(child);
	}
	WRITE_ONCE(stop, true);
	sim_join(t);
}

static void zero_page_stays(void *arg)
{
	vaddr_t a;

	parent = enter_space();
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	CHECK(load_word(a) == 0);
	do_fork();
	CHECK(sim_entry(child, a).special && sim_entry(child, a).payload == sim_entry(parent, a).payload);
	mm_put(child);
}

/* A device goes on seeing the parent's page, so that is the parent's alone, and the child gets a copy at once. */
static void pinned_page(void *arg)
{
	struct page *pages[2];
	vaddr_t a;

	parent = enter_space();
	a = map_pages(2, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 2; i++)
		store_word(a + P(i), i + 1);
	CHECK(pin_user_pages(parent, a, 1, FOLL_WRITE, pages) == 1 &&
	      pin_user_pages(parent, a + P(1), 1, 0, pages + 1) == 1);
	do_fork();
	for (unsigned i = 0; i < 2; i++) {
		CHECK(frame_at(a + P(i)) == pages[i] && sim_entry(parent, a + P(i)).write && pages[i]->mapcount == 1);
		CHECK(page_test(pages[i], PG_ANON_EXCLUSIVE) && sim_entry(child, a + P(i)).payload != page_to_pfn(pages[i]));
		store_word(a + P(i), 10);
		CHECK(childs_word(a + P(i)) == i + 1);
	}
	unpin_user_pages(pages, 1, FOLL_WRITE, true);
	unpin_user_pages(pages + 1, 1, 0, false);
	mm_put(child);
}

/* Shared memory stays shared.  What faults can refill is not copied; a private copy is. */
static void files(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(2), true);
	vaddr_t shared, private;

	parent = enter_space();
	shared = map_pages(2, MAP_SHARED, f, 0);
	private = map_pages(2, MAP_PRIVATE, f, 0);
	store_word(shared, 1);
	store_word(private + P(1), 2);
	CHECK(load_word(private) == 1);
	do_fork();
	CHECK(sim_entry(child, shared).kind == PTE_KIND_NONE && sim_entry(child, private).kind == PTE_KIND_NONE);
	CHECK(sim_entry(child, private + P(1)).kind == PTE_KIND_PAGE);
	childs_store(shared, 3);
	CHECK(load_word(shared) == 3 && load_word(private) == 3 && childs_word(private + P(1)) == 2);
	CHECK(childs_word(shared + P(1)) == FILLED(1));
	mm_put(child);
	sim_file_put(f);
}

/* A window of entries that only the table knows: pages and file entries, with their offsets and rights. */
static void nonlinear(enum sim_file_kind kind)
{
	struct sim_file *f = sim_file_create(kind, P(8), true);
	u64 word[2];
	vaddr_t a;

	parent = enter_space();
	a = map_pages(4, MAP_SHARED, f, 0);
	CHECK(mm_remap_file_pages(parent, a, P(1), 0, 5, 0) == 0);
	CHECK(mm_remap_file_pages(parent, a + P(1), P(1), PROT_READ, 6, MAP_CHGPROT | MAP_NONBLOCK) == 0);
	CHECK(mm_remap_file_pages(parent, a + P(2), P(1), 0, 2, 0) == 0);
	store_word(a, 55);
	do_fork();
	CHECK(sim_entry(child, a).payload == sim_entry(parent, a).payload && frame_at(a)->mapcount == 2);
	CHECK(kind == SIM_FILE_TMPFS ||
	      (!sim_entry(child, a).write && !sim_entry(child, a).dirty)); /* stores are noticed */
	CHECK(sim_entry(child, a + P(1)).kind == PTE_KIND_FILE && sim_entry(child, a + P(1)).payload == 6);
	CHECK(sim_entry(child, a + P(1)).grant == GRANT_R || sim_entry(child, a + P(1)).grant == (GRANT_R | GRANT_X));
	CHECK(childs_word(a) == 55 && mm_access(child, a + P(1), word, sizeof(word), true) == -EFAULT);
	childs_store(a, 56);
	CHECK(load_word(a) == 56);
	sim_file_truncate(f, P(5)); /* finds the child's entries too */
	CHECK(sim_entry(child, a).kind == PTE_KIND_FILE && mm_access(child, a, word, 8, false) == -EFAULT);
	mm_put(child);
	sim_file_put(f);
}

static void nonlinear_disk(void *arg)
{
	nonlinear(SIM_FILE_DISK);
}

static void nonlinear_tmpfs(void *arg)
{
	nonlinear(SIM_FILE_TMPFS);
}

static void flags(void *arg)
{
	struct sim_file *exe = sim_file_create(SIM_FILE_TMPFS, 0, false);
	vaddr_t a, b, c;

	parent = enter_space();
	a = map_pages(1, MAP_PRIVATE | MAP_LOCKED, NULL, 0);
	b = map_pages(2, MAP_PRIVATE, NULL, 0);
	c = b + P(1);
	parent->brk_start = parent->brk = P(5);
	parent->exe = sim_file_handle(exe); /* the space's reference now */
	CHECK(mm_madvise(parent, c, P(1), MADV_DONTFORK) == 0);
	store_word(c, 1);
	do_fork();
	CHECK(!(vma_find(child, a)->flags & VM_LOCKED) && (vma_of(a)->flags & VM_LOCKED));
	CHECK(childs_word(b) == 0 && mm_access(child, c, &c, 1, false) == -EFAULT);
	CHECK(child->brk_start == P(5) && child->brk == P(5) && child->total_pages == 2);
	CHECK(child->exe == parent->exe);
	mm_put(child);
}

/* -- all or nothing ------------------------------------------------------------------------------------------------------------- */
static struct sim_file *file;
static vaddr_t window, memory;
static struct page *pinned;

static long fork_and_end(void)
{
	struct mm *mm = mm_fork(parent);

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	mm_put(mm);
	return 0;
}

static void parent_as_before(void)
{
	CHECK(load_word(memory) == 7 && load_word(memory + P(1)) == 8 && load_word(window) == FILLED(3));
	CHECK(parent->nr_vmas == 2 && frame_at(memory)->mapcount == 1 && frame_at(memory + P(1)) == pinned);
}

static void no_memory(void *arg)
{
	file = sim_file_create(SIM_FILE_DISK, P(4), true);
	parent = enter_space();
	memory = map_pages(2, MAP_PRIVATE, NULL, 0);
	window = map_pages(4, MAP_SHARED, file, 0);
	store_word(memory, 7);
	store_word(memory + P(1), 8);
	CHECK(mm_remap_file_pages(parent, window, P(1), 0, 3, 0) == 0);
	CHECK(pin_user_pages(parent, memory + P(1), 1, FOLL_WRITE, &pinned) == 1);
	CHECK(each_fails("slab_alloc", fork_and_end, parent_as_before) >= 5); /* mm, vmas, index, node */
	CHECK(each_fails("page_alloc", fork_and_end, parent_as_before) >= 3); /* tables, the copy */
	unpin_user_pages(&pinned, 1, FOLL_WRITE, true);
	sim_file_put(file);
}

static void interrupted_fork(void *arg)
{
	CHECK(mm_fork(parent) == ERR_PTR(-EINTR));
}

static void interrupted(void *arg)
{
	parent = enter_space();
	by_killed_waiter(interrupted_fork, NULL);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(anonymous);
	CASE_CALM(cpus_forget);
	CASE(parent_keeps_storing);
	CASE(zero_page_stays);
	CASE(pinned_page);
	CASE(files);
	CASE(nonlinear_disk);
	CASE(nonlinear_tmpfs);
	CASE(flags);
	CASE_CALM(no_memory);
	CASE(interrupted);
	return sim_end();
}
