/*
 * registers.c - the chosen thread's registers, in the order of the target description.  Interface: internal.h.
 */
#include "kernel/debug/internal.h"

#define BYTES_MAX 16

static void write_register(struct writer *w, const struct debug_who *who, const struct debug_register *reg)
{
	u8 value[BYTES_MAX];

	if (arch_debug_register(who, reg, value)) {
		write_bytes(w, value, reg->bits / 8);
		return;
	}
	for (unsigned i = 0; i < reg->bits / 8; i++)
		write_text(w, "xx"); /* gdb says "unavailable" */
}

void registers_read_all(struct writer *w)
{
	struct debug_who who = target_who(&session.chosen);

	for (unsigned f = 0; f < debug_feature_count; f++)
		for (unsigned i = 0; i < debug_features[f].count; i++)
			write_register(w, &who, &debug_features[f].regs[i]);
}

static const struct debug_register *register_number(u64 n)
{
	for (unsigned f = 0; f < debug_feature_count; f++) {
		if (n < debug_features[f].count)
			return &debug_features[f].regs[n];
		n -= debug_features[f].count;
	}
	return NULL;
}

static const struct debug_register *read_number(struct reader *r)
{
	u64 n;

	return read_hex(r, &n) ? register_number(n) : NULL;
}

void register_read(struct reader *r, struct writer *w)
{
	const struct debug_register *reg = read_number(r);
	struct debug_who who = target_who(&session.chosen);

	if (reg && !reader_left(r))
		write_register(w, &who, reg);
	else
		write_error(w, 22);
}

void register_write(struct reader *r, struct writer *w)
{
	const struct debug_register *reg = read_number(r);
	struct debug_who who = target_who(&session.chosen);
	u8 value[BYTES_MAX];
	bool good = reg && read_char(r, '=');

	for (unsigned i = 0; good && i < reg->bits / 8; i++)
		good = read_hex_byte(r, &value[i]);
	if (!good || reader_left(r))
		write_error(w, 22);
	else if (arch_debug_register_set(&who, reg, value))
		write_text(w, "OK");
	else
		write_error(w, 1);
}
