/*
 * hex.h - hexadecimal digits.  Layer 9 (kernel/debug).
 */
#ifndef KERNEL_DEBUG_HEX_H
#define KERNEL_DEBUG_HEX_H

/* -1: it is none. */
static inline int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Of the low four bits. */
static inline char hex_digit(unsigned n)
{
	return "0123456789abcdef"[n & 15];
}

#endif
