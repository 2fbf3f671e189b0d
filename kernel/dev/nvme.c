/*
 * nvme.c - NVMe controllers: found, started, asked what they have.
 *
 * Layer 9 (kernel/dev); NVM Express 1.4, sections 3.1 (registers), 5 (admin commands), 7.6.1 (initialisation).
 * One pair of I/O queues on one vector; blocks of 512 bytes; the first namespace.  Everything here happens in the boot
 * thread but nvme_stop() and nvme_failed().
 */
#include "kernel/dev/nvme.h"

#include <arch/cpu.h>
#include <arch/phys.h>

#include "kernel/dev/mmio.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "mm/phys/slab.h"

#define CLASS_NVME 0x010802 /* storage, non-volatile memory, NVM Express */
#define REGS_LENGTH 0x1000  /* the doorbells follow */
#define ADMIN_NS (5 * NSEC_PER_SEC)
#define PATIENCE_S 30
#define STOP_TRIES 100000

enum { CAP = 0x00, INTMS = 0x0c, INTMC = 0x10, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };
enum { CC_ENABLE = 1, CC_ENTRY_SIZES = 6 << 16 | 4 << 20 }; /* 2^6 bytes a command, 2^4 a completion; pages of 4 KiB */
enum { CSTS_READY = 1, CSTS_FATAL = 2 };
enum { CREATE_SQ = 1, CREATE_CQ = 5, IDENTIFY = 6 };
enum { CONTIGUOUS = 1, INTERRUPTS = 2, IO_QUEUE = 1 };
enum { IDENTIFY_NAMESPACE = 0, IDENTIFY_CONTROLLER = 1 };

/* -- the controller -------------------------------------------------------------------------------------------- */

static bool is_ready(struct nvme_disk *disk)
{
	return mmio_read32(disk->regs + CSTS) & CSTS_READY;
}

bool nvme_failed(struct nvme_disk *disk)
{
	return mmio_read32(disk->regs + CSTS) & CSTS_FATAL; /* also if it is not there any more: all ones */
}

void nvme_stop(struct nvme_disk *disk)
{
	u16 command;

	mmio_write32(disk->regs + CC, 0);
	for (unsigned i = 0; i < STOP_TRIES && is_ready(disk); i++)
		cpu_relax();
	/* One that does not obey is not let at memory. */
	command = pci_read16(disk->pci, PCI_COMMAND);
	pci_write16(disk->pci, PCI_COMMAND, command & (u16)~PCI_COMMAND_MASTER);
}

static int wait_ready(struct nvme_disk *disk, bool ready)
{
	u64 deadline = clock_ns() + disk->ready_ns;

	while (is_ready(disk) != ready) {
		if (nvme_failed(disk) || clock_ns() > deadline)
			return -EIO;
		cpu_relax();
	}
	return 0;
}

static void set_bells(struct nvme_disk *disk, struct nvme_queue *q, unsigned number)
{
	q->sq_bell = disk->bells + 2 * number * disk->bell_stride;
	q->cq_bell = q->sq_bell + disk->bell_stride;
}

static u32 cap_part(struct nvme_disk *disk, unsigned bit, u32 mask)
{
	return mmio_read32(disk->regs + CAP + bit / 32 * 4) >> bit % 32 & mask;
}

static int map_registers(struct nvme_disk *disk)
{
	disk->regs = pci_map(disk->pci, 0, 0, REGS_LENGTH);
	if (!disk->regs)
		return -ENODEV;
	disk->bell_stride = 4u << cap_part(disk, 32, 0xf);
	disk->bells = pci_map(disk->pci, 0, REGS_LENGTH, (size_t)disk->bell_stride * 4);
	disk->ready_ns = (cap_part(disk, 24, 0xff) + 1) * (NSEC_PER_SEC / 2);
	/* It must have the NVM command set and be able to do with pages of 4 KiB. */
	return disk->bells && cap_part(disk, 37, 1) && cap_part(disk, 48, 0xf) == 0 ? 0 : -ENODEV;
}

/* Interrupts of the line or by MSI are masked until there is somebody to answer them. MSI-X has a mask of its own. */
static void mask_interrupts(struct nvme_disk *disk, bool mask)
{
	if (disk->pci->irq != PCI_IRQ_MSIX)
		mmio_write32(disk->regs + (mask ? INTMS : INTMC), ~0u);
}

static int enable(struct nvme_disk *disk)
{
	u32 size = NVME_DEPTH - 1; /* of both, less one */
	int error;

	mmio_write32(disk->regs + CC, 0);
	error = wait_ready(disk, false);
	if (!error)
		error = nvme_queue_init(&disk->admin, NVME_DEPTH);
	if (error)
		return error;
	set_bells(disk, &disk->admin, 0);
	mask_interrupts(disk, true);
	mmio_write32(disk->regs + AQA, size << 16 | size);
	mmio_write64_halves(disk->regs + ASQ, disk->admin.sq_pa);
	mmio_write64_halves(disk->regs + ACQ, disk->admin.cq_pa);
	mmio_write32(disk->regs + CC, CC_ENTRY_SIZES | CC_ENABLE);
	return wait_ready(disk, true);
}

/* -- admin commands -------------------------------------------------------------------------------------------- */

static int admin(struct nvme_disk *disk, const struct nvme_command *command)
{
	u64 deadline = clock_ns() + ADMIN_NS;
	struct nvme_completion c;

	nvme_queue_post(&disk->admin, command);
	while (!nvme_queue_pop(&disk->admin, &c)) {
		if (clock_ns() > deadline)
			return -EIO;
		cpu_relax();
	}
	return c.status ? -EIO : 0;
}

static int identify(struct nvme_disk *disk, u32 what, u32 namespace, struct page *page)
{
	return admin(disk, &(struct nvme_command){
						   .opcode = IDENTIFY, .namespace = namespace, .prp1 = page_to_phys(page), .arg = {what}});
}

static u32 get32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Section 5.15.2.2: the largest transfer, and whether what it has written must be flushed. */
static void learn_controller(struct nvme_disk *disk, const u8 *data)
{
	unsigned shift = data[77];

	disk->base.block.max_segments = shift && shift < 6 ? 1u << shift : BIO_VECS_MAX;
	disk->base.volatile_cache = data[525] & 1;
}

/* Section 5.15.2.1: how large it is, and its blocks. */
static int learn_namespace(struct nvme_disk *disk, const u8 *data)
{
	const u8 *format = data + 128 + 4 * (data[26] & 0xf);

	if (format[2] != SECTOR_SHIFT || format[0] || format[1])
		return -ENODEV; /* other blocks, or bytes of metadata beside them */
	disk->base.block.sectors = get32(data) | (u64)get32(data + 4) << 32;
	return disk->base.block.sectors ? 0 : -ENODEV;
}

static int learn(struct nvme_disk *disk)
{
	struct page *page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
	int error;

	if (!page)
		return -ENOMEM;
	error = identify(disk, IDENTIFY_CONTROLLER, 0, page);
	if (!error) {
		learn_controller(disk, page_address(page));
		error = identify(disk, IDENTIFY_NAMESPACE, NVME_NAMESPACE, page);
	}
	if (!error)
		error = learn_namespace(disk, page_address(page));
	if (!is_ready(disk) || error != -EIO)
		page_put(page); /* one that never answered may still write into it */
	return error;
}

static int create_io_queues(struct nvme_disk *disk)
{
	unsigned size = min(cap_part(disk, 0, 0xffff) + 1, (u32)NVME_DEPTH);
	int error = nvme_queue_init(&disk->io, (u16)size);
	u32 which = (size - 1) << 16 | IO_QUEUE;

	if (error)
		return error;
	set_bells(disk, &disk->io, IO_QUEUE);
	error = admin(disk, &(struct nvme_command){
							.opcode = CREATE_CQ, .prp1 = disk->io.cq_pa, .arg = {which, CONTIGUOUS | INTERRUPTS}});
	if (error)
		return error;
	error = admin(disk, &(struct nvme_command){
							.opcode = CREATE_SQ, .prp1 = disk->io.sq_pa, .arg = {which, CONTIGUOUS | IO_QUEUE << 16}});
	return error ? error : nvme_slots_init(disk, min(size - 1, (unsigned)NVME_SLOTS));
}

/* -- finding them ---------------------------------------------------------------------------------------------- */

static int setup(struct nvme_disk *disk)
{
	int error;

	pci_enable(disk->pci);
	error = map_registers(disk);
	if (!error)
		error = pci_irq_request(disk->pci, nvme_interrupt, disk);
	if (error)
		return error;
	error = enable(disk);
	if (!error)
		error = learn(disk);
	if (!error)
		error = create_io_queues(disk);
	if (error)
		nvme_stop(disk);
	return error;
}

/* Seconds: nvme.patience=. */
static u64 patience(void)
{
	const char *option = strstr(boot_info.cmdline, "nvme.patience=");
	unsigned long s = option ? strtoul(option + strlen("nvme.patience="), NULL, 0) : 0;

	return (s ? s : PATIENCE_S) * (u64)NSEC_PER_SEC;
}

/* @n: the disk's number. An interrupt handler may refer to it for good, so a failed one is not freed. */
static bool create(struct pci_device *pci, unsigned n)
{
	struct nvme_disk *disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	int error;

	if (!disk)
		return false;
	disk->pci = pci;
	disk->dead = true;
	disk->patience_ns = patience();
	spin_init(&disk->lock, LOCK_BLOCK);
	block_slots_init(&disk->base, &nvme_slot_ops, disk);
	snprintf(disk->base.block.name, sizeof(disk->base.block.name), "nvme%un%u", n, NVME_NAMESPACE);
	error = setup(disk);
	if (error) {
		printk("nvme: %u:%u.%u: cannot be used (error %d)\n", pci->bus, pci->slot, pci->func, -error);
		return false;
	}
	nvme_block_start(disk);
	mask_interrupts(disk, false);
	return true;
}

void nvme_init(void)
{
	struct pci_device *pci = NULL;
	unsigned n = 0;

	while ((pci = pci_next(pci)))
		if (pci->class == CLASS_NVME && create(pci, n))
			n++;
}
