/*
 * test_mirror.c - mm/service/mirror.c: translations for another MMU, made on demand and dropped when told.
 *
 * machine: amd64 pae i386 scrambled tiny2
 */
#include "mm/service/mirror.h"

#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "tests/unit/sim_laws.h"

#define PAGES 4

static struct mirror m;
static struct mm *mm;
static vaddr_t a;
static unsigned sets, clears, flushes, gone;

static void on_flush(struct mirror *mirror, vaddr_t start, vaddr_t end)
{
	flushes++;
}

static void on_set(struct mirror *mirror, const struct spte *s)
{
	sets++;
}

static void on_clear(struct mirror *mirror, struct spte *s)
{
	clears++;
}

static void on_gone(struct mirror *mirror)
{
	gone++;
}

static const struct mirror_ops ops = {.flush = on_flush, .set = on_set, .clear = on_clear, .gone = on_gone};

static void world(struct sim_file *f, unsigned flags)
{
	mm = enter_space();
	a = map_pages(PAGES, flags, f, 0);
	m = (struct mirror){.ops = &ops};
	CHECK(mirror_open(&m, mm, a, P(PAGES)) == 0);
}

static struct spte *spte(unsigned i)
{
	struct spte *s;

	spin_lock(&m.sub.lock);
	s = mirror_find(&m, a + P(i));
	spin_unlock(&m.sub.lock);
	return s;
}

static void demand(void *arg)
{
	world(NULL, MAP_PRIVATE);
	CHECK(!spte(0) && mirror_fill(&m, a + 5, false) == 0 && spte(0) && spte(0)->zero && !spte(0)->write);
	store_word(a, 1);
	CHECK(!spte(0)); /* the zero page is no longer what is there */
	CHECK(mirror_fill(&m, a, false) == 0 && spte(0)->page == frame_at(a) && !spte(0)->write && spte(0)->young);
	CHECK(mirror_fill(&m, a, true) == 0 && spte(0)->write && m.stat.sptes == 1 && m.stat.faults == 3);
	CHECK(mirror_fill(&m, a + P(1), true) == 0 && spte(1)->page == frame_at(a + P(1)) && frame_at(a + P(1))->refs == 1);
	CHECK(sets == 4 && clears == 1);
	CHECK(mm_madvise(mm, a, P(PAGES), MADV_DONTNEED) == 0 && !spte(0) && !spte(1) && m.stat.sptes == 0 && clears == 3);
	CHECK(mirror_fill(&m, a + P(PAGES), false) == -EFAULT && mirror_fill(&m, a - 1, false) == -EFAULT);
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0 && mirror_fill(&m, a, true) == -EFAULT);
	CHECK(m.stat.retries == 0);
	mirror_close(&m);
	CHECK(gone == 1);
}

static void out_of_memory(void *arg)
{
	world(NULL, MAP_PRIVATE);
	sim_failpoint("slab_alloc", 1);
	CHECK(mirror_fill(&m, a, true) == -ENOMEM);
	sim_failpoint_end("slab_alloc");
	CHECK(mirror_fill(&m, a, true) == 0);
	sim_failpoint("page_alloc", 1);
	CHECK(mirror_fill(&m, a + P(1), true) == -ENOMEM);
	sim_failpoint_end("page_alloc");
	/* To drop what there is needs none. */
	sim_failpoint("slab_alloc", 1);
	CHECK(mm_madvise(mm, a, P(1), MADV_DONTNEED) == 0 && sim_failpoint_end("slab_alloc") == 0 && !spte(0));
	mirror_close(&m);
}

/* A file's page: written back only after the device has lost the right to store. */
static void dirty(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);

	world(f, MAP_SHARED);
	CHECK(mirror_fill(&m, a, false) == 0 && !spte(0)->write && !page_test(frame_at(a), PG_DIRTY));
	CHECK(mirror_fill(&m, a, true) == 0 && spte(0)->write && page_test(frame_at(a), PG_DIRTY));
	CHECK(sim_file_sync(f) == 0 && !spte(0) && !page_test(frame_at(a), PG_DIRTY));
	CHECK(mirror_fill(&m, a, true) == 0);
	spin_lock(&m.sub.lock);
	mirror_find(&m, a)->dirty = true;
	spin_unlock(&m.sub.lock);
	CHECK(page_test(frame_at(a), PG_DIRTY));
	sim_file_truncate(f, 0);
	CHECK(!spte(0) && mirror_fill(&m, a, true) == -EFAULT);
	mirror_close(&m);
	sim_file_put(f);
}

static void young(void *arg)
{
	world(NULL, MAP_PRIVATE);
	CHECK(mirror_fill(&m, a + P(1), true) == 0);
	CHECK(mmu_notify_test_young(&mm->pt, a, a + P(PAGES)) && !mmu_notify_test_young(&mm->pt, a, a + P(1)));
	CHECK(mmu_notify_clear_young(&mm->pt, a, a + P(PAGES), true) && flushes == 1);
	CHECK(!mmu_notify_clear_young(&mm->pt, a, a + P(PAGES), true) && flushes == 1 && spte(1));
	mirror_close(&m);
}

/* What happens between the look at the page and the install. */
static unsigned drops;
static vaddr_t drop_at;

static void at_point(const char *name)
{
	if (strcmp(name, "mirror-got-page") || !drops)
		return;
	drops--;
	CHECK(mm_madvise(mm, drop_at, P(1), MADV_DONTNEED) == 0);
}

static void raced(void *arg)
{
	world(NULL, MAP_PRIVATE);
	store_word(a, 1);
	store_word(a + P(1), 1);
	sync_point_hook = at_point;
	sync_points_armed = 1;
	drops = 2;
	drop_at = a;
	CHECK(mirror_fill(&m, a, true) == 0 && m.stat.retries == 2 && spte(0)->page == frame_at(a));
	drops = 1;
	CHECK(mirror_fill(&m, a + P(1), true) == 0 && m.stat.retries == 2); /* elsewhere */
	sync_points_armed = 0;
	mirror_close(&m);
}

static void the_end(void *arg)
{
	world(NULL, MAP_PRIVATE);
	CHECK(mirror_fill(&m, a, true) == 0);
	sim_use(NULL); /* the last user */
	CHECK(gone == 1 && m.stat.releases == 1 && m.stat.sptes == 0);
	CHECK(mirror_fill(&m, a, true) == -EFAULT);
	mirror_close(&m);
	CHECK(gone == 1);
}

/* The device comes back between announcement and clear. */
static void acknowledging(void *arg)
{
	struct mmu_range r;

	world(NULL, MAP_PRIVATE);
	mirror_close(&m);
	m = (struct mirror){.ops = &ops, .acknowledging = true, .ack_ns = 1000};
	CHECK(mirror_open(&m, mm, a, P(PAGES)) == 0 && mirror_fill(&m, a, true) == 0);
	CHECK(mmu_notify_try_start(&r, &mm->pt, a, a + P(1), MMU_CLEAR) == -EAGAIN && spte(0));
	CHECK(mmu_notify_try_start(&r, &mm->pt, a + P(PAGES), a + P(PAGES + 1), MMU_CLEAR) == 0);
	mmu_notify_end(&r);
	mmu_notify_start(&r, &mm->pt, a, a + P(1), MMU_CLEAR);
	CHECK(!spte(0));
	mmu_notify_end(&r);
	CHECK(mirror_fill(&m, a, true) == 0 && mm_munmap(mm, a, P(1)) == 0 && !spte(0));
	mirror_close(&m);
}

/* M131, the design that lost: what was taken from others once they never get back. */
static void frozen(void *arg)
{
	world(NULL, MAP_PRIVATE);
	mutation_active = 131;
	CHECK(mirror_fill(&m, a, true) == 0 && mm_mprotect(mm, a, P(1), PROT_READ) == 0 && !spte(0));
	CHECK(mirror_fill(&m, a, false) == -EFAULT);
	mutation_active = 0;
	CHECK(mirror_fill(&m, a, false) == 0);
	mirror_close(&m);
}

/* -- all at once ---------------------------------------------------------------------------------------------------------------- */
static bool stop;
static u64 filled;

static void fill_for_ever(void *arg)
{
	while (!READ_ONCE(stop)) {
		unsigned i = (unsigned)sim_below(PAGES);
		int err = mirror_fill(&m, a + P(i), sim_below(2));

		CHECK(err == 0 || err == -EFAULT);
		filled += !err;
		sim_yield();
	}
}

static void storm(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct sim_thread *t[2];

	world(f, MAP_SHARED);
	m.acknowledging = arg;
	for (unsigned i = 0; i < 2; i++)
		t[i] = sim_spawn(mm, (int)i + 1, fill_for_ever, NULL);
	for (unsigned n = 0; n < 300; n++) {
		unsigned i = (unsigned)sim_below(PAGES);

		switch (sim_below(5)) {
		case 0:
			CHECK(mm_madvise(mm, a + P(i), P(1), MADV_DONTNEED) == 0);
			break;
		case 1:
			CHECK(mm_mprotect(mm, a, P(i + 1), sim_below(2) ? PROT_READ : RW) == 0);
			break;
		case 2:
			CHECK(mm_remap_file_pages(mm, a + P(i), P(1), 0, sim_below(PAGES), 0) == 0);
			break;
		case 3:
			CHECK(sim_file_sync(f) == 0);
			break;
		default:
			sim_file_truncate(f, (loff_t)P(1 + sim_below(PAGES)));
		}
		CHECK(mmu_notifiers_check(mm->pt.notifiers, 0, USER_END, 0) == 0);
		sim_yield();
	}
	WRITE_ONCE(stop, true);
	for (unsigned i = 0; i < 2; i++)
		sim_join(t[i]);
	CHECK(filled > 100);
	mirror_close(&m);
	sim_file_put(f);
}

static void storm_prompt(void *arg)
{
	storm(NULL);
}

static void storm_acknowledging(void *arg)
{
	storm(&m);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(demand);
	CASE_CALM(out_of_memory);
	CASE_CALM(dirty);
	CASE_CALM(young);
	CASE_CALM(raced);
	CASE_CALM(the_end);
	CASE(acknowledging);
	CASE_CALM(frozen);
	CASE(storm_prompt);
	CASE(storm_acknowledging);
	return sim_end();
}
