/*
 * serial.c - the console: a 16550 on COM1.  Layer 1 (x86).
 * Output polls (printk must work anywhere); input interrupts.  One console_write() at a time.
 */
#include <arch/debugger.h>
#include <arch/irq.h>
#include <arch/upcall.h>
#include <asm/machine.h>
#include "arch/x86/io/uart.h"
#include "kernel/lib/printk.h"

#define DEBUG_KEY 0x1d /* Ctrl-], as good as a break: stop for the debugger, where there is one */

static bool present;
static bool output_busy; /* the lock of the output side: interrupts off, innermost */

void serial_init(void)
{
	present = uart_init(COM1);
}

/* A holder that was stopped for good, or that we interrupted to die, must not keep the last words back. */
static bool output_lock(void)
{
	for (unsigned i = 0; i < UART_SPIN_MAX; i++) {
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
		if (i % UART_FIFO == 0)
			uart_wait_empty(COM1);
		outb((u8)s[i], COM1 + UART_DATA);
	}
	if (locked)
		__atomic_store_n(&output_busy, false, __ATOMIC_RELEASE);
	irq_restore(flags);
}

static void serial_interrupt(void *ctx)
{
	u8 status;

	while ((status = inb(COM1 + UART_LSR)) & LSR_DATA) {
		u8 byte = inb(COM1 + UART_DATA);

		if (unlikely(debugger_armed) && (byte == DEBUG_KEY || status & LSR_BREAK))
			debugger_asked = true;
		else
			upcall_console_input(byte);
	}
}

void serial_irq_init(void)
{
	if (!present || irq_request_line(COM1_LINE, false, serial_interrupt, NULL))
		return;
	outb(IER_RECEIVE, COM1 + UART_IER);
}
