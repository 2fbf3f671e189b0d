/*
 * audit_mm.c - the auditor on one address space's ranges: tree, counters, reverse links, nonlinear index.
 * Layer 8 (mm/debug).  Interface: audit.h.  Takes maps.lock for reading.
 */
#include "mm/debug/audit.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_migration.h"
#include "mm/space/vma.h"

static void check_shape(struct audit *a, const struct vma *vma, vaddr_t floor)
{
	if (vma->start >= vma->end || !IS_ALIGNED(vma->start, PAGE_SIZE) || !IS_ALIGNED(vma->end, PAGE_SIZE) ||
	    vma->end > USER_END)
		audit_error(a, "vma %lx-%lx is no range", vma->start, vma->end);
	if (vma->start < floor)
		audit_error(a, "vma %lx-%lx overlaps the one before, which ends at %lx", vma->start, vma->end, floor);
	if (vma->flags & VM_ACCESS & ~(vma->flags >> 4))
		audit_error(a, "vma %lx-%lx allows more than it may: flags %x", vma->start, vma->end, vma->flags);
	if ((vma->flags & (VM_NONLINEAR | VM_MANYPROTS)) && !vma->object)
		audit_error(a, "vma %lx-%lx is nonlinear without an object: flags %x", vma->start, vma->end, vma->flags);
	if ((vma->flags & VM_MANYPROTS) && !(vma->flags & VM_NONLINEAR))
		audit_error(a, "vma %lx-%lx has VM_MANYPROTS without VM_NONLINEAR", vma->start, vma->end);
	if (!(vma->flags & VM_NONLINEAR) != !vma->link.nonlinear)
		audit_error(a, "vma %lx-%lx: flags %x but nonlinear index %p", vma->start, vma->end, vma->flags,
		            vma->link.nonlinear);
}

static bool link_in_tree(const struct vma *vma)
{
	const struct rmap_link *link = &vma->link;
	struct itree_node *n;

	itree_for_each(n, &vma->object->maps.linear, link->node.first, link->node.first)
		if (n == &link->node)
			return true;
	return false;
}

/* => maps.lock */
static void check_link(struct audit *a, const struct vma *vma)
{
	const struct rmap_link *link = &vma->link;
	unsigned flags = (vma->flags & VM_SHARED ? RMAP_SHARED : 0) | (vma->flags & VM_MANYPROTS ? RMAP_KEEP_GRANTS : 0) |
	                 (vma->flags & VM_LOCKED ? RMAP_LOCKED : 0);

	if (link->pt != &vma->mm->pt || link->va != vma->start || link->node.first != vma->pgoff ||
	    link->node.last - link->node.first != ((vma->end - vma->start) >> PAGE_SHIFT) - 1 || link->flags != flags)
		audit_error(a, "vma %lx-%lx: its reverse link says %lx, pages %lx-%lx, flags %x", vma->start, vma->end,
		            link->va, link->node.first, link->node.last, link->flags);
	if (!link_in_tree(vma))
		audit_error(a, "vma %lx-%lx: its reverse link is not in the object's tree", vma->start, vma->end);
}

/* Each membership describes the vma and lies in its family's tree; all are of one lineage. */
static void check_chain(struct audit *a, const struct vma *vma)
{
	const struct anon_member *m;
	bool own = !vma->anon.own;

	list_for_each_entry(m, &vma->anon.members, of_range) {
		struct itree_node *n;

		own |= m->family == vma->anon.own;
		if (m->link.pt != &vma->mm->pt || m->link.va != vma->start || m->link.node.first != vma->link.node.first ||
		    m->link.node.last != vma->link.node.last || m->link.flags != (vma->link.flags & RMAP_LOCKED))
			audit_error(a, "vma %lx-%lx: a family's link says %lx, pages %lx-%lx", vma->start, vma->end, m->link.va,
			            m->link.node.first, m->link.node.last);
		if (m->family->root != anon_range_root(&vma->anon)->root)
			audit_error(a, "vma %lx-%lx: its families are of two lineages", vma->start, vma->end);
		itree_for_each(n, &m->family->tree, m->link.node.first, m->link.node.first)
			if (n == &m->link.node)
				break;
		if (!n)
			audit_error(a, "vma %lx-%lx: its link is not in its family's tree", vma->start, vma->end);
	}
	if (!own)
		audit_error(a, "vma %lx-%lx: it is no member of its own family", vma->start, vma->end);
}

static unsigned index_users(struct mm *mm, const struct nonlinear_index *idx)
{
	unsigned users = 0;

	for (struct vma *vma = vma_first(mm); vma; vma = vma_next(vma))
		users += vma->link.nonlinear == idx;
	return users;
}

/* Does the entry at @va stand for page @pgoff? */
static bool entry_has_pgoff(struct pgtable *pt, vaddr_t va, pgoff_t pgoff)
{
	struct pt_slot slot = pt_lock(pt, va);
	bool same = false;
	pte_t pte;

	if (!slot.hw)
		return false;
	pte = hw_pte_get(slot.hw);
	if (pte_is_file(pte))
		same = pte_file_pgoff(pte) == pgoff;
	else if (pte_page_if_any(pte) && pfn_valid(page_to_pfn(pte_page_if_any(pte))))
		same = pte_page_if_any(pte)->index == pgoff;
	pt_unlock(slot);
	return same;
}

static bool entry_is_copy(struct pgtable *pt, vaddr_t va)
{
	struct pt_slot slot = pt_lock(pt, va);
	bool copy;
	pte_t pte;

	if (!slot.hw)
		return false;
	pte = hw_pte_get(slot.hw);
	if (pte_has_page(pte) || pte_is_migration(pte))
		copy = pte_page_if_any(pte) && page_test(pte_page_if_any(pte), PG_ANON);
	else
		copy = !pte_is_none(pte) && !pte_is_file(pte);
	pt_unlock(slot);
	return copy;
}

/* A copy's node stands for an entry of a private vma that holds neither a page of the file nor a file entry. */
static void check_copies(struct audit *a, struct mm *mm, const struct nonlinear_index *idx,
                         const struct nonlinear_node *n)
{
	struct vma *vma = n ? vma_find(mm, n->va) : NULL;

	if (!n)
		return;
	if (!vma || vma->start > n->va || vma->link.nonlinear != idx || vma->flags & VM_SHARED)
		audit_error(a, "node of a copy (page %lx at %lx) lies in no private vma of its index", n->pgoff, n->va);
	else if (!entry_is_copy(&mm->pt, n->va))
		audit_error(a, "node of a copy (page %lx at %lx) has no copy", n->pgoff, n->va);
	check_copies(a, mm, idx, n->link[0]);
	check_copies(a, mm, idx, n->link[1]);
}

/* Every node stands for one off-position entry (audit_entry.c: every such entry has a node). => maps.lock */
static void check_nodes(struct audit *a, struct mm *mm, struct nonlinear_index *idx)
{
	unsigned long nodes = 0;
	struct nonlinear_cursor c;
	struct nonlinear_node *n;

	nonlinear_index_begin(&c, idx, 0, ~0UL);
	while ((n = nonlinear_index_next(&c))) {
		struct vma *vma = vma_find(mm, n->va);

		nodes++;
		if (!vma || vma->start > n->va || vma->link.nonlinear != idx)
			audit_error(a, "nonlinear node (page %lx at %lx) lies in no vma of its index", n->pgoff, n->va);
		else if (vma_pgoff(vma, n->va) == n->pgoff)
			audit_error(a, "nonlinear node (page %lx at %lx) is on its linear position", n->pgoff, n->va);
		else if (!entry_has_pgoff(&mm->pt, n->va, n->pgoff))
			audit_error(a, "nonlinear node (page %lx at %lx) has no such entry", n->pgoff, n->va);
	}
	if (nodes + idx->nr_copies != idx->count)
		audit_error(a, "nonlinear index counts %lu nodes and has %lu and %lu of copies", idx->count, nodes,
		            idx->nr_copies);
	check_copies(a, mm, idx, idx->copies);
}

/* => maps.lock; @vma is the first one with this index */
static void check_index(struct audit *a, struct vma *vma)
{
	struct nonlinear_index *idx = vma->link.nonlinear;
	unsigned users = index_users(vma->mm, idx);

	if (idx->pt != &vma->mm->pt || idx->maps != &vma->object->maps)
		audit_error(a, "vma %lx-%lx: its nonlinear index belongs to another mapping", vma->start, vma->end);
	if (users != idx->users)
		audit_error(a, "vma %lx-%lx: its nonlinear index counts %u vmas and has %u", vma->start, vma->end, idx->users,
		            users);
	check_nodes(a, vma->mm, idx);
}

static bool first_of_index(struct vma *vma)
{
	for (struct vma *other = vma_first(vma->mm); other != vma; other = vma_next(other))
		if (other->link.nonlinear == vma->link.nonlinear)
			return false;
	return true;
}

static void check_reverse(struct audit *a, struct vma *vma)
{
	rwsem_read_lock(&vma->object->maps.lock);
	check_link(a, vma);
	if (vma->link.nonlinear && first_of_index(vma))
		check_index(a, vma);
	rwsem_read_unlock(&vma->object->maps.lock);
}

void audit_mm(struct audit *a, struct mm *mm)
{
	unsigned nr_vmas = 0;
	unsigned long total = 0, locked = 0;
	vaddr_t floor = 0;

	for (struct vma *vma = vma_first(mm); vma; vma = vma_next(vma)) {
		nr_vmas++;
		total += (vma->end - vma->start) >> PAGE_SHIFT;
		locked += vma->flags & VM_LOCKED ? (vma->end - vma->start) >> PAGE_SHIFT : 0;
		if (vma->mm != mm)
			audit_error(a, "vma %lx-%lx belongs to another mm", vma->start, vma->end);
		check_shape(a, vma, floor);
		floor = vma->end;
		if (vma_find(mm, vma->start) != vma)
			audit_error(a, "vma %lx-%lx is not found by its address", vma->start, vma->end);
		check_chain(a, vma);
		if (vma->object) {
			check_reverse(a, vma);
			audit_object(a, vma->object);
		}
	}
	if (locked != mm->locked_pages)
		audit_error(a, "mm counts %lu locked pages and has %lu", mm->locked_pages, locked);
	a->out->vmas += nr_vmas;
	if (nr_vmas != mm->nr_vmas || total != mm->total_pages)
		audit_error(a, "mm counts %u vmas of %lu pages and has %u of %lu", mm->nr_vmas, mm->total_pages, nr_vmas,
		            total);
}

/* Secondary MMUs must not know more, or anything else, than the entries say. */
void audit_subscribers(struct audit *a, struct mm *mm)
{
	unsigned wrong = mm->pt.notifiers ? mmu_notifiers_check(mm->pt.notifiers, 0, USER_END, 0) : 0;

	if (wrong)
		audit_error(a, "subscribers have %u translations that the entries do not allow", wrong);
}
