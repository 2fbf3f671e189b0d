/*
 * msr.h - model-specific, control and segment registers, cpuid.  Layer 1 (x86).
 */
#ifndef ASM_MSR_H
#define ASM_MSR_H

#include "kernel/lib/types.h"
#include <asm/offsets.h>

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

struct cpuid_regs {
	u32 a, b, c, d;
};

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(subleaf));
	return r;
}

#define CONTROL_REGISTER(n)                                          \
	static inline unsigned long read_cr##n(void)                     \
	{                                                                \
		unsigned long value;                                         \
                                                                     \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(value));        \
		return value;                                                \
	}                                                                \
	static inline void write_cr##n(unsigned long value)              \
	{                                                                \
		__asm__ volatile("mov %0, %%cr" #n ::"r"(value) : "memory"); \
	}
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)
#undef CONTROL_REGISTER

#endif
