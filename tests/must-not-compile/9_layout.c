/* T4-01: the layout of an entry, from generic code */
// expect: the layout of a page-table entry belongs to arch/
#include <arch/pte.h>
#include <asm/pte_layout.h>

bool present(pte_t pte);
bool present(pte_t pte)
{
	return pte.pteval & X86_PTE_P;
}
