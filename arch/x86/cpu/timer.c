/*
 * timer.c - the periodic tick, and arch_init(), which starts everything that interrupts.  Layer 1 (x86).
 */
#include <arch/init.h>
#include <arch/irq.h>
#include <asm/io.h>
#include <asm/machine.h>

#define PIT_HZ 1193182
#define PIT_CHANNEL0 0x40
#define PIT_COMMAND 0x43

static unsigned tick_vector;

bool timer_interrupt(unsigned vector)
{
	return vector == tick_vector;
}

static void pit_start(void)
{
	u16 count = PIT_HZ / TICK_HZ;

	outb(0x34, PIT_COMMAND); /* channel 0, both bytes, rate generator, binary */
	outb((u8)count, PIT_CHANNEL0);
	outb((u8)(count >> 8), PIT_CHANNEL0);
}

/* => interrupts off */
static void tick_init(void)
{
	if (apic_active() && clock_apic_hz()) {
		tick_vector = VECTOR_TIMER;
		apic_timer_periodic(clock_apic_hz() / TICK_HZ);
		return;
	}
	pit_start();
	if (apic_active()) {
		tick_vector = (unsigned)apic_vector(0);
		apic_route(0, false);
	} else {
		tick_vector = VECTOR_PIC;
		pic_unmask(0);
	}
}

/* => apic_active(), clock_apic_hz() */
void tick_init_cpu(void)
{
	apic_timer_periodic(clock_apic_hz() / TICK_HZ);
}

void arch_init(void)
{
	irq_init();
	clock_init();
	tick_init();
	serial_irq_init();
}
