/* T4-02, planted: reaches the bits of a value through a union.  Compiles; tools/check-opaque must find it. */
#include <arch/pte.h>

bool cheat(pte_t pte);
bool cheat(pte_t pte)
{
	union {
		pte_t pte;
		unsigned long bits;
	} pun = {pte};

	return pun.bits & 1;
}
