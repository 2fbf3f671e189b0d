/* T4-01: arithmetic on a value */
// expect: invalid operands to binary |
#include <arch/pte.h>

pte_t with_bit(pte_t pte);
pte_t with_bit(pte_t pte)
{
	return pte | 1;
}
