/*
 * shrink.c - the smallest sequence that still fails.
 *
 * Each candidate runs in a child.  First operations go, in large pieces and then in small ones; then operands become
 * simpler.  A sequence with concurrent threads may need another seed after each change: a few are tried.
 */
#include <stdio.h>

#include "kernel/lib/string.h"
#include "tests/model/run.h"

#define SEEDS 6

static unsigned tries;

/* Does it fail, with some seed?  Then @s has that seed. */
static bool fails(struct sequence *s)
{
	u32 first = s->seed;

	for (unsigned i = 0; i < (s->mode & MODE_CONCURRENT ? SEEDS : 1); i++) {
		s->seed = first + i;
		tries++;
		if (run_alone(s, true) != SIM_PASSED)
			return true;
	}
	s->seed = first;
	return false;
}

static void delete (struct sequence *s, unsigned from, unsigned n)
{
	memmove(s->ops[from], s->ops[from + n], (s->nr - from - n) * OP_BYTES);
	s->nr -= n;
}

/* Returns whether anything could go. */
static bool delete_pieces(struct sequence *s, unsigned size)
{
	bool any = false;

	for (unsigned from = 0; from + size <= s->nr;) {
		struct sequence candidate = *s;

		delete (&candidate, from, size);
		if (fails(&candidate)) {
			*s = candidate;
			any = true;
		} else {
			from += size;
		}
	}
	return any;
}

static void delete_operations(struct sequence *s)
{
	for (unsigned size = (s->nr + 1) / 2; size; size /= 2)
		delete_pieces(s, size);
	while (delete_pieces(s, 1))
		;
}

static bool try_byte(struct sequence *s, unsigned op, unsigned byte, unsigned char value)
{
	struct sequence candidate = *s;

	if (s->ops[op][byte] == value)
		return false;
	candidate.ops[op][byte] = value;
	if (!fails(&candidate))
		return false;
	*s = candidate;
	return true;
}

/* Operands, not the kind: 0, or half as much. */
static void simplify(struct sequence *s)
{
	for (unsigned op = 0; op < s->nr; op++)
		for (unsigned byte = 1; byte < OP_BYTES; byte++)
			if (!try_byte(s, op, byte, 0))
				while (s->ops[op][byte] && try_byte(s, op, byte, s->ops[op][byte] / 2))
					;
}

bool shrink(struct sequence *s)
{
	if (!fails(s))
		return false;
	delete_operations(s);
	simplify(s);
	delete_operations(s);
	printf("# shrunk to %u operations in %u runs\n", s->nr, tries);
	return true;
}

void sequence_print(const struct sequence *s)
{
	static unsigned char bytes[SEQUENCE_HEADER + SEQUENCE_OPS * OP_BYTES];
	size_t n = sequence_encode(s, bytes);
	char text[160];

	for (unsigned i = 0; i < s->nr; i++) {
		struct op op = op_decode(s->ops[i]);

		op_print(&op, text, sizeof(text));
		printf("#   %3u  %s;\n", i, text);
	}
	printf("# replay with  mode=%s replay=", s->mode & MODE_CONCURRENT ? "concurrent" : "exact");
	for (size_t i = 0; i < n; i++)
		printf("%02x", bytes[i]);
	printf("\n");
	fflush(stdout);
}
