/* T4-02, planted: reads a live entry through a cast.  Compiles; tools/check-opaque must find it. */
#include <arch/pte.h>

unsigned long cheat(struct hw_pte *hw);
unsigned long cheat(struct hw_pte *hw)
{
	return *(volatile unsigned long *)hw;
}
