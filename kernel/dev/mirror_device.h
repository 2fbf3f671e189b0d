/*
 * mirror_device.h - a device in software with an MMU of its own: a table of translations, a TLB that forgets nothing by itself, and
 * a thread that does its accesses.
 *
 * Layer 9 (kernel/dev).  The node /dev/mirror is kernel/fs/dev_mirror.c.
 */
#ifndef KERNEL_DEV_MIRROR_DEVICE_H
#define KERNEL_DEV_MIRROR_DEVICE_H

#include "kernel/uapi/mirror.h"
#include "mm/service/mirror.h"

struct mirror_device;

/* A device that mirrors [start, start + length) of @mm. ERR_PTR(-ENOMEM, -EOVERFLOW, -EINTR). => a user of @mm; may sleep */
struct mirror_device *mirror_device_create(struct mm *mm, vaddr_t start, size_t length, unsigned flags, u64 ack_ns);
/* => nobody waits for it; may sleep: what it is doing is waited for */
void mirror_device_destroy(struct mirror_device *d);

/* One piece of work for the device's thread. */
struct mirror_work {
	vaddr_t va;
	unsigned stride, span, count; /* as in struct mirror_run; of words, or count bytes from va on if stride is 0 */
	bool write;
	u32 value;
	u32 done;    /* out: words, or bytes */
	u64 faults;  /* out */
	void *bytes; /* of the work: one page, in or out */
};
/* A work item with a page of memory, or NULL; given back when its last user is done with it. */
struct mirror_work *mirror_work_alloc(void);
void mirror_work_put(struct mirror_work *w);
/* Let the device do it: 0, -EFAULT, -ENOMEM, or -EINTR: killed, the device goes on with it for a while. => may sleep */
int mirror_device_run(struct mirror_device *d, struct mirror_work *w);

/* What the table has of @va: MIRROR_PROT_*. */
unsigned mirror_device_look(struct mirror_device *d, vaddr_t va);
void mirror_device_stat(struct mirror_device *d, struct mirror_stat *stat);

#endif
