/*
 * portio.h - port-mapped device registers, for drivers outside arch/.  Layer 1.
 *
 * A machine without ports answers all-ones and swallows writes.  => any context
 */
#ifndef ARCH_PORTIO_H
#define ARCH_PORTIO_H

#include "kernel/lib/types.h"
#include <asm/io.h>

static inline u8 port_in8(u16 port)
{
	return inb(port);
}

static inline u16 port_in16(u16 port)
{
	return inw(port);
}

static inline u32 port_in32(u16 port)
{
	return inl(port);
}

static inline void port_out8(u16 port, u8 value)
{
	outb(value, port);
}

static inline void port_out16(u16 port, u16 value)
{
	outw(value, port);
}

static inline void port_out32(u16 port, u32 value)
{
	outl(value, port);
}

#endif
