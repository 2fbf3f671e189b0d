/*
 * mirror.h - translations of an address space for another MMU: filled on demand, dropped when told.
 *
 * Layer 7 (mm/service).  What every secondary MMU needs on top of the notifiers: a table of its translations, and the fault
 * that makes one.  Behind it is hardware, or what plays its part: a device with a TLB (kernel/dev/mirror_device.c), nested tables.
 * A translation holds no reference on its page (R3.9): the page may be swapped out, migrated, freed.
 */
#ifndef MM_SERVICE_MIRROR_H
#define MM_SERVICE_MIRROR_H

#include "kernel/lib/rbtree.h"
#include "mm/pgtable/notifier.h"
#include "mm/space/mm.h"

/* One translation. => mirror->sub.lock */
struct spte {
	struct rb_node rb; /* mirror->sptes, by va */
	vaddr_t va;
	struct page *page;
	bool write, young, dirty;
	bool zero; /* shows the page of zeros */
};

struct mirror;
struct mirror_ops {
	/* Forget what was remembered of translations in [start, end), before this returns. => sub.lock; never sleeps */
	void (*flush)(struct mirror *m, vaddr_t start, vaddr_t end);
	/* The translation at s->va was made, or allows more than before; or is about to be dropped. NULL: not of interest.
	 * => sub.lock */
	void (*set)(struct mirror *m, const struct spte *s);
	void (*clear)(struct mirror *m, struct spte *s); /* fills in young and dirty if it knows better */
	/* Was it used, as hardware has it?  @clear: forget that. NULL: s->young says it all. => sub.lock */
	bool (*young)(struct mirror *m, const struct spte *s, bool clear);
	/* The address space is at its end, nothing is translated any more. NULL: not of interest. => may sleep */
	void (*gone)(struct mirror *m);
};

struct mirror_counts {
	unsigned long faults;  /* fills that made a translation */
	unsigned long retries; /* fills that were refused and began again */
	unsigned long releases;
	unsigned long sptes; /* now */
};

struct mirror {
	struct mmu_subscription sub;
	const struct mirror_ops *ops;
	struct rb_root sptes;      /* sub.lock */
	struct mirror_counts stat; /* sub.lock */
	/* An acknowledging subscriber: drops in start(), which takes so long; nothing in invalidate(). */
	bool acknowledging;
	u64 ack_ns;
};

void mirror_init_subsystem(void); /* once, at boot */

/* @m mirrors [start, start + length) of @mm from now on.  0, -EOVERFLOW (no such range), -ENOMEM, -EINTR.
 * => m->ops, acknowledging, ack_ns set, the rest zero; a user of @mm for the call; may sleep */
int mirror_open(struct mirror *m, struct mm *mm, vaddr_t start, size_t length);
/* No translation any more, and none will come. => nobody is in mirror_fill() or will be; may sleep */
void mirror_close(struct mirror *m);

/* Translate @va, for writing or not: 0, -EFAULT (the program could not access it either, or the end of its address
 * space has come, or beyond the range), -ENOMEM, -EINTR.  That it is still there afterwards nobody knows.
 * => no lock held, may sleep; need not be a thread of the address space */
int mirror_fill(struct mirror *m, vaddr_t va, bool write);
/* => sub.lock held; NULL: none */
struct spte *mirror_find(struct mirror *m, vaddr_t va);

#endif
