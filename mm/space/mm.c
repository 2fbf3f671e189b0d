/*
 * mm.c - an address space as a whole: birth, references, death; the zero page.
 *
 * Layer 6 (mm/space).  Interface: mm.h.
 */
#include "mm/space/mm.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "mm/pgtable/notifier.h"
#include "mm/phys/slab.h"
#include "mm/space/huge.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

const struct mm_file_ops *mm_file_ops;
struct page *zero_page;

struct list mm_list = LIST_INIT(mm_list);
struct mutex mm_list_lock = MUTEX_INIT(mm_list_lock, LOCK_MM_LIST);

void mm_init_subsystem(void)
{
	rmap_init();
	anon_init();
	vma_init_subsystem();
	zero_page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
	BUG_ON(!zero_page);
	pt_zero_pfn = page_to_pfn(zero_page);
}

/* => the mm is empty: it joins before anything is mapped and leaves after all is unmapped */
static void list_join(struct mm *mm)
{
	static unsigned long serial; /* mm_list_lock */

	mutex_lock(&mm_list_lock);
	mm->serial = ++serial;
	list_add_tail(&mm->all_link, &mm_list);
	mutex_unlock(&mm_list_lock);
}

static void list_leave(struct mm *mm)
{
	mutex_lock(&mm_list_lock);
	list_del(&mm->all_link);
	mutex_unlock(&mm_list_lock);
}

struct mm *mm_create(void)
{
	struct mm *mm = kzalloc(sizeof(*mm), GFP_KERNEL);
	int err;

	if (!mm)
		return ERR_PTR(-ENOMEM);
	err = pgtable_init(&mm->pt);
	if (err) {
		kfree(mm);
		return ERR_PTR(err);
	}
	rwsem_init(&mm->lock, LOCK_MMAP);
	mutex_init(&mm->anon_first, LOCK_ANON_FIRST);
	mm->users = 1;
	mm->lock_limit = ~0ul;
	list_init(&mm->uffds);
	list_init(&mm->uffd_events);
	list_join(mm);
	return mm;
}

void mm_get(struct mm *mm)
{
	__atomic_fetch_add(&mm->users, 1, __ATOMIC_RELAXED);
}

bool mm_try_get(struct mm *mm)
{
	int users = __atomic_load_n(&mm->users, __ATOMIC_RELAXED);

	while (users > 0)
		if (__atomic_compare_exchange_n(&mm->users, &users, users + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* Unmap all, free the tables, then flush and free, then close the files (RF.42). */
static void mm_destroy(struct mm *mm)
{
	uffd_mm_gone(mm);
	mmu_notifiers_release(&mm->pt);
	if (mm->nr_vmas) {
		rwsem_write_lock(&mm->lock);
		munmap_locked(mm, 0, USER_END);
		rwsem_write_unlock(&mm->lock);
	}
	ASSERT(mm->nr_vmas == 0 && mm->total_pages == 0 && list_empty(&mm->uffd_events));
	list_leave(mm);
	pgtable_destroy(&mm->pt);
	huge_zero_put(mm);
	if (mm->exe)
		mm_file_ops->put(mm->exe);
	kfree(mm);
}

void mm_put(struct mm *mm)
{
	if (__atomic_sub_fetch(&mm->users, 1, __ATOMIC_SEQ_CST) == 0)
		mm_destroy(mm);
}
