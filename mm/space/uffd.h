/*
 * uffd.h - userfaultfd: faults of a range are answered by a program (thread 2).
 *
 * Layer 6 (mm/space).  docs/userfaultfd.md tells the story.
 *
 *   the thread that faults                     the program that answers
 *     vma_fault(): queue on the context, look      read(2): the oldest waiter that was not told of yet
 *       at the entry again: FAULT_RETRY            UFFDIO_COPY and its like: set the entry, then
 *     give mm->lock back, fault_wait()             wake every waiter of the range
 *     try the access again
 *
 * Nobody is forgotten (R2.6): who queues looks at the entry afterwards, under its lock; who answers sets the entry first and
 * looks at the queues second.  Whoever comes late in one order comes early in the other.
 *
 * What changes the layout (fork, mremap, munmap, MADV_DONTNEED) may have to tell the program and wait until it has read the
 * message: an *event*.  Events are collected in the address space while mm->lock is held and told after it is given back;
 * until then `changing` makes every answer fail with EAGAIN.
 *
 * A range holds a reference on its context, a context none on its address space: `mm` becomes NULL when that ends.
 */
#ifndef MM_SPACE_UFFD_H
#define MM_SPACE_UFFD_H

#include "kernel/sync/wait.h"
#include "kernel/uapi/uffd.h"
#include "mm/space/mm.h"

#define VM_UFFD (VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR)

struct uffd {
	int refs;                  /* atomic */
	unsigned flags;            /* UFFDX_USER_MODE_ONLY */
	unsigned features;         /* UFFDX_*; written once, before `ready` */
	bool ready;                /* the handshake is done */
	bool released;             /* its file is closed: nobody waits any more */
	int changing;              /* atomic: changes of the layout that the program has not read of yet */
	spinlock_t lock;           /* LOCK_UFFD: */
	struct list pending;       /* waiters that the program was not told of */
	struct list told;          /* those that it was told of */
	struct list events;        /* uffd_event.link: not read yet, oldest first */
	struct mm *mm;             /* whose faults these are; NULL: it has come to its end. attach_lock (uffd.c) */
	struct list of_mm;         /* mm->uffds; the same */
	struct wait_queue readers; /* read(2) and poll(2) */
};

/* One thread that waits for an answer; in its fault_io. */
struct uffd_waiter {
	struct list link;
	struct uffd *uffd; /* a reference; NULL: the fault waits for something else */
	struct thread *thread;
	vaddr_t va;      /* page-aligned */
	vaddr_t address; /* what the message says */
	unsigned flags;  /* UFFDX_FAULT_* */
	int tid;
	bool user;   /* ring 3: a signal ends the wait */
	bool queued; /* uffd->lock; read by the waiter at any time */
};

/* A change of the layout that the program has to hear of. */
struct uffd_event {
	struct list link;
	struct uffd *uffd; /* a reference */
	int refs;          /* atomic: who waits, who reads */
	struct thread *thread;
	struct uffdx_msg msg;
	struct uffd *child; /* FORK: the child's context, a reference */
	bool queued;        /* uffd->lock: on uffd->events */
	bool done;          /* uffd->lock: the wait is over: it was read, or the context is released */
	bool read;          /* uffd->lock: the program knows */
};

/* -- contexts --------------------------------------------------------------------------------------------------- */

/* For @mm, with one reference. ERR_PTR(-ENOMEM). => @mm is alive */
struct uffd *uffd_make(struct mm *mm, unsigned flags);
void uffd_get(struct uffd *u);
void uffd_put(struct uffd *u); /* => any lock */
/* Its address space with a user more, or NULL: that has come to its end. */
struct mm *uffd_mm_get(struct uffd *u);
/* The end of an address space: its contexts have none any more. => its last user */
void uffd_mm_gone(struct mm *mm);
/* The file is closed: no range is registered any more, every waiter tries again, every event is over. => may sleep */
void uffd_release(struct uffd *u);
static inline bool uffd_changing(const struct uffd *u)
{
	return __atomic_load_n(&u->changing, __ATOMIC_SEQ_CST);
}

/* -- ranges: => mm->lock held for writing ------------------------------------------------------------------------- */

/* @vma, not yet in the tree, has the registration of @from. */
void uffd_vma_inherit(struct vma *vma, const struct vma *from);
/* The whole vma belongs to @u (NULL: to nobody) with these VM_UFFD_* flags; write protection that goes leaves no trace in
 * the entries. */
void uffd_vma_set(struct vma *vma, struct uffd *u, unsigned vm_flags);

/* -- waiting ------------------------------------------------------------------------------------------------------ */

/* => fault.c: one of FAULT_OK, _KILLED, _SIGNAL (the wait of a user's access was ended by a signal) */
enum fault_result uffd_wait(struct uffd_waiter *w);
void uffd_queue(struct uffd_waiter *w);   /* => the fields up to `user` are set */
void uffd_unqueue(struct uffd_waiter *w); /* also gives the reference back */
/* Everybody who waits for an address of [start, end) tries again. => any context without uffd->lock */
void uffd_wake(struct uffd *u, vaddr_t start, vaddr_t end);

/* -- reading ------------------------------------------------------------------------------------------------------ */

bool uffd_readable(struct uffd *u);
/* The oldest fault that nobody was told of: false if there is none. */
bool uffd_next_fault(struct uffd *u, struct uffdx_msg *msg);
/* The oldest event, or NULL; then one of the two below. */
struct uffd_event *uffd_next_event(struct uffd *u);
void uffd_event_read(struct uffd_event *e);   /* the program knows: who waits goes on */
void uffd_event_unread(struct uffd_event *e); /* it could not be told: the event comes first again */

/* -- events: made and added with mm->lock held for writing, told by mm_unlock_changed() ------------------------------- */

static inline bool uffd_wants(const struct uffd *u, unsigned feature)
{
	return unlikely(u) && (u->features & feature);
}
/* One for @u, which wants it. NULL: no memory. */
struct uffd_event *uffd_event_make(struct uffd *u, unsigned event);
/* Put into @out what the end of [start, end) means to the contexts of its vmas. 0 or -ENOMEM. */
int uffd_prepare_unmap(struct mm *mm, vaddr_t start, vaddr_t end, struct list *out);
/* The context of the child's vma that is a copy of one of @parent's: made, with its event in @out, the first time.  A
 * reference, or ERR_PTR(-ENOMEM). */
struct uffd *uffd_prepare_fork(struct uffd *parent, struct mm *child, struct list *out);
void uffd_events_add(struct mm *mm, struct list *events); /* the change has been made: @events is empty afterwards */
void uffd_events_drop(struct list *events);               /* it has not */
/* Give mm->lock, held for writing, back, then tell what was added and wait until it was read. => may sleep */
void mm_unlock_changed(struct mm *mm);
/*
 * MADV_DONTNEED and its like: [start, end) is about to be emptied.  Tells who wants to know and waits.  Answers that were
 * under way have ended, and those that come are given by somebody who knows. 0 or -ENOMEM. => no lock, may sleep
 */
int uffd_tell_remove(struct mm *mm, vaddr_t start, vaddr_t end);

/* -- answers (fault_fill.c): what a program puts where nothing is ----------------------------------------------------- */
/*
 * Each sets the entry of @va in @vma if it is empty: 0, -EEXIST, -ENOMEM, -EFAULT (beyond the end of the file).  @wp: the
 * entry is write-protected.  => mm->lock held for reading, tables may be made: sleeps
 */

/* A fresh page with its content, for a private mapping; the reference is the entry's afterwards. */
int uffd_fill_page(struct vma *vma, vaddr_t va, struct page *page, bool wp);
int uffd_fill_zero(struct vma *vma, vaddr_t va); /* the page of zeros, for a private mapping */
/* A new page of the file in memory that a shared mapping shows, with @content's (NULL: zeros). */
int uffd_fill_file(struct vma *vma, vaddr_t va, const struct page *content, bool wp);
/* The page that the file has already; none: -EFAULT, -EINVAL beyond its end. */
int uffd_fill_cached(struct vma *vma, vaddr_t va, bool wp);
int uffd_fill_poison(struct vma *vma, vaddr_t va);

/* -- write protection ----------------------------------------------------------------------------------------------- */

/* Protect or release the entries of the vma's part [start, end).  Where a page is absent a note is left, if the vma is of a
 * file, or the context asked for it. 0 or -ENOMEM. => mm->lock held */
int uffd_write_protect(struct vma *vma, vaddr_t start, vaddr_t end, bool protect);

#endif
