/* T4-01: zero where an empty value is wanted */
// expect: invalid initializer
#include <arch/pte.h>

pte_t empty(void);
pte_t empty(void)
{
	pte_t none = 0;

	return none;
}
