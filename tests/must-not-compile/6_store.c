/* T4-01: storing into a live entry directly */
// expect: invalid use of undefined type 'struct hw_pte'
#include <arch/pte.h>

void store(struct hw_pte *p, pte_t v);
void store(struct hw_pte *p, pte_t v)
{
	*p = v;
}
