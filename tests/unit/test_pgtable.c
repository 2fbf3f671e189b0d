/*
 * test_pgtable.c - mm/pgtable/pgtable.c: which CPUs may hold translations of a tree, and how they are made to forget.
 *
 * machine: amd64 pae
 */
#include "tests/unit/pt_test.h"

#include <arch/smp.h>

#include "kernel/sync/completion.h"

static struct mm *mm;
static vaddr_t va;
static struct completion ready, go_on;

static void make_world(void)
{
	mm = enter_space();
	va = map_pages(4, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 4; i++)
		store_word(va + i * PAGE_SIZE, i);
	completion_init(&ready);
	completion_init(&go_on);
}

static void use_and_stay(void *arg)
{
	for (unsigned i = 0; i < 4; i++)
		load_word(va + i * PAGE_SIZE);
	complete(&ready);
	completion_wait(&go_on);
}

/* A thread of the address space on @cpu, which has all four translations. */
static struct sim_thread *user_on(int cpu)
{
	struct sim_thread *t = sim_spawn(mm, cpu, use_and_stay, NULL);

	completion_wait(&ready);
	return t;
}

static void end_user(struct sim_thread *t)
{
	complete(&go_on);
	sim_join(t);
}

/* A CPU is in the mask from its first load of the tree until it has loaded another. */
static void mask_follows_loads(void *arg)
{
	struct mm *other;

	make_world();
	CHECK(mm->pt.cpu_mask == BIT(0) && cpus[0].loaded == &mm->pt);
	sim_move(2);
	CHECK(mm->pt.cpu_mask & BIT(2) && cpus[2].loaded == &mm->pt);
	mm_get(mm);
	other = enter_space();
	CHECK(!(mm->pt.cpu_mask & BIT(2)) && other->pt.cpu_mask == BIT(2));
	CHECK(!sim_tlb_has(2, va));
	sim_use(mm);
	mm_put(mm);
	pgtable_load(&mm->pt); /* again: nothing happens */
	CHECK(mm->pt.cpu_mask & BIT(2) && load_word(va) == 0);
}

/* A flush drops what was asked for, on every CPU of the mask, and nothing else. */
static void flush_drops_just_the_range(void *arg)
{
	struct sim_thread *t;

	make_world();
	t = user_on(1);
	pgtable_flush_page(&mm->pt, va + PAGE_SIZE);
	CHECK(sim_tlb_has(0, va) && !sim_tlb_has(0, va + PAGE_SIZE) && sim_tlb_has(0, va + 2 * PAGE_SIZE));
	end_user(t);
	load_word(va + PAGE_SIZE);
	pgtable_flush_range(&mm->pt, va, va + 2 * PAGE_SIZE);
	CHECK(!sim_tlb_has(0, va) && !sim_tlb_has(0, va + PAGE_SIZE) && sim_tlb_has(0, va + 3 * PAGE_SIZE));
	pgtable_flush_all(&mm->pt);
	CHECK(!sim_tlb_has(0, va + 2 * PAGE_SIZE) && !sim_tlb_has(0, va + 3 * PAGE_SIZE));
}

static unsigned long seen_on_1;

static void use_and_spin(void *arg)
{
	load_word(va);
	complete(&ready);
	while (!READ_ONCE(seen_on_1))
		sim_yield();
}

/* Only CPUs that may know something are interrupted; none, if that is the flusher's alone. */
static void who_is_interrupted(void *arg)
{
	unsigned long before;
	struct sim_thread *t;

	make_world();
	before = pgtable_shootdowns();
	pgtable_flush_all(&mm->pt);
	CHECK(pgtable_shootdowns() == before);
	t = sim_spawn(mm, 1, use_and_spin, NULL);
	completion_wait(&ready);
	pgtable_flush_page(&mm->pt, va);
	CHECK(pgtable_shootdowns() == before + 1 && !sim_tlb_has(1, va));
	WRITE_ONCE(seen_on_1, 1);
	sim_join(t);
}

/* A CPU that only borrows the tree is interrupted once: then it uses the kernel's own. */
static void borrower_lets_go(void *arg)
{
	struct sim_thread *t;
	unsigned long before;

	make_world();
	t = user_on(1); /* it waits: CPU 1 is idle, and keeps the tree */
	cpus[1].lazy = true;
	CHECK(mm->pt.cpu_mask & BIT(1));
	before = pgtable_shootdowns();
	pgtable_flush_page(&mm->pt, va);
	CHECK(pgtable_shootdowns() == before + 1 && !(mm->pt.cpu_mask & BIT(1)) && !cpus[1].loaded && !cpus[1].lazy);
	CHECK(!sim_tlb_has(1, va) && !sim_tlb_has(1, va + PAGE_SIZE));
	pgtable_flush_page(&mm->pt, va);
	CHECK(pgtable_shootdowns() == before + 1);
	end_user(t);
}

/* The end of a tree makes borrowers let go before the root is freed. */
static void end_evicts_borrowers(void *arg)
{
	unsigned long tables = phys_table_pages;
	struct pgtable pt;

	CHECK(pgtable_init(&pt) == 0 && pt_populate(&pt, 0, PAGE_SIZE) == 0);
	pgtable_load(&pt);
	pgtable_borrow();
	CHECK(pt.cpu_mask == BIT(0) && this_cpu()->loaded == &pt);
	pgtable_destroy(&pt);
	CHECK(!this_cpu()->loaded && !pt.root && phys_table_pages == tables);
}

/* A change of the root reaches CPUs that have copied it. */
static void reload(void *arg)
{
	struct sim_thread *t;

	make_world();
	t = user_on(1);
	pgtable_reload(&mm->pt);
	CHECK(!sim_tlb_has(0, va) && !sim_tlb_has(1, va));
	CHECK(mm->pt.cpu_mask & BIT(0) && load_word(va) == 0);
	end_user(t);
}

/* Resident pages are counted from all CPUs. */
static void accounting(void *arg)
{
	make_world();
	CHECK(mm->pt.nr_pages == 4);
	pgtable_account(&mm->pt, 3);
	pgtable_account(&mm->pt, -3);
	CHECK(mm->pt.nr_pages == 4);
	CHECK(mm_madvise(mm, va, 2 * PAGE_SIZE, MADV_DONTNEED) == 0 && mm->pt.nr_pages == 2);
}

static void destroyed_with_pages(void *arg)
{
	struct pgtable pt;

	CHECK(pgtable_init(&pt) == 0);
	pgtable_account(&pt, 1);
	pgtable_destroy(&pt);
}

static const struct sim_config quiet_tlbs = {.prefetch_one_in = SIM_NEVER, .evict_one_in = SIM_NEVER};

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(mask_follows_loads);
	CASE_CALM(flush_drops_just_the_range);
	CASE_WITH(&quiet_tlbs, who_is_interrupted);
	CASE_CALM(borrower_lets_go);
	CASE_CALM(end_evicts_borrowers);
	CASE_CALM(reload);
	CASE_CALM(accounting);
	CASE_PANICS(destroyed_with_pages);
	return sim_end();
}
