/* T4-01: a value on the stack where a live entry is wanted */
// expect: incompatible pointer type
#include <arch/pte.h>

pte_t confuse(void);
pte_t confuse(void)
{
	pte_t stack_pte = pte_none();

	return hw_pte_get(&stack_pte);
}
