/*
 * port.c - the debugger's line: the second serial port.  Layer 1 (x86).
 *
 * While the machine stands, the debugger polls.  While it runs, an interrupt says that the other side wants something:
 * Ctrl-C, or the beginning of a packet (it has only just come).  Whatever else is received then is an acknowledgement
 * that came late, or noise.
 */
#include <arch/irq.h>
#include "arch/x86/debug/internal.h"
#include "arch/x86/io/uart.h"

#define CTRL_C 0x03
#define PACKET_START '$'

static bool present;
static bool packet_begun; /* its first byte was taken by the interrupt */
static unsigned sent;     /* bytes since the FIFO was empty */

bool arch_debug_port_init(void)
{
	present = uart_init(COM2);
	return present;
}

int arch_debug_port_get(void)
{
	if (packet_begun) {
		packet_begun = false;
		return PACKET_START;
	}
	return inb(COM2 + UART_LSR) & LSR_DATA ? inb(COM2 + UART_DATA) : -1;
}

void arch_debug_port_put(u8 byte)
{
	if (sent++ % UART_FIFO == 0)
		uart_wait_empty(COM2);
	outb(byte, COM2 + UART_DATA);
}

/* Take what there is, up to something that means: stop. */
static bool wanted(void)
{
	while (inb(COM2 + UART_LSR) & LSR_DATA) {
		u8 byte = inb(COM2 + UART_DATA);

		packet_begun = byte == PACKET_START;
		if (packet_begun || byte == CTRL_C)
			return true;
	}
	return false;
}

bool port_interrupt_byte(void)
{
	return present && wanted();
}

static void port_interrupt(void *ctx)
{
	if (!debugger_asked && wanted())
		debugger_asked = true;
}

void arch_debug_port_irq_init(void)
{
	if (!present || irq_request_line(COM2_LINE, false, port_interrupt, NULL))
		return;
	outb(IER_RECEIVE, COM2 + UART_IER);
	if (wanted())
		debugger_asked = true; /* what came before the interrupt was on: no edge will tell */
}
