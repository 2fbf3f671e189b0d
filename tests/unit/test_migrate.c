/*
 * test_migrate.c - mm/object/migrate.c, mm/service/migrate.c: a page goes to another frame; what meets it on its way.
 *
 * machine: all
 */
#include "kernel/lib/mutation.h"
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/service/migrate.h"
#include "mm/service/pin.h"
#include "mm/service/uffd.h"
#include "mm/service/usage.h"
#include "tests/unit/sim_swap.h"

static vaddr_t a;
static int result;

static bool moves(vaddr_t va)
{
	struct page *old = frame_at(va);

	return !mm_migrate(sim_mm(), va) && frame_at(va) != old && old->refs <= 0;
}

/* What the entry says, but for the frame. */
static bool moves_as_it_is(vaddr_t va)
{
	struct pte_view before = sim_entry(sim_mm(), va), after;
	int mapcount = frame_at(va)->mapcount;
	bool moved = moves(va);

	after = sim_entry(sim_mm(), va);
	after.payload = before.payload;
	return moved && frame_at(va)->mapcount == mapcount && !memcmp(&before, &after, sizeof(before));
}

static void anonymous(void *arg)
{
	a = enter_filled(3);
	CHECK(moves_as_it_is(a) && load_word(a) == 1 && page_test(frame_at(a), PG_ANON_EXCLUSIVE));
	CHECK(!mm_mprotect(sim_mm(), a, P(1), PROT_READ) && moves_as_it_is(a));
	CHECK(!mm_mlock(sim_mm(), a, P(2), true) && moves_as_it_is(a + P(1)));
	lru_change(frame_at(a), BIT(PG_UNEVICTABLE), 0);
	CHECK(moves(a) && page_test(frame_at(a), PG_UNEVICTABLE));
	CHECK(!mm_mlock(sim_mm(), a, P(2), false));
	lru_change(frame_at(a), BIT(PG_UNEVICTABLE), 0); /* nothing locks it: it is noticed */
	CHECK(moves(a) && !page_test(frame_at(a), PG_UNEVICTABLE));
	CHECK(mm_migrate(sim_mm(), a + P(3)) == -ENOENT);
	CHECK(!mm_madvise(sim_mm(), a, P(1), MADV_DONTNEED) && load_word(a) == 0);
	CHECK(mm_migrate(sim_mm(), a) == -EINVAL && !sim_audit(false));
}

static void of_files(void *arg)
{
	struct sim_file *files[] = {sim_file_create(SIM_FILE_TMPFS, P(4), false),
	                            sim_file_create(SIM_FILE_DISK, P(4), true)};

	enter_space();
	for (unsigned i = 0; i < 2; i++) {
		vaddr_t b = map_pages(4, MAP_SHARED, files[i], 0);

		a = map_pages(4, MAP_SHARED, files[i], 0);
		store_word(a + P(3), 9);
		CHECK(!mm_remap_file_pages(sim_mm(), b, PAGE_SIZE, PROT_READ, 3, MAP_CHGPROT) && load_word(b) == 9);
		CHECK(moves_as_it_is(a + P(3)) && frame_at(b) == frame_at(a + P(3)) && moves_as_it_is(b));
		CHECK(sim_entry(sim_mm(), b).grant == pte_grant_normal(GRANT_R));
		store_word(a + P(3), 10);
		CHECK(load_word(b) == 10);
		CHECK(!mm_mlock(sim_mm(), a, P(4), true) && moves(a + P(3)) && !mm_mlock(sim_mm(), a, P(4), false));
		CHECK(!sim_audit(false));
	}
	for (unsigned i = 0; i < 2; i++)
		sim_file_put(files[i]);
}

static void in_a_slot(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);
	swap_entry_t slot;

	a = enter_filled(2);
	page_out(a, 2);
	slot = slot_at(a);
	CHECK(load_word(a) == 1 && slot_cached(slot) && page_test(frame_at(a), PG_SWAPCACHE));
	CHECK(moves_as_it_is(a) && swap_page_is(frame_at(a), slot) && load_word(a) == 1);
	store_word(a, 3);
	CHECK(moves_as_it_is(a) && !sim_audit(false));
	page_out(a, 1);
	CHECK(load_word(a) == 3 && load_word(a + P(1)) == 2 && !sim_swap_off(swap));
}

static void in_use(void *arg)
{
	unsigned long fails = vm_event_sum(VM_PGMIGRATE_FAIL);
	struct page *page, *pinned;

	a = enter_filled(1);
	page = frame_at(a);
	page_get(page);
	CHECK(mm_migrate(sim_mm(), a) == -EAGAIN && frame_at(a) == page && page_test(page, PG_ANON_EXCLUSIVE));
	CHECK(vm_event_sum(VM_PGMIGRATE_FAIL) == fails + 10);
	page_put(page);
	CHECK(pin_user_pages(sim_mm(), a, 1, FOLL_WRITE, &pinned) == 1 && mm_migrate(sim_mm(), a) == -EBUSY);
	unpin_user_pages(&pinned, 1, FOLL_WRITE, true);
	CHECK(lru_isolate(page) && mm_migrate(sim_mm(), a) == -EAGAIN);
	lru_putback(page);
	CHECK(moves(a) && load_word(a) == 1);
}

/* -- on its way ------------------------------------------------------------------------------------------------------- */

static void migrate(void *arg)
{
	result = mm_migrate(sim_mm(), a);
}

static struct sim_thread *begin(void)
{
	struct sim_thread *t;

	result = -1;
	t = race_begin("migrate-taken", migrate, NULL);
	CHECK(kind_at(a) == PTE_KIND_MIGRATION);
	return t;
}

static void end(struct sim_thread *t)
{
	race_end("migrate-taken", t);
}

static void reader(void *arg)
{
	CHECK(load_word(a) == 1);
	WRITE_ONCE(result, result + 100);
}

/* Who waits is not in the way; with M183 he is, for once. */
static unsigned long failures_with_a_reader(void)
{
	unsigned long fails = vm_event_sum(VM_PGMIGRATE_FAIL);
	struct sim_thread *t = begin(), *r = sim_spawn(sim_mm(), 2, reader, NULL);

	sim_sleep(10000000);
	CHECK(result == -1);
	end(t);
	sim_join(r);
	return vm_event_sum(VM_PGMIGRATE_FAIL) - fails;
}

static void waited_for(void *arg)
{
	struct vma_usage u = {.rss = 0};
	struct sim_thread *t;

	a = enter_filled(1);
	CHECK(failures_with_a_reader() == 0);
	t = begin();
	vma_usage(vma_of(a), &u);
	CHECK(u.rss == 1 && !mm_mprotect(sim_mm(), a, P(1), PROT_READ) && !mm_mprotect(sim_mm(), a, P(1), RW));
	end(t);
	store_word(a, 2);
	CHECK(result == 0 && !sim_audit(false));
}

static void waited_for_without(void *arg)
{
	a = enter_filled(1);
	mutation_active = 183;
	CHECK(failures_with_a_reader() > 0);
	mutation_active = 0;
}

static void unmapped(void *arg)
{
	struct sim_thread *t;

	a = enter_filled(1);
	t = begin();
	CHECK(!mm_munmap(sim_mm(), a, P(1)));
	end(t);
	CHECK(result == 0 && sim_mm()->pt.nr_pages == 0 && !sim_audit(false));
}

static void forked(void *arg)
{
	struct sim_thread *t;
	struct mm *child;

	a = enter_filled(1);
	t = begin();
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child) && sim_entry(child, a).kind == PTE_KIND_MIGRATION);
	end(t);
	CHECK(result == 0 && frame_at(a)->mapcount == 2 && sim_entry(child, a).payload == page_to_pfn(frame_at(a)));
	CHECK(!page_test(frame_at(a), PG_ANON_EXCLUSIVE) && !sim_entry(sim_mm(), a).write && !sim_audit(false));
	store_word(a, 5);
	mm_put(child);
}

static void window_forked_and_remapped(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(4), true);
	struct sim_thread *t;
	struct mm *child;

	enter_space();
	a = map_pages(4, MAP_SHARED, f, 0);
	CHECK(!mm_remap_file_pages(sim_mm(), a, PAGE_SIZE, RW, 3, MAP_CHGPROT));
	store_word(a, 7);
	t = begin();
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child));
	CHECK(!mm_remap_file_pages(sim_mm(), a, PAGE_SIZE, PROT_READ, 3, MAP_CHGPROT)); /* another grant */
	CHECK(!IS_ERR_VALUE((unsigned long)mm_mremap(sim_mm(), a, P(4), P(4), MREMAP_MAYMOVE | MREMAP_FIXED, a - P(8))));
	end(t);
	CHECK(load_word(a - P(8)) == 7 && !sim_audit(false));
	mm_put(child);
	a -= P(8);
	CHECK(!mm_remap_file_pages(sim_mm(), a, PAGE_SIZE, RW, 2, MAP_CHGPROT) && load_word(a) == load_word(a + P(2)));
	t = begin();
	CHECK(!mm_remap_file_pages(sim_mm(), a, PAGE_SIZE, RW, 1, MAP_CHGPROT));
	end(t);
	CHECK(!sim_audit(false));
	sim_file_put(f);
}

/* -- mutations ---------------------------------------------------------------------------------------------------------- */

static void unasked_references(void *arg)
{
	struct page *page;

	a = enter_filled(1);
	page = frame_at(a);
	page_get(page);
	mutation_active = 181;
	CHECK(mm_migrate(sim_mm(), a) == 0); /* who has the old page stores where nobody looks any more */
	mutation_active = 0;
	CHECK(frame_at(a) != page);
	page_put(page);
}

static void forgotten_dirt(void *arg)
{
	a = enter_filled(1);
	CHECK(sim_entry(sim_mm(), a).dirty);
	mutation_active = 182;
	CHECK(moves(a) && !sim_entry(sim_mm(), a).dirty);
	mutation_active = 0;
}

int main(void)
{
	CASE(anonymous);
	CASE(of_files);
	CASE(in_a_slot);
	CASE_CALM(in_use);
	CASE_CALM(waited_for);
	CASE_CALM(waited_for_without);
	CASE_CALM(unmapped);
	CASE_CALM(forked);
	CASE_CALM(window_forked_and_remapped);
	CASE_CALM(unasked_references);
	CASE_CALM(forgotten_dirt);
	return sim_end();
}
