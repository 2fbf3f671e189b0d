/*
 * touch.c - steps that load, store and jump, catching the signal.
 */
#include "tests/oracle/step.h"

#define CELLS 4

/* Mostly one of a few places of a page of the window. */
static uintptr_t cell(u32 page, u32 r)
{
	static const unsigned offsets[CELLS] = {0, 0, 2000, 4095};

	return (uintptr_t)WINDOW + arg_page(page) * P + offsets[r % CELLS];
}

bool locks_used;

void settle(uintptr_t at, size_t size)
{
	uintptr_t limit = (uintptr_t)WINDOW + 2 * WINDOW_PAGES * P, end = at + size < at ? limit : at + size;

	if (at < (uintptr_t)WINDOW || at >= limit)
		return;
	for (at &= ~(P - 1); at < end && at < limit; at += P)
		if (!try_read((u8 *)at).signo)
			(void)try_write((u8 *)at, *(volatile u8 *)at);
}

void step_read(const struct step *s)
{
	uintptr_t at = cell(s->r[0], s->r[1]);
	struct fault f = try_read((u8 *)at);

	say("read %s", place(at));
	if (f.signo)
		say_fault(f, at);
	else
		say(" = %#x\n", *(volatile u8 *)at);
}

void step_write(const struct step *s)
{
	uintptr_t at = cell(s->r[0], s->r[1]);
	u8 value = s->r[2] & 1 ? RET_INSN : (u8)(s->r[2] >> 8);

	say("write %s %#x", place(at), value);
	say_fault(try_write((u8 *)at, value), at);
}

/* Only what may be a return instruction is called. */
void step_exec(const struct step *s)
{
	uintptr_t at = (uintptr_t)WINDOW + arg_page(s->r[0]) * P;
	struct fault f = try_read((u8 *)at);

	say("exec %s", place(at));
	if (!f.signo && *(volatile u8 *)at != RET_INSN)
		say(" = no code\n");
	else
		say_fault(try_exec((u8 *)at), at);
}
