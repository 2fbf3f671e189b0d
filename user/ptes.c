/*
 * ptes.c - see ptes.h.
 */
#include "user/ptes.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ul

/* One line of the file. */
struct line {
	unsigned long start, end;
	struct pte_info first;
	int step; /* of the offset */
};

static int prot_of(const char *text)
{
	return (text[0] == 'r' ? PROT_READ : 0) | (text[1] == 'w' ? PROT_WRITE : 0) | (text[2] == 'x' ? PROT_EXEC : 0);
}

static bool parse(const char *text, struct line *l)
{
	char prot[8] = "", state[8] = "", sign = 0;
	unsigned long long offset = 0;

	memset(l, 0, sizeof(*l));
	if (sscanf(text, "%lx-%lx %*u %11s %7s %7s %u %llx%c", &l->start, &l->end, l->first.kind, prot, state,
	           &l->first.pins, &offset, &sign) < 6)
		return false;
	l->first.prot = prot_of(prot);
	l->first.resident = state[0] == 'R';
	l->first.dirty = state[1] == 'D';
	l->first.young = state[2] == 'Y';
	l->first.offset = (unsigned long)(offset / PAGE);
	l->step = sign == '+' ? 1 : sign == '-' ? -1 : 0;
	return true;
}

/* What the line says of the pages asked for; false: of none of them. */
static bool take(const struct line *l, unsigned long start, size_t pages, struct pte_info *info)
{
	unsigned long lo = l->start > start ? l->start : start;
	unsigned long hi = l->end < start + pages * PAGE ? l->end : start + pages * PAGE;

	for (unsigned long at = lo; at < hi; at += PAGE) {
		struct pte_info *i = &info[(at - start) / PAGE];

		*i = l->first;
		i->offset += (at - l->start) / PAGE * (unsigned long)(long)l->step;
	}
	return lo < hi;
}

long ptes_read(const void *start, size_t pages, struct pte_info *info)
{
	FILE *f = fopen("/proc/self/ptes", "r");
	char text[256];
	struct line l;
	long lines = 0;

	if (!f)
		return -1;
	memset(info, 0, pages * sizeof(*info));
	while (fgets(text, sizeof(text), f))
		lines += parse(text, &l) && take(&l, (unsigned long)start, pages, info);
	fclose(f);
	return lines;
}
