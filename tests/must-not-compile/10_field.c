/* T4-01: the bits of a value, from generic code */
// expect: attempt to use poisoned "pteval"
#include <arch/pte.h>

bool present(pte_t pte);
bool present(pte_t pte)
{
	return pte.pteval & 1;
}
