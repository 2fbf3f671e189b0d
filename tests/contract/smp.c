/*
 * smp.c - contract of <arch/smp.h> and of the clock: calls reach exactly the CPUs asked, in time; time does not step
 * back from one CPU to another.  With one CPU there is little to see.
 */
#include <arch/irq.h>
#include <arch/smp.h>
#include "tests/contract/contract.h"

#define ROUNDS 200

static unsigned runs[MAX_CPUS];
static bool bad_state;

static void count_run(void *arg)
{
	struct cpu *cpu = this_cpu();

	__atomic_fetch_add(&runs[cpu->id], *(unsigned *)arg, __ATOMIC_RELAXED);
	if (irqs_enabled() || !cpu->irq_depth || !cpu_online(cpu->id))
		bad_state = true;
}

static unsigned long nth_mask(unsigned round)
{
	return round % 3 == 0 ? ~0UL : (unsigned long)round * 0x9e3779b1 >> 7;
}

/* The own CPU cannot change under us: kernel code is not preempted, and nothing here sleeps. */
static void call_round(unsigned round, unsigned *expect)
{
	unsigned self = this_cpu()->id, step = round + 1;
	unsigned long mask = nth_mask(round), flags = 0;

	if (round % 2)
		flags = irq_save();
	ipi_call(mask, count_run, &step, true);
	if (round % 2)
		irq_restore(flags);
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		if (i != self && cpu_online(i) && (mask >> i & 1))
			expect[i] += step;
		contract_check(__atomic_load_n(&runs[i], __ATOMIC_RELAXED) == expect[i],
		               "round %u, mask %lx: cpu %u was called %u, not %u", round, mask, i, runs[i], expect[i]);
	}
}

bool contract_ipi_call(void)
{
	unsigned expect[MAX_CPUS] = {0};

	for (unsigned i = 0; i < MAX_CPUS; i++)
		runs[i] = 0;
	bad_state = false;
	for (unsigned round = 0; round < ROUNDS; round++)
		call_round(round, expect);
	contract_check(!bad_state, "a called function saw interrupts on, or no interrupt context");
	contract_check(cpu_online_mask() == BIT(cpu_count) - 1, "the online mask has gaps");
	for (unsigned i = 0; i < cpu_count; i++)
		contract_check(cpus[i].id == i && cpus[i].self == &cpus[i], "cpu %u is called %u", i, cpus[i].id);
	return contract_held();
}

static void read_clock(void *arg)
{
	*(u64 *)arg = arch_clock_ns();
}

bool contract_clock_order(void)
{
	u64 last = arch_clock_ns(), now = last;

	for (unsigned round = 0; round < ROUNDS; round++) {
		ipi_call(BIT(round % cpu_count), read_clock, &now, true);
		contract_check(now >= last, "cpu %u is %llu ns behind", round % cpu_count, (unsigned long long)(last - now));
		last = arch_clock_ns();
		contract_check(last >= now, "cpu %u is %llu ns ahead", round % cpu_count, (unsigned long long)(now - last));
		now = last;
	}
	return contract_held();
}
