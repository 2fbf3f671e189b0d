/*
 * acpi.c - the few facts taken from the ACPI tables: interrupt controllers, CPUs, power, the IOMMU.  Layer 1 (x86).
 *
 * Runs at boot, through boot_map(), which keeps one mapping at a time: every function copies what it needs
 * before it looks elsewhere.  A table with a bad length or checksum is ignored; no tables is not an error.
 */
#include <arch/iommu.h>
#include <arch/phys.h>
#include <asm/machine.h>
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define TABLE_MAX (1 << 20)

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
} __packed;
struct table {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __packed;
struct madt {
	struct table header;
	u32 lapic, flags;
} __packed;
struct fadt {
	struct table header;
	u32 facs, dsdt;
	u8 reserved, profile;
	u16 sci;
	u32 smi_command;
	u8 acpi_enable, acpi_disable, s4bios, pstate;
	u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
	u8 lengths[8];
	u16 c2_latency, c3_latency, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_flags;
	u8 reserved2;
	u32 flags;
	struct {
		u8 space, width, offset, access;
		u64 address;
	} __packed reset;
	u8 reset_value;
} __packed;

struct dmar {
	struct table header;
	u8 width, flags, reserved[10];
} __packed;
struct dmar_unit {
	u16 type, length;
	u8 flags, reserved;
	u16 segment;
	u64 base;
} __packed;

#define DMAR_UNIT 0
#define DMAR_ENDPOINT 1
#define DMAR_ALL_DEVICES 1
#define FADT_TIMER_32 (1u << 8)
#define FADT_RESET (1u << 10)
#define SPACE_IO 1

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDRESS = 5 };

struct acpi_info acpi_info;

static bool checksum_good(const void *p, size_t n)
{
	u8 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ((const u8 *)p)[i];
	return sum == 0;
}

static const void *table_map(paddr_t pa)
{
	const struct table *table = pa ? boot_map(pa, sizeof(*table)) : NULL;
	u32 length;

	if (!table)
		return NULL;
	length = table->length;
	if (length < sizeof(*table) || length > TABLE_MAX)
		return NULL;
	table = boot_map(pa, length);
	return table && checksum_good(table, length) ? table : NULL;
}

static void madt_entry(const u8 *e, unsigned length)
{
	switch (e[0]) {
	case MADT_LAPIC:
		if (length < 8 || !(e[4] & 1))
			break;
		if (acpi_info.nr_cpus < MAX_CPUS)
			acpi_info.cpu_apic_id[acpi_info.nr_cpus] = e[3];
		acpi_info.nr_cpus++;
		break;
	case MADT_IOAPIC:
		if (length >= 12 && acpi_info.nr_ioapic < ACPI_IOAPICS_MAX) {
			u32 words[2];

			memcpy(words, e + 4, sizeof(words));
			acpi_info.ioapic[acpi_info.nr_ioapic].addr = words[0];
			acpi_info.ioapic[acpi_info.nr_ioapic++].gsi_base = words[1];
		}
		break;
	case MADT_OVERRIDE:
		if (length >= 10 && e[3] < 16) {
			memcpy(&acpi_info.isa[e[3]].gsi, e + 4, 4);
			memcpy(&acpi_info.isa[e[3]].flags, e + 8, 2);
			acpi_info.isa[e[3]].set = true;
		}
		break;
	case MADT_LAPIC_ADDRESS:
		if (length >= 12)
			memcpy(&acpi_info.lapic, e + 4, 8);
		break;
	}
}

static void madt_read(const struct madt *madt)
{
	const u8 *p = (const u8 *)madt;

	acpi_info.lapic = madt->lapic;
	for (u32 at = sizeof(*madt); at + 2 <= madt->header.length;) {
		unsigned length = p[at + 1];

		if (length < 2 || at + length > madt->header.length)
			break;
		madt_entry(p + at, length);
		at += length;
	}
}

/* One small integer of an AML package: BytePrefix n, ZeroOp or OneOp. */
static const u8 *aml_byte(const u8 *p, u16 *value)
{
	if (*p == 0x0a) {
		*value = p[1];
		return p + 2;
	}
	*value = *p == 1;
	return p + 1;
}

/* Find Name(_S5_, Package(){a, b, ...}) in the DSDT without an interpreter. */
static void sleep5_read(const struct table *dsdt)
{
	const u8 *p = (const u8 *)(dsdt + 1), *end = (const u8 *)dsdt + dsdt->length - 16;
	u16 a, b;

	for (; p < end; p++) {
		if (memcmp(p, "_S5_", 4) || p[4] != 0x12)
			continue;
		p += 5;
		p += (p[0] >> 6) + 2; /* package length, element count */
		p = aml_byte(p, &a);
		aml_byte(p, &b);
		acpi_info.sleep5_a = (u16)(a << 10);
		acpi_info.sleep5_b = (u16)(b << 10);
		return;
	}
	acpi_info.pm1a_control = 0;
}

static void fadt_read(const struct fadt *fadt)
{
	const struct table *dsdt;
	u32 dsdt_addr = fadt->dsdt;

	if (fadt->header.length < offsetof(struct fadt, reset))
		return;
	acpi_info.pm1a_control = (u16)fadt->pm1a_control;
	acpi_info.pm1b_control = (u16)fadt->pm1b_control;
	acpi_info.pm_timer = (u16)fadt->pm_timer;
	acpi_info.pm_timer_32 = fadt->flags & FADT_TIMER_32;
	if (fadt->header.length >= sizeof(*fadt) && (fadt->flags & FADT_RESET) && fadt->reset.space == SPACE_IO) {
		acpi_info.reset_port = (u16)fadt->reset.address;
		acpi_info.reset_value = fadt->reset_value;
	}
	dsdt = table_map(dsdt_addr);
	if (dsdt)
		sleep5_read(dsdt);
	else
		acpi_info.pm1a_control = 0;
}

/* A function of its own in a unit's scope; those behind bridges have a longer path, and are left out. */
static void dmar_scope(const u8 *e, unsigned length)
{
	if (e[0] != DMAR_ENDPOINT || length != 8 || acpi_info.nr_iommu_scope == ACPI_IOMMU_SCOPE_MAX)
		return;
	acpi_info.iommu_scope[acpi_info.nr_iommu_scope].bus = e[5];
	acpi_info.iommu_scope[acpi_info.nr_iommu_scope++].function = (u8)(e[6] << 3 | e[7]);
}

/* The first DMA remapping unit. */
static void dmar_unit(const u8 *p, unsigned length)
{
	struct dmar_unit unit;

	memcpy(&unit, p, sizeof(unit));
	if (unit.segment || acpi_info.iommu)
		return;
	acpi_info.iommu = unit.base;
	acpi_info.iommu_all = unit.flags & DMAR_ALL_DEVICES;
	for (unsigned at = sizeof(unit); at + 6 <= length && p[at + 1] >= 6 && at + p[at + 1] <= length; at += p[at + 1])
		dmar_scope(p + at, p[at + 1]);
}

static void dmar_read(const struct dmar *dmar)
{
	const u8 *p = (const u8 *)dmar;
	u16 head[2];

	for (u32 at = sizeof(*dmar); at + sizeof(head) <= dmar->header.length; at += head[1]) {
		memcpy(head, p + at, sizeof(head));
		if (head[1] < sizeof(head) || at + head[1] > dmar->header.length)
			break;
		if (head[0] == DMAR_UNIT && head[1] >= sizeof(struct dmar_unit))
			dmar_unit(p + at, head[1]);
	}
}

/* Its tables need stores of 64 bits in one piece. */
paddr_t arch_iommu_registers(void)
{
	return BITS == 64 ? acpi_info.iommu : 0;
}

bool arch_iommu_covers(u8 bus, u8 slot, u8 func)
{
	for (unsigned i = 0; i < acpi_info.nr_iommu_scope; i++)
		if (acpi_info.iommu_scope[i].bus == bus && acpi_info.iommu_scope[i].function == (slot << 3 | func))
			return true;
	return acpi_info.iommu_all;
}

static void table_read(paddr_t pa)
{
	const struct table *table = table_map(pa);

	if (!table)
		return;
	if (!memcmp(table->signature, "APIC", 4))
		madt_read((const void *)table);
	else if (!memcmp(table->signature, "FACP", 4))
		fadt_read((const void *)table);
	else if (!memcmp(table->signature, "DMAR", 4))
		dmar_read((const void *)table);
}

void acpi_init(paddr_t rsdp_addr)
{
	const struct rsdp *mapped = rsdp_addr ? boot_map(rsdp_addr, sizeof(*mapped)) : NULL;
	const struct table *root;
	unsigned width, count;
	paddr_t root_addr;

	if (!mapped || memcmp(mapped->signature, "RSD PTR ", 8) || !checksum_good(mapped, 20))
		return;
	width = mapped->revision >= 2 && mapped->xsdt ? 8 : 4;
	root_addr = width == 8 ? mapped->xsdt : mapped->rsdt;
	root = table_map(root_addr);
	if (!root)
		return;
	count = (root->length - sizeof(*root)) / width;
	for (unsigned i = 0; i < count; i++) {
		u64 entry = 0;

		root = table_map(root_addr);
		memcpy(&entry, (const u8 *)(root + 1) + i * width, width);
		table_read(entry);
	}
}
