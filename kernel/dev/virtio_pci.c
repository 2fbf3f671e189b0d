/*
 * virtio_pci.c - the modern (1.x) PCI transport: vendor capabilities point at four groups of registers.
 *
 * Layer 9 (kernel/dev); virtio 1.1 section 4.1.  Legacy (I/O port) devices are not handled.
 */
#include "kernel/dev/mmio.h"
#include "kernel/dev/virtio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"

/* Vendor capability: what it points at, in which BAR. */
enum { CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_NOTIFY_MULTIPLIER = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4 };

/* Common configuration registers. */
enum {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	MSIX_CONFIG = 0x10,
	DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_MSIX_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_AVAIL = 0x28,
	QUEUE_USED = 0x30,
	COMMON_LENGTH = 0x38,
};

#define NO_VECTOR 0xffff
#define CONFIG_LENGTH_MAX 256
#define RESET_TRIES 1000000

u8 virtio_device_status(struct virtio_device *vd)
{
	return mmio_read8(vd->common + DEVICE_STATUS);
}

static void status_add(struct virtio_device *vd, u8 bits)
{
	mmio_write8(vd->common + DEVICE_STATUS, virtio_device_status(vd) | bits);
}

void virtio_ready(struct virtio_device *vd)
{
	status_add(vd, VIRTIO_DRIVER_OK);
}

void virtio_failed(struct virtio_device *vd)
{
	status_add(vd, VIRTIO_FAILED);
}

void virtio_reset(struct virtio_device *vd)
{
	mmio_write8(vd->common + DEVICE_STATUS, 0);
	/* It reads as 0 once the reset is complete. */
	for (unsigned i = 0; i < RESET_TRIES && virtio_device_status(vd) != 0; i++)
		;
}

u8 virtio_isr(struct virtio_device *vd)
{
	return mmio_read8(vd->isr);
}

/* -- finding the registers -------------------------------------------------------------------------------------- */

static void map_group(struct virtio_device *vd, unsigned cap)
{
	struct pci_device *pci = vd->pci;
	u32 offset = pci_read32(pci, cap + CAP_OFFSET), length = pci_read32(pci, cap + CAP_LENGTH);
	unsigned bar = pci_read8(pci, cap + CAP_BAR);

	switch (pci_read8(pci, cap + CAP_TYPE)) {
	case TYPE_COMMON:
		if (!vd->common && length >= COMMON_LENGTH)
			vd->common = pci_map(pci, bar, offset, COMMON_LENGTH);
		break;
	case TYPE_NOTIFY:
		if (vd->notify)
			break;
		vd->notify_multiplier = pci_read32(pci, cap + CAP_NOTIFY_MULTIPLIER);
		vd->notify_length = min(length, (u32)PAGE_SIZE);
		vd->notify = pci_map(pci, bar, offset, vd->notify_length);
		break;
	case TYPE_ISR:
		if (!vd->isr)
			vd->isr = pci_map(pci, bar, offset, 1);
		break;
	case TYPE_DEVICE:
		if (vd->config)
			break;
		vd->config_length = min(length, (u32)CONFIG_LENGTH_MAX);
		vd->config = pci_map(pci, bar, offset, vd->config_length);
		break;
	}
}

int virtio_attach(struct virtio_device *vd, struct pci_device *pci)
{
	*vd = (struct virtio_device){.pci = pci};
	for (unsigned cap = pci_find_cap(pci, 0, PCI_CAP_VENDOR); cap; cap = pci_find_cap(pci, cap, PCI_CAP_VENDOR))
		map_group(vd, cap);
	if (!vd->common || !vd->notify || !vd->isr || !vd->config)
		return -ENODEV;
	virtio_reset(vd);
	status_add(vd, VIRTIO_ACKNOWLEDGE);
	status_add(vd, VIRTIO_DRIVER);
	return 0;
}

/* -- features and configuration --------------------------------------------------------------------------------- */

static u64 device_features(struct virtio_device *vd)
{
	u64 features;

	mmio_write32(vd->common + DEVICE_FEATURE_SELECT, 0);
	features = mmio_read32(vd->common + DEVICE_FEATURE);
	mmio_write32(vd->common + DEVICE_FEATURE_SELECT, 1);
	return features | (u64)mmio_read32(vd->common + DEVICE_FEATURE) << 32;
}

int virtio_negotiate(struct virtio_device *vd, u64 wanted)
{
	u64 offered = device_features(vd);

	/* ACCESS_PLATFORM: addresses go through an IOMMU if there is one; ours are physical, which is the same
	 * until somebody turns an IOMMU on. */
	vd->features = offered & (wanted | 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM);
	if (!virtio_has(vd, VIRTIO_F_VERSION_1))
		return -ENODEV;
	mmio_write32(vd->common + DRIVER_FEATURE_SELECT, 0);
	mmio_write32(vd->common + DRIVER_FEATURE, (u32)vd->features);
	mmio_write32(vd->common + DRIVER_FEATURE_SELECT, 1);
	mmio_write32(vd->common + DRIVER_FEATURE, (u32)(vd->features >> 32));
	status_add(vd, VIRTIO_FEATURES_OK);
	if (!(virtio_device_status(vd) & VIRTIO_FEATURES_OK))
		return -ENODEV;
	mmio_write16(vd->common + MSIX_CONFIG, NO_VECTOR);
	return 0;
}

u32 virtio_config32(struct virtio_device *vd, unsigned offset)
{
	return offset + 4 <= vd->config_length ? mmio_read32(vd->config + offset) : 0;
}

u64 virtio_config64(struct virtio_device *vd, unsigned offset)
{
	u8 generation;
	u64 value;

	do {
		generation = mmio_read8(vd->common + CONFIG_GENERATION);
		value = virtio_config32(vd, offset) | (u64)virtio_config32(vd, offset + 4) << 32;
	} while (mmio_read8(vd->common + CONFIG_GENERATION) != generation);
	return value;
}

/* -- queue registers (used by virtqueue.c) ---------------------------------------------------------------------- */

u16 virtio_queue_size(struct virtio_device *vd, unsigned index)
{
	mmio_write16(vd->common + QUEUE_SELECT, index);
	return mmio_read16(vd->common + QUEUE_SIZE);
}

int virtio_queue_start(struct virtio_device *vd, struct virtqueue *vq, paddr_t desc, paddr_t avail, paddr_t used)
{
	u8 *common = vd->common;
	u64 doorbell;

	mmio_write16(common + QUEUE_SELECT, vq->index);
	mmio_write16(common + QUEUE_SIZE, vq->size);
	if (vd->pci->irq == PCI_IRQ_MSIX) {
		mmio_write16(common + QUEUE_MSIX_VECTOR, 0);
		if (mmio_read16(common + QUEUE_MSIX_VECTOR) != 0)
			return -ENODEV; /* the device has no room for it */
	}
	mmio_write64_halves(common + QUEUE_DESC, desc);
	mmio_write64_halves(common + QUEUE_AVAIL, avail);
	mmio_write64_halves(common + QUEUE_USED, used);
	doorbell = (u64)mmio_read16(common + QUEUE_NOTIFY_OFF) * vd->notify_multiplier;
	if (doorbell + 2 > vd->notify_length)
		return -ENODEV;
	vq->doorbell = vd->notify + doorbell;
	mmio_write16(common + QUEUE_ENABLE, 1);
	return 0;
}
