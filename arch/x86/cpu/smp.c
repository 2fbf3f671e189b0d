/*
 * smp.c - starting the other CPUs.  Layer 1 (x86).
 *
 *   CPU 0                                   the other one
 *   INIT to all, 10 ms
 *   for each: parameters, STARTUP           ap_start.S: takes the parameters, if it is the one wanted
 *   wait for "claimed" (1 s, else give up)  ap_main(): its own GDT, TSS, features, local APIC
 *   wait for "arrived"                      "arrived"
 *   "compare": time-stamp counters          the same, "compared"
 *   id, online bit, "go"                    "gone"; the tick, upcall_cpu_start()
 *
 * One CPU at a time, so the parameters, the low page and the state below have one user each.  Ids are given only
 * to CPUs that claimed theirs: there are no gaps.
 */
#include <arch/irq.h>
#include <arch/pgtable.h>
#include <arch/phys.h>
#include <arch/smp.h>
#include <arch/upcall.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "arch/x86/debug/internal.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define NS_PER_MS 1000000ULL
#define INIT_WAIT_MS 10
#define SECOND_STARTUP_MS 20 /* a CPU that missed the first one; QEMU's threads are often later than this */
#define CLAIM_WAIT_MS 1000
#define ARRIVE_WAIT_MS 10000
#define IDLE_STACK_SIZE BOOT_STACK_SIZE
#define MSR_PAT 0x277
#define EFER_LMA 0x400

static u8 idle_stacks[MAX_CPUS - 1][IDLE_STACK_SIZE] __aligned(16);

enum ap_state { AP_NONE, AP_ARRIVED, AP_COMPARE, AP_COMPARED, AP_GO, AP_GONE }; /* set by the two in turn */
static unsigned state;                                                          /* enum ap_state; atomic */
static u64 boot_pat;                                                            /* 0: there is none */

static void state_set(enum ap_state s)
{
	__atomic_store_n(&state, s, __ATOMIC_SEQ_CST);
}

static bool state_wait(enum ap_state s, u64 ms)
{
	u64 start = arch_clock_ns();

	while (__atomic_load_n(&state, __ATOMIC_SEQ_CST) != (unsigned)s) {
		if (ms && arch_clock_ns() - start > ms * NS_PER_MS)
			return false;
		cpu_relax();
	}
	return true;
}

static void wait_ms(u64 ms)
{
	for (u64 start = arch_clock_ns(); arch_clock_ns() - start < ms * NS_PER_MS;)
		cpu_relax();
}

/* -- the new CPU ---------------------------------------------------------------------------------------------- */
__noreturn void ap_main(unsigned id);

/* From ap_start.S, on the idle stack, low memory still mapped where it is physically. */
void ap_main(unsigned id)
{
	segments_init(id);
	idt_load();
	features_enable();
	if (boot_pat)
		wrmsr(MSR_PAT, boot_pat);
	arch_pgtable_load(arch_pgtable_kernel_root());
	fpu_init_cpu();
	apic_init_cpu();
	watch_load();
	state_set(AP_ARRIVED);
	state_wait(AP_COMPARE, 0);
	clock_warp_test();
	state_set(AP_COMPARED);
	state_wait(AP_GO, 0);
	state_set(AP_GONE); /* the last access: the next CPU is started now */
	tick_init_cpu();
	upcall_cpu_start();
}

/* -- the boot CPU ----------------------------------------------------------------------------------------------- */
static void *low_parameters(void)
{
	return (char *)phys_to_virt(boot_info.low_page) + (ap_trampoline_parameters - ap_trampoline);
}

static void trampoline_prepare(void)
{
	struct ap_parameters *p = low_parameters();

	BUG_ON(ap_trampoline_end - ap_trampoline > (long)PAGE_SIZE);
	memcpy(phys_to_virt(boot_info.low_page), ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
	p->wanted = AP_NOBODY;
	p->cr3 = (u32)mmu_trampoline_root();
	p->cr4 = (u32)read_cr4() & (CR4_PAE | CR4_PSE);
	p->efer = BITS == 64 ? (u32)rdmsr(MSR_EFER) & ~EFER_LMA : cpu_features.nx ? EFER_NXE : 0;
	p->entry = (unsigned long)ap_main;
	if (cpuid(1, 0).d & BIT(16))
		boot_pat = rdmsr(MSR_PAT);
}

static void startup(unsigned apic)
{
	apic_ipi(apic, APIC_IPI_STARTUP | (u32)(boot_info.low_page >> PAGE_SHIFT));
}

/* The new CPU has taken the parameters within the time it has. */
static bool claimed(unsigned apic)
{
	u32 *wanted = low_parameters(), expected = apic;
	u64 start = arch_clock_ns(), waited;
	bool again = false;

	do {
		if (__atomic_load_n(wanted, __ATOMIC_SEQ_CST) == AP_CLAIMED)
			return true;
		waited = arch_clock_ns() - start;
		if (!again && waited > SECOND_STARTUP_MS * NS_PER_MS) {
			startup(apic);
			again = true;
		}
		cpu_relax();
	} while (waited < CLAIM_WAIT_MS * NS_PER_MS);
	/* From now on it may not; unless it just did. */
	return !__atomic_compare_exchange_n(wanted, &expected, AP_NOBODY, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static bool cpu_start(unsigned id, unsigned apic)
{
	struct ap_parameters *p = low_parameters();

	p->id = id;
	p->stack = (unsigned long)(idle_stacks[id - 1] + IDLE_STACK_SIZE);
	cpus[id].apic_id = apic;
	state_set(AP_NONE);
	__atomic_store_n((u32 *)low_parameters(), apic, __ATOMIC_SEQ_CST);
	startup(apic);
	if (!claimed(apic)) {
		printk("smp: the CPU with APIC id %u does not answer, going on without it\n", apic);
		return false;
	}
	if (!state_wait(AP_ARRIVED, ARRIVE_WAIT_MS))
		panic("smp: the CPU with APIC id %u started but did not arrive\n", apic);
	state_set(AP_COMPARE);
	clock_warp_test();
	state_wait(AP_COMPARED, 0);
	clock_warp_judge();
	cpu_count = id + 1;
	__atomic_fetch_or(&cpu_online_bits, BIT(id), __ATOMIC_SEQ_CST);
	state_set(AP_GO);
	state_wait(AP_GONE, 0);
	return true;
}

void smp_start(void)
{
	unsigned listed = min(acpi_info.nr_cpus, (unsigned)MAX_CPUS), self = cpus[0].apic_id;

	if (listed < 2 || !apic_active())
		return;
	if (!boot_info.low_page || !clock_apic_hz() || !clock_runs()) {
		printk("smp: %s: one CPU only\n", boot_info.low_page ? "no local timer" : "no memory below 640 KiB");
		return;
	}
	trampoline_prepare();
	for (unsigned i = 0; i < listed; i++)
		if (acpi_info.cpu_apic_id[i] != self)
			apic_ipi(acpi_info.cpu_apic_id[i], APIC_IPI_INIT);
	wait_ms(INIT_WAIT_MS);
	for (unsigned i = 0; i < listed && cpu_count < MAX_CPUS; i++)
		if (acpi_info.cpu_apic_id[i] != self)
			cpu_start(cpu_count, acpi_info.cpu_apic_id[i]);
	printk("smp: %u of %u CPUs\n", cpu_count, acpi_info.nr_cpus);
}
