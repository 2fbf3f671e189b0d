/* T4-01: arithmetic on a live entry */
// expect: invalid use of undefined type 'struct hw_pte'
#include <arch/pte.h>

struct hw_pte *next(struct hw_pte *p);
struct hw_pte *next(struct hw_pte *p)
{
	return p + 1;
}
