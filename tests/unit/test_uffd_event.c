/*
 * test_uffd_event.c - mm/space/uffd_event.c: who answers faults hears of fork, mremap and of memory that is given up.
 *
 * machine: amd64 i386
 */
#include "tests/unit/sim_uffd.h"

static struct mm *child;

static void do_fork(void *arg)
{
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child));
}

/* The child's memory has a context of its own, which whoever reads of it gets. */
static void fork_tells_of_the_child(void *arg)
{
	struct uffd_event *e;
	struct sim_thread *t;
	struct uffd *its;

	begin(UFFDX_EVENT_FORK, UFFDX_REGISTER_MISSING);
	CHECK(mm_mprotect(sim_mm(), a, P(1), PROT_READ) == 0); /* two vmas, one child */
	t = sim_spawn(sim_mm(), 1, do_fork, NULL);
	e = await_event();
	its = e->child;
	CHECK(e->msg.event == UFFDX_MSG_FORK && its && its != u && its->mm != sim_mm() && its->ready);
	CHECK(its->features == u->features && uffd_changing(u) && copy(a + P(1), 1) == -EAGAIN);
	uffd_get(its);
	uffd_event_read(e);
	sim_join(t);
	CHECK(!uffd_changing(u) && vma_find(child, a)->uffd == its && vma_find(child, a + P(1))->uffd == its);
	CHECK(uffd_fill(its, UFFD_FILL_COPY, a + P(1), data, P(1), false) == P(1) && kind_at(a + P(1)) == PTE_KIND_NONE);
	mm_put(child);
	CHECK(uffd_fill(its, UFFD_FILL_COPY, a + P(2), data, P(1), false) == -ESRCH);
	uffd_release(its);
	uffd_put(its);
	end();
}

/* Nobody reads of the child, and nobody will: its ranges wait for nobody. */
static void the_childs_faults_without_a_reader(void *arg)
{
	u64 word = 1;

	begin(UFFDX_EVENT_FORK, UFFDX_REGISTER_MISSING);
	u->released = true;
	do_fork(NULL);
	CHECK(!vma_find(child, a)->uffd && mm_access(child, a, &word, sizeof(word), 0) == sizeof(word) && word == 0);
	mm_put(child);
	u->released = false;
	end();
}

/* Without the feature the child's memory is nobody's. */
static void fork_without_a_word(void *arg)
{
	begin(0, UFFDX_REGISTER_MISSING);
	do_fork(NULL);
	CHECK(!vma_find(child, a)->uffd && vma_of(a)->uffd == u);
	mm_put(child);
	end();
}

static vaddr_t moved;

static void do_mremap(void *arg)
{
	moved = (vaddr_t)mm_mremap(sim_mm(), a, P(4), P(4), MREMAP_MAYMOVE | MREMAP_FIXED, a + P(16));
}

static void mremap_tells_where_to(void *arg)
{
	struct uffd_event *e;
	struct sim_thread *t;

	begin(UFFDX_EVENT_REMAP, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	CHECK(copy(a, 1) == P(1) && uffd_protect(u, a, P(1), true) == 0);
	t = sim_spawn(sim_mm(), 1, do_mremap, NULL);
	e = await_event();
	CHECK(e->msg.event == UFFDX_MSG_REMAP && e->msg.remap.from == a && e->msg.remap.to == a + P(16));
	CHECK(e->msg.remap.len == P(4));
	uffd_event_read(e);
	sim_join(t);
	CHECK(moved == a + P(16) && vma_of(moved)->uffd == u && sim_entry(sim_mm(), moved).uffd_wp);
	end();
}

/* It goes to where nobody watches, and with it what was protected. */
static void mremap_without_a_word(void *arg)
{
	begin(0, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	CHECK(copy(a, 1) == P(1) && uffd_protect(u, a, P(1), true) == 0);
	do_mremap(NULL);
	CHECK(moved == a + P(16) && !vma_of(moved)->uffd && !sim_entry(sim_mm(), moved).uffd_wp);
	store_word(moved, 3);
	CHECK(load_word(moved + P(1)) == 0);
	end();
}

static int advice;

static void do_advise(void *arg)
{
	CHECK(mm_madvise(sim_mm(), a, P(2), advice) == 0);
}

/* Told before anything goes. */
static void hears_of(int what)
{
	struct uffd_event *e;
	struct sim_thread *t;

	advice = what;
	t = sim_spawn(sim_mm(), 1, do_advise, NULL);
	e = await_event();
	CHECK(e->msg.event == UFFDX_MSG_REMOVE && e->msg.remove.start == a && e->msg.remove.end == a + P(2));
	CHECK(load_word(a) == 7 && copy(a + P(2), 1) == -EAGAIN);
	uffd_event_read(e);
	sim_join(t);
}

static void removal(void *arg)
{
	begin(UFFDX_EVENT_REMOVE, UFFDX_REGISTER_MISSING);
	CHECK(copy(a, 1) == P(1));
	hears_of(MADV_DONTNEED);
	CHECK(kind_at(a) == PTE_KIND_NONE && copy(a, 1) == P(1));
	hears_of(MADV_FREE);
	CHECK(mm_madvise(sim_mm(), data, P(1), MADV_DONTNEED) == 0); /* nobody's: nobody is told */
	end();
}

/* Its pages leave the file. */
static void removal_from_a_file(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(4), false);

	enter_space();
	watch(map_pages(4, MAP_SHARED, f, 0), UFFDX_EVENT_REMOVE, UFFDX_REGISTER_MISSING);
	CHECK(copy(a, 1) == P(1) && sim_file_object(f)->nr_pages == 1);
	hears_of(MADV_REMOVE);
	CHECK(sim_file_object(f)->nr_pages == 0 && kind_at(a) == PTE_KIND_NONE);
	end();
	sim_file_put(f);
}

static void unmap_first(void *arg)
{
	CHECK(mm_munmap(sim_mm(), a, P(1)) == 0);
}

/* Who waits for a reader can be killed; the change has been made. */
static void who_tells_can_be_killed(void *arg)
{
	struct sim_thread *t;

	begin(UFFDX_EVENT_UNMAP, UFFDX_REGISTER_MISSING);
	t = sim_spawn(sim_mm(), 1, unmap_first, NULL);
	while (!uffd_changing(u) || !uffd_readable(u))
		sim_yield();
	sim_kill(t);
	sim_join(t);
	CHECK(!uffd_changing(u) && !uffd_next_event(u) && !vma_of(a));
	end();
}

/* The last event is taken when the context goes. */
static void nobody_will_read(void *arg)
{
	struct sim_thread *t;

	begin(UFFDX_EVENT_UNMAP, UFFDX_REGISTER_MISSING);
	t = sim_spawn(sim_mm(), 1, unmap_first, NULL);
	while (!uffd_readable(u))
		sim_yield();
	uffd_release(u);
	sim_join(t);
	CHECK(!uffd_changing(u) && !vma_of(a + P(1))->uffd);
	uffd_put(u);
}

static long op_fork(void)
{
	child = mm_fork(sim_mm());
	if (IS_ERR(child))
		return PTR_ERR(child);
	mm_put(child);
	return 0;
}

static void no_child(void)
{
	CHECK(!uffd_changing(u) && list_empty(&sim_mm()->uffd_events) && vma_of(a)->uffd == u);
}

static long op_mremap(void)
{
	return mm_mremap(sim_mm(), a, P(4), P(4), MREMAP_MAYMOVE | MREMAP_FIXED, a + P(16));
}

static long op_remove(void)
{
	return mm_madvise(sim_mm(), a, P(4), MADV_DONTNEED);
}

static void still_seven(void)
{
	no_child();
	CHECK(load_word(a) == 7);
}

static void no_memory(void *arg)
{
	begin(UFFDX_EVENT_FORK | UFFDX_EVENT_REMAP | UFFDX_EVENT_REMOVE, UFFDX_REGISTER_MISSING);
	CHECK(copy(a, 1) == P(1));
	CHECK(mm_mprotect(sim_mm(), a + P(2), P(1), PROT_READ) == 0); /* an event for each part */
	u->released = true;                                           /* nobody reads */
	each_fails("slab_alloc", op_fork, no_child);
	each_fails("slab_alloc", op_remove, still_seven);
	CHECK(mm_mprotect(sim_mm(), a + P(2), P(1), RW) == 0);
	each_fails("slab_alloc", op_mremap, no_child);
	end();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(fork_tells_of_the_child);
	CASE(the_childs_faults_without_a_reader);
	CASE(fork_without_a_word);
	CASE(mremap_tells_where_to);
	CASE(mremap_without_a_word);
	CASE(removal);
	CASE(removal_from_a_file);
	CASE(who_tells_can_be_killed);
	CASE(nobody_will_read);
	CASE_CALM(no_memory);
	return sim_end();
}
