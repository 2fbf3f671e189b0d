/* T4-02, planted: copies a live entry without any cast.  Compiles; tools/check-opaque must find it. */
#include <arch/pte.h>

unsigned long cheat(struct hw_pte *hw);
unsigned long cheat(struct hw_pte *hw)
{
	unsigned long bits;

	__builtin_memcpy(&bits, hw, sizeof(bits));
	return bits;
}
