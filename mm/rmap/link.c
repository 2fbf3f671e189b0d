/*
 * link.c - linear reverse links: which ranges of which page tables show which pages of an object.
 *
 * Layer 5a (mm/rmap).  Interface: rmap.h.
 */
#include "kernel/lib/assert.h"
#include "mm/rmap/rmap.h"

void object_maps_init(struct object_maps *maps)
{
	rwsem_init(&maps->lock, LOCK_MAPS);
	maps->linear = ITREE_ROOT;
	list_init(&maps->nonlinear);
	maps->nr_links = 0;
}

void rmap_link_insert_locked(struct object_maps *maps, struct rmap_link *link)
{
	ASSERT(rwsem_write_held(&maps->lock));
	ASSERT(link->node.first <= link->node.last);
	itree_insert(&maps->linear, &link->node);
	maps->nr_links++;
}

void rmap_link_remove_locked(struct object_maps *maps, struct rmap_link *link)
{
	ASSERT(rwsem_write_held(&maps->lock));
	ASSERT(maps->nr_links > 0);
	itree_remove(&maps->linear, &link->node);
	maps->nr_links--;
}

void rmap_link_insert(struct object_maps *maps, struct rmap_link *link)
{
	rwsem_write_lock(&maps->lock);
	rmap_link_insert_locked(maps, link);
	rwsem_write_unlock(&maps->lock);
}

void rmap_link_remove(struct object_maps *maps, struct rmap_link *link)
{
	rwsem_write_lock(&maps->lock);
	rmap_link_remove_locked(maps, link);
	rwsem_write_unlock(&maps->lock);
}
