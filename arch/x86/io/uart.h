/*
 * uart.h - a 16550.  Layer 1 (x86).  Polled; who uses one serialises.
 */
#ifndef ARCH_X86_IO_UART_H
#define ARCH_X86_IO_UART_H

#include <asm/cpu.h>
#include <asm/io.h>

#define COM1 0x3f8
#define COM1_LINE 4
#define COM2 0x2f8
#define COM2_LINE 3
#define UART_FIFO 16
#define UART_SPIN_MAX 1000000 /* a port that is not there must not hang the kernel */

enum { UART_DATA = 0, UART_IER = 1, UART_FCR = 2, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5 };
#define IER_RECEIVE 0x01
#define FCR_ENABLE_CLEAR 0x07
#define LCR_DLAB 0x80
#define LCR_8N1 0x03
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 connects the interrupt */
#define LSR_DATA 0x01
#define LSR_BREAK 0x10 /* the byte is no byte: the line was held down */
#define LSR_EMPTY 0x20

/* 115200 8N1, no interrupts; false: nothing is there. */
static inline bool uart_init(u16 port)
{
	outb(0, port + UART_IER);
	outb(LCR_DLAB, port + UART_LCR);
	outb(1, port + UART_DATA);
	outb(0, port + UART_IER);
	outb(LCR_8N1, port + UART_LCR);
	outb(FCR_ENABLE_CLEAR, port + UART_FCR);
	outb(MCR_DTR_RTS_OUT2, port + UART_MCR);
	return inb(port + UART_LSR) != 0xff;
}

/* Room for UART_FIFO bytes. */
static inline void uart_wait_empty(u16 port)
{
	for (unsigned i = 0; i < UART_SPIN_MAX && !(inb(port + UART_LSR) & LSR_EMPTY); i++)
		cpu_relax();
}

#endif
