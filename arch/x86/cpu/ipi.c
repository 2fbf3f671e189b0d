/*
 * ipi.c - interrupts from one CPU to another: look at your need_resched, call this function, halt.  Layer 1 (x86).
 *
 * Every CPU has two calls that it can have under way: [0] for its threads, [1] for an interrupt handler on top of
 * them.  A caller writes function and argument, sets `pending` to the CPUs asked, then a bit in each one's
 * `incoming`, and interrupts those that had none there.  Each CPU takes all its bits at once, runs the calls, and
 * takes itself out of `pending`: the acknowledgement.  No locks.
 */
#include <arch/irq.h>
#include <arch/smp.h>
#include <asm/machine.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/printk.h"

#define NS_PER_MS 1000000ULL
#define STOP_WAIT_MS 200
#define ANSWER_WAIT_MS 20000
#define ASK_AGAIN_MS 20

struct call {
	void (*fn)(void *arg);
	void *arg;
	unsigned long pending; /* CPUs that have yet to run it; atomic */
};

static struct mailbox {
	u32 incoming; /* bit 2 * cpu + which: run calls[which] of that CPU; atomic */
	struct call calls[2];
} __aligned(64) mailboxes[MAX_CPUS];
STATIC_ASSERT(2 * MAX_CPUS <= 32);

unsigned long cpu_online_bits = 1;

static unsigned stopper;      /* CPU that halts the others, + 1; atomic */
static unsigned long stopped; /* CPUs that did; atomic */

static void send(unsigned cpu, u32 command)
{
	apic_ipi(cpus[cpu].apic_id, command);
}

void ipi_reschedule(unsigned cpu)
{
	ASSERT(cpu_online(cpu));
	if (apic_active())
		send(cpu, APIC_IPI_FIXED | VECTOR_RESCHEDULE);
}

/* -- calls -------------------------------------------------------------------------------------------------- */
/* => interrupts off, in interrupt context */
static void run_incoming(void)
{
	unsigned self = this_cpu()->id;
	u32 bits = __atomic_exchange_n(&mailboxes[self].incoming, 0, __ATOMIC_SEQ_CST);

	for (; bits; bits &= bits - 1) {
		unsigned bit = (unsigned)__builtin_ctz(bits);
		struct call *call = &mailboxes[bit / 2].calls[bit % 2];

		call->fn(call->arg);
		__atomic_fetch_and(&call->pending, ~BIT(self), __ATOMIC_SEQ_CST);
	}
}

void ipi_poll(void)
{
	struct cpu *cpu = this_cpu();

	if (likely(!READ_ONCE(mailboxes[cpu->id].incoming)))
		return;
	cpu->irq_depth++;
	cpu->preempt_count++;
	run_incoming();
	cpu->preempt_count--;
	cpu->irq_depth--;
}

static void ask_again(unsigned long mask)
{
	for (; mask; mask &= mask - 1)
		send((unsigned)__builtin_ctzl(mask), APIC_IPI_FIXED | VECTOR_CALL);
}

/*
 * Until everybody has acknowledged. A CPU that keeps interrupts off for ages is a bug worth a line.
 *
 * Who does not answer for long is asked again: an emulated CPU that leaves a guest at just that moment can lose an interrupt
 * (docs/secondary.md).  One interrupt too many finds an empty mailbox.
 */
static void wait_answered(struct call *call)
{
	u64 start = arch_clock_ns(), asked = start;
	bool told = false;
	unsigned long left;

	while ((left = __atomic_load_n(&call->pending, __ATOMIC_ACQUIRE))) {
		u64 now = arch_clock_ns();

		if (!irqs_enabled())
			ipi_poll();
		if (now - asked > ASK_AGAIN_MS * NS_PER_MS) {
			ask_again(left);
			asked = now;
		}
		if (!told && now - start > ANSWER_WAIT_MS * NS_PER_MS) {
			told = true;
			printk("smp: cpu %u waits for cpus %lx\n", this_cpu()->id, left);
		}
		cpu_relax();
	}
}

void ipi_call(unsigned long mask, void (*fn)(void *), void *arg, bool wait)
{
	struct cpu *cpu = this_cpu();
	unsigned which = cpu->irq_depth != 0;
	struct call *call = &mailboxes[cpu->id].calls[which];

	mask &= cpu_online_mask() & ~BIT(cpu->id);
	if (!mask)
		return;
	ASSERT(!wait || !cpu->irq_depth);
	cpu->preempt_count++; /* the call is this CPU's: nobody else's until it is sent and, if so, answered */
	wait_answered(call);
	call->fn = fn;
	call->arg = arg;
	__atomic_store_n(&call->pending, mask, __ATOMIC_SEQ_CST);
	for (; mask; mask &= mask - 1) {
		unsigned target = (unsigned)__builtin_ctzl(mask);
		u32 old = __atomic_fetch_or(&mailboxes[target].incoming, 1u << (2 * cpu->id + which), __ATOMIC_SEQ_CST);

		if (!old) /* else an interrupt is on its way, sent by whoever set the first bit */
			send(target, APIC_IPI_FIXED | VECTOR_CALL);
	}
	if (wait)
		wait_answered(call);
	cpu->preempt_count--;
}

/* -- the end ----------------------------------------------------------------------------------------------------- */
bool ipi_stopping(void)
{
	unsigned who = __atomic_load_n(&stopper, __ATOMIC_ACQUIRE);

	return who && who != this_cpu()->id + 1;
}

__noreturn void ipi_stop_here(void)
{
	__atomic_fetch_or(&stopped, BIT(this_cpu()->id), __ATOMIC_SEQ_CST);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static bool all_stopped(unsigned long mask)
{
	u64 start = arch_clock_ns();

	while (~__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) & mask) {
		if (arch_clock_ns() - start > STOP_WAIT_MS * NS_PER_MS)
			return false;
		cpu_relax();
	}
	return true;
}

static void send_all(unsigned long mask, u32 command)
{
	for (; mask; mask &= mask - 1)
		send((unsigned)__builtin_ctzl(mask), command);
}

/* First politely, then by NMI: a CPU may spin with interrupts off. */
void ipi_stop_others(void)
{
	unsigned self = this_cpu()->id, nobody = 0;
	unsigned long mask = cpu_online_mask() & ~BIT(self);

	irq_disable();
	if (!__atomic_compare_exchange_n(&stopper, &nobody, self + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (ipi_stopping())
			ipi_stop_here();
		return;
	}
	send_all(mask, APIC_IPI_FIXED | VECTOR_STOP);
	if (all_stopped(mask))
		return;
	send_all(mask & ~__atomic_load_n(&stopped, __ATOMIC_ACQUIRE), APIC_IPI_NMI);
	all_stopped(mask);
}

/* -- arrival ------------------------------------------------------------------------------------------------------- */
bool ipi_interrupt(unsigned vector)
{
	switch (vector) {
	case VECTOR_RESCHEDULE:
		this_cpu()->need_resched = true;
		return true;
	case VECTOR_CALL:
		run_incoming();
		return true;
	case VECTOR_STOP:
		if (ipi_stopping())
			ipi_stop_here();
		return true;
	}
	return false;
}
