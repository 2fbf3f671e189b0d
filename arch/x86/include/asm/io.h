/*
 * io.h - port and memory-mapped I/O.  Layer 1 (x86).
 */
#ifndef ASM_IO_H
#define ASM_IO_H

#include "kernel/lib/types.h"

static inline u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u16 inw(u16 port)
{
	u16 value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u32 inl(u16 port)
{
	u32 value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void outb(u8 value, u16 port)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outw(u16 value, u16 port)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outl(u32 value, u16 port)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

/* Device registers: one access of exactly this width, in program order. */
static inline u8 mmio_read8(const volatile void *p)
{
	return *(const volatile u8 *)p;
}

static inline u16 mmio_read16(const volatile void *p)
{
	return *(const volatile u16 *)p;
}

static inline u32 mmio_read32(const volatile void *p)
{
	return *(const volatile u32 *)p;
}

static inline void mmio_write8(volatile void *p, u8 value)
{
	*(volatile u8 *)p = value;
}

static inline void mmio_write16(volatile void *p, u16 value)
{
	*(volatile u16 *)p = value;
}

static inline void mmio_write32(volatile void *p, u32 value)
{
	*(volatile u32 *)p = value;
}

#endif
