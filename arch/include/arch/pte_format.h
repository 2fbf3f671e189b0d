/*
 * pte_format.h - the entry format of the generic tables, as data: for who looks at a kernel from outside (tools/gdb)
 * and must not guess.  Layer 1; the machine fills it in, tests/contract/pte_format.c holds it against pte_decode().
 *
 * An entry is `bytes` little-endian bytes; number i of a table is at place (step * i + start) mod entries.  What is stored
 * is XORed with `key`.  The first form whose `is` holds (and that exists at this level) says what the entry means; its
 * other fields and tests apply to the entry XOR `invert`.
 */
#ifndef ARCH_PTE_FORMAT_H
#define ARCH_PTE_FORMAT_H

#include <arch/pgtable.h>

/* Holds if mask is not 0 and (entry & mask) == value. */
struct pte_test {
	u64 mask, value;
};

struct pte_field {
	u8 shift, bits;
};

struct pte_form {
	struct pte_test is;
	enum pte_kind kind;
	bool above; /* above the leaf level only */
	u8 type;    /* SWAP, MARKER: added to type_field */
	struct pte_field type_field;
	struct pte_field payload[2]; /* the low bits first */
	u64 invert;
	struct pte_test r, w, x; /* grants */
	struct pte_test write, accessed, dirty, special, uffd_wp, exclusive;
	struct pte_test user, global; /* hardware's, and not in the view */
};

struct pte_format {
	const char *name;
	unsigned bytes, step, start;
	unsigned nr_levels, nr_forms;
	u64 key;
	const struct pt_level *levels;
	const struct pte_form *forms;
};
extern const struct pte_format pte_format;

/* pte_decode() by the description alone. */
struct pte_view pte_format_decode(pte_t pte, unsigned level);
/* Where entry @index of a table of @level is, in bytes. */
unsigned pte_format_place(unsigned level, unsigned index);

#endif
