/* T4-01: loading a value directly */
// expect: invalid use of undefined type 'struct hw_pte'
#include <arch/pte.h>

pte_t load(struct hw_pte *p);
pte_t load(struct hw_pte *p)
{
	pte_t x = *p;

	return x;
}
