/*
 * clock.c - nanoseconds since boot, from the time-stamp counter.  Layer 1 (x86).
 *
 * The TSC and the local APIC's timer are measured against the ACPI timer, or the PIT where there is none.  Between
 * two looks at the port the loop only counts: under -icount an IN is dear, an addition is not.  Without a TSC, time
 * moves by whole ticks.
 */
#include <arch/irq.h>
#include <asm/io.h>
#include <asm/machine.h>
#include "kernel/lib/printk.h"

#define NS_PER_SECOND 1000000000ULL
#define PM_TIMER_HZ 3579545
#define PIT_HZ 1193182
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_GATE 0x61
#define CALIBRATE_MS 5
#define TSC_HZ_MIN 1000000

/* ns = base_ns + ((tsc - base_tsc) * mult >> shift); 1 GHz until calibrated. */
static u64 base_ns, base_tsc;
static u32 mult = 1u << 31;
static unsigned shift = 31;
static bool use_tsc = true;
static u64 tick_ns; /* without a TSC */
static u32 apic_hz;
static bool warped;
static u64 last_ns; /* with differing counters: the latest reading of all CPUs */

/* (a * b) >> s with 96 bits between. */
static u64 mul_shift(u64 a, u32 b, unsigned s)
{
	u64 low = (u64)(u32)a * b, high = (a >> 32) * b;

	return (low >> s) + (high << (32 - s));
}

/* The counters of two CPUs differ: no reading is less than an earlier one. */
static u64 never_back(u64 ns)
{
	static bool busy; /* eight bytes are more than i386 can read at once */
	unsigned long flags = irq_save();

	while (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		cpu_relax();
	last_ns = max(last_ns, ns);
	ns = last_ns;
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
	irq_restore(flags);
	return ns;
}

u64 arch_clock_ns(void)
{
	u64 ns;

	if (unlikely(!use_tsc))
		return READ_ONCE(tick_ns);
	ns = base_ns + mul_shift(cpu_rdtsc() - base_tsc, mult, shift);
	return unlikely(warped) ? never_back(ns) : ns;
}

/* -- other CPUs ------------------------------------------------------------------------------------------------ */
#define WARP_ROUNDS 1000

static struct {
	bool busy; /* lock of last_tsc */
	bool found;
	u64 last_tsc;
} warp;

void clock_warp_test(void)
{
	for (unsigned i = 0; i < WARP_ROUNDS; i++) {
		u64 tsc;

		while (__atomic_exchange_n(&warp.busy, true, __ATOMIC_SEQ_CST))
			cpu_relax();
		tsc = cpu_rdtsc();
		if (tsc < warp.last_tsc)
			warp.found = true;
		else
			warp.last_tsc = tsc;
		__atomic_store_n(&warp.busy, false, __ATOMIC_SEQ_CST);
		cpu_relax();
	}
}

void clock_warp_judge(void)
{
	if (!use_tsc || warped || !READ_ONCE(warp.found))
		return;
	printk("clock: the time-stamp counters of the CPUs differ\n");
	WRITE_ONCE(warped, true);
}

bool clock_runs(void)
{
	return use_tsc;
}

void clock_tick(void)
{
	if (unlikely(!use_tsc))
		tick_ns += NS_PER_SECOND / TICK_HZ;
}

u32 clock_apic_hz(void)
{
	return apic_hz;
}

/* -- the reference: a counter of known frequency ------------------------------------------------------------- */
struct reference {
	u32 hz, mask;
};

static struct reference reference_start(void)
{
	if (acpi_info.pm_timer)
		return (struct reference){PM_TIMER_HZ, acpi_info.pm_timer_32 ? 0xffffffff : 0xffffff};
	outb((inb(PIT_GATE) & 0xfc) | 1, PIT_GATE); /* gate on, speaker off */
	outb(0xb4, PIT_COMMAND);                    /* channel 2, both bytes, rate generator, binary */
	outb(0, PIT_CHANNEL2);
	outb(0, PIT_CHANNEL2); /* 65536 */
	return (struct reference){PIT_HZ, 0xffff};
}

static u32 reference_read(void)
{
	u32 low;

	if (acpi_info.pm_timer)
		return inl(acpi_info.pm_timer);
	outb(0x80, PIT_COMMAND); /* latch channel 2 */
	low = inb(PIT_CHANNEL2);
	return 0xffff - (low | (u32)inb(PIT_CHANNEL2) << 8); /* it counts down */
}

/* All three counters at (nearly) one moment: the best of a few tries. */
struct sample {
	u64 tsc;
	u32 reference, apic;
};

static struct sample sample_take(void)
{
	struct sample best = {0, 0, 0};
	u64 best_span = ~0ULL;

	for (unsigned i = 0; i < 4; i++) {
		u64 before = cpu_rdtsc(), after;
		u32 reference = reference_read();

		after = cpu_rdtsc();
		if (after - before < best_span) {
			best_span = after - before;
			best = (struct sample){before + (after - before) / 2, reference, apic_active() ? apic_timer_count() : 0};
		}
	}
	return best;
}

static void delay(void)
{
	for (unsigned i = 0; i < 2000; i++)
		barrier();
}

static void tsc_set(u64 hz, u64 tsc)
{
	base_ns = arch_clock_ns();
	base_tsc = tsc;
	for (shift = 31; (NS_PER_SECOND << shift) / hz > 0xffffffff; shift--)
		;
	mult = (u32)((NS_PER_SECOND << shift) / hz);
}

/* Time starts here, at a guessed rate. */
void clock_start(void)
{
	use_tsc = cpu_features.tsc;
	if (use_tsc)
		base_tsc = cpu_rdtsc();
}

/* => interrupts off, interrupt controllers set up */
void clock_init(void)
{
	struct reference reference = reference_start();
	u32 wanted = reference.hz / 1000 * CALIBRATE_MS, elapsed = 0, last;
	struct sample first, end;
	unsigned rounds = 0;
	u64 tsc_hz;

	if (!use_tsc) {
		printk("clock: no time-stamp counter, time moves by ticks\n");
		return;
	}
	if (apic_active())
		apic_timer_start_oneshot(0xffffffff);
	first = sample_take();
	last = first.reference;
	do {
		u32 now;

		delay();
		now = reference_read();
		elapsed += (now - last) & reference.mask;
		last = now;
	} while (elapsed < wanted && ++rounds < 1000000);
	end = sample_take();
	elapsed += (end.reference - last) & reference.mask;
	if (elapsed < wanted) {
		printk("clock: the reference timer stands still, assuming 1 GHz\n");
		apic_hz = apic_active() ? 62500000 : 0;
		return;
	}
	tsc_hz = (end.tsc - first.tsc) * reference.hz / elapsed;
	if (apic_active())
		apic_hz = (u32)((u64)(first.apic - end.apic) * reference.hz / elapsed);
	use_tsc = tsc_hz >= TSC_HZ_MIN;
	if (use_tsc)
		tsc_set(tsc_hz, cpu_rdtsc());
	printk("clock: tsc %u.%03u MHz, apic timer %u kHz, against %s\n", (unsigned)(tsc_hz / 1000000),
	       (unsigned)(tsc_hz / 1000 % 1000), apic_hz / 1000, acpi_info.pm_timer ? "acpi" : "pit");
}
