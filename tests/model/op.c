/*
 * op.c - operations from bytes, and as text.
 */
#include "tests/model/op.h"

#include "kernel/lib/string.h"

/* How often which: of 64 values of the first byte. */
static const unsigned char weights[OP_KINDS] = {
	[OP_MAP_PRIVATE] = 5, [OP_MAP_SHARED] = 2, [OP_MAP_FILE] = 6,  [OP_UNMAP] = 2,  [OP_PROTECT] = 4,  [OP_REMAP] = 9,
	[OP_FORK] = 2,        [OP_EXIT] = 1,       [OP_READ] = 12,     [OP_WRITE] = 14, [OP_EXEC] = 5,     [OP_MSYNC] = 3,
	[OP_FILE_WRITE] = 3,  [OP_FILE_READ] = 2,  [OP_TRUNCATE] = 3,  [OP_PUNCH] = 1,  [OP_DONTNEED] = 4, [OP_FORKING] = 1,
	[OP_POPULATE] = 2,    [OP_MINCORE] = 2,    [OP_MREMAP] = 4,    [OP_LOCK] = 1,   [OP_UNLOCK] = 1,   [OP_PIN] = 4,
	[OP_UNPIN] = 3,       [OP_DEVICE] = 4,     [OP_WRITEBACK] = 2, [OP_AGE] = 2,    [OP_ACCESS] = 2,   [OP_RECLAIM] = 4,
	[OP_AUDIT] = 1,
};

static const char *const names[OP_KINDS] = {
	"map_private", "map_shared", "map_file",  "unmap",   "protect",    "remap",     "fork",     "exit",
	"read",        "write",      "exec",      "msync",   "file_write", "file_read", "truncate", "punch",
	"dontneed",    "forking",    "populate",  "mincore", "mremap",     "lock",      "unlock",   "pin",
	"unpin",       "device",     "writeback", "age",     "access",     "reclaim",   "audit",
};

/* Byte @b stands for the kind in whose share of the weights it falls, modulo their sum. */
static enum op_kind kind_of(unsigned b)
{
	static unsigned sum;
	unsigned kind;

	if (!sum)
		for (kind = 0; kind < OP_KINDS; kind++)
			sum += weights[kind];
	b %= sum;
	for (kind = 0; b >= weights[kind]; kind++)
		b -= weights[kind];
	return kind;
}

struct op op_decode(const unsigned char b[OP_BYTES])
{
	struct op op = {
		.kind = kind_of(b[0]),
		.space = b[1] % 16,
		.cpu = b[1] / 16 % MODEL_CPUS,
		.cell = b[1] / 64 % 2,
		.page = b[2] % MODEL_PAGES,
		.prot = b[4] % 8,
		.flags = b[4] / 8,
		.object = b[5] % 8,
		.open = b[5] / 64 == 3 ? b[7] % 4u : OPEN_ALL,
		.to = b[6],
		.value = 1 + b[7],
		.twist = b[5] / 8 % 8 == 7 && b[7] % 8 < TWISTS ? (enum op_twist)(b[7] % 8) : TWIST_NONE,
	};
	unsigned most = MODEL_PAGES - op.page;

	op.pages = 1 + (b[3] < 192 ? b[3] % 4 : b[3] % most); /* mostly a few */
	if (op.pages > most)
		op.pages = most;
	return op;
}

/* -- sequences ------------------------------------------------------------------------------------------------------ */
void sequence_decode(struct sequence *s, const unsigned char *bytes, size_t n)
{
	unsigned char header[SEQUENCE_HEADER] = {0};

	memcpy(header, bytes, n < sizeof(header) ? n : sizeof(header));
	s->mode = header[0] & MODE_CONCURRENT;
	memcpy(&s->seed, header + 1, sizeof(s->seed));
	n = n > sizeof(header) ? n - sizeof(header) : 0;
	s->nr = (unsigned)((n + OP_BYTES - 1) / OP_BYTES);
	if (s->nr > SEQUENCE_OPS)
		s->nr = SEQUENCE_OPS;
	memset(s->ops, 0, sizeof(s->ops));
	memcpy(s->ops, bytes + SEQUENCE_HEADER, n < sizeof(s->ops) ? n : sizeof(s->ops));
}

size_t sequence_encode(const struct sequence *s, unsigned char *bytes)
{
	bytes[0] = (unsigned char)s->mode;
	memcpy(bytes + 1, &s->seed, sizeof(s->seed));
	memcpy(bytes + SEQUENCE_HEADER, s->ops, s->nr * OP_BYTES);
	return SEQUENCE_HEADER + s->nr * OP_BYTES;
}

/* splitmix64 */
static u64 next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void sequence_random(struct sequence *s, u32 seed, unsigned nr, unsigned mode)
{
	u64 state = seed;

	s->mode = mode;
	s->seed = seed;
	s->nr = nr < SEQUENCE_OPS ? nr : SEQUENCE_OPS;
	for (unsigned i = 0; i < s->nr; i++) {
		u64 bytes = next(&state);

		memcpy(s->ops[i], &bytes, OP_BYTES);
	}
}

/* -- text ------------------------------------------------------------------------------------------------------------ */
static const char *prot_name(unsigned prot)
{
	static const char *const text[] = {"---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx"};

	return text[prot % 8];
}

static const char *const twist_names[TWISTS] = {
	"", ", start + 5", ", length - 1", ", length + 100", ", length 0", ", length wraps", ", unknown bit",
};

static size_t print_range(const struct op *op, char *to, size_t n)
{
	return (size_t)snprintf(to, n, "%s(mm %u, page %u, %u pages", names[op->kind], op->space, op->page, op->pages);
}

static void print_rest(const struct op *op, char *to, size_t n)
{
	static const char *const open_names[] = {"rwx", "readonly", "noexec", "sealed"};

	switch (op->kind) {
	case OP_MAP_FILE:
		snprintf(to, n, ", %s, flags %x, object %u %s, offset %u%s)", prot_name(op->prot), op->flags, op->object,
		         open_names[op->open], op->to % MODEL_FILE_PAGES, twist_names[op->twist]);
		break;
	case OP_REMAP:
		snprintf(to, n, ", %s, flags %x, offset %u%s)", prot_name(op->prot), op->flags, op->to, twist_names[op->twist]);
		break;
	case OP_MREMAP:
		snprintf(to, n, ", kind %u, to %u, object %u%s)", op->flags & OPF_MREMAP, op->to % MODEL_PAGES, op->object,
		         twist_names[op->twist]);
		break;
	default:
		snprintf(to, n, ", %s, flags %x%s)", prot_name(op->prot), op->flags, twist_names[op->twist]);
	}
}

void op_print(const struct op *op, char *to, size_t n)
{
	size_t used;

	switch (op->kind) {
	case OP_READ:
	case OP_WRITE:
	case OP_EXEC:
	case OP_ACCESS:
		snprintf(to, n, "%s(mm %u, cpu %u, page %u, cell %u, value %u, flags %x)", names[op->kind], op->space, op->cpu,
		         op->page, op->cell, op->value, op->flags);
		return;
	case OP_FORK:
	case OP_EXIT:
		snprintf(to, n, "%s(mm %u)", names[op->kind], op->space);
		return;
	case OP_FILE_WRITE:
	case OP_FILE_READ:
	case OP_TRUNCATE:
	case OP_PUNCH:
	case OP_WRITEBACK:
		snprintf(to, n, "%s(object %u, page %u, cell %u, value %u)", names[op->kind], op->object,
		         op->to % MODEL_FILE_PAGES, op->cell, op->value);
		return;
	case OP_UNPIN:
	case OP_DEVICE:
		snprintf(to, n, "%s(pin %u, cell %u, value %u, flags %x)", names[op->kind], op->to % MODEL_PINS, op->cell,
		         op->value, op->flags);
		return;
	default:
		used = print_range(op, to, n);
		print_rest(op, to + used, n - used);
	}
}
