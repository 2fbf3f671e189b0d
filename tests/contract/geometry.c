/*
 * geometry.c - contract of <arch/pgtable.h>: levels, indexes, the two halves of the address space.
 */
#include <arch/pgtable.h>
#include <arch/phys.h>
#include "kernel/lib/string.h"
#include "tests/contract/contract.h"

static u8 scratch_root[PAGE_SIZE] __aligned(PAGE_SIZE);

static void check_level(unsigned level)
{
	const struct pt_level *l = &pt_geometry[level];

	contract_check(l->shift == (level ? pt_geometry[level - 1].shift + pt_geometry[level - 1].bits : PAGE_SHIFT),
	               "level %u does not begin where the one below ends", level);
	contract_check(pt_span(level) == (vaddr_t)1 << l->shift, "level %u: span", level);
	for (unsigned i = 0; i < pt_entries(level); i++)
		contract_check(pt_index(level, (vaddr_t)i << l->shift) == i, "level %u: index %u", level, i);
	contract_check(arch_pgtable_user_entries(level) <= pt_entries(level), "level %u: user entries", level);
}

bool contract_geometry(void)
{
	unsigned root = PT_LEVELS - 1, user = arch_pgtable_user_entries(root);

	contract_check(PT_LEVELS <= PT_MAX_LEVELS && pt_geometry[0].leaf, "levels");
	for (unsigned level = 0; level < PT_LEVELS; level++)
		check_level(level);
	contract_check(USER_END % PAGE_SIZE == 0 && USER_MMAP_BASE % PAGE_SIZE == 0, "limits are not page aligned");
	contract_check(USER_MMAP_BASE < USER_END && USER_END <= KERNEL_BASE, "limits are out of order");
	contract_check(pt_index(root, USER_END - 1) < user, "the last user address is in the kernel half");
	if (PT_MAPS_KERNEL) {
		contract_check(pt_index(root, KERNEL_BASE) >= user, "the first kernel address is in the user half");
		contract_check(pt_index(root, (vaddr_t)contract_geometry) >= user, "this very code is in the user half");
	}
	return contract_held();
}

bool contract_root(void)
{
	unsigned root = PT_LEVELS - 1, user = arch_pgtable_user_entries(root);

	memset(scratch_root, 0, sizeof(scratch_root));
	hw_table_init(scratch_root);
	arch_pgtable_init_root(scratch_root);
	for (unsigned i = 0; i < user; i++)
		contract_check(pte_is_none(hw_pte_get(hw_pte_at(scratch_root, i))), "user entry %u of a new root is set", i);
	if (PT_MAPS_KERNEL) {
		pte_t here = hw_pte_get(hw_pte_at(scratch_root, pt_index(root, (vaddr_t)contract_root)));

		contract_check(pte_is_table(here, root) || pte_has_page(here), "this very code is not mapped by a new root");
	}
	contract_check((arch_pgtable_kernel_root() & (PAGE_SIZE - 1)) == 0, "the kernel's root is not page aligned");
	contract_check(virt_to_phys(phys_to_virt(0x123000)) == 0x123000, "direct map does not round trip");
	return contract_held();
}
