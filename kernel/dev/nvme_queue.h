/*
 * nvme_queue.h - a submission queue and the completion queue that belongs to it.  Layer 9 (kernel/dev).
 *
 * NVM Express 1.4, section 4.  The caller serialises, and never has more commands under way than the queue holds.
 */
#ifndef KERNEL_DEV_NVME_QUEUE_H
#define KERNEL_DEV_NVME_QUEUE_H

#include "kernel/lib/types.h"

#define NVME_DEPTH 64 /* commands: one page of them */

struct nvme_command {
	u8 opcode, flags;
	u16 id;
	u32 namespace;
	u64 reserved, metadata;
	u64 prp1, prp2; /* memory: a page, and another or a list of others */
	u32 arg[6];
};
_Static_assert(sizeof(struct nvme_command) == 64, "figure 104");

struct nvme_completion {
	u32 result, reserved;
	u16 sq_head, sq_id;
	u16 id;
	u16 status; /* bit 0: phase; the rest: 0 if all went well */
};
_Static_assert(sizeof(struct nvme_completion) == 16, "figure 121");

struct nvme_queue {
	struct nvme_command *sq;
	volatile struct nvme_completion *cq;
	paddr_t sq_pa, cq_pa;
	u8 *sq_bell, *cq_bell;
	u16 size; /* of both */
	u16 tail, head;
	u16 phase; /* of what is new in cq */
};

/* Memory for two queues of @size, at most NVME_DEPTH: 0 or -ENOMEM. */
int nvme_queue_init(struct nvme_queue *q, u16 size);
/* Hand a command to the device. => there is room */
void nvme_queue_post(struct nvme_queue *q, const struct nvme_command *command);
/* Take the next completion; false: there is none. */
bool nvme_queue_pop(struct nvme_queue *q, struct nvme_completion *completion);

#endif
