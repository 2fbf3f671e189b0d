/*
 * mmio.h - device registers in memory, mapped by arch_ioremap().  Layer 9 (kernel/dev).
 *
 * One access of exactly the named width each; the compiler keeps them in program order among themselves.
 * mmio_barrier() orders them against ordinary memory that the device also reads or writes.
 */
#ifndef KERNEL_DEV_MMIO_H
#define KERNEL_DEV_MMIO_H

#include "kernel/lib/types.h"

static inline u8 mmio_read8(const volatile void *reg)
{
	return *(const volatile u8 *)reg;
}

static inline u16 mmio_read16(const volatile void *reg)
{
	return *(const volatile u16 *)reg;
}

static inline u32 mmio_read32(const volatile void *reg)
{
	return *(const volatile u32 *)reg;
}

static inline void mmio_write8(volatile void *reg, u8 value)
{
	*(volatile u8 *)reg = value;
}

static inline void mmio_write16(volatile void *reg, u16 value)
{
	*(volatile u16 *)reg = value;
}

static inline void mmio_write32(volatile void *reg, u32 value)
{
	*(volatile u32 *)reg = value;
}

/* In one piece on 64-bit machines only. */
static inline void mmio_write64(volatile void *reg, u64 value)
{
	*(volatile u64 *)reg = value;
}

/* Low half first: for registers that the device takes as two halves. */
static inline void mmio_write64_halves(volatile void *reg, u64 value)
{
	mmio_write32(reg, (u32)value);
	mmio_write32((volatile u8 *)reg + 4, (u32)(value >> 32));
}

static inline void mmio_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
