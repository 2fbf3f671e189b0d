/*
 * stack.c - kernel stacks of threads, each above a page that is not mapped.  Layer 8 (kernel/sched).
 *
 * The window (<arch/stack.h>) is cut into slots of one guard page and a stack.  A function that goes too deep
 * touches the guard page; the processor cannot push the fault's frame there either, and that double fault has a
 * stack of its own.
 *
 * Freeing a stack leaves translations behind on the CPUs that ran on it.  They do no harm until the slot is
 * used again; so slots are handed out in turn, and only when all have been used once every CPU forgets.
 *
 *   FREE -> USED -> STALE -> FLUSHING -> FREE       state[]: slots_lock
 *
 * With all slots in use (i386: some 2800), a stack comes from the direct map and has no guard page, only the
 * word at its bottom that the scheduler checks.
 */
#include "kernel/sched/stack.h"

#include <arch/smp.h>
#include <arch/stack.h>
#include <arch/tlb.h>
#include "kernel/lib/kasan.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/spinlock.h"
#include "mm/phys/page.h"

#define STACK_PAGES (1u << THREAD_STACK_ORDER)
#define SLOT_SIZE ((STACK_PAGES + 1) * PAGE_SIZE)
#define SLOTS (STACKS_SIZE / SLOT_SIZE)

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_STALE, SLOT_FLUSHING };

static spinlock_t slots_lock = SPINLOCK_INIT(LOCK_THREADS); /* irqsave */
static u8 state[SLOTS];
static unsigned next_slot; /* where the search begins */

static void *slot_stack(unsigned slot)
{
	return (void *)(STACKS_BASE + slot * SLOT_SIZE + PAGE_SIZE);
}

static bool in_window(const void *stack)
{
	return (vaddr_t)stack - STACKS_BASE < STACKS_SIZE;
}

/* -- slots ---------------------------------------------------------------------------------------------------- */

/* From next_slot to the end; SLOTS: there is none. => slots_lock */
static unsigned slot_find(void)
{
	while (next_slot < SLOTS && state[next_slot] != SLOT_FREE)
		next_slot++;
	return next_slot;
}

static void slots_change(enum slot_state from, enum slot_state to)
{
	unsigned long flags = spin_lock_irqsave(&slots_lock);

	for (unsigned i = 0; i < SLOTS; i++)
		if (state[i] == from)
			state[i] = to;
	next_slot = 0;
	spin_unlock_irqrestore(&slots_lock, flags);
}

static void flush_here(void *unused)
{
	tlb_flush_local_kernel();
}

/* Two callers at once: each one's flush comes after every slot that it frees became STALE. */
static void slots_flush(void)
{
	unsigned long flags;

	slots_change(SLOT_STALE, SLOT_FLUSHING);
	flags = irq_save();
	ipi_call(cpu_online_mask(), flush_here, NULL, true);
	flush_here(NULL);
	irq_restore(flags);
	slots_change(SLOT_FLUSHING, SLOT_FREE);
}

/* SLOTS: there is none. => may sleep */
static unsigned slot_take(void)
{
	unsigned slot = SLOTS;

	for (unsigned tries = 0; slot == SLOTS && tries < 2; tries++) {
		unsigned long flags;

		if (tries)
			slots_flush();
		flags = spin_lock_irqsave(&slots_lock);
		slot = slot_find();
		if (slot < SLOTS) {
			state[slot] = SLOT_USED;
			next_slot++;
		}
		spin_unlock_irqrestore(&slots_lock, flags);
	}
	return slot;
}

static void slot_release(unsigned slot)
{
	unsigned long flags = spin_lock_irqsave(&slots_lock);

	state[slot] = SLOT_STALE;
	spin_unlock_irqrestore(&slots_lock, flags);
}

/* -- stacks --------------------------------------------------------------------------------------------------- */
static void unmap(void *stack, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		page_free(pfn_to_page(arch_stack_unmap((vaddr_t)stack + i * PAGE_SIZE)), 0);
}

static bool map(void *stack)
{
	for (unsigned i = 0; i < STACK_PAGES; i++) {
		struct page *page = page_alloc(0, GFP_KERNEL | GFP_HIGH);

		if (!page) {
			unmap(stack, i);
			return false;
		}
		arch_stack_map((vaddr_t)stack + i * PAGE_SIZE, page_to_pfn(page));
	}
	return true;
}

static void *alloc_plain(void)
{
	struct page *page = page_alloc(THREAD_STACK_ORDER, GFP_KERNEL);

	return page ? page_address(page) : NULL;
}

void *stack_alloc(void)
{
	unsigned slot = slot_take();
	void *stack;

	if (slot == SLOTS)
		return alloc_plain();
	stack = slot_stack(slot);
	if (!map(stack)) {
		slot_release(slot);
		return NULL;
	}
	kasan_unpoison(stack, THREAD_STACK_SIZE);
	return stack;
}

void stack_free(void *stack)
{
	if (!in_window(stack)) {
		page_free(virt_to_page(stack), THREAD_STACK_ORDER);
		return;
	}
	kasan_poison(stack, THREAD_STACK_SIZE, KASAN_STACK_FREE);
	unmap(stack, STACK_PAGES);
	slot_release((unsigned)(((vaddr_t)stack - STACKS_BASE) / SLOT_SIZE));
}
