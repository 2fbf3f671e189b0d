/*
 * irq.c - from a vector to the handlers of a device.  Layer 1 (x86).
 *
 * Handlers are added at boot and by drivers, never removed; a line may be shared.  With I/O APICs the vector of
 * input g is VECTOR_GSI + g; without, of line n VECTOR_PIC + n.  Lock: none; actions are published by one store.
 */
#include <arch/irq.h>
#include <arch/upcall.h>
#include <asm/machine.h>
#include "arch/x86/debug/internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"

#define ACTIONS_MAX 64

struct irq_action {
	irq_handler_t *handler;
	void *ctx;
	struct irq_action *next;
};

static struct irq_action *vector_actions[256];
static struct irq_action action_pool[ACTIONS_MAX];
static unsigned actions_used; /* atomic */
static unsigned next_msi;     /* atomic: vectors handed out */

void irq_init(void)
{
	pic_init();
	if (!apic_init())
		printk("irq: no local APIC, using the 8259\n");
}

static int action_add(unsigned vector, irq_handler_t *handler, void *ctx)
{
	unsigned i = __atomic_fetch_add(&actions_used, 1, __ATOMIC_RELAXED);
	struct irq_action *action = &action_pool[i];

	if (i >= ACTIONS_MAX) {
		__atomic_store_n(&actions_used, ACTIONS_MAX, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	action->handler = handler;
	action->ctx = ctx;
	action->next = __atomic_load_n(&vector_actions[vector], __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&vector_actions[vector], &action->next, action, false, __ATOMIC_RELEASE,
	                                    __ATOMIC_RELAXED))
		cpu_relax();
	return 0;
}

int irq_request_line(unsigned line, bool level, irq_handler_t *handler, void *ctx)
{
	int vector, r;

	if (!handler || (!apic_active() && line >= 16))
		return -EINVAL;
	vector = apic_active() ? VECTOR_GSI : VECTOR_PIC;
	if (apic_active()) {
		vector = apic_vector(line);
		if (vector < 0)
			return vector;
	} else {
		vector += line;
	}
	r = action_add((unsigned)vector, handler, ctx);
	if (r)
		return r;
	if (apic_active())
		return apic_route(line, level);
	pic_unmask(line);
	return 0;
}

int irq_request_msi(irq_handler_t *handler, void *ctx, u64 *msg_addr, u32 *msg_data)
{
	unsigned vector;
	int r;

	if (!apic_active())
		return -ENODEV;
	vector = VECTOR_MSI + __atomic_fetch_add(&next_msi, 1, __ATOMIC_RELAXED);
	if (vector >= VECTOR_MSI_END) {
		__atomic_store_n(&next_msi, VECTOR_MSI_END - VECTOR_MSI, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	r = action_add(vector, handler, ctx);
	if (r)
		return r;
	*msg_addr = 0xfee00000 | (u64)apic_id() << 12; /* physical destination, fixed delivery, edge */
	*msg_data = vector;
	return 0;
}

static void end_of_interrupt(unsigned vector)
{
	if (apic_active())
		apic_eoi();
	else if (vector < VECTOR_PIC + 16)
		pic_eoi(vector - VECTOR_PIC);
}

static void run_actions(unsigned vector)
{
	struct irq_action *action = __atomic_load_n(&vector_actions[vector], __ATOMIC_ACQUIRE);
	static bool told[256];

	if (!action && !told[vector]) {
		told[vector] = true;
		printk("irq: unexpected interrupt, vector %u\n", vector);
	}
	for (; action; action = action->next)
		action->handler(action->ctx);
}

static bool spurious(unsigned vector)
{
	return vector == VECTOR_SPURIOUS || (vector - VECTOR_PIC < 16 && pic_spurious(vector - VECTOR_PIC));
}

/* => interrupts off throughout: handlers do not nest */
void irq_dispatch(struct trap_frame *tf)
{
	unsigned vector = (unsigned)tf->vector & 255;
	struct cpu *cpu = this_cpu();

	if (spurious(vector))
		return;
	cpu->irq_depth++;
	cpu->preempt_count++;
	if (timer_interrupt(vector)) {
		if (cpu->id == 0)
			clock_tick();
		upcall_timer_tick(tf->cs & 3);
	} else if (!ipi_interrupt(vector)) {
		run_actions(vector);
	}
	end_of_interrupt(vector);
	cpu->preempt_count--;
	cpu->irq_depth--;
	if (unlikely(READ_ONCE(debugger_asked)))
		debug_interrupted(tf);
}
