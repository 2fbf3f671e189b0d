/*
 * apic.c - the local APIC (interrupt end, timer) and the I/O APICs (routing of lines).  Layer 1 (x86).
 *
 * All device interrupts go to CPU 0.  The I/O APIC's index/data registers need a lock: apic_lock, interrupts
 * off, innermost.
 */
#include <arch/phys.h>
#include <asm/io.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"

/* Local APIC registers. */
#define LAPIC_ID 0x20
#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_SVR 0xf0
#define LAPIC_ICR 0x300
#define LAPIC_ICR_TARGET 0x310
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_LVT_ERROR 0x370
#define LAPIC_TIMER_INIT 0x380
#define LAPIC_TIMER_COUNT 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0

#define LVT_MASKED 0x10000
#define LVT_PERIODIC 0x20000
#define LVT_NMI 0x400
#define ICR_PENDING 0x1000
#define SVR_ENABLE 0x100
#define DIVIDE_BY_16 0x3
#define APIC_BASE_ENABLE 0x800

/* I/O APIC: index at +0, data at +0x10. */
#define IOAPIC_VERSION 0x01
#define IOAPIC_REDIRECT 0x10
#define REDIRECT_MASKED 0x10000
#define REDIRECT_LEVEL 0x8000
#define REDIRECT_LOW 0x2000

/* MADT interrupt flags (MPS INTI). */
#define INTI_POLARITY 0x3
#define INTI_ACTIVE_LOW 0x3
#define INTI_TRIGGER 0xc
#define INTI_LEVEL 0xc

struct ioapic {
	volatile u8 *regs;
	u32 gsi_base, inputs;
};

static volatile u8 *lapic;
static struct ioapic ioapics[ACPI_IOAPICS_MAX];
static unsigned nr_ioapics;
static bool apic_lock;

static u32 lapic_read(unsigned reg)
{
	return mmio_read32(lapic + reg);
}

static void lapic_write(unsigned reg, u32 value)
{
	mmio_write32(lapic + reg, value);
}

static u32 ioapic_read(struct ioapic *io, unsigned reg)
{
	mmio_write32(io->regs, reg);
	return mmio_read32(io->regs + 0x10);
}

static void ioapic_write(struct ioapic *io, unsigned reg, u32 value)
{
	mmio_write32(io->regs, reg);
	mmio_write32(io->regs + 0x10, value);
}

static unsigned long registers_lock(void)
{
	unsigned long flags = irq_save();

	while (__atomic_exchange_n(&apic_lock, true, __ATOMIC_ACQUIRE))
		cpu_relax();
	return flags;
}

static void registers_unlock(unsigned long flags)
{
	__atomic_store_n(&apic_lock, false, __ATOMIC_RELEASE);
	irq_restore(flags);
}

/* -- start-up ---------------------------------------------------------------------------------------------- */
static void ioapic_setup(paddr_t addr, u32 gsi_base)
{
	struct ioapic *io = &ioapics[nr_ioapics];

	io->regs = arch_ioremap(addr, 0x20);
	if (!io->regs)
		return;
	io->gsi_base = gsi_base;
	io->inputs = (ioapic_read(io, IOAPIC_VERSION) >> 16 & 0xff) + 1;
	for (u32 i = 0; i < io->inputs; i++)
		ioapic_write(io, IOAPIC_REDIRECT + 2 * i, REDIRECT_MASKED);
	nr_ioapics++;
}

static void lapic_setup(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED); /* the 8259s */
	lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
	lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
	lapic_write(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	lapic_write(LAPIC_EOI, 0);
}

bool apic_init(void)
{
	if (!cpu_features.apic || !acpi_info.lapic || !acpi_info.nr_ioapic)
		return false;
	for (unsigned i = 0; i < acpi_info.nr_ioapic; i++)
		ioapic_setup(acpi_info.ioapic[i].addr, acpi_info.ioapic[i].gsi_base);
	if (!nr_ioapics)
		return false;
	lapic = arch_ioremap(acpi_info.lapic, PAGE_SIZE);
	if (!lapic)
		return false;
	lapic_setup();
	this_cpu()->apic_id = lapic_read(LAPIC_ID) >> 24;
	return true;
}

/* => the boot CPU's is set up */
void apic_init_cpu(void)
{
	lapic_setup();
}

void apic_ipi(unsigned target, u32 command)
{
	unsigned long flags = irq_save(); /* an interrupt could send one too */

	while (lapic_read(LAPIC_ICR) & ICR_PENDING)
		cpu_relax();
	lapic_write(LAPIC_ICR_TARGET, target << 24);
	lapic_write(LAPIC_ICR, command);
	irq_restore(flags);
}

bool apic_active(void)
{
	return lapic != NULL;
}

unsigned apic_id(void)
{
	return cpus[0].apic_id;
}

/* -- routing ------------------------------------------------------------------------------------------------- */
/* What @line is called on the I/O APICs: ISA lines may be moved by the MADT. */
static u32 line_gsi(unsigned line)
{
	return line < 16 && acpi_info.isa[line].set ? acpi_info.isa[line].gsi : line;
}

static struct ioapic *gsi_ioapic(u32 gsi)
{
	for (unsigned i = 0; i < nr_ioapics; i++)
		if (gsi - ioapics[i].gsi_base < ioapics[i].inputs)
			return &ioapics[i];
	return NULL;
}

/* Polarity and trigger mode: what the MADT says, else the bus's habit (ISA: high, edge; PCI: low, level). */
static u32 line_mode(unsigned line, bool level)
{
	u16 flags = line < 16 && acpi_info.isa[line].set ? acpi_info.isa[line].flags : 0;
	u32 mode = level ? REDIRECT_LEVEL | REDIRECT_LOW : 0;

	if (flags & INTI_POLARITY)
		mode = (mode & ~REDIRECT_LOW) | ((flags & INTI_POLARITY) == INTI_ACTIVE_LOW ? REDIRECT_LOW : 0);
	if (flags & INTI_TRIGGER)
		mode = (mode & ~REDIRECT_LEVEL) | ((flags & INTI_TRIGGER) == INTI_LEVEL ? REDIRECT_LEVEL : 0);
	return mode;
}

int apic_vector(unsigned line)
{
	u32 gsi = line_gsi(line);

	return gsi < GSI_MAX && gsi_ioapic(gsi) ? (int)(VECTOR_GSI + gsi) : -EINVAL;
}

int apic_route(unsigned line, bool level)
{
	u32 gsi = line_gsi(line);
	struct ioapic *io = gsi_ioapic(gsi);
	unsigned reg;
	unsigned long flags;

	if (!io || gsi >= GSI_MAX)
		return -EINVAL;
	reg = IOAPIC_REDIRECT + 2 * (gsi - io->gsi_base);
	flags = registers_lock();
	ioapic_write(io, reg + 1, apic_id() << 24);
	ioapic_write(io, reg, (VECTOR_GSI + gsi) | line_mode(line, level));
	registers_unlock(flags);
	return 0;
}

void apic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

/* -- timer ---------------------------------------------------------------------------------------------------- */
void apic_timer_start_oneshot(u32 count)
{
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
	lapic_write(LAPIC_TIMER_INIT, count);
}

u32 apic_timer_count(void)
{
	return lapic_read(LAPIC_TIMER_COUNT);
}

void apic_timer_periodic(u32 count)
{
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
	lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_INIT, count);
}
