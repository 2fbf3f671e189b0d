/*
 * start.c - the first C function: from the boot loader's machine to kernel_main().  Layer 1 (boot).
 */
#include <arch/kasan.h>
#include <arch/pgtable.h>
#include <arch/phys.h>
#include <arch/upcall.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "boot/bootinfo.h"
#include "kernel/lib/kasan.h"
#include "kernel/lib/stack_guard.h"

__noreturn void arch_start(u32 magic, u32 info);

/* The identity map has served: from now on a NULL pointer faults. */
static void identity_drop(void)
{
	unsigned entries = PT_LEVELS == 2 ? arch_pgtable_user_entries(PT_LEVELS - 1) : 1;

	for (unsigned i = 0; i < entries; i++)
		hw_pte_get_and_clear(hw_pte_at(boot_pt_root, i));
	write_cr3(read_cr3());
}

/* => interrupts off, on the boot stack, paging on with entry32.S's tables; returns never */
NO_KASAN void arch_start(u32 magic, u32 info)
{
	if (KASAN)
		arch_kasan_early();
	segments_init(0);
	idt_init();
	serial_init();
	features_init();
	stack_guard_init(cpu_features.tsc ? (unsigned long)cpu_rdtsc() : 0);
	clock_start();
	fpu_init();
	smap_patch();
	identity_drop();
	bootinfo_parse(magic, info);
	acpi_init(boot_info.rsdp);
	boot_unmap();
	kernel_main();
}
