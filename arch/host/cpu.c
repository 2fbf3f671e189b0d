/*
 * cpu.c - the simulated processors: interrupts that one sends to another, and when they arrive.  Layer 1 (host).
 *
 * A call waits in a slot of its target for each sender.  The target answers at a point at which its interrupts are on,
 * or when it polls; for a CPU that executes nothing, whoever wants something claims it and answers in its place.
 */
#include "arch/host/machine.h"
#include <arch/smp.h>
#include "kernel/lib/assert.h"

struct call {
	void (*fn)(void *arg);
	void *arg;
	bool pending; /* release: it has been carried out */
};

__thread struct cpu *host_cpu = &cpus[0];
bool host_irqs_on[MAX_CPUS];
struct cpu cpus[MAX_CPUS] = {[0].self = &cpus[0]};
unsigned cpu_count = 1;
unsigned long cpu_online_bits = 1;

static struct call calls[MAX_CPUS][MAX_CPUS]; /* [target][sender] */
static unsigned long senders[MAX_CPUS];       /* with a call for this target; atomic */

void host_cpus_online(unsigned n, void (*arrived)(void))
{
	for (unsigned i = cpu_count; i < n; i++) {
		cpus[i].self = &cpus[i];
		cpus[i].id = cpus[i].apic_id = i;
		host_irqs_on[i] = true;
		cpu_count = i + 1;
		__atomic_fetch_or(&cpu_online_bits, BIT(i), __ATOMIC_SEQ_CST);
		BUG_ON(!host_claim(&cpus[i]));
		host_as_cpu(&cpus[i], arrived);
		host_release(&cpus[i]);
	}
}

void host_as_cpu(struct cpu *cpu, void (*fn)(void))
{
	struct cpu *me = host_cpu;

	ASSERT(!cpu->preempt_count && !cpu->current);
	host_cpu = cpu;
	host_irqs_on[cpu->id] = false;
	cpu->irq_depth++;
	cpu->preempt_count++;
	fn();
	cpu->preempt_count--;
	cpu->irq_depth--;
	host_irqs_on[cpu->id] = true;
	host_cpu = me;
}

/* -- answering --------------------------------------------------------------------------------------------------- */
bool host_irq_pending(const struct cpu *cpu)
{
	return __atomic_load_n(&senders[cpu->id], __ATOMIC_ACQUIRE);
}

void host_answer(void)
{
	unsigned me = this_cpu()->id;
	unsigned long from = __atomic_exchange_n(&senders[me], 0, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (from & BIT(i)) {
			struct call *c = &calls[me][i];

			c->fn(c->arg);
			__atomic_store_n(&c->pending, false, __ATOMIC_RELEASE);
		}
}

static void tick(void)
{
	upcall_timer_tick(false);
}

/* @fn in interrupt context of the executing CPU. => interrupts off */
static void interrupt(void (*fn)(void))
{
	struct cpu *cpu = this_cpu();

	cpu->irq_depth++;
	cpu->preempt_count++;
	fn();
	cpu->preempt_count--;
	cpu->irq_depth--;
}

void host_deliver(bool tick_due)
{
	while (irqs_enabled() && (tick_due || host_irq_pending(this_cpu()))) {
		irq_disable();
		interrupt(tick_due ? tick : host_answer);
		host_irqs_on[this_cpu()->id] = true; /* the end of an interrupt is no point: that would nest without end */
		tick_due = false;
	}
}

void ipi_poll(void)
{
	ASSERT(!irqs_enabled());
	if (host_irq_pending(this_cpu()))
		interrupt(host_answer);
}

/* -- asking ------------------------------------------------------------------------------------------------------- */

/* Has @target done what we asked?  If it is idle, in its place. */
static bool answered(unsigned target)
{
	const struct call *c = &calls[target][this_cpu()->id];

	if (__atomic_load_n(&c->pending, __ATOMIC_ACQUIRE) && host_claim(&cpus[target])) {
		host_as_cpu(&cpus[target], host_answer);
		host_release(&cpus[target]);
	}
	return !__atomic_load_n(&c->pending, __ATOMIC_ACQUIRE);
}

static void wait_for(unsigned long mask)
{
	for (unsigned i = 0; i < cpu_count; i++)
		while (mask & BIT(i) && !answered(i)) {
			host_relax();
			if (!irqs_enabled())
				ipi_poll();
		}
}

static void ask(unsigned target, void (*fn)(void *), void *arg)
{
	struct call *c = &calls[target][this_cpu()->id];

	c->fn = fn;
	c->arg = arg;
	__atomic_store_n(&c->pending, true, __ATOMIC_RELEASE);
	__atomic_fetch_or(&senders[target], BIT(this_cpu()->id), __ATOMIC_SEQ_CST);
}

void ipi_call(unsigned long mask, void (*fn)(void *), void *arg, bool wait)
{
	mask &= cpu_online_mask() & ~BIT(this_cpu()->id);
	wait_for(mask); /* an earlier call without wait */
	for (unsigned i = 0; i < cpu_count; i++)
		if (mask & BIT(i)) {
			ask(i, fn, arg);
			host_point();
		}
	for (unsigned i = 0; i < cpu_count; i++)
		if (mask & BIT(i))
			(void)answered(i);
	if (wait)
		wait_for(mask);
}

void ipi_reschedule(unsigned cpu)
{
}

void ipi_stop_others(void)
{
	irq_disable();
	host_stop();
}

void cpu_idle(void)
{
	irq_enable();
	host_relax();
	irq_disable();
}
