/*
 * power.c - idling, leaving the emulator, switching off, starting again.  Layer 1 (x86).
 */
#include <arch/cpu.h>
#include <arch/smp.h>
#include <asm/io.h>
#include <asm/machine.h>

#define DEBUG_EXIT_PORT 0xf4
#define PM1_SLEEP_ENABLE 0x2000

void cpu_idle(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory"); /* STI holds interrupts back until HLT has begun */
}

static __noreturn void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void cpu_exit(unsigned code)
{
	ipi_stop_others();
	outb((u8)code, DEBUG_EXIT_PORT);
	halt();
}

void cpu_poweroff(void)
{
	ipi_stop_others();
	if (acpi_info.pm1a_control) {
		outw(acpi_info.sleep5_a | PM1_SLEEP_ENABLE, acpi_info.pm1a_control);
		if (acpi_info.pm1b_control)
			outw(acpi_info.sleep5_b | PM1_SLEEP_ENABLE, acpi_info.pm1b_control);
	}
	outw(PM1_SLEEP_ENABLE, 0x604); /* QEMU, without tables */
	outw(PM1_SLEEP_ENABLE, 0xb004);
	halt();
}

void cpu_reboot(void)
{
	struct {
		u16 limit;
		unsigned long base;
	} __packed none = {0, 0};

	ipi_stop_others();
	if (acpi_info.reset_port)
		outb(acpi_info.reset_value, acpi_info.reset_port);
	outb(0x06, 0xcf9);                             /* PCI reset */
	outb(0xfe, 0x64);                              /* keyboard controller */
	__asm__ volatile("lidt %0; int3" ::"m"(none)); /* triple fault */
	halt();
}
