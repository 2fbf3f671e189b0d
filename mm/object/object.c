/*
 * object.c - birth and death of a vm_object.
 *
 * Layer 5b (mm/object).  Interface: object.h.
 */
#include "mm/object/object.h"

#include "kernel/lib/assert.h"
#include "mm/object/object_swap.h"
#include "mm/object/pagecache.h"

void object_init(struct vm_object *obj, const struct object_ops *ops, void *host, bool tracks_dirty)
{
	ASSERT(!tracks_dirty || (ops->hold && ops->release && ops->write_pages));
	obj->ops = ops;
	obj->host = host;
	obj->size = 0;
	obj->tracks_dirty = tracks_dirty;
	radix_init(&obj->pages);
	spin_init(&obj->pages_lock, LOCK_PAGES);
	obj->nr_pages = 0;
	radix_init(&obj->slots);
	obj->nr_slots = 0;
	list_init(&obj->swapped_link);
	rwsem_init(&obj->invalidate_lock, LOCK_INVALIDATE);
	object_maps_init(&obj->maps);
	obj->wb_err = 0;
	obj->fs_err = NULL;
	obj->wb_failures = 0;
	obj->nr_writeback = 0;
	list_init(&obj->dirty_link);
	obj->syncing = 0;
	obj->dirtied_at = obj->dirty_number = 0;
}

void object_destroy(struct vm_object *obj)
{
	ASSERT(obj->maps.nr_links == 0 && list_empty(&obj->maps.nonlinear));
	pagecache_drop(obj, 0, ~0UL);
	ASSERT(obj->nr_pages == 0);
	dirty_list_leave(obj);
	object_swap_leave(obj);
}
