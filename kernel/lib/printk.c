/*
 * printk.c - the kernel's messages.  Layer 0.
 *
 * Works from the first instruction of C code on and in any context.  Nobody ever waits: whoever finds
 * another message under way (an interrupt in the middle of one, another CPU) leaves its own in a slot,
 * and the one that holds the console prints it before it lets go.
 */
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define LOG_SIZE 32768u
#define LINE_SIZE 512
#define SLOTS 8

static struct {
	char text[LOG_SIZE];
	unsigned long head; /* bytes ever written; text[head % LOG_SIZE] comes next */
} ring;

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY };
static struct {
	u8 state;
	int n;
	char text[LINE_SIZE];
} slots[SLOTS];

static u8 locked;     /* the ring and the console */
static unsigned lost; /* messages that found no slot; atomic */
static bool forced;

static void emit(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ring.text[(ring.head + i) % LOG_SIZE] = s[i];
	WRITE_ONCE(ring.head, ring.head + n);
	console_write(s, n);
}

static bool slots_ready(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (__atomic_load_n(&slots[i].state, __ATOMIC_ACQUIRE) == SLOT_READY)
			return true;
	return false;
}

static void slots_drain(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (__atomic_load_n(&slots[i].state, __ATOMIC_ACQUIRE) == SLOT_READY) {
			emit(slots[i].text, (size_t)slots[i].n);
			__atomic_store_n(&slots[i].state, SLOT_FREE, __ATOMIC_RELEASE);
		}
	if (READ_ONCE(lost)) {
		char text[48];
		int n = snprintf(text, sizeof(text), "(printk: %u messages lost)\n",
		                 __atomic_exchange_n(&lost, 0, __ATOMIC_RELAXED));

		emit(text, (size_t)n);
	}
}

/* Leave a message for the holder of the console. */
static void slot_leave(const char *s, int n)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		u8 old = SLOT_FREE;

		if (!__atomic_compare_exchange_n(&slots[i].state, &old, SLOT_FILLING, false, __ATOMIC_ACQUIRE,
		                                 __ATOMIC_RELAXED))
			continue;
		memcpy(slots[i].text, s, (size_t)n);
		slots[i].n = n;
		__atomic_store_n(&slots[i].state, SLOT_READY, __ATOMIC_RELEASE);
		return;
	}
	__atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
}

/* Print what lies in the slots, unless somebody else will. */
static void slots_flush(void)
{
	while (slots_ready() && !__atomic_exchange_n(&locked, 1, __ATOMIC_SEQ_CST)) {
		slots_drain();
		__atomic_store_n(&locked, 0, __ATOMIC_SEQ_CST);
	}
}

int vprintk(const char *fmt, va_list ap)
{
	char text[LINE_SIZE];
	int n = vscnprintf(text, sizeof(text), fmt, ap);

	if (READ_ONCE(forced)) {
		emit(text, (size_t)n);
		return n;
	}
	if (__atomic_exchange_n(&locked, 1, __ATOMIC_SEQ_CST)) {
		slot_leave(text, n);
	} else {
		emit(text, (size_t)n);
		__atomic_store_n(&locked, 0, __ATOMIC_SEQ_CST);
	}
	slots_flush();
	return n;
}

bool printk_hold(void)
{
	return READ_ONCE(forced) || !__atomic_exchange_n(&locked, 1, __ATOMIC_SEQ_CST);
}

void printk_release(void)
{
	__atomic_store_n(&locked, 0, __ATOMIC_SEQ_CST);
	slots_flush();
}

int printk(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vprintk(fmt, ap);
	va_end(ap);
	return n;
}

void printk_force(void)
{
	WRITE_ONCE(forced, true);
}

size_t log_read(unsigned long *pos, char *buf, size_t n)
{
	unsigned long head = READ_ONCE(ring.head);
	size_t i;

	if (head - *pos > LOG_SIZE) /* overwritten, or a position that never was */
		*pos = head > LOG_SIZE ? head - LOG_SIZE : 0;
	for (i = 0; i < n && *pos != head; i++)
		buf[i] = ring.text[(*pos)++ % LOG_SIZE];
	return i;
}
