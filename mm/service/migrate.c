/*
 * migrate.c - move the page of one address.
 *
 * Layer 7 (mm/service).  Interface: migrate.h.  Lock order: mm->lock (read), PTL; then, with none held, page_migrate().
 */
#include "mm/service/migrate.h"

#include "kernel/lib/errno.h"
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/space/space.h"

#define TRIES 10 /* Linux's, too */

struct page *migrate_target(const struct page *page)
{
	return page_alloc(0, (page_class(page) == CLASS_HIGH ? GFP_USER : GFP_KERNEL) | GFP_NOWARN | GFP_NORECLAIM);
}

int migrate_counted(struct page *old, struct page *new, enum migrate_mode mode)
{
	int err = new ? page_migrate(old, new, mode) : -ENOMEM;

	vm_count(err ? VM_PGMIGRATE_FAIL : VM_PGMIGRATE_SUCCESS, 1);
	if (err && new)
		page_put(new);
	return err;
}

/* The page at @va, isolated. 0 or what mm_migrate() says. A huge entry in the way is split. => mm->lock held */
static int isolate_at(struct mm *mm, vaddr_t va, struct page **page)
{
	struct pt_slot slot = pt_lock(&mm->pt, va);
	int err = -ENOENT;
	pte_t pte;

	if (!slot.hw)
		return err;
	pte = hw_pte_get(slot.hw);
	if (pte_is_migration(pte)) {
		err = -EAGAIN;
	} else if (pte_has_page(pte) && pte_special(pte)) {
		err = -EINVAL;
	} else if (pte_has_page(pte)) {
		*page = pfn_to_page(pte_pfn(pte));
		err = lru_isolate(*page) ? 0 : -EAGAIN;
	}
	pt_unlock(slot);
	return err;
}

static int try_migrate(struct mm *mm, vaddr_t va)
{
	struct page *page;
	int err;

	rwsem_read_lock(&mm->lock);
	err = isolate_at(mm, va, &page);
	rwsem_read_unlock(&mm->lock);
	if (err)
		return err;
	err = migrate_counted(page, migrate_target(page), MIGRATE_WAIT);
	if (err)
		lru_putback(page);
	else
		page_put(page);
	return err;
}

int mm_migrate(struct mm *mm, vaddr_t va)
{
	int err = -EAGAIN;

	for (unsigned i = 0; err == -EAGAIN && i < TRIES; i++)
		err = try_migrate(mm, va);
	return err;
}
