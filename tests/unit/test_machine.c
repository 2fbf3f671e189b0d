/*
 * test_machine.c - the simulated machine itself: does it boot, translate, keep what it was not told to forget, and
 * repeat itself?
 *
 * machine: all
 * tsan: amd64 pae
 */
#include "tests/unit/sim_test.h"

#include "kernel/lib/mutation.h"
#include "kernel/sync/completion.h"
#include "mm/phys/slab.h"
#include "tests/contract/contract.h"

#define RW (PROT_READ | PROT_WRITE)
#define NO_ACCESS 0
#define PAGES 6
#define BYTES (PAGES * PAGE_SIZE)
#define THREADS 4
#define ROUNDS 40

/* The first thread enters a new address space. */
static struct mm *enter(void)
{
	struct mm *mm = mm_create();

	CHECK(!IS_ERR(mm));
	sim_use(mm);
	mm_put(mm);
	return mm;
}

static vaddr_t map(struct mm *mm, size_t length, unsigned prot, unsigned flags, struct sim_file *file, pgoff_t pgoff)
{
	long addr = sim_mmap(mm, 0, length, prot, flags, file, pgoff);

	if (IS_ERR_VALUE(addr))
		sim_fail("mmap: %ld", addr);
	return (vaddr_t)addr;
}

static u64 load(vaddr_t va)
{
	u64 word = 0;
	enum fault_result r = sim_load(va, &word, sizeof(word));

	if (r != FAULT_OK)
		sim_fail("load from %lx: %d", va, r);
	return word;
}

static void store(vaddr_t va, u64 word)
{
	enum fault_result r = sim_store(va, &word, sizeof(word));

	if (r != FAULT_OK)
		sim_fail("store to %lx: %d", va, r);
}

/* -- it works ------------------------------------------------------------------------------------------------------ */
static void boots(void *arg)
{
	CHECK(sim_cpu() == 0 && !sim_mm());
}

static void anonymous_memory(void *arg)
{
	vaddr_t a = map(enter(), BYTES, RW, MAP_PRIVATE, NULL, 0);
	u8 byte;

	for (unsigned i = 0; i < PAGES; i++) {
		sim_move(i % 4);
		CHECK(sim_cpu() == i % 4);
		CHECK(load(a + i * PAGE_SIZE + 8) == 0);
		store(a + i * PAGE_SIZE + 8, i + 1);
		sim_move((i + 1) % 4);
		CHECK(load(a + i * PAGE_SIZE + 8) == i + 1);
	}
	CHECK(sim_load(a + BYTES - 4, &byte, 1) == FAULT_OK);
	CHECK(sim_load(a + BYTES, &byte, 1) == FAULT_MAPERR);
	CHECK(sim_exec(a) == (PTE_HAS_NX ? FAULT_ACCERR : FAULT_OK));
	CHECK(sim_load(USER_END, &byte, 1) == FAULT_MAPERR);
	CHECK(mm_mprotect(sim_mm(), a, PAGE_SIZE, PROT_READ) == 0);
	CHECK(sim_store(a, &byte, 1) == FAULT_ACCERR);
	CHECK(load(a + 8) == 1);
}

static void file_memory(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, BYTES, true);
	vaddr_t shared = map(enter(), BYTES, RW, MAP_SHARED, f, 0), private = map(sim_mm(), BYTES, RW, MAP_PRIVATE, f, 0);
	u64 page[PAGE_SIZE / sizeof(u64)];

	CHECK(load(shared + 2 * PAGE_SIZE) == (2 << 16 | 0xf11e));
	store(private + 3 * PAGE_SIZE, 33);
	store(shared + 3 * PAGE_SIZE, 34);
	sim_move(2);
	CHECK(load(private + 3 * PAGE_SIZE) == 33 && load(shared + 3 * PAGE_SIZE) == 34);
	CHECK(sim_disk_read(f, 3, page) && page[0] == (3 << 16 | 0xf11e));
	CHECK(mm_msync(sim_mm(), shared, BYTES, MS_SYNC) == 0);
	CHECK(sim_disk_read(f, 3, page) && page[0] == 34);
	CHECK(sim_disk_writes(f, 3) == 1 && sim_disk_writes(f, 2) == 0);
	store(shared + 3 * PAGE_SIZE, 35);
	sim_disk_fail_writes(f, 1, -EIO);
	CHECK(sim_file_sync(f) == -EIO && sim_file_sync(f) == 0);
	sim_file_truncate(f, PAGE_SIZE);
	CHECK(sim_load(shared + 3 * PAGE_SIZE, page, 8) == FAULT_SIGBUS);
	sim_file_put(f);
}

struct family {
	vaddr_t a, shared;
};

static void child_of_fork(void *arg)
{
	vaddr_t a = ((struct family *)arg)->a;

	CHECK(load(a) == 1);
	store(a, 2);
	store(((struct family *)arg)->shared, 7);
	CHECK(load(a) == 2);
}

static void fork_copies(void *arg)
{
	vaddr_t a = map(enter(), BYTES, RW, MAP_PRIVATE, NULL, 0),
			shared = map(sim_mm(), PAGE_SIZE, RW, MAP_SHARED, NULL, 0);
	struct family f = {a, shared};
	struct sim_thread *t;
	struct mm *child;

	CHECK(load(shared) == 0);
	store(a, 1);
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child));
	t = sim_spawn(child, 1, child_of_fork, &f);
	mm_put(child);
	for (unsigned i = 0; i < 20; i++)
		CHECK(load(a) == 1);
	sim_join(t);
	CHECK(load(a) == 1 && load(shared) == 7);
	store(a, 3);
	CHECK(mm_munmap(sim_mm(), a, BYTES) == 0);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_MAPERR);
}

/* mincore(2) stores its result through the caller's own TLB. */
static void user_copies(void *arg)
{
	vaddr_t a = map(enter(), BYTES, RW, MAP_PRIVATE, NULL, 0), vec = map(sim_mm(), PAGE_SIZE, RW, MAP_PRIVATE, NULL, 0);

	store(a + PAGE_SIZE, 1);
	CHECK(mm_mincore(sim_mm(), a, BYTES, (void *)vec) == 0);
	CHECK(load(vec) == 1 << 8);
	CHECK(mm_mincore(sim_mm(), a, BYTES, (void *)(vec - PAGE_SIZE)) == -EFAULT);
}

static void wait_for_it(void *arg)
{
	completion_wait(arg);
}

static void threads_wait(void *arg)
{
	struct completion c = COMPLETION_INIT(c);
	struct sim_thread *a = sim_spawn(NULL, 1, wait_for_it, &c), *b = sim_spawn(NULL, 1, wait_for_it, &c);

	sim_sleep(1000000);
	complete(&c);
	complete(&c);
	sim_join(b);
	sim_join(a);
}

static void killable(void *arg)
{
	CHECK(completion_wait_killable(arg) == -EINTR);
}

static void kill_wakes(void *arg)
{
	struct completion never = COMPLETION_INIT(never);
	struct sim_thread *t = sim_spawn(NULL, 2, killable, &never);

	sim_sleep(1000000);
	sim_kill(t);
	sim_join(t);
}

static void allocation_fails(void *arg)
{
	vaddr_t a = map(enter(), BYTES, RW, MAP_PRIVATE, NULL, 0);
	u64 n;

	for (n = 1; n < 20; n++) {
		enum fault_result r;

		sim_failpoint("page_alloc", n);
		r = sim_touch(a, FAULT_WRITE);
		if (sim_failpoint_end("page_alloc") < n)
			break;
		CHECK(r == FAULT_OOM || r == FAULT_OK);
		CHECK(mm_munmap(sim_mm(), a, BYTES) == 0);
		a = map(sim_mm(), BYTES, RW, MAP_PRIVATE, NULL, 0);
	}
	CHECK(n > 1 && n < 20);
}

/* -- it does not forget what it was not told to forget ------------------------------------------------------------------ */
static vaddr_t page_known_to_cpu1(void)
{
	vaddr_t a = map(enter(), BYTES, RW, MAP_PRIVATE, NULL, 0);

	store(a, 77);
	CHECK(sim_tlb_has(sim_cpu(), a));
	return a;
}

static void touch_and_look(void *arg)
{
	vaddr_t a = *(vaddr_t *)arg;
	u64 word = 0;

	CHECK(load(a) == 77);
	sim_tlb_deaf(true);
	CHECK(mm_mprotect(sim_mm(), a, PAGE_SIZE, NO_ACCESS) == 0);
	CHECK(sim_try(a, FAULT_READ, &word, sizeof(word)) && word == 77);
	CHECK(sim_tlb_stale(false) > 0);
	sim_tlb_deaf(false);
	pgtable_flush_all(&sim_mm()->pt);
	CHECK(!sim_try(a, FAULT_READ, &word, sizeof(word)));
	CHECK(sim_tlb_stale(true) == 0);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_ACCERR);
}

static void missed_flush_is_seen(void *arg)
{
	vaddr_t a = page_known_to_cpu1();

	touch_and_look(&a);
}

/* Not flushed, not accessed: the end of the run finds it. */
static void missed_flush_is_judged(void *arg)
{
	vaddr_t a = page_known_to_cpu1();

	sim_tlb_deaf(true);
	CHECK(mm_mprotect(sim_mm(), a, PAGE_SIZE, NO_ACCESS) == 0);
	sim_tlb_deaf(false);
	CHECK(sim_tlb_stale(true) == 0);
}

/* The frame is free, the CPU still stores into it: the address sanitizer, or the poison check of the allocator. */
static void missed_flush_hits_free_frame(void *arg)
{
	vaddr_t a = page_known_to_cpu1();
	u64 word = 1;

	sim_tlb_deaf(true);
	CHECK(mm_munmap(sim_mm(), a, PAGE_SIZE) == 0);
	sim_tlb_deaf(false);
	CHECK(sim_try(a, FAULT_WRITE, &word, sizeof(word)));
	a = map(sim_mm(), BYTES, RW, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store(a + i * PAGE_SIZE, i);
}

static void stale_reader(void *arg)
{
	const struct {
		vaddr_t a;
		struct completion ready, changed;
	} *x = arg;

	CHECK(load(x->a) == 77);
	complete((struct completion *)&x->ready);
	completion_wait((struct completion *)&x->changed);
	CHECK(sim_touch(x->a, FAULT_READ) == FAULT_ACCERR);
}

/* A flush reaches the other CPUs. */
static void flush_reaches_others(void *arg)
{
	struct {
		vaddr_t a;
		struct completion ready, changed;
	} x;
	struct sim_thread *t;

	completion_init(&x.ready);
	completion_init(&x.changed);
	x.a = page_known_to_cpu1();
	t = sim_spawn(sim_mm(), 3, stale_reader, &x);
	completion_wait(&x.ready);
	CHECK(mm_mprotect(sim_mm(), x.a, PAGE_SIZE, NO_ACCESS) == 0);
	CHECK(!sim_tlb_has(3, x.a));
	complete(&x.changed);
	sim_join(t);
}

/* Speculation sets A and fills TLBs, and D never. */
static void prefetch(void *arg)
{
	vaddr_t a = page_known_to_cpu1();
	struct pte_view v;

	sim_move(1);
	CHECK(load(a) == 77);
	pgtable_flush_all(&sim_mm()->pt);
	CHECK(!sim_tlb_has(1, a) && sim_tlb_prefetch(1, a) && sim_tlb_has(1, a));
	v = sim_entry(sim_mm(), a);
	CHECK(v.kind == PTE_KIND_PAGE && v.accessed && v.dirty && v.write);
	CHECK(!sim_tlb_prefetch(1, a + BYTES));
}

/* -- storms ---------------------------------------------------------------------------------------------------------------- */
struct storm {
	vaddr_t anon, shared;
	struct sim_file *file;
	unsigned next; /* each thread's number */
};

/* Another thread may have taken the right to store for a moment. */
static void storm_store(vaddr_t va, u64 word)
{
	enum fault_result r;

	while ((r = sim_store(va, &word, sizeof(word))) == FAULT_ACCERR)
		sim_yield();
	CHECK(r == FAULT_OK);
}

/* Words of its own in every page: nobody may lose one. */
static void storm_thread(void *arg)
{
	struct storm *s = arg;
	unsigned me = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
	u64 expect[2][PAGES] = {0};

	for (unsigned i = 0; i < PAGES; i++)
		expect[1][i] = (u64)i << 16 | 0xf11e;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned page = (unsigned)sim_below(PAGES), which = (unsigned)sim_below(2);
		vaddr_t base = which ? s->shared : s->anon, va = base + page * PAGE_SIZE + 8 * (1 + me);

		CHECK(load(va) == expect[which][page]);
		expect[which][page] = sim_random();
		storm_store(va, expect[which][page]);
		switch (sim_below(8)) {
		case 0:
			CHECK(mm_mprotect(sim_mm(), base + page * PAGE_SIZE, PAGE_SIZE, PROT_READ) == 0);
			CHECK(mm_mprotect(sim_mm(), base + page * PAGE_SIZE, PAGE_SIZE, RW) == 0);
			break;
		case 1:
			CHECK(mm_msync(sim_mm(), s->shared, BYTES, MS_SYNC) == 0);
			break;
		case 2:
			sim_move((unsigned)sim_below(4));
			break;
		case 3: {
			struct mm *child = mm_fork(sim_mm());

			CHECK(!IS_ERR(child));
			mm_put(child);
			break;
		}
		}
		CHECK(load(va) == expect[which][page]);
	}
}

static void storm(void *arg)
{
	struct storm s = {.file = sim_file_create(SIM_FILE_DISK, BYTES, true)};
	struct sim_thread *threads[THREADS];
	u64 page[PAGE_SIZE / sizeof(u64)];
	struct mm *mm = enter();

	s.anon = map(mm, BYTES, RW, MAP_PRIVATE, NULL, 0);
	s.shared = map(mm, BYTES, RW, MAP_SHARED, s.file, 0);
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = sim_spawn(mm, -1, storm_thread, &s);
	for (unsigned i = 0; i < THREADS; i++)
		sim_join(threads[i]);
	CHECK(mm_msync(mm, s.shared, BYTES, MS_SYNC) == 0);
	for (unsigned i = 0; i < PAGES; i++) {
		CHECK(sim_disk_read(s.file, i, page));
		for (unsigned t = 0; t < THREADS; t++)
			CHECK(page[1 + t] == load(s.shared + i * PAGE_SIZE + 8 * (1 + t)));
	}
	sim_file_put(s.file);
	if (arg)
		*(u64 *)arg = sim_trace();
}

static u64 trace_of(u64 seed)
{
	static u64 *trace;
	struct sim_config c = {.seed = seed};

	if (!trace)
		trace = sim_shared(sizeof(*trace));
	return sim_run_isolated(&c, storm, trace, CASE_LIMIT_MS) == SIM_PASSED ? *trace : 0;
}

static void same_seed_same_run(void)
{
	u64 one = trace_of(sim_seed()), again = trace_of(sim_seed()), other = trace_of(sim_seed() + 1);

	sim_result("same_seed_same_run", one && one == again && other && other != one);
}

/* -- bad ends ------------------------------------------------------------------------------------------------------------------ */
static void deadlock(void *arg)
{
	struct completion never = COMPLETION_INIT(never);

	completion_wait(&never);
}

static void assertion(void *arg)
{
	struct pt_slot slot = {NULL, NULL};
	struct mm *mm = enter();

	(void)slot;
	spin_lock(&mm->pt.lock);
	might_sleep();
}

static void page_leak(void *arg)
{
	CHECK(page_alloc(0, GFP_KERNEL) != NULL);
}

static void object_leak(void *arg)
{
	CHECK(kmalloc(32, GFP_KERNEL) != NULL);
}

static void use_after_free(void *arg)
{
	u64 *p = kmalloc(64, GFP_KERNEL);

	kfree(p);
	WRITE_ONCE(*p, 1);
}

static unsigned long plain;

static void add_plainly(void *arg)
{
	for (unsigned i = 0; i < 1000; i++) {
		plain++;
		sim_point();
	}
}

/* Two CPUs and no lock: what the thread sanitizer is for. */
static void plain_race(void *arg)
{
	struct sim_thread *a = sim_spawn(NULL, 1, add_plainly, NULL), *b = sim_spawn(NULL, 2, add_plainly, NULL);

	sim_join(a);
	sim_join(b);
}

/* -- contract -------------------------------------------------------------------------------------------------------------------- */
static const struct contract_test *contract;

static void run_contract(void *arg)
{
	CHECK(contract_run(contract));
}

static bool direct_map_only(void)
{
	return strcmp(sim_format(), "pae") && strcmp(sim_format(), "i386");
}

int main(int argc, char **argv)
{
	const struct sim_config plain = {0}, mute = {.mute = true};
	const struct sim_config exact = {
		.switch_one_in = SIM_NEVER, .prefetch_one_in = SIM_NEVER, .evict_one_in = SIM_NEVER};
	struct sim_config exact_mute = exact;

	exact_mute.mute = true;
	sim_main(argc, argv);
	CASE(boots);
	CASE(anonymous_memory);
	CASE(file_memory);
	CASE(fork_copies);
	CASE(user_copies);
	CASE(threads_wait);
	CASE(kill_wakes);
	CASE(allocation_fails);
	CASE_WITH(&exact, missed_flush_is_seen);
	sim_case_ends("missed_flush_is_judged", &exact_mute, missed_flush_is_judged, SIM_COMPLAINED);
	CASE_WITH(&exact, flush_reaches_others);
	CASE_WITH(&exact, prefetch);
	CASE(storm);
	for (contract = contract_tests; contract < contract_tests + contract_test_count; contract++)
		sim_case(contract->what, &plain, run_contract);
	if (sim_threads()) {
		sim_case_ends("plain_race", &mute, plain_race, SIM_SANITIZER);
	} else {
		same_seed_same_run();
		sim_case_ends("missed_flush_hits_free_frame", &exact_mute, missed_flush_hits_free_frame,
		              direct_map_only() && sim_sees_addresses() ? SIM_SANITIZER : SIM_PANICKED);
		sim_case_ends("deadlock", &mute, deadlock, SIM_TIMED_OUT);
		sim_case_ends("assertion", &mute, assertion, SIM_PANICKED);
		sim_case_ends("page_leak", &mute, page_leak, SIM_COMPLAINED);
		sim_case_ends("object_leak", &mute, object_leak, SIM_COMPLAINED);
		sim_case_ends("use_after_free", &mute, use_after_free, sim_sees_addresses() ? SIM_SANITIZER : SIM_PASSED);
	}
	return sim_end();
}
