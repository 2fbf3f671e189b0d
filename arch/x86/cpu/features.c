/*
 * features.c - what this processor can do, and switching it on.  Layer 1 (x86).
 *
 * boot/entry32.S has already refused processors that lack what the build cannot do without.  CR4 is never
 * given a bit that CPUID does not announce; OSXSAVE stays clear, so user code sees FXSAVE state only.
 */
#include <arch/pte.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

struct cpu_features cpu_features;

static void detect(void)
{
	struct cpuid_regs leaf0 = cpuid(0, 0), leaf1 = cpuid(1, 0);
	struct cpuid_regs leaf7 = leaf0.a >= 7 ? cpuid(7, 0) : (struct cpuid_regs){0, 0, 0, 0};
	struct cpuid_regs ext = cpuid(0x80000000, 0);

	memcpy(cpu_features.vendor, &leaf0.b, 4);
	memcpy(cpu_features.vendor + 4, &leaf0.d, 4);
	memcpy(cpu_features.vendor + 8, &leaf0.c, 4);
	cpu_features.tsc = leaf1.d & BIT(4);
	cpu_features.apic = leaf1.d & BIT(9);
	cpu_features.pge = leaf1.d & BIT(13);
	cpu_features.sse = leaf1.d & BIT(25);
	cpu_features.smep = leaf7.b & BIT(7);
	cpu_features.smap = leaf7.b & BIT(20);
	cpu_features.umip = leaf7.c & BIT(2);
	if (ext.a >= 0x80000001)
		cpu_features.nx = cpuid(0x80000001, 0).d & BIT(20); /* entry32.S has set EFER.NXE then */
}

void features_enable(void)
{
	unsigned long cr4 = read_cr4() | CR4_OSFXSR;

	if (cpu_features.pge)
		cr4 |= CR4_PGE;
	if (cpu_features.sse)
		cr4 |= CR4_OSXMMEXCPT;
	if (cpu_features.smep)
		cr4 |= CR4_SMEP;
	if (cpu_features.smap)
		cr4 |= CR4_SMAP;
	if (cpu_features.umip)
		cr4 |= CR4_UMIP;
	write_cr4(cr4);
}

void features_init(void)
{
	detect();
	features_enable();
#ifndef PTE_FORMAT_i386
	if (cpu_features.nx)
		pte_nx_mask = (u64)1 << 63;
#else
	cpu_features.nx = false; /* 4-byte entries have no room for it */
#endif
	printk("cpu: %s%s%s%s%s%s\n", cpu_features.vendor, cpu_features.nx ? " nx" : "", cpu_features.smep ? " smep" : "",
	       cpu_features.smap ? " smap" : "", cpu_features.umip ? " umip" : "", cpu_features.tsc ? "" : " (no tsc)");
}
