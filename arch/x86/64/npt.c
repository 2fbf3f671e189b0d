/*
 * npt.c - nested page tables: four levels in the processor's own format, with leaf entries of 4 KiB.  Layer 1 (x86-64).
 *
 * tables[0] root, [1] and [2] one table each (guests are smaller than 1 GiB), [3 + n] the leaf table of the nth 2 MiB.
 * To the nested walk every access is a user's (APM volume 2, 15.25.5), so entries have U.
 */
#include <arch/vm.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/bitops.h"

#define NPT_P BIT(0)
#define NPT_W BIT(1)
#define NPT_U BIT(2)
#define NPT_A BIT(5)
#define NPT_D BIT(6)
#define LEAF_TABLES 3
#define LEAF_SPAN (512ul * PAGE_SIZE)

unsigned arch_npt_pages(unsigned long size)
{
	return LEAF_TABLES + (unsigned)DIV_ROUND_UP(size, LEAF_SPAN);
}

static u64 link_to(const void *table)
{
	return virt_to_phys(table) | NPT_P | NPT_W | NPT_U;
}

void arch_npt_init(void **tables, unsigned long size)
{
	unsigned pages = arch_npt_pages(size);

	ASSERT(size <= ARCH_NPT_SIZE_MAX);
	*(u64 *)tables[0] = link_to(tables[1]);
	*(u64 *)tables[1] = link_to(tables[2]);
	for (unsigned i = LEAF_TABLES; i < pages; i++)
		((u64 *)tables[2])[i - LEAF_TABLES] = link_to(tables[i]);
}

static u64 *entry_of(void **tables, unsigned long gpa)
{
	return (u64 *)tables[LEAF_TABLES + gpa / LEAF_SPAN] + gpa / PAGE_SIZE % 512;
}

void arch_npt_set(void **tables, unsigned long gpa, pfn_t pfn, bool write)
{
	WRITE_ONCE(*entry_of(tables, gpa), (u64)pfn << PAGE_SHIFT | NPT_P | NPT_U | (write ? NPT_W : 0));
}

void arch_npt_clear(void **tables, unsigned long gpa, bool *accessed, bool *dirty)
{
	u64 old = __atomic_exchange_n(entry_of(tables, gpa), 0, __ATOMIC_SEQ_CST);

	*accessed = old & NPT_A;
	*dirty = old & NPT_D;
}

bool arch_npt_young(void **tables, unsigned long gpa, bool clear)
{
	u64 *entry = entry_of(tables, gpa);

	if (!clear)
		return READ_ONCE(*entry) & NPT_A;
	return __atomic_fetch_and(entry, ~(u64)NPT_A, __ATOMIC_SEQ_CST) & NPT_A;
}
