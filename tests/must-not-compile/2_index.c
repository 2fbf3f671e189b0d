/* T4-01: indexing live entries */
// expect: invalid use of undefined type 'struct hw_pte'
#include <arch/pte.h>

void *first(struct hw_pte *p);
void *first(struct hw_pte *p)
{
	return &p[0];
}
