/* T4-02, planted: makes a value without a maker, and trusts that zero is empty.  Compiles; tools/check-opaque must find
 * it. */
#include <arch/pte.h>

pte_t cheat(void);
pte_t cheat(void)
{
	return (pte_t){0};
}
