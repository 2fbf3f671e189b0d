/*
 * proc_ptes.c - /proc/<pid>/ptes: what the page-table entries say, one line for each run of like ones.  Layer 10.
 *
 * Made part by part, as it is read (a mosaic of 65,536 pages is 5 MB of text); docs/umk.md explains the columns.
 */
#include "kernel/fs/procfs.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc_pid.h"
#include "kernel/proc/process.h"
#include "mm/phys/slab.h"
#include "mm/service/ptes.h"

#define PART (2 * PROC_CHUNK)

static const char *run_kind(const struct pte_run *r)
{
	if (r->kind != PTE_KIND_PAGE)
		return pte_kind_name(r->kind);
	return r->zero ? "zero" : r->anon ? "anon" : "page";
}

static unsigned long run_pages(const struct pte_run *r)
{
	return (r->end - r->start) >> PAGE_SHIFT;
}

/* "+": each page is placed one after its neighbour; "-": one before; "=": all at the same place. */
static const char *run_direction(const struct pte_run *r)
{
	if (run_pages(r) == 1)
		return "";
	return r->step < 0 ? "-" : r->step ? "+" : "=";
}

static void print_place(struct proc_buf *b, const struct pte_run *r)
{
	if (r->place == PTE_PLACE_FILE)
		proc_printf(b, "%08llx%s", (unsigned long long)r->where << PAGE_SHIFT, run_direction(r));
	else if (r->place == PTE_PLACE_SWAP)
		proc_printf(b, "%u:%llu%s", r->type, (unsigned long long)r->where, run_direction(r));
	else if (r->kind == PTE_KIND_MARKER)
		proc_printf(b, "%u", r->type);
	proc_write(b, "\n", 1);
}

/* Of "start-end": 12 digits reach the end of a 64-bit program's addresses. */
#define RANGE_WIDTH ((int)(sizeof(vaddr_t) == 8 ? 25 : 17))

static void print_run(struct proc_buf *b, const struct pte_run *r)
{
	char range[40];

	snprintf(range, sizeof(range), "%08lx-%08lx", r->start, r->end);
	proc_printf(b, "%-*s %8lu %-9s %c%c%c%c %c%c%c%c %4u ", RANGE_WIDTH, range, run_pages(r), run_kind(r),
	            r->grant & GRANT_R ? 'r' : '-', r->grant & GRANT_W ? 'w' : '-', r->grant & GRANT_X ? 'x' : '-',
	            r->shared ? 's' : 'p', r->kind == PTE_KIND_PAGE ? 'R' : '-', r->dirty ? 'D' : '-', r->young ? 'Y' : '-',
	            r->write ? 'W' : '-', r->pins);
	print_place(b, r);
}

static void print_head(struct proc_buf *b)
{
	proc_printf(b, "# %-*s %8s %-9s %s %s %4s %s\n", RANGE_WIDTH - 2, "address", "pages", "kind", "prot", "RDYW",
	            "pins", "offset");
}

/* What fits; the cursor is where the last run ended, and 0 only before the head. */
static int print_part(struct proc_buf *b, struct mm *mm, u64 *cursor)
{
	struct pte_scan *s = kmalloc(sizeof(*s), GFP_KERNEL);
	struct pte_run run;

	if (!s)
		return -ENOMEM;
	pte_scan_init(s, mm, (vaddr_t)*cursor);
	if (!*cursor)
		print_head(b);
	*cursor = max(*cursor, (u64)1); /* nothing is mapped there */
	while (b->length < PART && !b->error && pte_scan_next(s, &run)) {
		print_run(b, &run);
		*cursor = run.end;
	}
	kfree(s);
	return 0;
}

int proc_pid_ptes(struct proc_buf *b, int pid, u64 *cursor)
{
	struct process *p = process_find(pid);
	struct mm *mm = p ? process_mm_get(p) : NULL;
	int err = mm ? print_part(b, mm, cursor) : 0;

	if (mm)
		mm_put(mm);
	if (!p)
		return -ESRCH;
	process_put(p);
	return err;
}
