/*
 * pgtable.c - one address space's tree: birth, death, loading, and its share of the TLBs.
 *
 * Layer 4 (mm/pgtable).  Interface: pgtable.h.
 *
 * Which CPUs may hold translations of a tree?  Those in its cpu_mask (RF.11):
 *
 *   CPU that loads the tree              CPU that changes an entry
 *     1. set its bit in cpu_mask           1. change the entry
 *     2. load (walks begin)                2. read cpu_mask, interrupt those in it, wait
 *
 * With a full barrier between 1 and 2 on both sides, either the flusher sees the bit or the other one walks the new
 * entry.  Leaving is the reverse: the other tree is loaded, which forgets everything of this one, and only then the
 * bit goes.  So a CPU outside the mask holds nothing, and nobody has to catch up with flushes that he missed.
 *
 * A thread without a tree runs on whatever is loaded (a switch to and fro would forget it all).  Such a CPU is in the
 * mask; the first flush makes it load the kernel's tree instead, so that it is not interrupted again, and so does
 * the end of the tree.
 */
#include "mm/pgtable/pgtable.h"

#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/tlb.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/trace.h"
#include "mm/pgtable/gather.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/table.h"

int pgtable_init(struct pgtable *pt)
{
	pt->root = table_alloc();
	if (!pt->root)
		return -ENOMEM;
	pt->root_pa = page_to_phys(pt->root);
	spin_init(&pt->lock, LOCK_PT_UPPER);
	pt->cpu_mask = 0;
	pt->gathers = 0;
	pt->owed = pt->settled = 0;
	pt->notifiers = NULL;
	pt->nr_tables = 1;
	pt->nr_huge = 0;
	list_init(&pt->deposits);
	pt->nr_pages = 0;
	pt->nr_swap = 0;
	pt->recent = NULL;
	arch_pgtable_init_root(page_address(pt->root));
	return 0;
}

/* -- which tree this CPU uses --------------------------------------------------------------------------------- */
void pgtable_load(struct pgtable *pt)
{
	unsigned long flags = irq_save(); /* a flush that comes in between would find it half done */
	struct cpu *cpu = this_cpu();
	struct pgtable *old = cpu->loaded;

	cpu->lazy = false;
	if (old != pt) {
		if (pt)
			__atomic_fetch_or(&pt->cpu_mask, BIT(cpu->id), __ATOMIC_SEQ_CST);
		cpu->loaded = pt;
		arch_pgtable_load(pt ? pt->root_pa : arch_pgtable_kernel_root());
		if (old) /* it may be freed from here on */
			__atomic_fetch_and(&old->cpu_mask, ~BIT(cpu->id), __ATOMIC_SEQ_CST);
	}
	irq_restore(flags);
}

/* -- flushing ------------------------------------------------------------------------------------------------- */
enum flush_what { FLUSH_RANGE, FLUSH_RELOAD, FLUSH_EVICT };

struct flush {
	struct pgtable *pt;
	vaddr_t start, end;
	enum flush_what what;
};

/* On each CPU of the mask: in interrupt context there, as a plain call on the flusher's own. */
static void flush_here(void *arg)
{
	const struct flush *f = arg;
	struct cpu *cpu = this_cpu();

	if (cpu->loaded != f->pt)
		return;
	if (cpu->lazy || f->what == FLUSH_EVICT)
		pgtable_load(NULL);
	else if (f->what == FLUSH_RELOAD)
		arch_pgtable_load(f->pt->root_pa);
	else
		tlb_flush_local_range(f->start, f->end);
}

static void flush_everywhere(struct flush *f)
{
	unsigned long others;

	cpu_mb(); /* entries changed before the mask is read */
	others = __atomic_load_n(&f->pt->cpu_mask, __ATOMIC_SEQ_CST) & ~BIT(this_cpu()->id);
	if (others) {
		this_cpu()->tlb_shootdowns++;
		ipi_call(others, flush_here, f, true);
	}
	flush_here(f);
}

void pgtable_flush_cpus(struct pgtable *pt, vaddr_t start, vaddr_t end)
{
	struct flush f = {.pt = pt, .start = start, .end = end, .what = FLUSH_RANGE};

	flush_everywhere(&f);
	TRACE(TRACE_FLUSH, pt, start, 0, 0, end);
}

/* Without subscribers this is pgtable_flush_cpus() and a look: nothing is kept in registers over the flush for them. */
void pgtable_flush_range(struct pgtable *pt, vaddr_t start, vaddr_t end)
{
	struct flush f = {.pt = pt, .start = start, .end = end, .what = FLUSH_RANGE};

	ASSERT(mmu_notify_covered(pt, start, end));
	flush_everywhere(&f);
	TRACE(TRACE_FLUSH, f.pt, f.start, 0, 0, f.end);
	mmu_notify_flush(f.pt, f.start, f.end);
}

/* A program of one thread, on its own CPU, and no secondary MMU: the usual case, and nobody else to tell. */
void pgtable_flush_page(struct pgtable *pt, vaddr_t va)
{
	const struct cpu *cpu = this_cpu();

	cpu_mb(); /* the entry changed before the mask is read */
	if (likely(__atomic_load_n(&pt->cpu_mask, __ATOMIC_SEQ_CST) == BIT(cpu->id) && cpu->loaded == pt && !cpu->lazy &&
	           !READ_ONCE(pt->notifiers))) {
		tlb_flush_local_page(va);
		TRACE(TRACE_FLUSH, pt, va, 0, 0, va + PAGE_SIZE);
	} else {
		pgtable_flush_range(pt, va, va + PAGE_SIZE);
	}
}

void pgtable_flush_all(struct pgtable *pt)
{
	pgtable_flush_cpus(pt, 0, USER_END);
	mmu_notify_flush(pt, 0, USER_END);
}

void pgtable_reload(struct pgtable *pt)
{
	struct flush f = {.pt = pt, .what = FLUSH_RELOAD};

	flush_everywhere(&f);
	TRACE(TRACE_FLUSH, pt, 0, 0, 0, USER_END);
}

unsigned long pgtable_shootdowns(void)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		n += READ_ONCE(cpus[i].tlb_shootdowns);
	return n;
}

/* -- the end --------------------------------------------------------------------------------------------------- */
void pgtable_destroy(struct pgtable *pt)
{
	struct flush f = {.pt = pt, .what = FLUSH_EVICT};
	struct mmu_gather g;

	ASSERT(pt->nr_pages == 0 && pt->nr_swap == 0 && pt->nr_huge == 0 && list_empty(&pt->deposits));
	flush_everywhere(&f);
	ASSERT(__atomic_load_n(&pt->cpu_mask, __ATOMIC_SEQ_CST) == 0);
	/* USER_END may lie inside the last table's span. */
	mmu_gather_begin(&g, pt, 0, USER_END, MMU_UNMAP);
	pt_free_tables(pt, &g, 0, USER_END, 0, ALIGN_UP((vaddr_t)USER_END, pt_span(1)));
	mmu_gather_finish(&g);
	mmu_notifiers_free(pt);
	ASSERT(pt->nr_tables == 1);
	ASSERT(pt->root->nr_below == 0);
	table_free(pt->root);
	pt->root = NULL;
}
