/* T4-01: the name of a bit, from generic code */
// expect: attempt to use poisoned "X86_PTE_P"
#include <arch/pte.h>

int bit(void);
int bit(void)
{
	return X86_PTE_P != 0;
}
