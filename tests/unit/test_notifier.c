/*
 * test_notifier.c - mm/pgtable/notifier*.c and mm/space/subscribe.c: who is told what, in which order, and what is refused.
 *
 * machine: amd64 pae i386 scrambled tiny2
 */
#include "mm/pgtable/gather.h"
#include "mm/pgtable/notifier.h"

#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/completion.h"
#include "mm/service/reap.h"
#include "tests/unit/sim_laws.h"
#include "mm/space/space.h"

#define PAGES 8

/* A subscriber that writes down what it hears. */
struct listener {
	struct mmu_subscription sub;
	struct mmu_subscriber_ops ops;
	unsigned starts, ends, invalidations, releases;
	vaddr_t start, end; /* of the last invalidation */
	bool refuse;        /* what cannot sleep */
	bool young;
	unsigned installed;
	unsigned refs_at_release; /* of the first page */
	unsigned held;            /* translations: pages from base on */
};

static struct mm *mm;
static vaddr_t base;
static struct listener a, b;

static struct listener *of(struct mmu_subscription *sub)
{
	return container_of(sub, struct listener, sub);
}

static int on_start(struct mmu_subscription *sub, const struct mmu_range *r)
{
	if (of(sub)->refuse && !r->blockable)
		return -EAGAIN;
	of(sub)->starts++;
	return 0;
}

static void on_end(struct mmu_subscription *sub, const struct mmu_range *r)
{
	of(sub)->ends++;
}

static void on_invalidate(struct mmu_subscription *sub, vaddr_t start, vaddr_t end)
{
	of(sub)->invalidations++;
	of(sub)->start = start;
	of(sub)->end = end;
	of(sub)->held = 0;
}

static bool on_young(struct mmu_subscription *sub, vaddr_t start, vaddr_t end, bool clear, bool flush)
{
	bool young = of(sub)->young;

	if (clear)
		of(sub)->young = false;
	return young;
}

static void on_release(struct mmu_subscription *sub)
{
	of(sub)->releases++;
	of(sub)->held = 0;
}

/* One translation, of the first page. */
static bool on_look(struct mmu_subscription *sub, struct mmu_translation *t)
{
	if (!of(sub)->held || t->va > base)
		return false;
	*t = (struct mmu_translation){.va = base, .pfn = of(sub)->held};
	return true;
}

static void listen(struct listener *l, vaddr_t start, size_t length)
{
	*l = (struct listener){.ops = {.start = on_start,
	                               .end = on_end,
	                               .invalidate = on_invalidate,
	                               .young = on_young,
	                               .release = on_release,
	                               .look = on_look}};
	l->sub.ops = &l->ops;
	CHECK(mm_subscribe(mm, &l->sub, start, length) == 0);
}

static void world(void)
{
	mm = enter_space();
	base = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(base + P(i), i + 1);
}

static void put_in(struct mmu_subscription *sub, void *ctx)
{
	of(sub)->installed++;
}

static int install(struct listener *l, vaddr_t va, unsigned long seq)
{
	return mmu_fill_install(&l->sub, va, seq, put_in, NULL);
}

/* -- who is told ----------------------------------------------------------------------------------------------------------- */

/* Ranges that overlap, and no others. */
static void only_what_overlaps(void *arg)
{
	world();
	listen(&a, base + P(2), P(2));
	listen(&b, base, P(PAGES));
	CHECK(mm_madvise(mm, base, P(2), MADV_DONTNEED) == 0);
	CHECK(a.starts == 0 && a.invalidations == 0 && b.starts == 1 && b.invalidations == 1);
	CHECK(b.start == base && b.end == base + P(2));
	CHECK(mm_madvise(mm, base + P(3), P(2), MADV_DONTNEED) == 0);
	CHECK(a.starts == 1 && a.ends == 1 && a.invalidations == 1 && b.invalidations == 2);
	CHECK(mm_madvise(mm, base + P(3), P(2), MADV_DONTNEED) == 0); /* nothing there any more: announced, not flushed */
	CHECK(a.starts == 2 && a.ends == 2 && a.invalidations == 1);
	CHECK(mmu_ranges_in_flight(&a.sub) == 0);
	mmu_unsubscribe(&a.sub);
	CHECK(a.releases == 1);
	CHECK(mm_madvise(mm, base + P(2), P(1), MADV_DONTNEED) == 0);
	CHECK(a.invalidations == 1);
	mmu_unsubscribe(&b.sub);
}

static void bad_ranges(void *arg)
{
	world();
	a.sub.ops = &a.ops;
	CHECK(mm_subscribe(mm, &a.sub, base, 0) == -EOVERFLOW);
	CHECK(mm_subscribe(mm, &a.sub, base, (size_t)-1) == -EOVERFLOW);
	CHECK(mm_subscribe(mm, &a.sub, USER_END, 1) == -EOVERFLOW);
	sim_failpoint("slab_alloc", 1);
	CHECK(mm_subscribe(mm, &a.sub, base, P(1)) == -ENOMEM);
	sim_failpoint_end("slab_alloc");
	CHECK(mm->pt.notifiers == NULL);
}

/* Every way to take something away. */
static void every_path(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	unsigned n = 0;
	struct mm *child;
	vaddr_t w, to;

	world();
	w = map_pages(PAGES, MAP_SHARED, f, 0);
	to = map_pages(2, MAP_PRIVATE, NULL, 0);
	listen(&a, 0, USER_END);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(w + P(i), i);
	CHECK(a.invalidations == n); /* to be allowed more needs no flush */
	CHECK(sim_file_sync(f) == 0);
	CHECK(a.invalidations == (n += PAGES)); /* mkclean */
	CHECK(mm_mprotect(mm, w, P(1), PROT_READ) == 0);
	CHECK(a.invalidations == (n += 1));
	CHECK(mm_remap_file_pages(mm, w + P(1), P(1), 0, 2, 0) == 0);
	CHECK(a.invalidations == (n += 1));
	sim_file_punch(f, 3, 3);
	CHECK(a.invalidations == (n += 1));
	load_word(w + P(2));
	sim_file_truncate(f, P(2)); /* page 2 at its own place and at that of page 1 */
	CHECK(a.invalidations >= (n += 2));
	n = a.invalidations;
	child = mm_fork(mm);
	CHECK(!IS_ERR(child) && a.invalidations == (n += 1)); /* the private pages */
	CHECK(child->pt.notifiers == NULL);
	store_word(base, 9);
	CHECK(a.invalidations == (n += 1)); /* the copy */
	mm_put(child);
	store_word(base + P(1), 9);
	CHECK(a.invalidations == n); /* reused */
	CHECK(!IS_ERR_VALUE(mm_mremap(mm, base, P(2), P(2), MREMAP_MAYMOVE | MREMAP_FIXED, to)));
	CHECK(a.invalidations >= (n += 1)); /* one for both pages, or one for each table of the destination */
	n = a.invalidations;
	CHECK(mm_munmap(mm, base + P(2), P(2)) == 0);
	CHECK(a.invalidations == n + 1 && a.starts == a.ends && mmu_ranges_in_flight(&a.sub) == 0);
	mmu_unsubscribe(&a.sub);
	sim_file_put(f);
}

/* A leaf table that moves whole is flushed once. */
static void a_table_moves(void *arg)
{
	vaddr_t at = ALIGN_DOWN((vaddr_t)USER_END / 2, pt_span(1)), to = at - 2 * pt_span(1);

	mm = enter_space();
	CHECK(sim_mmap(mm, at, pt_span(1), RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)at);
	store_word(at, 1);
	listen(&a, at, pt_span(1));
	CHECK(mm_mremap(mm, at, pt_span(1), pt_span(1), MREMAP_MAYMOVE | MREMAP_FIXED, to) == (long)to);
	CHECK(a.starts == 1 && a.ends == 1 && a.invalidations >= 1 && mmu_ranges_in_flight(&a.sub) == 0);
	CHECK(a.start == at && load_word(to) == 1);
	mmu_unsubscribe(&a.sub);
}

/* -- start and end ----------------------------------------------------------------------------------------------------------- */

/* Who refuses is not told of an end, those before it are, and nothing changes. */
static void refused(void *arg)
{
	world();
	listen(&a, base, P(PAGES));
	listen(&b, base, P(PAGES));
	b.refuse = true;
	CHECK(mm_reap(mm, base, base + P(2)) == -EAGAIN);
	CHECK(a.starts == 1 && a.ends == 1 && b.starts == 0 && b.ends == 0 && b.sub.refused == 1);
	CHECK(a.invalidations == 0 && load_word(base) == 1 && mmu_ranges_in_flight(&a.sub) == 0);
	CHECK(mm_madvise(mm, base, P(1), MADV_DONTNEED) == 0); /* who may sleep is not refused */
	CHECK(b.starts == 1 && b.ends == 1);
	b.refuse = false;
	CHECK(mm_reap(mm, base, base + P(2)) == 0 && load_word(base) == 0 && load_word(base + P(2)) == 3);
	mmu_unsubscribe(&a.sub);
	mmu_unsubscribe(&b.sub);
}

/* Subscribed in the middle of a range: it is not told of its end, yet nothing may be installed there. */
static void in_the_middle(void *arg)
{
	struct mmu_range r;
	unsigned long seq;

	world();
	listen(&a, base, P(PAGES));
	mmu_notify_start(&r, &mm->pt, base, base + P(2), MMU_CLEAR);
	listen(&b, base, P(PAGES));
	seq = mmu_fill_begin(&b.sub);
	CHECK(install(&b, base + P(1), seq) == -EAGAIN && install(&b, base + P(2), seq) == 0);
	CHECK(mmu_ranges_in_flight(&b.sub) == 1);
	mmu_notify_end(&r);
	CHECK(a.starts == 1 && a.ends == 1 && b.starts == 0 && b.ends == 0);
	CHECK(install(&b, base + P(1), seq) == 0);
	mmu_unsubscribe(&a.sub);
	mmu_unsubscribe(&b.sub);
}

/* -- fills --------------------------------------------------------------------------------------------------------------------- */

static void fills(void *arg)
{
	struct mmu_range r, s;
	unsigned long seq, retries = mmu_notifier_stat.retries;

	world();
	listen(&a, base, P(PAGES));
	seq = mmu_fill_begin(&a.sub);
	CHECK(install(&a, base, seq) == 0 && a.installed == 1);
	mmu_notify_start(&r, &mm->pt, base, base + P(2), MMU_CLEAR);
	mmu_notify_start(&s, &mm->pt, base + P(1), base + P(3), MMU_CLEAR); /* nested */
	CHECK(mmu_ranges_in_flight(&a.sub) == 2);
	for (unsigned i = 0; i < 4; i++)
		CHECK(install(&a, base + P(i), seq) == (i < 3 ? -EAGAIN : 0));
	mmu_notify_end(&r);
	for (unsigned i = 0; i < 4; i++)
		CHECK(install(&a, base + P(i), seq) == (i == 1 || i == 2 ? -EAGAIN : 0));
	mmu_notify_end(&s);
	mutation_active = 10;
	mmu_notify_start(&r, &mm->pt, base, base + P(2), MMU_CLEAR);
	CHECK(install(&a, base, seq) == 0); /* M10 */
	mmu_notify_end(&r);
	mutation_active = 0;
	CHECK(mmu_notifier_stat.retries == retries + 5);
	/* What was invalidated since, and not what was elsewhere */
	CHECK(mm_madvise(mm, base, P(1), MADV_DONTNEED) == 0);
	CHECK(install(&a, base, seq) == -EAGAIN && install(&a, base + P(1), seq) == 0);
	CHECK(install(&a, base, mmu_fill_begin(&a.sub)) == 0);
	/* Too long ago to know */
	for (unsigned i = 0; i <= MMU_RECENT; i++) {
		store_word(base + P(7), i);
		CHECK(install(&a, base + P(1), seq) == (i < MMU_RECENT ? 0 : -EAGAIN));
		CHECK(mm_madvise(mm, base + P(7), P(1), MADV_DONTNEED) == 0);
	}
	mmu_unsubscribe(&a.sub);
}

static struct mmu_range waited_for;
static bool landed;

static void wait_for_landing(void *arg)
{
	CHECK(mmu_fill_wait(&a.sub, base) == 0 && landed);
}

static void waiting(void *arg)
{
	struct sim_thread *t;

	world();
	listen(&a, base, P(PAGES));
	CHECK(mmu_fill_wait(&a.sub, base) == 0);
	mmu_notify_start(&waited_for, &mm->pt, base, base + P(1), MMU_CLEAR);
	t = sim_spawn(NULL, 1, wait_for_landing, NULL);
	sim_sleep(1000000);
	landed = true;
	mmu_notify_end(&waited_for);
	sim_join(t);
	mmu_unsubscribe(&a.sub);
}

/* -- the end ------------------------------------------------------------------------------------------------------------------- */

static struct page *first;

static void on_release_look(struct mmu_subscription *sub)
{
	on_release(sub);
	of(sub)->refs_at_release = (unsigned)first->refs;
}

static void release_before_free(void *arg)
{
	unsigned long seq;

	world();
	listen(&a, base, P(PAGES));
	a.ops.release = on_release_look;
	first = frame_at(base);
	page_get(first);
	seq = mmu_fill_begin(&a.sub);
	CHECK(mm_get_subscribed(&a.sub) == mm);
	mm_put(mm);
	sim_use(NULL);
	CHECK(a.releases == 1 && a.refs_at_release == 2 && first->refs == 1);
	CHECK(a.invalidations == 0 && install(&a, base, seq) == -ESRCH && !mm_get_subscribed(&a.sub));
	mmu_unsubscribe(&a.sub);
	CHECK(a.releases == 1);
	page_put(first);
}

static void leave_slowly(struct mmu_subscription *sub)
{
	sim_sleep(1000000);
	on_release(sub);
}

static void unsubscribe_a(void *arg)
{
	mmu_unsubscribe(&a.sub);
}

/* The end of the address space waits for a release() that the other way has begun. */
static void release_once(void *arg)
{
	struct sim_thread *t;

	world();
	listen(&a, base, P(PAGES));
	a.ops.release = leave_slowly;
	t = sim_spawn(NULL, 1, unsubscribe_a, NULL);
	sim_sleep(500000);
	sim_use(NULL);
	CHECK(a.releases == 1);
	sim_join(t);
	CHECK(a.releases == 1);
}

/* -- age and checks -------------------------------------------------------------------------------------------------------------- */

static void age(void *arg)
{
	world();
	listen(&a, base, P(2));
	listen(&b, base, P(PAGES));
	b.young = true;
	CHECK(mmu_notify_test_young(&mm->pt, base, base + P(1)) && mmu_notify_test_young(&mm->pt, base, base + P(1)));
	mutation_active = 22;
	CHECK(!mmu_notify_test_young(&mm->pt, base, base + P(1)));
	mutation_active = 0;
	CHECK(mmu_notify_clear_young(&mm->pt, base, base + P(1), true));
	CHECK(!mmu_notify_test_young(&mm->pt, base, base + P(1)));
	mmu_unsubscribe(&a.sub);
	mmu_unsubscribe(&b.sub);
}

static void check_sees_a_stale_one(void *arg)
{
	world();
	listen(&a, base, P(PAGES));
	a.held = (unsigned)page_to_pfn(frame_at(base));
	CHECK(mmu_notifiers_check(mm->pt.notifiers, 0, USER_END, 0) == 0);
	a.held++;
	CHECK(mmu_notifiers_check(mm->pt.notifiers, 0, USER_END, 0) == 1);
	a.held = 0;
	mmu_unsubscribe(&a.sub);
}

/* A debug build does not let anybody change what subscribers do not know of. */
static void unannounced_change(void *arg)
{
	world();
	listen(&a, base, P(PAGES));
	pgtable_flush_page(&mm->pt, base);
}

static void forgetful(struct mmu_subscription *sub, vaddr_t start, vaddr_t end)
{
}

static void stale_at_the_end(void *arg)
{
	world();
	listen(&a, base, P(PAGES));
	a.ops.invalidate = forgetful;
	a.held = (unsigned)page_to_pfn(frame_at(base));
	(void)mm_madvise(mm, base, P(1), MADV_DONTNEED);
}

static void outside_of_the_gather(void *arg)
{
	struct mmu_gather g;

	world();
	mmu_gather_begin(&g, &mm->pt, base, base + P(1), MMU_CLEAR);
	mmu_gather_entry(&g, base + P(1));
}

/* -- order ------------------------------------------------------------------------------------------------------------------------ */

static unsigned refs_seen;

static void on_invalidate_look(struct mmu_subscription *sub, vaddr_t start, vaddr_t end)
{
	on_invalidate(sub, start, end);
	refs_seen = (unsigned)first->refs;
}

static void order_with(unsigned mutation)
{
	world();
	listen(&a, base, P(PAGES));
	a.ops.invalidate = on_invalidate_look;
	first = frame_at(base);
	page_get(first);
	mutation_active = mutation;
	CHECK(mm_madvise(mm, base, P(1), MADV_DONTNEED) == 0);
	mutation_active = 0;
	page_put(first);
	mmu_unsubscribe(&a.sub);
}

static void notify_before_free(void *arg)
{
	order_with(0);
	CHECK(refs_seen == 2);
}

static void mutation_frees_first(void *arg)
{
	order_with(3);
	CHECK(refs_seen == 1);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(only_what_overlaps);
	CASE_CALM(bad_ranges);
	CASE_CALM(every_path);
	CASE_CALM(a_table_moves);
	CASE_CALM(refused);
	CASE_CALM(in_the_middle);
	CASE_CALM(fills);
	CASE(waiting);
	CASE_CALM(release_before_free);
	CASE(release_once);
	CASE_CALM(age);
	CASE_CALM(check_sees_a_stale_one);
	CASE_PANICS(unannounced_change);
	CASE_PANICS(stale_at_the_end);
	CASE_PANICS(outside_of_the_gather);
	CASE_CALM(notify_before_free);
	CASE_CALM(mutation_frees_first);
	return sim_end();
}
