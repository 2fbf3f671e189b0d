/*
 * object_swap.c - pages of objects that have no file, on their way to swap and back.
 *
 * Layer 5b (mm/object).  Interface: object_swap.h.
 * Lock order: page lock, area locks (swap.h), pages_lock, list_lock.
 *
 * Out, the page itself goes from one cache to the other.  In, its content is copied to a new page, which takes the slot's place:
 * the page of the swap cache may be on its way to the device, and others may wait for it.
 */
#include "mm/object/object_swap.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/pagecache.h"
#include "mm/phys/lru.h"

static struct list swapped = LIST_INIT(swapped); /* objects that may have slots; list_lock */
static spinlock_t list_lock = SPINLOCK_INIT(LOCK_FLUSHER);

swap_entry_t object_slot_slow(struct vm_object *obj, pgoff_t index)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	swap_entry_t entry = object_slot_locked(obj, index);

	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return entry;
}

bool object_blank(struct vm_object *obj, pgoff_t index)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	const struct page *page = radix_lookup(&obj->pages, index);
	/* One that is locked may just be getting its content (migrate.c). */
	bool blank =
		page ? !(READ_ONCE(page->flags) & (BIT(PG_UPTODATE) | BIT(PG_LOCKED))) : !object_slot_locked(obj, index).v;

	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return blank;
}

/* -- out --------------------------------------------------------------------------------------------------------- */

/* => pages_lock */
static void join(struct vm_object *obj)
{
	spin_lock(&list_lock);
	if (list_empty(&obj->swapped_link))
		list_add_tail(&obj->swapped_link, &swapped);
	spin_unlock(&list_lock);
}

/* The slot takes the page's place, if only the two caches and the caller refer to it. */
static bool give_place(struct vm_object *obj, struct page *page, swap_entry_t entry)
{
	bool done = radix_preload() == 0;
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);

	done = done && page_unreferenced(page, 3) && radix_insert(&obj->slots, page->index, (void *)entry.v) == 0;
	if (done) {
		obj->nr_slots++;
		join(obj);
		pagecache_remove(obj, page); /* from here on the object may die */
		page_set(page, PG_ANON);
	}
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return done;
}

bool object_swap_out(struct page *page)
{
	swap_entry_t entry;

	ASSERT(page_test(page, PG_LOCKED) && page_test(page, PG_UPTODATE) && !page->object->tracks_dirty);
	ASSERT(!page_test(page, PG_WRITEBACK));
	if (!swap_add(page))
		return false;
	entry = swap_page_entry(page);
	if (swap_dup(entry)) {
		SYNC_POINT("object-swap-out");
		if (give_place(page->object, page, entry)) {
			page_put(page); /* the cache's */
			return true;
		}
		swap_put(entry);
	}
	(void)swap_try_free(page);
	return false;
}

/* -- in ---------------------------------------------------------------------------------------------------------- */

/* @page takes the slot's place if the object still has it. 0, -EEXIST: it has not; -ENOMEM. */
static int take_place(struct vm_object *obj, struct page *page, pgoff_t index, swap_entry_t entry)
{
	int err = radix_preload();
	unsigned long flags;

	if (err)
		return err;
	flags = spin_lock_irqsave(&obj->pages_lock);
	if (object_slot_locked(obj, index).v != entry.v &&
	    !MUTATION(191)) /* M191: an old content takes a newer one's place */
		err = -EEXIST;
	else
		err = pagecache_insert(obj, page, index);
	if (!err) {
		radix_remove(&obj->slots, index);
		obj->nr_slots--;
	}
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return err;
}

/* A new page with the slot's @content: ERR_PTR(-EEXIST, -ENOMEM). */
static struct page *bring_in(struct vm_object *obj, pgoff_t index, swap_entry_t entry, struct page *content)
{
	struct page *page = page_alloc(0, GFP_USER);
	int err;

	if (!page)
		return ERR_PTR(-ENOMEM);
	page->flags |= BIT(PG_LOCKED) | BIT(PG_UPTODATE) | BIT(PG_DIRTY) | BIT(PG_SWAPBACKED);
	page_copy(page, content);
	SYNC_POINT("object-swap-in");
	err = take_place(obj, page, index, entry);
	if (!err) {
		lru_add(page);
		swap_put(entry);
		return page;
	}
	page_unlock(page);
	page_put(page);
	return ERR_PTR(err);
}

struct page *object_swap_in(struct vm_object *obj, pgoff_t index)
{
	for (;;) {
		swap_entry_t entry = object_slot(obj, index);
		struct page *content, *page;

		if (!entry.v)
			return NULL;
		content = swap_read(entry);
		if (IS_ERR(content))
			return content;
		if (!content)
			continue; /* somebody else brought it in */
		page = bring_in(obj, index, entry, content);
		page_put(content);
		if (PTR_ERR(page) != -EEXIST)
			return page;
	}
}

/* -- slots that nobody needs any more ------------------------------------------------------------------------------ */

/* The first slot in [*index, last] leaves the object; {0}: none. */
static swap_entry_t take_slot(struct vm_object *obj, unsigned long *index, pgoff_t last)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	swap_entry_t entry = {(unsigned long)radix_next(&obj->slots, index)};

	if (entry.v && *index <= last) {
		radix_remove(&obj->slots, *index);
		obj->nr_slots--;
	} else {
		entry.v = 0;
	}
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return entry;
}

void object_swap_drop(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	unsigned long index = first;
	swap_entry_t entry;

	while (READ_ONCE(obj->nr_slots) && (entry = take_slot(obj, &index, last)).v)
		swap_put(entry);
}

void object_swap_leave(struct vm_object *obj)
{
	unsigned long flags = spin_lock_irqsave(&list_lock);

	ASSERT(obj->nr_slots == 0);
	list_del_init(&obj->swapped_link);
	spin_unlock_irqrestore(&list_lock, flags);
}

/* -- all of them --------------------------------------------------------------------------------------------------- */

static unsigned count_objects(void)
{
	unsigned long flags = spin_lock_irqsave(&list_lock);
	unsigned n = 0;

	for (struct list *l = swapped.next; l != &swapped; l = l->next)
		n++;
	spin_unlock_irqrestore(&list_lock, flags);
	return n;
}

/* The first object of the list, now its last, held; NULL: there is none, or it is dying. */
static struct vm_object *next_object(void)
{
	unsigned long flags = spin_lock_irqsave(&list_lock);
	struct vm_object *obj = NULL;

	if (!list_empty(&swapped)) {
		obj = list_first_entry(&swapped, struct vm_object, swapped_link);
		list_del(&obj->swapped_link);
		list_add_tail(&obj->swapped_link, &swapped);
		if (!obj->ops->hold(obj))
			obj = NULL;
	}
	spin_unlock_irqrestore(&list_lock, flags);
	return obj;
}

/* The first page at or after *@index that is in area @type. */
static bool next_of_area(struct vm_object *obj, unsigned long *index, unsigned type)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock), word;

	while ((word = (unsigned long)radix_next(&obj->slots, index)) && swap_word_type(word) != type)
		++*index;
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return word != 0;
}

static int unswap_object(struct vm_object *obj, unsigned type)
{
	for (unsigned long index = 0; next_of_area(obj, &index, type); index++) {
		struct page *page;

		rwsem_read_lock(&obj->invalidate_lock); /* truncate does not meet a page that comes back */
		page = object_swap_in(obj, index);
		rwsem_read_unlock(&obj->invalidate_lock);
		if (IS_ERR(page))
			return (int)PTR_ERR(page);
		if (page) {
			page_unlock(page);
			page_put(page);
		}
	}
	return 0;
}

int object_unswap(unsigned type)
{
	int err = 0;

	for (unsigned n = count_objects(); n && !err; n--) {
		struct vm_object *obj = next_object();

		if (obj) {
			err = unswap_object(obj, type);
			obj->ops->release(obj);
		}
	}
	return err;
}

void object_swap_each(void (*visit)(void *ctx, swap_entry_t entry), void *ctx)
{
	for (unsigned n = count_objects(); n; n--) {
		struct vm_object *obj = next_object();
		unsigned long index = 0, flags;
		void *word;

		if (!obj)
			continue;
		flags = spin_lock_irqsave(&obj->pages_lock);
		for (; (word = radix_next(&obj->slots, &index)); index++)
			visit(ctx, (swap_entry_t){(unsigned long)word});
		spin_unlock_irqrestore(&obj->pages_lock, flags);
		obj->ops->release(obj);
	}
}
