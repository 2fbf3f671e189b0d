/*
 * vtd.c - driver of Intel's DMA remapping unit.
 *
 * Layer 9 (kernel/dev).  Interface: vtd.h.  Names are those of the VT-d manual, chapter 10 (registers) and 9 (tables):
 *
 *   root table (a bus) -> context table (a function) -> pass through, or second-level tables of a domain
 *
 * One unit, legacy mode, invalidation by register: the caller waits for its end anyway, so a queue would gain nothing.
 * No interrupts: whoever runs a transfer looks for its fault afterwards.  Only with 64-bit entries in one store (x86-64).
 *
 * Lock order: vtd.lock (unranked, innermost) guards the registers and the context tables; subscription locks are outside of it.
 */
#include "kernel/dev/vtd.h"

#include <arch/iommu.h>
#include <arch/phys.h>
#include "kernel/dev/mmio.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printk.h"
#include "kernel/sync/spinlock.h"
#include "mm/phys/page.h"

enum {
	REG_CAP = 0x08,
	REG_ECAP = 0x10,
	REG_GCMD = 0x18,
	REG_GSTS = 0x1c,
	REG_RTADDR = 0x20,
	REG_CCMD = 0x28,
	REG_FSTS = 0x34,
	REGS_LENGTH = 0x1000,
};
#define GCMD_TRANSLATE (1u << 31)
#define GCMD_ROOT_TABLE (1u << 30)
#define CCMD_GO (1u << 31) /* in the upper half, as these: */
#define CCMD_GLOBAL (1u << 29)
#define IOTLB_GO (1u << 31)
#define IOTLB_GLOBAL (1u << 28)
#define IOTLB_DOMAIN (2u << 28)
#define IOTLB_DRAIN (3u << 16) /* reads and writes that are under way end first */
#define CAP_FRO(cap) (((cap) >> 24 & 0x3ff) * 16)
#define CAP_LEVELS_4 (1u << 10)
#define ECAP_IRO(ecap) (((ecap) >> 8 & 0x3ff) * 16)
#define ECAP_PASS_THROUGH (1u << 6)
#define FRCD_FAULT (1u << 31) /* fourth word */
#define FRCD_READ (1u << 30)
#define FSTS_OVERFLOW 1u

#define ENTRY_PRESENT 1
#define CONTEXT_PASS_THROUGH (2 << 2)
#define CONTEXT_LEVELS_4 2
#define DOMAIN_PASS_THROUGH 1
#define SECOND_READ 1
#define SECOND_WRITE 2
#define ANSWER_ROUNDS 100000000u

struct entry { /* of a root or context table */
	u64 low, high;
};

static struct {
	u8 *regs;
	u8 *iotlb, *faults; /* registers whose place the unit tells */
	struct entry *root;
	spinlock_t lock;
} vtd = {.lock = SPINLOCK_INIT(LOCK_NONE)};

u64 vtd_table_entry(paddr_t pa)
{
	return pa | SECOND_READ | SECOND_WRITE;
}

u64 vtd_page_entry(paddr_t pa, bool write)
{
	return pa | SECOND_READ | (write ? SECOND_WRITE : 0);
}

static u16 source_id(const struct pci_device *dev)
{
	return (u16)(dev->bus << 8 | dev->slot << 3 | dev->func);
}

/* -- commands: vtd.lock held, or at start-up ----------------------------------------------------------------------------- */

/* The unit takes a bit back when it is done; it always does, in microseconds. */
static void wait_done(const u8 *reg, u32 bits, u32 want)
{
	for (unsigned i = 0; (mmio_read32(reg) & bits) != want; i++) {
		if (i == ANSWER_ROUNDS)
			panic("vtd: no answer\n");
		cpu_relax();
	}
}

static void flush_contexts(void)
{
	mmio_write32(vtd.regs + REG_CCMD, 0);
	mmio_write32(vtd.regs + REG_CCMD + 4, CCMD_GO | CCMD_GLOBAL);
	wait_done(vtd.regs + REG_CCMD + 4, CCMD_GO, 0);
}

static void flush_iotlb(u32 what)
{
	mmio_barrier();
	mmio_write32(vtd.iotlb, 0);
	mmio_write32(vtd.iotlb + 4, IOTLB_GO | IOTLB_DRAIN | what);
	wait_done(vtd.iotlb + 4, IOTLB_GO, 0);
}

void vtd_flush_domain(unsigned id)
{
	spin_lock(&vtd.lock);
	flush_iotlb(IOTLB_DOMAIN | id);
	spin_unlock(&vtd.lock);
}

/* -- who is translated how ---------------------------------------------------------------------------------------------------- */

static struct entry *context_of(const struct pci_device *dev)
{
	u64 low = vtd.root[dev->bus].low;

	return (struct entry *)phys_to_virt(low & PAGE_MASK) + (dev->slot << 3 | dev->func);
}

/* An entry of 128 bits changes while it is not present, and the unit knows. */
static void set_context(struct pci_device *dev, u64 low, u64 high)
{
	struct entry *e = context_of(dev);

	spin_lock(&vtd.lock);
	WRITE_ONCE(e->low, 0);
	flush_contexts();
	WRITE_ONCE(e->high, high);
	mmio_barrier();
	WRITE_ONCE(e->low, low);
	flush_contexts();
	flush_iotlb(IOTLB_GLOBAL);
	spin_unlock(&vtd.lock);
}

void vtd_attach(struct pci_device *dev, unsigned id, paddr_t root)
{
	ASSERT(id > DOMAIN_PASS_THROUGH);
	set_context(dev, root | ENTRY_PRESENT, CONTEXT_LEVELS_4 | (u64)id << 8);
}

void vtd_detach(struct pci_device *dev)
{
	set_context(dev, CONTEXT_PASS_THROUGH | ENTRY_PRESENT, CONTEXT_LEVELS_4 | (u64)DOMAIN_PASS_THROUGH << 8);
}

void vtd_block(struct pci_device *dev)
{
	set_context(dev, 0, 0);
}

/* -- faults --------------------------------------------------------------------------------------------------------------------- */

bool vtd_take_fault(struct pci_device *dev, struct vtd_fault *fault)
{
	u32 word[4] = {0};
	bool any;

	spin_lock(&vtd.lock);
	word[3] = mmio_read32(vtd.faults + 12);
	any = word[3] & FRCD_FAULT;
	if (any) {
		for (unsigned i = 0; i < 3; i++)
			word[i] = mmio_read32(vtd.faults + 4 * i);
		mmio_write32(vtd.faults + 12, FRCD_FAULT);
	}
	mmio_write32(vtd.regs + REG_FSTS, FSTS_OVERFLOW); /* others than the first are not on record; they come again */
	spin_unlock(&vtd.lock);
	*fault = (struct vtd_fault){.address = ((u64)word[1] << 32 | word[0]) & ~(u64)(PAGE_SIZE - 1),
	                            .write = !(word[3] & FRCD_READ),
	                            .reason = word[3] & 0xff};
	return any && (u16)word[2] == source_id(dev);
}

/* -- start-up ------------------------------------------------------------------------------------------------------------------- */

static void *new_table(void)
{
	struct page *page = page_alloc(0, GFP_KERNEL | GFP_ZERO);

	return page ? page_address(page) : NULL;
}

/* Every function that there is, passing through; nothing is present for any other. */
static bool fill_tables(void)
{
	struct pci_device *dev;

	vtd.root = new_table();
	for (dev = pci_next(NULL); vtd.root && dev; dev = pci_next(dev)) {
		struct entry *bus = vtd.root + dev->bus;

		if (!bus->low) {
			void *contexts = new_table();

			if (!contexts)
				return false;
			bus->low = virt_to_phys(contexts) | ENTRY_PRESENT;
		}
		*context_of(dev) = (struct entry){.low = CONTEXT_PASS_THROUGH | ENTRY_PRESENT,
		                                  .high = CONTEXT_LEVELS_4 | (u64)DOMAIN_PASS_THROUGH << 8};
	}
	return vtd.root;
}

/* Can it what we need of it? */
static bool fits(void)
{
	u32 cap = mmio_read32(vtd.regs + REG_CAP), cap_high = mmio_read32(vtd.regs + REG_CAP + 4);
	u32 ecap = mmio_read32(vtd.regs + REG_ECAP);

	vtd.iotlb = vtd.regs + ECAP_IRO(ecap) + 8;
	vtd.faults = vtd.regs + CAP_FRO(cap | (u64)cap_high << 32);
	if ((cap & CAP_LEVELS_4) && (ecap & ECAP_PASS_THROUGH))
		return true;
	printk("vtd: not used: no 48-bit tables (aw-bits=48) or no pass-through\n");
	return false;
}

static void switch_on(void)
{
	mmio_write64_halves(vtd.regs + REG_RTADDR, virt_to_phys(vtd.root));
	mmio_write32(vtd.regs + REG_GCMD, GCMD_ROOT_TABLE);
	wait_done(vtd.regs + REG_GSTS, GCMD_ROOT_TABLE, GCMD_ROOT_TABLE);
	flush_contexts();
	flush_iotlb(IOTLB_GLOBAL);
	mmio_write32(vtd.regs + REG_GCMD, GCMD_TRANSLATE);
	wait_done(vtd.regs + REG_GSTS, GCMD_TRANSLATE, GCMD_TRANSLATE);
}

bool vtd_init(void)
{
	paddr_t base = arch_iommu_registers();

	if (!base)
		return false;
	vtd.regs = arch_ioremap(base, REGS_LENGTH);
	if (!vtd.regs || !fits() || !fill_tables())
		return false;
	switch_on();
	printk("vtd: translating, registers at 0x%llx\n", (unsigned long long)base);
	return true;
}
