/* T4-01: reading a live entry directly */
// expect: invalid use of undefined type 'struct hw_pte'
#include <arch/pte.h>

bool is_set(struct hw_pte *p);
bool is_set(struct hw_pte *p)
{
	(void)(*p);
	return true;
}
