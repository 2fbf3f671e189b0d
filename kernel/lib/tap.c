/*
 * tap.c - KTAP result lines.  Layer 0.
 */
#include "kernel/lib/tap.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

unsigned tap_total_passed, tap_total_failed, tap_total_skipped;

static unsigned number(const struct tap *t)
{
	return t->passed + t->failed + t->skipped;
}

void tap_begin(struct tap *t, const char *name)
{
	*t = (struct tap){.name = name};
	printk("KTAP version 1\n# %s\n", name);
}

/* "ok 3 - contract.pte: none is none" */
static void result(struct tap *t, bool ok, const char *directive, const char *fmt, va_list ap)
{
	char text[160];

	vsnprintf(text, sizeof(text), fmt, ap);
	printk("%s %u - %s: %s%s\n", ok ? "ok" : "not ok", number(t), t->name, text, directive);
}

bool tap_ok(struct tap *t, bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok)
		t->passed++;
	else
		t->failed++;
	va_start(ap, fmt);
	result(t, ok, "", fmt, ap);
	va_end(ap);
	return ok;
}

void tap_skip(struct tap *t, const char *fmt, ...)
{
	va_list ap;

	t->skipped++;
	va_start(ap, fmt);
	result(t, true, " # SKIP", fmt, ap);
	va_end(ap);
}

void tap_note(struct tap *t, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printk("# %s: %s\n", t->name, text);
}

bool tap_check(struct tap *t, bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok)
		return true;
	t->failed++;
	va_start(ap, fmt);
	result(t, false, "", fmt, ap);
	va_end(ap);
	return false;
}

unsigned tap_end(struct tap *t)
{
	printk("1..%u\n# %s: %u passed, %u failed, %u skipped\n", number(t), t->name, t->passed, t->failed, t->skipped);
	tap_total_passed += t->passed;
	tap_total_failed += t->failed;
	tap_total_skipped += t->skipped;
	return t->failed;
}
