/*
 * watch.c - the four debug registers, alike on all CPUs.  Layer 1 (x86).  SDM volume 3, 18.2.
 *
 * The debugger changes the table below while every CPU stands; each loads it as it goes on.  On the way to the
 * debugger they are off: what it touches must not stop it.
 */
#include "arch/x86/debug/internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define SLOTS 4
#define DR6_CLEAR 0xffff0ff0UL
#define DR7_EMPTY 0x400UL
#define DR7_GLOBAL(slot) (2UL << (2 * (slot)))
#define DR7_KIND(slot) (16 + 4 * (slot)) /* 2 bits of kind, then 2 of length */

static struct slot {
	bool used;
	bool step; /* not gdb's: the end of a step */
	enum debug_watch on;
	vaddr_t va, asked_va; /* a range that is not aligned takes several slots */
	size_t n, asked_n;
} slots[SLOTS];

#define DEBUG_REGISTER(n)                                            \
	static inline unsigned long read_dr##n(void)                     \
	{                                                                \
		unsigned long value;                                         \
                                                                     \
		__asm__ volatile("mov %%db" #n ", %0" : "=r"(value));        \
		return value;                                                \
	}                                                                \
	static inline void write_dr##n(unsigned long value)              \
	{                                                                \
		__asm__ volatile("mov %0, %%db" #n ::"r"(value) : "memory"); \
	}
DEBUG_REGISTER(6)
DEBUG_REGISTER(7)
#undef DEBUG_REGISTER

static void write_address(unsigned slot, vaddr_t va)
{
	switch (slot) {
	case 0:
		__asm__ volatile("mov %0, %%db0" ::"r"(va));
		break;
	case 1:
		__asm__ volatile("mov %0, %%db1" ::"r"(va));
		break;
	case 2:
		__asm__ volatile("mov %0, %%db2" ::"r"(va));
		break;
	default:
		__asm__ volatile("mov %0, %%db3" ::"r"(va));
	}
}

/* How DR7 spells what @s does: 00 execute, 01 write, 11 access; lengths 00: 1, 01: 2, 11: 4, 10: 8. */
static unsigned long bits_of(const struct slot *s, unsigned i)
{
	unsigned long kind = s->on == DEBUG_ON_EXECUTE ? 0 : s->on == DEBUG_ON_WRITE ? 1 : 3;
	unsigned long length = s->on == DEBUG_ON_EXECUTE ? 0 : s->n == 8 ? 2 : s->n - 1;

	return DR7_GLOBAL(i) | (kind | length << 2) << DR7_KIND(i);
}

unsigned long watch_pause(void)
{
	unsigned long dr7 = read_dr7();

	write_dr7(DR7_EMPTY);
	return dr7;
}

void watch_restore(unsigned long dr7)
{
	write_dr7(dr7);
}

void watch_load(void)
{
	unsigned long dr7 = DR7_EMPTY;

	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].used) {
			write_address(i, slots[i].va);
			dr7 |= bits_of(&slots[i], i);
		}
	write_dr7(dr7);
}

bool watch_hit(unsigned long dr6, struct debug_stop *stop)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].used && !slots[i].step && dr6 & BIT(i)) {
			stop->cause = slots[i].on == DEBUG_ON_EXECUTE ? DEBUG_HARD_BREAK : DEBUG_WATCH;
			stop->addr = slots[i].asked_va;
			stop->written = slots[i].on == DEBUG_ON_WRITE;
			return true;
		}
	return false;
}

bool watch_step_hit(unsigned long dr6)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].used && slots[i].step && dr6 & BIT(i))
			return true;
	return false;
}

bool watch_step_set(vaddr_t va)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!slots[i].used) {
			slots[i] = (struct slot){.used = true, .step = true, .on = DEBUG_ON_EXECUTE, .va = va, .n = 1};
			return true;
		}
	return false;
}

void watch_step_clear(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].step)
			slots[i] = (struct slot){.used = false};
}

/* -- the debugger's side ------------------------------------------------------------------------------------------ */
/* The largest aligned piece that begins at @va. */
static size_t piece(vaddr_t va, size_t n)
{
	size_t size = sizeof(long);

	while (size > n || !IS_ALIGNED(va, size))
		size /= 2;
	return size;
}

static unsigned pieces(vaddr_t va, size_t n)
{
	unsigned count = 0;

	for (size_t size; n > 0 && count <= SLOTS; va += size, n -= size, count++)
		size = piece(va, n);
	return count;
}

static unsigned free_slots(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		count += !slots[i].used;
	return count;
}

static struct slot *free_slot(void)
{
	struct slot *s = slots;

	while (s->used)
		s++;
	return s;
}

int arch_debug_watch(enum debug_watch on, vaddr_t va, size_t n)
{
	vaddr_t asked_va = va;
	size_t left = on == DEBUG_ON_EXECUTE ? 1 : n, asked_n = left;

	if (!left || va + left - 1 < va)
		return -EINVAL;
	if (pieces(va, left) > free_slots())
		return -ENOSPC;
	while (left > 0) {
		size_t size = piece(va, left);

		*free_slot() =
			(struct slot){.used = true, .on = on, .va = va, .n = size, .asked_va = asked_va, .asked_n = asked_n};
		va += size;
		left -= size;
	}
	return 0;
}

int arch_debug_unwatch(enum debug_watch on, vaddr_t va, size_t n)
{
	int err = -ENOENT;

	if (on == DEBUG_ON_EXECUTE)
		n = 1;
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].used && !slots[i].step && slots[i].on == on && slots[i].asked_va == va && slots[i].asked_n == n) {
			slots[i].used = false;
			err = 0;
		}
	return err;
}

void arch_debug_unwatch_all(void)
{
	memset(slots, 0, sizeof(slots));
}
