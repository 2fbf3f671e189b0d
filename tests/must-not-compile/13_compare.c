/* T4-01: comparing values bit by bit, without pte_same() */
// expect: invalid operands to binary ==
#include <arch/pte.h>

bool same(pte_t a, pte_t b);
bool same(pte_t a, pte_t b)
{
	return a == b;
}
