/*
 * test_uffd.c - mm/space/uffd.c, uffd_event.c, uffd_wp.c, fault_uffd.c, fault_fill.c; mm/service/uffd_register.c, uffd_fill.c: faults that
 * somebody else answers.
 *
 * machine: all
 */
#include "tests/unit/sim_uffd.h"

static void load_seven(void *arg)
{
	CHECK(load_word(*(vaddr_t *)arg) == 7);
}

static void missing_page_is_asked_for(void *arg)
{
	struct uffdx_msg msg;
	struct sim_thread *t;

	begin(0, UFFDX_REGISTER_MISSING);
	t = sim_spawn(sim_mm(), 1, load_seven, &a);
	await_message(&msg);
	CHECK(msg.event == UFFDX_MSG_PAGEFAULT && msg.pagefault.address == a && msg.pagefault.flags == 0);
	CHECK(kind_at(a) == PTE_KIND_NONE);
	CHECK(copy(a, 1) == PAGE_SIZE && copy(a, 1) == -EEXIST);
	uffd_wake(u, a, a + PAGE_SIZE);
	sim_join(t);
	CHECK(!uffd_next_fault(u, &msg));
	end();
}

/* Who queues late looks again: the answer came first (R2.6). */
static void answer_comes_before_the_question(void *arg)
{
	const char *const place = "fault-snapshot";
	struct sim_thread *t;
	struct uffdx_msg msg;

	begin(0, UFFDX_REGISTER_MISSING);
	t = race_begin(place, load_seven, &a);
	CHECK(copy(a, 1) == PAGE_SIZE);
	uffd_wake(u, a, a + PAGE_SIZE);
	race_end(place, t);
	CHECK(!uffd_next_fault(u, &msg));
	end();
}

static void load_zero(void *arg)
{
	CHECK(load_word(*(vaddr_t *)arg) == 0);
}

static void close_lets_go(void *arg)
{
	struct uffdx_msg msg;
	struct sim_thread *t;

	begin(0, UFFDX_REGISTER_MISSING);
	t = sim_spawn(sim_mm(), 1, load_zero, &a);
	await_message(&msg);
	end();
	sim_join(t);
	CHECK(!vma_of(a)->uffd && !(vma_of(a)->flags & VM_UFFD));
}

static void load_killed(void *arg)
{
	CHECK(mm_fault_user(sim_mm(), a, FAULT_READ) == FAULT_KILLED);
}

static void who_waits_can_be_killed(void *arg)
{
	struct uffdx_msg msg;
	struct sim_thread *t;

	begin(0, UFFDX_REGISTER_MISSING);
	t = sim_spawn(sim_mm(), 1, load_killed, NULL);
	await_message(&msg);
	sim_kill(t);
	sim_join(t);
	end();
}

static void registration_follows_the_ranges(void *arg)
{
	begin(0, UFFDX_REGISTER_MISSING);
	CHECK(count_vmas() == 2 && vma_of(a)->uffd == u);
	CHECK(mm_mprotect(sim_mm(), a + P(1), P(1), PROT_READ) == 0 && vma_of(a + P(1))->uffd == u);
	CHECK(mm_mprotect(sim_mm(), a + P(1), P(1), PROT_READ | PROT_WRITE) == 0 && vma_of(a)->end == a + P(4));
	CHECK(uffd_unregister(u, a + P(1), P(1)) == 0 && !vma_of(a + P(1))->uffd && vma_of(a + P(2))->uffd == u);
	CHECK(uffd_register(u, a, P(4), UFFDX_REGISTER_MISSING) == 0 && vma_of(a)->end == a + P(4));
	CHECK(u->refs == 2);
	end();
}

static void write_protection(void *arg)
{
	begin(0, UFFDX_REGISTER_WP);
	store_word(a, 1);
	CHECK(uffd_protect(u, a, P(4), true) == 0);
	CHECK(sim_entry(sim_mm(), a).uffd_wp && !sim_entry(sim_mm(), a).write && kind_at(a + P(1)) == PTE_KIND_NONE);
	CHECK(load_word(a) == 1);
	CHECK(mm_mprotect(sim_mm(), a, P(1), PROT_READ) == 0 &&
	      mm_mprotect(sim_mm(), a, P(1), PROT_READ | PROT_WRITE) == 0);
	CHECK(sim_entry(sim_mm(), a).uffd_wp && !sim_entry(sim_mm(), a).write);
	CHECK(uffd_protect(u, a, P(1), false) == 0 && sim_entry(sim_mm(), a).write);
	CHECK(uffd_protect(u, a, P(1), true) == 0);
	end();
	CHECK(!sim_entry(sim_mm(), a).uffd_wp && sim_entry(sim_mm(), a).write);
	store_word(a, 2);
}

static void store_nine(void *arg)
{
	store_word(a, 9);
}

/* A store to a protected page asks; who released the page lets the thread go on. */
static void protected_page_is_asked_for(void *arg)
{
	struct uffdx_msg msg;
	struct sim_thread *t;

	begin(UFFDX_EXACT_ADDRESS | UFFDX_THREAD_ID, UFFDX_REGISTER_WP);
	store_word(a, 1);
	CHECK(uffd_protect(u, a, P(1), true) == 0);
	t = sim_spawn(sim_mm(), 1, store_nine, NULL);
	await_message(&msg);
	CHECK(msg.pagefault.flags == (UFFDX_FAULT_WP | UFFDX_FAULT_WRITE) && msg.pagefault.address == a &&
	      load_word(a) == 1);
	CHECK(uffd_protect(u, a, P(1), false) == 0);
	uffd_wake(u, a, a + PAGE_SIZE);
	sim_join(t);
	CHECK(load_word(a) == 9);
	end();
}

/* Nobody is asked: the bit goes, and shows later what was stored to. */
static void protected_page_is_only_noted(void *arg)
{
	begin(UFFDX_WP_ASYNC, UFFDX_REGISTER_WP);
	store_word(a, 1);
	store_word(a + P(1), 1);
	CHECK(uffd_protect(u, a, P(2), true) == 0);
	store_word(a, 2);
	CHECK(!sim_entry(sim_mm(), a).uffd_wp && sim_entry(sim_mm(), a).write && sim_entry(sim_mm(), a + P(1)).uffd_wp);
	end();
}

static void kernel_reads(void *arg)
{
	u64 word;

	CHECK(mm_access(sim_mm(), a, &word, sizeof(word), 0) == -EFAULT);
}

/* Who wants no message gets a signal; who answers only programs does not hear of the kernel. */
static void some_faults_are_refused(void *arg)
{
	begin(UFFDX_SIGBUS, UFFDX_REGISTER_MISSING);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_SIGBUS && kind_at(a) == PTE_KIND_NONE);
	u->features = 0;
	u->flags = UFFDX_USER_MODE_ONLY;
	kernel_reads(NULL);
	end();
	CHECK(load_word(a) == 0);
}

static void notes_of_pages_that_are_not_there(void *arg)
{
	begin(UFFDX_WP_UNPOPULATED, UFFDX_REGISTER_WP);
	CHECK(uffd_protect(u, a, P(2), true) == 0 && kind_at(a) == PTE_KIND_MARKER);
	CHECK(load_word(a) == 0 && sim_entry(sim_mm(), a).special && sim_entry(sim_mm(), a).uffd_wp);
	CHECK(uffd_protect(u, a, P(2), false) == 0 && kind_at(a + P(1)) == PTE_KIND_NONE);
	store_word(a, 2);
	CHECK(uffd_fill(u, UFFD_FILL_POISON, a + P(2), 0, P(1), false) == PAGE_SIZE);
	CHECK(sim_touch(a + P(2), FAULT_READ) == FAULT_POISON);
	end();
}

static void child_is_not_protected(void *arg)
{
	struct mm *child;
	u64 word = 5;

	begin(0, UFFDX_REGISTER_WP);
	store_word(a, 1);
	CHECK(uffd_protect(u, a, P(1), true) == 0);
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child) && !sim_entry(child, a).uffd_wp && sim_entry(sim_mm(), a).uffd_wp);
	CHECK(mm_access(child, a, &word, sizeof(word), MM_ACCESS_WRITE) == sizeof(word) && load_word(a) == 1);
	mm_put(child);
	end();
}

static void do_unmap(void *arg)
{
	CHECK(mm_munmap(sim_mm(), a, P(1)) == 0);
}

static void unmap_waits_until_it_is_read(void *arg)
{
	struct uffd_event *e;
	struct sim_thread *t;

	begin(UFFDX_EVENT_UNMAP, UFFDX_REGISTER_MISSING);
	t = sim_spawn(sim_mm(), 1, do_unmap, NULL);
	e = await_event();
	CHECK(e->msg.event == UFFDX_MSG_UNMAP && e->msg.remove.start == a && e->msg.remove.end == a + PAGE_SIZE);
	CHECK(copy(a + P(2), 1) == -EAGAIN && uffd_changing(u));
	uffd_event_unread(e); /* it could not be told */
	e = uffd_next_event(u);
	CHECK(e);
	uffd_event_read(e);
	sim_join(t);
	CHECK(!uffd_changing(u) && copy(a + P(2), 1) == PAGE_SIZE);
	end();
}

/* -- allocations that fail ------------------------------------------------------------------------------------------ */

static long op_make(void)
{
	struct uffd *second = uffd_make(sim_mm(), 0);

	if (IS_ERR(second))
		return PTR_ERR(second);
	uffd_release(second);
	uffd_put(second);
	return 0;
}

static void only_one(void)
{
	CHECK(u->refs == 2); /* ours and the vma's */
}

static long op_register(void)
{
	return uffd_register(u, a + P(1), P(2), UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
}

static void still_missing_only(void)
{
	CHECK(!(vma_of(a + P(1))->flags & VM_UFFD_WP) && vma_of(a)->end == a + P(4));
}

static long op_copy(void)
{
	return copy(a, 1);
}

static void nothing_there(void)
{
	CHECK(kind_at(a) == PTE_KIND_NONE);
}

static long op_unmap(void)
{
	return mm_munmap(sim_mm(), a, P(1));
}

static void still_there(void)
{
	CHECK(vma_of(a) && !uffd_changing(u) && list_empty(&sim_mm()->uffd_events));
}

static void no_memory(void *arg)
{
	static const char *const points[] = {"page_alloc", "slab_alloc"};

	for (unsigned i = 0; i < ARRAY_SIZE(points); i++) {
		begin(UFFDX_EVENT_UNMAP, UFFDX_REGISTER_MISSING);
		each_fails(points[i], op_make, only_one);
		each_fails(points[i], op_register, still_missing_only);
		each_fails(points[i], op_copy, nothing_there);
		u->released = true; /* nobody will read of it */
		each_fails(points[i], op_unmap, still_there);
		end();
	}
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(missing_page_is_asked_for);
	CASE_CALM(answer_comes_before_the_question);
	CASE(close_lets_go);
	CASE(who_waits_can_be_killed);
	CASE(registration_follows_the_ranges);
	CASE(write_protection);
	CASE(protected_page_is_asked_for);
	CASE(protected_page_is_only_noted);
	CASE(some_faults_are_refused);
	CASE(notes_of_pages_that_are_not_there);
	CASE(child_is_not_protected);
	CASE(unmap_waits_until_it_is_read);
	CASE_CALM(no_memory);
	return sim_end();
}
