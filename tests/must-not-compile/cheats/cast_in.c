/* T4-02, planted: makes a live entry out of a value by a cast.  Compiles; tools/check-opaque must find it. */
#include <arch/pte.h>

pte_t cheat(void);
pte_t cheat(void)
{
	pte_t stack_pte = pte_none();

	return hw_pte_get((struct hw_pte *)&stack_pte);
}
