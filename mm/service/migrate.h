/*
 * migrate.h - moving pages to other frames: of one address, or to make room for a large block; and merging equal ones.
 * Layer 7.  docs/migration.md.
 */
#ifndef MM_SERVICE_MIGRATE_H
#define MM_SERVICE_MIGRATE_H

#include "mm/object/migrate.h"
#include "mm/space/mm.h"

/* A frame that may take @page's place: the kernel reaches it if it reached that. NULL. => may sleep */
struct page *migrate_target(const struct page *page);
/* page_migrate(), counted (pgmigrate_success, pgmigrate_fail); @new NULL: -ENOMEM.  If it fails @new is freed. */
int migrate_counted(struct page *old, struct page *new, enum migrate_mode mode);

/*
 * Move the page that is mapped at @va to another frame (migrate.c). 0, -ENOENT (none is mapped there), -EINVAL (one that is
 * nobody's to move, as that of zeros), -EBUSY (pinned, merged), -EAGAIN (in use, after several attempts), -ENOMEM.
 * => may sleep, no lock held
 */
int mm_migrate(struct mm *mm, vaddr_t va);

/* Make a free block of 1 << @order frames by moving pages (compact.c): 0 and there was one a moment ago, or -ENOMEM. => as for
 * GFP_COMPACT */
int compact_memory(unsigned order);
void compact_init(void); /* once, at boot: the allocator's hook */

/*
 * Let @drop's address show @keep's page, read-only at both, if they have the same content (merge.c): stores copy.  0 (also if
 * they show one page already), -ENOENT (no anonymous page is mapped at one of them), -EINVAL (no range of anonymous memory),
 * -EDOM (they differ), -EBUSY (pinned, counted in ksm_merge_refused; or shared with somebody else), -EAGAIN (in use).
 * => may sleep, no lock held
 */
int mm_merge(struct mm *mm, vaddr_t keep, vaddr_t drop);

#endif
