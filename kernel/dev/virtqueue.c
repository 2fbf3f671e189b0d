/*
 * virtqueue.c - split rings: descriptors, what we offer (avail), what the device gives back (used).
 *
 * Layer 9 (kernel/dev); virtio 1.1 section 2.6.  The caller's lock guards everything here.  The device runs
 * at the same time: what it may see is published by a store after a barrier, and what it says is believed
 * only after a check.
 *
 *   page 0 of a queue's memory:  desc[size] | avail: flags idx ring[size] event | used: flags idx ring[size] event
 *   tables (indirect):           each slot's own, several a page, none crosses a page
 */
#include "kernel/dev/mmio.h"
#include "kernel/dev/virtio.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define SIZE_MAX_WANTED 128 /* a queue of 128 fits one page */

enum { RING_FLAGS = 0, RING_INDEX = 1, RING_ENTRIES = 2 }; /* in u16 */

static u32 used_id(struct virtqueue *vq, u16 at)
{
	/* Elements are { u32 id; u32 len }, 4-byte aligned after the two u16. */
	return *(volatile u32 *)(vq->used + RING_ENTRIES + 4 * (at & (vq->size - 1)));
}

static int alloc_rings(struct virtqueue *vq, paddr_t *avail_pa, paddr_t *used_pa)
{
	size_t avail_at = vq->size * sizeof(struct vring_desc);
	size_t used_at = ALIGN_UP(avail_at + 2 * (RING_ENTRIES + vq->size + 1), 4);
	struct page *page;
	u8 *base;

	ASSERT(used_at + 2 * (RING_ENTRIES + 1) + 8 * vq->size <= PAGE_SIZE);
	page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
	if (!page)
		return -ENOMEM;
	base = page_address(page);
	vq->desc = (void *)base;
	vq->avail = (void *)(base + avail_at);
	vq->used = (void *)(base + used_at);
	*avail_pa = page_to_phys(page) + avail_at;
	*used_pa = page_to_phys(page) + used_at;
	return 0;
}

/* Give every slot a table in memory of its own; as many slots as memory and the ring allow. */
static int alloc_tables(struct virtqueue *vq, unsigned descs)
{
	size_t bytes = descs * sizeof(struct vring_desc);
	unsigned wanted = min((unsigned)vq->size, (unsigned)VIRTQUEUE_SLOTS_MAX);
	unsigned left = 0;
	u8 *at = NULL;

	ASSERT(bytes <= PAGE_SIZE);
	for (vq->slots = 0; vq->slots < wanted; vq->slots++, left--, at += bytes) {
		if (left == 0) {
			struct page *page = page_alloc(0, GFP_KERNEL | GFP_ZERO);

			if (!page)
				break;
			at = page_address(page);
			left = PAGE_SIZE / bytes;
		}
		vq->table[vq->slots] = (void *)at;
	}
	vq->slot_descs = descs;
	return vq->slots ? 0 : -ENOMEM;
}

/* Cut the ring into slices. */
static int slice_ring(struct virtqueue *vq, unsigned descs, unsigned least)
{
	vq->slot_descs = max(least, min(descs, vq->size / 4u));
	vq->slots = min(vq->size / vq->slot_descs, (unsigned)VIRTQUEUE_SLOTS_MAX);
	for (unsigned i = 0; i < vq->slots; i++)
		vq->table[i] = vq->desc + i * vq->slot_descs;
	return vq->slots ? 0 : -ENODEV;
}

int virtqueue_init(struct virtqueue *vq, struct virtio_device *vd, unsigned index, unsigned descs, unsigned least)
{
	unsigned size = virtio_queue_size(vd, index);
	paddr_t avail_pa, used_pa;
	int error;

	if (size == 0 || (size & (size - 1)))
		return -ENODEV;
	*vq = (struct virtqueue){.vd = vd, .index = index, .size = min(size, (unsigned)SIZE_MAX_WANTED)};
	vq->indirect = virtio_has(vd, VIRTIO_F_INDIRECT);
	error = alloc_rings(vq, &avail_pa, &used_pa);
	if (error)
		return error;
	error = vq->indirect ? alloc_tables(vq, descs) : slice_ring(vq, descs, least);
	if (error)
		return error;
	return virtio_queue_start(vd, vq, page_to_phys(virt_to_page(vq->desc)), avail_pa, used_pa);
}

int virtqueue_take(struct virtqueue *vq)
{
	for (unsigned i = 0; i < vq->slots; i++)
		if (!(vq->busy >> i & 1)) {
			vq->busy |= 1u << i;
			return i;
		}
	return -1;
}

void virtqueue_release(struct virtqueue *vq, unsigned slot)
{
	ASSERT(vq->busy >> slot & 1);
	vq->busy &= ~(1u << slot);
}

void virtqueue_describe(struct virtqueue *vq, unsigned slot, unsigned n, paddr_t pa, u32 length, bool device_writes)
{
	ASSERT(n < vq->slot_descs);
	vq->table[slot][n] = (struct vring_desc){.addr = pa, .len = length, .flags = device_writes ? VRING_WRITE : 0};
}

/* Chain the first @n descriptors of the table, whose first has index @base where the device looks. */
static void chain(struct vring_desc *table, unsigned n, unsigned base)
{
	for (unsigned i = 0; i + 1 < n; i++) {
		table[i].flags |= VRING_NEXT;
		table[i].next = base + i + 1;
	}
}

void virtqueue_post(struct virtqueue *vq, unsigned slot, unsigned n)
{
	struct vring_desc *table = vq->table[slot];
	u16 head = slot;

	ASSERT(vq->busy >> slot & 1);
	if (vq->indirect) {
		chain(table, n, 0);
		vq->desc[head] = (struct vring_desc){
			.addr = page_to_phys(virt_to_page(table)) + ((vaddr_t)table & ~PAGE_MASK),
			.len = n * sizeof(*table),
			.flags = VRING_INDIRECT,
		};
	} else {
		head = slot * vq->slot_descs;
		chain(table, n, head);
	}
	vq->avail[RING_ENTRIES + (vq->avail_next & (vq->size - 1))] = head;
	mmio_barrier(); /* the entry before the index */
	WRITE_ONCE(vq->avail[RING_INDEX], ++vq->avail_next);
	mmio_barrier(); /* the index before the knock */
	mmio_write16(vq->doorbell, vq->index);
}

int virtqueue_pop(struct virtqueue *vq)
{
	while (READ_ONCE(vq->used[RING_INDEX]) != vq->used_next) {
		u32 id, slot;

		mmio_barrier(); /* the index before the entry, and before the data */
		id = used_id(vq, vq->used_next++);
		slot = vq->indirect ? id : id / vq->slot_descs;
		if (slot < vq->slots && (vq->busy >> slot & 1))
			return slot;
	}
	return -1;
}
