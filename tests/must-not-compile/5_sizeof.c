/* T4-01: the size of a live entry */
// expect: invalid application of 'sizeof' to incomplete type 'struct hw_pte'
#include <arch/pte.h>

size_t size(struct hw_pte *p);
size_t size(struct hw_pte *p)
{
	return sizeof *p;
}
