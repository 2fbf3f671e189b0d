/* T4-01: stepping a live entry */
// expect: increment of pointer to an incomplete type 'struct hw_pte'
#include <arch/pte.h>

struct hw_pte *next(struct hw_pte *p);
struct hw_pte *next(struct hw_pte *p)
{
	p++;
	return p;
}
