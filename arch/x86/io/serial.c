/*
 * serial.c - the console: a 16550 on COM1.  Layer 1 (x86).
 * Output polls (printk must work anywhere); input interrupts.  One console_write() at a time.
 */
#include <arch/irq.h>
#include <arch/upcall.h>
#include <asm/io.h>
#include <asm/machine.h>
#include "kernel/lib/printk.h"

#define COM1 0x3f8
#define COM1_LINE 4
#define FIFO_SIZE 16
#define SPIN_MAX 1000000 /* a port that is not there must not hang the kernel */

enum { UART_DATA = 0, UART_IER = 1, UART_FCR = 2, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5 };
#define IER_RECEIVE 0x01
#define FCR_ENABLE_CLEAR 0x07
#define LCR_DLAB 0x80
#define LCR_8N1 0x03
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 connects the interrupt */
#define LSR_DATA 0x01
#define LSR_EMPTY 0x20

static bool present;
static bool output_busy; /* the lock of the output side: interrupts off, innermost */

void serial_init(void)
{
	outb(0, COM1 + UART_IER);
	outb(LCR_DLAB, COM1 + UART_LCR);
	outb(1, COM1 + UART_DATA); /* 115200 */
	outb(0, COM1 + UART_IER);
	outb(LCR_8N1, COM1 + UART_LCR);
	outb(FCR_ENABLE_CLEAR, COM1 + UART_FCR);
	outb(MCR_DTR_RTS_OUT2, COM1 + UART_MCR);
	present = inb(COM1 + UART_LSR) != 0xff;
}

static void wait_empty(void)
{
	for (unsigned i = 0; i < SPIN_MAX && !(inb(COM1 + UART_LSR) & LSR_EMPTY); i++)
		cpu_relax();
}

/* A holder that was stopped for good, or that we interrupted to die, must not keep the last words back. */
static bool output_lock(void)
{
	for (unsigned i = 0; i < SPIN_MAX; i++) {
		if (!__atomic_exchange_n(&output_busy, true, __ATOMIC_ACQUIRE))
			return true;
		cpu_relax();
	}
	return false;
}

void console_write(const char *s, size_t n)
{
	unsigned long flags;
	bool locked;

	if (!present)
		return;
	flags = irq_save();
	locked = output_lock();
	for (size_t i = 0; i < n; i++) {
		if (i % FIFO_SIZE == 0)
			wait_empty();
		outb((u8)s[i], COM1 + UART_DATA);
	}
	if (locked)
		__atomic_store_n(&output_busy, false, __ATOMIC_RELEASE);
	irq_restore(flags);
}

static void serial_interrupt(void *ctx)
{
	while (inb(COM1 + UART_LSR) & LSR_DATA)
		upcall_console_input(inb(COM1 + UART_DATA));
}

void serial_irq_init(void)
{
	if (!present || irq_request_line(COM1_LINE, false, serial_interrupt, NULL))
		return;
	outb(IER_RECEIVE, COM1 + UART_IER);
}
