/*
 * smap.c - turns the no-ops at the gates to user memory into STAC and CLAC.  Layer 1 (x86).
 */
#include <asm/machine.h>
#include <asm/msr.h>

struct smap_site {
	unsigned long address, code; /* code: last byte of the instruction */
};
extern const struct smap_site smap_sites_start[], smap_sites_end[];

/* => once, before the code becomes read-only, before the first user thread */
void smap_patch(void)
{
	if (!cpu_features.smap)
		return;
	for (const struct smap_site *site = smap_sites_start; site < smap_sites_end; site++) {
		volatile u8 *insn = (u8 *)site->address;

		insn[0] = 0x0f;
		insn[1] = 0x01;
		insn[2] = (u8)site->code;
	}
	cpuid(0, 0); /* serialises: other code bytes from here on */
}
