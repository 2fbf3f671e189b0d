/*
 * say.c - the lines that a sequence prints, and names of things that do not depend on the kernel.
 *
 * The text goes to memory that children share with the process that prints it: what a sequence has said survives its death.
 */
#define _GNU_SOURCE
#include "tests/oracle/run.h"
#include "tests/oracle/step.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define RING 16

static char rings[RING][48];
static unsigned next_ring;

static char *ring(void)
{
	return rings[next_ring++ % RING];
}

void say(const char *fmt, ...)
{
	size_t room = sizeof(said->text) - said->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(said->text + said->used, room, fmt, ap);
	va_end(ap);
	said->used += n < 0 || (size_t)n >= room ? room - 1 : (size_t)n;
}

const char *place(uintptr_t address)
{
	intptr_t offset = (intptr_t)(address - (uintptr_t)WINDOW);
	char *to = ring();

	if (offset < 0 || offset > (intptr_t)(2 * WINDOW_PAGES * P))
		snprintf(to, sizeof(rings[0]), address < P ? "%#llx" : "-%#llx",
		         (unsigned long long)(address < P ? address : 0 - address));
	else if (offset % (intptr_t)P)
		snprintf(to, sizeof(rings[0]), "p%d+%d", (int)(offset / (intptr_t)P), (int)(offset % (intptr_t)P));
	else
		snprintf(to, sizeof(rings[0]), "p%d", (int)(offset / (intptr_t)P));
	return to;
}

const char *length(size_t n)
{
	char *to = ring();
	long near = (long)((n + P / 2) / P), rest = (long)(n - (size_t)near * P);

	if (n > 1000 * P)
		snprintf(to, sizeof(rings[0]), "-%#llx", (unsigned long long)((size_t)0 - n));
	else
		snprintf(to, sizeof(rings[0]), rest ? "%ldp%+ld" : "%ldp", near, rest);
	return to;
}

const char *prot_text(int prot)
{
	char *to = ring();

	snprintf(to, sizeof(rings[0]), prot & ~7 ? "%c%c%c|%#x" : "%c%c%c", prot & 1 ? 'r' : '-', prot & 2 ? 'w' : '-',
	         prot & 4 ? 'x' : '-', (unsigned)prot & ~7u);
	return to;
}

void say_result(long result)
{
	if (result == -1)
		say(" = %s\n", strerrorname_np(errno) ?: "?");
	else
		say(" = %ld\n", result);
}

void say_page_by_page(long nr, uintptr_t at, size_t size, long argument)
{
	int error = errno;

	say(" = %s", strerrorname_np(error) ?: "?");
	size += at % P;
	at -= at % P;
	if (at - (uintptr_t)WINDOW < 2 * WINDOW_PAGES * P && size) {
		uintptr_t limit = (uintptr_t)WINDOW + 2 * WINDOW_PAGES * P, end = size < limit - at ? at + size : limit;

		say(",");
		for (; at < end; at += P)
			say(" %s", syscall(nr, at, P, argument) ? strerrorname_np(errno) ?: "?" : "0");
	}
	say("\n");
}

void say_fault(struct fault f, uintptr_t at)
{
	const char *name = f.signo == SIGSEGV ? "SIGSEGV" : f.signo == SIGBUS ? "SIGBUS" : "signal";

	if (!f.signo)
		say(" = ok\n");
	else if (f.addr == (volatile void *)at)
		say(" = %s %d there\n", name, f.code);
	else
		say(" = %s %d at %s\n", name, f.code, place((uintptr_t)f.addr));
}
