/*
 * edu.c - driver of QEMU's educational PCI device.
 *
 * Layer 9 (kernel/dev).  QEMU's docs/specs/edu describes the registers.  Two traps: a transfer that leaves
 * the 4,096-byte buffer at 0x40000 (or touches its last byte) aborts QEMU, so ranges are checked here, last
 * of all; and an address above the device's mask is silently cut off, so frames up there go through a bounce
 * page.  The mask cannot be asked for: 28 bits unless the command line says edu.dma_mask=0xffffffff.
 *
 * Lock order: edu.lock (LOCK_DEVICE, one operation at a time), then the wait queue.
 */
#include "kernel/dev/edu.h"

#include <arch/phys.h>
#include "kernel/dev/mmio.h"
#include "kernel/dev/pci.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/timer.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/wait.h"

enum { EDU_VENDOR = 0x1234, EDU_DEVICE = 0x11e8 };
enum {
	REG_IDENT = 0x00,
	REG_LIVE = 0x04,
	REG_FACTORIAL = 0x08,
	REG_STATUS = 0x20,
	REG_IRQ_STATUS = 0x24,
	REG_IRQ_RAISE = 0x60,
	REG_IRQ_ACK = 0x64,
	REG_DMA_SRC = 0x80,
	REG_DMA_DST = 0x88,
	REG_DMA_COUNT = 0x90,
	REG_DMA_COMMAND = 0x98,
	REGS_LENGTH = 0x100,
};
enum { STATUS_COMPUTING = 0x01, STATUS_FACTORIAL_IRQ = 0x80 };
enum { IRQ_FACTORIAL = 0x001, IRQ_DMA = 0x100 };
enum { DMA_RUN = 1, DMA_FROM_DEVICE = 2, DMA_IRQ = 4 };

#define BUFFER_ADDRESS 0x40000u
#define ANSWER_NS (10 * NSEC_PER_SEC)
#define LIVE_PROBE 0x12345678u

static struct {
	struct pci_device *pci;
	u8 *regs;
	struct mutex lock;
	struct wait_queue wait;
	u32 seen; /* IRQ_* since they were last taken; atomic */
	u64 mask;
	unsigned long interrupts;    /* written by the handler only */
	bool loaded;                 /* lock: its last transfer through the IOMMU was out of memory */
	bool dead;                   /* lock: it did not stop; its memory is lost */
	struct iommu_domain *domain; /* lock: whose addresses it uses, until others are wanted; NULL: physical ones */
	struct edu_totals totals;
} edu;

#define FAULTS_MAX 8 /* a transfer touches two pages; others may take them away meanwhile, but not for ever */

/* For frames out of reach; the kernel itself lies at 1 MiB. edu.lock */
static u8 bounce[PAGE_SIZE] __aligned(PAGE_SIZE);

static void edu_interrupt(void *ctx)
{
	u32 status = mmio_read32(edu.regs + REG_IRQ_STATUS);

	if (!status)
		return; /* somebody else on this line */
	mmio_write32(edu.regs + REG_IRQ_ACK, status);
	edu.interrupts++; /* the vector does not nest */
	__atomic_fetch_or(&edu.seen, status, __ATOMIC_SEQ_CST);
	wake_up_all(&edu.wait);
}

/* Forget what an earlier operation may have left. */
static void irq_forget(u32 bit)
{
	__atomic_fetch_and(&edu.seen, ~bit, __ATOMIC_SEQ_CST);
}

/* Wait for interrupt @bit; if none comes although @reg no longer says @busy, it was lost. 0 or -EIO. */
static int irq_wait(u32 bit, unsigned reg, u32 busy)
{
	if (wait_event_timeout(&edu.wait, __atomic_load_n(&edu.seen, __ATOMIC_SEQ_CST) & bit, ANSWER_NS))
		return 0;
	if (mmio_read32(edu.regs + reg) & busy) {
		printk("edu: no answer for %llu s\n", (unsigned long long)(ANSWER_NS / NSEC_PER_SEC));
		return -EIO;
	}
	edu.totals.lost++;
	return 0;
}

/* => 0 with edu.lock held, or an error without */
static int edu_begin(void)
{
	int error = mutex_lock_killable(&edu.lock);

	if (error)
		return error;
	if (!edu.dead)
		return 0;
	mutex_unlock(&edu.lock);
	return -EIO;
}

int edu_factorial(u32 n, u32 *result)
{
	int error = edu_begin();

	if (error)
		return error;
	irq_forget(IRQ_FACTORIAL);
	mmio_write32(edu.regs + REG_STATUS, STATUS_FACTORIAL_IRQ);
	mmio_write32(edu.regs + REG_FACTORIAL, n);
	error = irq_wait(IRQ_FACTORIAL, REG_STATUS, STATUS_COMPUTING);
	*result = mmio_read32(edu.regs + REG_FACTORIAL);
	mutex_unlock(&edu.lock);
	return error;
}

/* -- DMA -------------------------------------------------------------------------------------------------------- */

/* On every width 32-bit stores will do, which the device widens; but there are programs' addresses (x86-64) above. */
static void set_address(unsigned reg, u64 value)
{
	if (value <= UINT32_MAX)
		mmio_write32(edu.regs + reg, (u32)value);
	else
		mmio_write64(edu.regs + reg, value);
}

/* One transfer between bus address @bus and the buffer. The range is right. => edu.lock */
static int transfer(u64 bus, unsigned buffer_offset, unsigned length, bool to_device)
{
	u32 buffer = BUFFER_ADDRESS + buffer_offset;

	BUG_ON(length == 0 || buffer_offset >= EDU_BUFFER_SIZE || length > EDU_BUFFER_SIZE - buffer_offset);
	irq_forget(IRQ_DMA);
	set_address(REG_DMA_SRC, to_device ? bus : buffer);
	set_address(REG_DMA_DST, to_device ? buffer : bus);
	mmio_write32(edu.regs + REG_DMA_COUNT, length);
	mmio_barrier(); /* what the CPU stored before the device loads it */
	mmio_write32(edu.regs + REG_DMA_COMMAND, DMA_RUN | DMA_IRQ | (to_device ? 0 : DMA_FROM_DEVICE));
	return irq_wait(IRQ_DMA, REG_DMA_COMMAND, DMA_RUN);
}

static bool reachable(paddr_t pa, unsigned length)
{
	return pa + length - 1 <= edu.mask;
}

/* @page lies too high: let the device use the bounce page and copy. => edu.lock */
static int transfer_bounced(struct page *page, unsigned offset, unsigned buffer_offset, unsigned length, bool to_device)
{
	u8 *va;
	int error;

	edu.totals.bounced++;
	if (to_device) {
		va = page_kmap(page);
		memcpy(bounce, va + offset, length);
		page_kunmap(va);
	}
	error = transfer(image_to_phys(bounce), buffer_offset, length, to_device);
	if (!error && !to_device) {
		va = page_kmap(page);
		memcpy(va + offset, bounce, length);
		page_kunmap(va);
	}
	return error;
}

/* Have it use the addresses of @d, or (NULL) physical ones. => edu.lock, idle */
static void use_addresses(struct iommu_domain *d)
{
	if (edu.domain == d)
		return;
	if (d)
		iommu_attach(d, edu.pci);
	else
		iommu_detach(edu.pci);
	edu.domain = d;
}

int edu_dma(struct page *page, unsigned offset, unsigned buffer_offset, unsigned length, bool to_device)
{
	paddr_t pa = page_to_phys(page) + offset;
	int error;

	if (offset >= PAGE_SIZE || length > PAGE_SIZE - offset || buffer_offset >= EDU_BUFFER_SIZE ||
	    length > EDU_BUFFER_SIZE - buffer_offset)
		return -EINVAL;
	if (!length)
		return 0;
	error = edu_begin();
	if (error)
		return error;
	use_addresses(NULL);
	if (reachable(pa, length))
		error = transfer(pa, buffer_offset, length, to_device);
	else
		error = transfer_bounced(page, offset, buffer_offset, length, to_device);
	if (error) {
		/* It may still be at it: whatever it can reach must never be used for anything else. */
		edu.dead = true;
		page_get(page);
	} else {
		edu.totals.bytes += length;
		++*(to_device ? &edu.totals.to_device : &edu.totals.from_device);
	}
	mutex_unlock(&edu.lock);
	return error;
}

bool edu_has_iommu(void)
{
	return iommu_covers(edu.pci);
}

void edu_forget(struct iommu_domain *d)
{
	mutex_lock(&edu.lock);
	if (edu.domain == d && !edu.dead)
		use_addresses(NULL);
	mutex_unlock(&edu.lock);
}

/* One attempt through the tables of @d. 0, -EAGAIN: not all of it, the device met @fault; -EINTR, -EIO. */
static int attempt(struct iommu_domain *d, vaddr_t va, unsigned buffer_offset, unsigned length, bool to_device,
                   struct iommu_fault *fault)
{
	int error = edu_begin();

	if (error)
		return error;
	use_addresses(d);
	/* QEMU drops a store where its IOTLB remembers from a load that one may only load, and records no fault. */
	if (!to_device && edu.loaded)
		iommu_flush(d);
	edu.loaded = to_device;
	(void)iommu_take_fault(edu.pci, fault); /* one that is left over */
	error = transfer(va, buffer_offset, length, to_device);
	if (!error && iommu_take_fault(edu.pci, fault))
		error = -EAGAIN;
	if (error == -EIO) {
		edu.dead = true;
		iommu_block(edu.pci);
	}
	if (!error) {
		edu.totals.bytes += length;
		++*(to_device ? &edu.totals.to_device : &edu.totals.from_device);
	}
	mutex_unlock(&edu.lock);
	return error;
}

int edu_dma_user(struct iommu_domain *d, vaddr_t va, unsigned buffer_offset, unsigned length, bool to_device,
                 unsigned *faults)
{
	struct iommu_fault fault;
	int error;

	*faults = 0;
	if (buffer_offset >= EDU_BUFFER_SIZE || length > EDU_BUFFER_SIZE - buffer_offset)
		return -EINVAL;
	if (va > edu.mask || length > edu.mask - va)
		return -EFAULT;
	while (length) {
		error = attempt(d, va, buffer_offset, length, to_device, &fault);
		if (error != -EAGAIN || ++*faults > FAULTS_MAX)
			return error;
		error = iommu_resolve(d, &fault);
		if (error)
			return error;
	}
	return 0;
}

void edu_totals(struct edu_totals *totals)
{
	mutex_lock(&edu.lock);
	*totals = edu.totals;
	totals->interrupts = READ_ONCE(edu.interrupts);
	mutex_unlock(&edu.lock);
}

void edu_ident(struct edu_ident *ident)
{
	mutex_lock(&edu.lock);
	mmio_write32(edu.regs + REG_LIVE, LIVE_PROBE);
	*ident = (struct edu_ident){
		.ident = mmio_read32(edu.regs + REG_IDENT),
		.live = mmio_read32(edu.regs + REG_LIVE),
		.irq = edu.pci->irq,
		.dma_mask = edu.mask,
		.buffer_size = EDU_BUFFER_SIZE,
	};
	mutex_unlock(&edu.lock);
}

/* -- start-up --------------------------------------------------------------------------------------------------- */

static u64 mask_from_cmdline(void)
{
	const char *option = strstr(boot_info.cmdline, "edu.dma_mask=");

	return option ? strtoul(option + strlen("edu.dma_mask="), NULL, 0) : (1u << 28) - 1;
}

bool edu_init(void)
{
	edu.pci = pci_find(NULL, EDU_VENDOR, EDU_DEVICE);
	if (!edu.pci)
		return false;
	mutex_init(&edu.lock, LOCK_DEVICE);
	wait_queue_init(&edu.wait);
	edu.mask = mask_from_cmdline();
	pci_enable(edu.pci);
	edu.regs = pci_map(edu.pci, 0, 0, REGS_LENGTH);
	if (!edu.regs || pci_irq_request(edu.pci, edu_interrupt, NULL)) {
		printk("edu: cannot be used\n");
		return false;
	}
	if (image_to_phys(bounce) + PAGE_SIZE - 1 > edu.mask) {
		printk("edu: not even the kernel is within its mask of 0x%llx\n", (unsigned long long)edu.mask);
		return false;
	}
	return true;
}
