/*
 * ptes.h - reading /proc/self/ptes: what the kernel's page-table entries say of some pages of this program.
 */
#ifndef USER_PTES_H
#define USER_PTES_H

#include <stdbool.h>
#include <stddef.h>

struct pte_info {
	char kind[12]; /* "none", "page", "file" ... (docs/umk.md) */
	int prot;      /* PROT_* that an access is judged by */
	bool resident, dirty, young;
	unsigned pins;
	unsigned long offset; /* in pages of the file */
};

/* Of @pages pages from @start on into @info; returns how many lines they take, or -1: no such file here. */
long ptes_read(const void *start, size_t pages, struct pte_info *info);

#endif
