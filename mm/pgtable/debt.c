/*
 * debt.c - flushes that are owed.
 *
 * Layer 4 (mm/pgtable).  Interface and theory: debt.h.  No locks: counters.
 *
 * pt->owed counts the entries whose flush was put off, ever; pt->settled is that number as of the last time somebody
 * made sure that none is outstanding.  Who finds the two different flushes the tree, unless nobody owes anything to
 * anybody by now.  He compares after he has held the entries' PTL, under which they were emptied and counted.
 */
#include "mm/pgtable/debt.h"

#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/tlb.h>

#include "kernel/lib/mutation.h"
#include "kernel/lib/trace.h"

static unsigned debtors; /* debts that are not paid; atomic */

bool tlb_debt_add(struct tlb_debt *d, struct pgtable *pt)
{
	unsigned long cpus;

	if (READ_ONCE(pt->notifiers))
		return false;
	cpu_mb(); /* the entry changed before the mask is read */
	cpus = __atomic_load_n(&pt->cpu_mask, __ATOMIC_SEQ_CST);
	if (!(cpus & ~BIT(this_cpu()->id)))
		return false;
	if (!d->cpus)
		__atomic_fetch_add(&debtors, 1, __ATOMIC_SEQ_CST);
	d->cpus |= cpus;
	__atomic_fetch_add(&pt->owed, 1, __ATOMIC_SEQ_CST);
	return true;
}

static void forget_all(void *unused)
{
	tlb_flush_local_all();
}

void tlb_debt_pay(struct tlb_debt *d)
{
	unsigned long others;

	if (!d->cpus)
		return;
	others = d->cpus & ~BIT(this_cpu()->id);
	if (others) {
		this_cpu()->tlb_shootdowns++;
		ipi_call(others, forget_all, NULL, true);
	}
	forget_all(NULL);
	TRACE(TRACE_FLUSH, NULL, 0, 0, 0, USER_END);
	d->cpus = 0;
	__atomic_fetch_sub(&debtors, 1, __ATOMIC_SEQ_CST);
}

void pgtable_settle_slow(struct pgtable *pt)
{
	unsigned owed = __atomic_load_n(&pt->owed, __ATOMIC_SEQ_CST);

	if (MUTATION(162)) /* M162: what reclaim owes is nobody else's affair */
		return;
	if (__atomic_load_n(&debtors, __ATOMIC_SEQ_CST))
		pgtable_flush_cpus(pt, 0, USER_END);
	__atomic_store_n(&pt->settled, owed, __ATOMIC_SEQ_CST); /* an older number only makes somebody look once more */
}
