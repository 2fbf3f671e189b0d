/*
 * migrate.h - a page's content and identity go to another frame; whoever maps it does not notice.  Layer 5b.
 *
 * docs/migration.md has the protocol.  While it lasts the page's entries are migration entries (mm/pgtable/pte_migration.h):
 * who meets one waits for page_wait_migration(), with no reference, or does to it what he would do to the page's entry.
 */
#ifndef MM_OBJECT_MIGRATE_H
#define MM_OBJECT_MIGRATE_H

#include "mm/pgtable/pgtable.h"
#include "mm/pgtable/pte_migration.h"

enum migrate_mode {
	MIGRATE_TRY, /* neither waits for the page's lock nor for its writeback */
	MIGRATE_WAIT,
};

/*
 * Move @old to @new.  0: @new is mapped and cached where @old was, and on a list by age; the caller's reference on @old is
 * the last one, that on @new is gone.  Otherwise nothing has changed:
 *   -EAGAIN  somebody else refers to the page at the moment, or is about to change who maps it
 *   -EBUSY   it cannot be moved as long as it is pinned, or merged
 * => @old isolated from its list (lru_isolate()), of which the caller has the only reference besides entries' and caches';
 *    @new just allocated; no page lock, maps.lock or family's lock held; may sleep
 */
int page_migrate(struct page *old, struct page *new, enum migrate_mode mode);

/* Until @page, which a migration entry named, is nobody's to move.  The caller holds no reference, so it may be anybody's page
 * by now: what he knows afterwards is that looking again makes sense. => may sleep, no lock that a migration may wait for */
void page_wait_migration(const struct page *page);

/* The entry @hw of @pt, a migration entry, is emptied for good: nobody will map the page there. => its PTL */
static inline void migration_entry_gone(struct pgtable *pt, pte_t pte)
{
	__atomic_fetch_sub(&pte_migrating(pte)->migrating, 1, __ATOMIC_SEQ_CST);
	pgtable_account(pt, -1);
}

/* One more entry, in @pt, says what @pte says: fork. => the PTLs of both */
static inline void migration_entry_copied(struct pgtable *pt, pte_t pte)
{
	__atomic_fetch_add(&pte_migrating(pte)->migrating, 1, __ATOMIC_SEQ_CST);
	pgtable_account(pt, 1);
}

#endif
