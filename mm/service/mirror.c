/*
 * mirror.c - a table of translations for another MMU.
 *
 * Layer 7 (mm/service).  Interface: mirror.h.  Lock order: mm->lock (read), PTL; and the subscription's lock, beneath which
 * only an object's pages_lock and slabs are taken.
 *
 *   fill    1. make the CPU's entry allow the access          vma_fault()
 *           2. read the sequence, then look under the PTL     mmu_fill_begin(); reference on the page taken
 *              at what the entry shows                        no lock is held from here on
 *           3. install                                        mmu_fill_install(): the core refuses what could be stale; from 1
 *           4. reference given back
 *
 * Device dirty (R3.5): a writable translation exists only while the CPU's entry is writable, and whoever takes that away
 * calls the page dirty (rmap_mkclean(), zap).  What the device stored is told once more when its translation goes.
 */
#include "mm/service/mirror.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/wait.h"
#include "mm/object/pagecache.h"
#include "mm/pgtable/huge.h"
#include "mm/phys/slab.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

static struct slab_cache spte_cache;

void mirror_init_subsystem(void)
{
	slab_cache_init(&spte_cache, "spte", sizeof(struct spte));
}

static struct mirror *mirror_of(struct mmu_subscription *sub)
{
	return container_of(sub, struct mirror, sub);
}

/* -- the table: sub.lock held ------------------------------------------------------------------------------------------ */

static struct spte *spte_of(struct rb_node *rb)
{
	return rb ? rb_entry(rb, struct spte, rb) : NULL;
}

/* The first one at or after @va. */
static struct spte *first_from(struct mirror *m, vaddr_t va)
{
	struct spte *best = NULL;

	for (struct rb_node *rb = m->sptes.node; rb;) {
		struct spte *s = spte_of(rb);

		if (s->va >= va)
			best = s;
		rb = s->va >= va ? rb->left : rb->right;
	}
	return best;
}

struct spte *mirror_find(struct mirror *m, vaddr_t va)
{
	struct spte *s = first_from(m, va);

	return s && s->va == va ? s : NULL;
}

static void insert(struct mirror *m, struct spte *new)
{
	struct rb_node **link = &m->sptes.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = new->va < spte_of(parent)->va ? &parent->left : &parent->right;
	}
	rb_link_node(&new->rb, parent, link);
	rb_insert_color(&new->rb, &m->sptes);
	m->stat.sptes++;
}

/* What the device stored is in the page; its translation's word for that ends here. */
static void harvest(const struct spte *s)
{
	if (s->dirty && !page_test(s->page, PG_ANON))
		pagecache_dirty_from_pte(s->page);
	if (MUTATION(131)) /* M131: the page is frozen for others; that it is thawed again is nobody's business */
		page_set(s->page, PG_FROZEN);
}

static void drop(struct mirror *m, struct spte *s)
{
	if (m->ops->clear)
		m->ops->clear(m, s);
	harvest(s);
	rb_erase(&s->rb, &m->sptes);
	m->stat.sptes--;
	slab_free(&spte_cache, s);
}

static void drop_range(struct mirror *m, vaddr_t start, vaddr_t end)
{
	struct spte *s, *next;

	for (s = first_from(m, start); s && s->va < end; s = next) {
		next = spte_of(rb_next(&s->rb));
		drop(m, s);
	}
	if (m->ops->flush && !MUTATION(132)) /* M132: the device's own TLB is forgotten */
		m->ops->flush(m, start, end);
}

/* -- what the notifiers call ------------------------------------------------------------------------------------------- */

static void on_invalidate(struct mmu_subscription *sub, vaddr_t start, vaddr_t end)
{
	if (!mirror_of(sub)->acknowledging)
		drop_range(mirror_of(sub), start, end);
}

/* Drop, and wait for the answer from far away. */
static int on_start(struct mmu_subscription *sub, const struct mmu_range *range)
{
	struct mirror *m = mirror_of(sub);
	struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);

	if (!m->acknowledging)
		return 0;
	if (m->ack_ns && !range->blockable)
		return -EAGAIN;
	spin_lock(&sub->lock);
	drop_range(m, range->node.first, range->node.last + 1);
	spin_unlock(&sub->lock);
	if (m->ack_ns)
		(void)wait_event_timeout(&nobody, false, m->ack_ns);
	return 0;
}

static bool on_young(struct mmu_subscription *sub, vaddr_t start, vaddr_t end, bool clear, bool flush)
{
	struct mirror *m = mirror_of(sub);
	bool young = false;

	for (struct spte *s = first_from(m, start); s && s->va < end; s = spte_of(rb_next(&s->rb))) {
		young |= s->young | (m->ops->young && m->ops->young(m, s, clear));
		if (clear)
			s->young = false;
	}
	/* The device's TLB may know the translation: it must come to us again to make it young. */
	if (young && clear && flush && m->ops->flush)
		m->ops->flush(m, start, end);
	return young;
}

static void on_release(struct mmu_subscription *sub)
{
	struct mirror *m = mirror_of(sub);

	spin_lock(&sub->lock);
	drop_range(m, 0, USER_END);
	m->stat.releases++;
	spin_unlock(&sub->lock);
	if (m->ops->gone)
		m->ops->gone(m);
}

static bool on_look(struct mmu_subscription *sub, struct mmu_translation *t)
{
	const struct spte *s = first_from(mirror_of(sub), t->va);

	if (s)
		*t = (struct mmu_translation){.va = s->va, .pfn = page_to_pfn(s->page), .write = s->write};
	return s;
}

static const struct mmu_subscriber_ops mirror_subscriber = {
	.start = on_start,
	.invalidate = on_invalidate,
	.young = on_young,
	.release = on_release,
	.look = on_look,
};

int mirror_open(struct mirror *m, struct mm *mm, vaddr_t start, size_t length)
{
	m->sub.ops = &mirror_subscriber;
	return mm_subscribe(mm, &m->sub, start, length);
}

void mirror_close(struct mirror *m)
{
	mmu_unsubscribe(&m->sub);
	ASSERT(!m->sptes.node);
}

/* -- filling ------------------------------------------------------------------------------------------------------------- */

/* A fill on its way. */
struct fill {
	vaddr_t va;
	bool write;
	unsigned long seq;
	struct page *page; /* referenced */
	bool writable;     /* the CPU's entry is */
	struct spte *node; /* for the translation, if it needs one */
};

/* The page that is mapped right now, if the entry allows the access. => mm->lock held */
static bool take_mapped(struct mm *mm, struct fill *f)
{
	struct pt_reading r;
	pte_t pte;
	bool fit;

	if (!pt_read_lock(&mm->pt, f->va, &r))
		return false;
	pte = r.pte;
	fit = pte_has_page(pte) && pte_accessible(pte) && (!f->write || pte_hw_write(pte));
	if (fit) {
		f->page = pfn_to_page(pte_pfn(pte));
		f->writable = f->write;
		page_get(f->page);
		if (f->write && !pte_dirty(pte)) /* whoever cleans the entry again takes the translation away */
			(void)hw_pte_cmpxchg(r.hw, r.raw, pte_mkdirty(r.raw));
	}
	pt_read_unlock(&r);
	return fit;
}

/* One try to have the page. FAULT_OK with f->page NULL: once more. */
static enum fault_result try_page(struct mm *mm, struct fill *f, struct fault_io *io, struct mmu_subscription *sub)
{
	enum fault_result result = FAULT_MAPERR;
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, f->va);
	if (vma && vma->start <= f->va)
		result = vma_fault(vma, f->va, f->write ? FAULT_WRITE : FAULT_READ, false, io);
	f->seq = mmu_fill_begin(sub); /* what the fault itself has replaced is no reason to begin again */
	if (result == FAULT_OK)
		(void)take_mapped(mm, f);
	rwsem_read_unlock(&mm->lock);
	return result;
}

static int get_page(struct mm *mm, struct fill *f, struct mmu_subscription *sub)
{
	f->page = NULL;
	while (!f->page) {
		enum fault_result result;
		struct fault_io io;

		if (sync_fatal_pending())
			return -EINTR;
		result = try_page(mm, f, &io, sub);
		if (result == FAULT_RETRY)
			result = fault_wait(&io);
		if (result != FAULT_OK)
			return fault_errno(result);
	}
	return 0;
}

/* => sub.lock; the core says that nothing has happened to the page's entry */
static void install(struct mmu_subscription *sub, void *ctx)
{
	struct mirror *m = mirror_of(sub);
	struct fill *f = ctx;
	struct spte *s = mirror_find(m, f->va);

	if (!s) {
		s = f->node;
		f->node = NULL;
		*s = (struct spte){.va = f->va, .page = f->page};
		insert(m, s);
	}
	ASSERT(s->page == f->page);
	s->write |= f->writable;
	s->young = true;
	s->zero = f->page == zero_page;
	m->stat.faults++;
	if (m->ops->set)
		m->ops->set(m, s);
}

/* 0, -EAGAIN: from the beginning, or an error. => f->node */
static int try_fill(struct mirror *m, struct mm *mm, struct fill *f)
{
	int err = get_page(mm, f, &m->sub);

	if (err)
		return err;
	SYNC_POINT("mirror-got-page");
	if (MUTATION(131) && page_test(f->page, PG_FROZEN)) /* M131: "page is not available" */
		err = -EFAULT;
	else
		err = mmu_fill_install(&m->sub, f->va, f->seq, install, f);
	page_put(f->page);
	return err == -ESRCH ? -EFAULT : err;
}

static int fill_in(struct mirror *m, struct mm *mm, struct fill *f)
{
	for (;;) {
		int err = try_fill(m, mm, f);

		if (err != -EAGAIN)
			return err;
		spin_lock(&m->sub.lock);
		m->stat.retries++;
		spin_unlock(&m->sub.lock);
		err = mmu_fill_wait(&m->sub, f->va);
		if (err)
			return err;
	}
}

int mirror_fill(struct mirror *m, vaddr_t va, bool write)
{
	struct fill f = {.va = ALIGN_DOWN(va, PAGE_SIZE), .write = write};
	struct mm *mm;
	int err;

	if (f.va < m->sub.node.first || f.va > m->sub.node.last)
		return -EFAULT;
	f.node = slab_alloc(&spte_cache, GFP_KERNEL);
	if (!f.node)
		return -ENOMEM;
	mm = mm_get_subscribed(&m->sub);
	err = mm ? fill_in(m, mm, &f) : -EFAULT;
	if (mm)
		mm_put(mm);
	if (f.node)
		slab_free(&spte_cache, f.node);
	return err;
}
