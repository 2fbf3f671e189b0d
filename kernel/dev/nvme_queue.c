/*
 * nvme_queue.c - rings of commands and completions: see nvme_queue.h.
 *
 * Layer 9 (kernel/dev).  The device runs at the same time: a command is whole in memory before the doorbell rings, and
 * of a completion nothing is believed before its phase bit says that it is new.
 */
#include "kernel/dev/nvme_queue.h"

#include "kernel/dev/mmio.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "mm/phys/page.h"

int nvme_queue_init(struct nvme_queue *q, u16 size)
{
	struct page *sq = page_alloc(0, GFP_KERNEL | GFP_ZERO), *cq = page_alloc(0, GFP_KERNEL | GFP_ZERO);

	STATIC_ASSERT(NVME_DEPTH * sizeof(struct nvme_command) <= PAGE_SIZE);
	ASSERT(size >= 2 && size <= NVME_DEPTH);
	if (!sq || !cq) {
		if (sq)
			page_put(sq);
		if (cq)
			page_put(cq);
		return -ENOMEM;
	}
	*q = (struct nvme_queue){.sq = page_address(sq),
	                         .cq = page_address(cq),
	                         .sq_pa = page_to_phys(sq),
	                         .cq_pa = page_to_phys(cq),
	                         .size = size,
	                         .phase = 1};
	return 0;
}

void nvme_queue_post(struct nvme_queue *q, const struct nvme_command *command)
{
	q->sq[q->tail] = *command;
	q->tail = (u16)(q->tail + 1 == q->size ? 0 : q->tail + 1);
	mmio_barrier();
	mmio_write32(q->sq_bell, q->tail);
}

bool nvme_queue_pop(struct nvme_queue *q, struct nvme_completion *completion)
{
	volatile struct nvme_completion *c = &q->cq[q->head];
	u16 status = c->status;

	if ((status & 1) != q->phase)
		return false;
	mmio_barrier();
	*completion = (struct nvme_completion){.result = c->result, .id = c->id, .status = status >> 1};
	if (++q->head == q->size) {
		q->head = 0;
		q->phase ^= 1;
	}
	mmio_write32(q->cq_bell, q->head);
	return true;
}
