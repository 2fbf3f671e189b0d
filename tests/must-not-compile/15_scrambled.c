/* T4-01: the adversarial format's bits, from generic code */
// expect: attempt to use poisoned "scr_open"
#include <arch/pte.h>

bool present(pte_t pte);
bool present(pte_t pte)
{
	return scr_open(pte) != 0;
}
