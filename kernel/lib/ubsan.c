/*
 * ubsan.c - what the compiler's checks for undefined behaviour call (debug builds, -fsanitize=...).  Layer 0.
 *
 * The compiler passes a record that names the place in the source, and the offending values.  The layout of the
 * records is the compiler's interface.  None of these returns: the kernel's own code was wrong.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/types.h"

struct location {
	const char *file;
	u32 line, column;
};

struct type {
	u16 kind; /* 0: integer, 1: floating */
	u16 info; /* integers: bit 0: signed; the rest: log2 of the width in bits */
	char name[];
};

/* Every record begins with its location; these are the ones of which more is shown. */
struct record_types {
	struct location at;
	const struct type *a, *b;
};

struct record_mismatch {
	struct location at;
	const struct type *type;
	u8 log_alignment;
	u8 access; /* index of access_names */
};

static const char *const access_names[] = {
	"load of",     "store to",    "reference to", "member access in",        "member call in", "constructor call",
	"downcast of", "downcast of", "upcast of",    "cast to virtual base of", "nonnull use of", "dynamic operation",
};

/* @value is the integer itself, or its address if it is wider than a register. */
static long long value_of(const struct type *type, unsigned long value)
{
	unsigned bits = 1u << (type->info >> 1);
	unsigned shift = bits < 64 ? 64 - bits : 0;
	u64 v = bits > sizeof(value) * 8 ? *(const u64 *)value : value;

	v <<= shift;
	return type->info & 1 ? (s64)v >> shift : (s64)(v >> shift);
}

#define DIE(at, fmt, ...) \
	panic("undefined behaviour at %s:%u:%u: " fmt "\n", (at)->file, (at)->line, (at)->column, ##__VA_ARGS__)

/* A handler: its prototype, because nothing but the compiler knows it, and its body. */
#define HANDLER(name, ...)                              \
	__noreturn void __ubsan_handle_##name(__VA_ARGS__); \
	__noreturn void __ubsan_handle_##name(__VA_ARGS__)

HANDLER(shift_out_of_bounds_abort, const struct record_types *r, unsigned long value, unsigned long amount)
{
	DIE(&r->at, "shift of %lld (%s) by %lld", value_of(r->a, value), r->a->name, value_of(r->b, amount));
}

HANDLER(out_of_bounds_abort, const struct record_types *r, unsigned long index)
{
	DIE(&r->at, "index %lld outside %s", value_of(r->b, index), r->a->name);
}

HANDLER(load_invalid_value_abort, const struct record_types *r, unsigned long value)
{
	DIE(&r->at, "value %lld does not exist in %s", value_of(r->a, value), r->a->name);
}

HANDLER(divrem_overflow_abort, const struct record_types *r, unsigned long a, unsigned long b)
{
	DIE(&r->at, "%lld divided by %lld (%s)", value_of(r->a, a), value_of(r->a, b), r->a->name);
}

HANDLER(vla_bound_not_positive_abort, const struct record_types *r, unsigned long bound)
{
	DIE(&r->at, "array of %lld elements", value_of(r->a, bound));
}

HANDLER(type_mismatch_v1_abort, const struct record_mismatch *r, unsigned long address)
{
	const char *access = r->access < ARRAY_SIZE(access_names) ? access_names[r->access] : "use of";

	DIE(&r->at, "%s %s at %p: %s", access, r->type->name, (void *)address,
	    !address                                    ? "a null pointer"
	    : address & ((1UL << r->log_alignment) - 1) ? "not aligned"
	                                                : "the object is smaller");
}

HANDLER(pointer_overflow_abort, const struct location *at, unsigned long base, unsigned long result)
{
	DIE(at, "pointer %p moved to %p", (void *)base, (void *)result);
}

HANDLER(builtin_unreachable, const struct location *at)
{
	DIE(at, "unreachable place reached");
}

HANDLER(missing_return, const struct location *at)
{
	DIE(at, "function ends without a value");
}

HANDLER(nonnull_arg_abort, const struct location *at)
{
	DIE(at, "null pointer as an argument that must not be null");
}

HANDLER(nonnull_return_v1_abort, const void *attribute, const struct location *at)
{
	DIE(at, "null pointer returned from a function that never does");
}

HANDLER(invalid_builtin_abort, const struct location *at)
{
	DIE(at, "count of zeros in 0");
}
