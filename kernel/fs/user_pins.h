/*
 * user_pins.h - pins that a program holds through an open device: by number, as kernel/uapi/edu.h has it.
 *
 * Layer 9 (kernel/fs).  For nodes of devices that do DMA.  A pin in use by a transfer cannot be unpinned (EBUSY), so no lock is
 * held for the time that a transfer takes; the node's release() runs when no call on the file is left.
 */
#ifndef KERNEL_FS_USER_PINS_H
#define KERNEL_FS_USER_PINS_H

#include "kernel/sync/mutex.h"
#include "kernel/uapi/edu.h"
#include "mm/service/pin.h"

struct user_pins {
	struct mutex lock; /* LOCK_DEVICE; never held over anything that sleeps or locks, but allocation */
	struct list pins;
	u64 last_id;
};

struct user_pin {
	struct list link; /* user_pins.pins */
	u64 id;
	unsigned flags; /* FOLL_* */
	unsigned head;  /* offset of the first byte in the first page */
	u64 bytes;      /* that transfers may touch, from head on */
	unsigned long npages;
	unsigned users; /* transfers under way; the lock */
	bool stored;    /* the device has stored; the lock */
	struct page **pages;
	void *engine; /* of who has the pins; the lock */
};

void user_pins_init(struct user_pins *pins);
void user_pins_release(struct user_pins *pins); /* unpin all. => nobody uses one */

/* The ioctls that every such device has: 0 or -errno, as described in kernel/uapi/edu.h. => process context; @ctx begins with
 * the struct user_pins */
long user_pins_pin(void *ctx, void *argument);   /* struct edu_pin */
long user_pins_unpin(void *ctx, void *argument); /* struct edu_unpin */
long user_pins_stat(void *ctx, void *argument);  /* struct edu_stat */

/* The pin with a user more, so that it stays; NULL: there is none. */
struct user_pin *user_pin_use(struct user_pins *pins, u64 id);
/* @stored: the device has changed the pages. */
void user_pin_unuse(struct user_pins *pins, struct user_pin *pin, bool stored);
/* May the device go over [offset, offset + length) of the pin? -EINVAL; -EACCES: @stores, and it was pinned to be read. */
int user_pin_check(const struct user_pin *pin, u64 offset, u64 length, bool stores);

/* The caller's; NULL: a kernel thread's. */
struct mm *user_pins_mm(void);

#endif
