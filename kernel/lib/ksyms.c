/*
 * ksyms.c - names for code addresses: binary search in a table sorted by address.  Layer 0.
 */
#include "kernel/lib/ksyms.h"

struct ksym {
	u32 address; /* low 32 bits */
	u32 name;    /* offset into ksym_names */
};

/* In .ksyms, absent from the first link. */
extern const u32 ksym_count __attribute__((weak));
extern const struct ksym ksym_table[] __attribute__((weak));
extern const char ksym_names[] __attribute__((weak));
extern const char text_start[], text_end[];

const char *ksym_lookup(vaddr_t address, unsigned long *offset)
{
	u32 low = 0, high, key = (u32)address;

	if (!&ksym_count || address < (vaddr_t)text_start || address >= (vaddr_t)text_end)
		return NULL;
	high = ksym_count;
	while (low < high) { /* first entry above the key */
		u32 middle = low + (high - low) / 2;

		if (ksym_table[middle].address <= key)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	*offset = key - ksym_table[low - 1].address;
	return ksym_names + ksym_table[low - 1].name;
}
