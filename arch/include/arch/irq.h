/*
 * irq.h - device interrupts.  Layer 1.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include "kernel/lib/types.h"

typedef void irq_handler_t(void *ctx);

/* Call @handler(@ctx) with interrupts off whenever ISA/GSI line @line fires (shared lines: several
 * handlers).  The handler must quiet its device. Returns 0 or -ENOSPC, -EINVAL. */
int irq_request_line(unsigned line, bool level, irq_handler_t *handler, void *ctx);

/* Allocate a vector for a message-signalled interrupt to CPU 0; @msg_addr and @msg_data go into the
 * device's MSI or MSI-X slot. Returns 0, -ENOSPC, or -ENODEV without a local APIC. */
int irq_request_msi(irq_handler_t *handler, void *ctx, u64 *msg_addr, u32 *msg_data);

/* Nanoseconds since boot, monotonic. => any context */
u64 arch_clock_ns(void);
/* Seconds since the epoch, from the RTC, read at boot. */
u64 arch_boot_epoch(void);

/* Port I/O for drivers that need it (serial, PCI config): <asm/io.h>. */

#endif
