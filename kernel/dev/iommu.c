/*
 * iommu.c - I/O page tables that are a subscriber of an address space.
 *
 * Layer 9 (kernel/dev).  Interface: iommu.h.  docs/secondary.md tells how it works.
 * Lock order: a domain's mirror.sub.lock (leaves of its tables), then the unit's own; domains_lock (unranked) alone.
 *
 * The unit sets no accessed bits in tables of this kind.  So to forget that a page was used is to take its translation away from
 * the unit, though not from the mirror: the next use is a fault, which puts it back.
 */
#include "kernel/dev/iommu.h"

#include <arch/iommu.h>
#include "kernel/dev/vtd.h"
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/sync/spinlock.h"
#include "mm/phys/slab.h"
#include "mm/service/mirror.h"
#include "mm/service/outer_table.h"

struct iommu_domain {
	struct mirror mirror;
	struct outer_table tables;
	unsigned id;
	bool changed; /* leaves were taken away since the last flush; mirror.sub.lock */
};

static bool present;
static spinlock_t domains_lock = SPINLOCK_INIT(LOCK_NONE);
static unsigned char domain_used[VTD_DOMAINS] = {[0] = 1, [1] = 1};

void iommu_init(void)
{
	present = vtd_init();
}

bool iommu_covers(const struct pci_device *dev)
{
	return present && arch_iommu_covers(dev->bus, dev->slot, dev->func);
}

/* -- tables: what the notifiers call, under mirror.sub.lock ----------------------------------------------------------------- */

static struct iommu_domain *domain_of(struct mirror *m)
{
	return container_of(m, struct iommu_domain, mirror);
}

static u64 *leaf_of(struct iommu_domain *d, const struct spte *spte)
{
	return outer_table_entry(&d->tables, spte->va);
}

static void on_set(struct mirror *m, const struct spte *spte)
{
	struct iommu_domain *d = domain_of(m);
	u64 *leaf = leaf_of(d, spte), old = READ_ONCE(*leaf);

	WRITE_ONCE(*leaf, vtd_page_entry(page_to_phys(spte->page), spte->write));
	if (old)
		vtd_flush_domain(d->id); /* that it could not be written may be remembered */
}

static void take_away(struct mirror *m, const struct spte *spte)
{
	WRITE_ONCE(*leaf_of(domain_of(m), spte), 0);
	domain_of(m)->changed = true;
}

static void on_clear(struct mirror *m, struct spte *spte)
{
	take_away(m, spte);
}

static bool on_young(struct mirror *m, const struct spte *spte, bool clear)
{
	if (clear)
		take_away(m, spte);
	return false; /* spte->young, of when it was last put back, says it */
}

static void on_flush(struct mirror *m, vaddr_t start, vaddr_t end)
{
	struct iommu_domain *d = domain_of(m);

	if (d->changed && !MUTATION(134)) /* M134: the IOTLB is forgotten */
		vtd_flush_domain(d->id);
	d->changed = false;
}

static const struct mirror_ops io_mirror = {
	.flush = on_flush,
	.set = on_set,
	.clear = on_clear,
	.young = on_young,
};

/* -- domains -------------------------------------------------------------------------------------------------------------------- */

/* A number that is nobody's; 0: none. */
static unsigned id_take(void)
{
	unsigned id = 0;

	spin_lock(&domains_lock);
	for (unsigned i = 0; i < VTD_DOMAINS && !id; i++)
		if (!domain_used[i]) {
			domain_used[i] = 1;
			id = i;
		}
	spin_unlock(&domains_lock);
	return id;
}

static void id_give(unsigned id)
{
	spin_lock(&domains_lock);
	domain_used[id] = 0;
	spin_unlock(&domains_lock);
}

static int domain_init(struct iommu_domain *d, struct mm *mm)
{
	int err;

	d->mirror.ops = &io_mirror;
	d->id = id_take();
	if (!d->id)
		return -EBUSY;
	err = outer_table_init(&d->tables, VTD_LEVELS, vtd_table_entry);
	if (!err) {
		err = mirror_open(&d->mirror, mm, 0, USER_END);
		if (err)
			outer_table_free(&d->tables);
	}
	if (err)
		id_give(d->id);
	return err;
}

struct iommu_domain *iommu_domain_create(struct mm *mm)
{
	struct iommu_domain *d;
	int err;

	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return ERR_PTR(-ENOMEM);
	err = domain_init(d, mm);
	if (!err)
		return d;
	kfree(d);
	return ERR_PTR(err);
}

void iommu_domain_destroy(struct iommu_domain *d)
{
	mirror_close(&d->mirror);
	vtd_flush_domain(d->id); /* tables on the way may be remembered: the number is somebody else's soon */
	id_give(d->id);
	outer_table_free(&d->tables);
	kfree(d);
}

/* The subscription keeps the tree's notifiers, so this address is nobody else's. */
bool iommu_domain_is_of(const struct iommu_domain *d, const struct mm *mm)
{
	return d->mirror.sub.notifiers == READ_ONCE(mm->pt.notifiers);
}

/* -- devices -------------------------------------------------------------------------------------------------------------------- */

void iommu_attach(struct iommu_domain *d, struct pci_device *dev)
{
	vtd_attach(dev, d->id, virt_to_phys(d->tables.root));
}

void iommu_detach(struct pci_device *dev)
{
	vtd_detach(dev);
}

void iommu_block(struct pci_device *dev)
{
	vtd_block(dev);
}

void iommu_flush(struct iommu_domain *d)
{
	vtd_flush_domain(d->id);
}

bool iommu_take_fault(struct pci_device *dev, struct iommu_fault *fault)
{
	struct vtd_fault f;

	if (!vtd_take_fault(dev, &f))
		return false;
	*fault = (struct iommu_fault){.address = (vaddr_t)f.address, .write = f.write};
	return true;
}

int iommu_resolve(struct iommu_domain *d, const struct iommu_fault *fault)
{
	int err;

	if (fault->address >= USER_END)
		return -EFAULT;
	err = outer_table_prepare(&d->tables, fault->address);
	return err ? err : mirror_fill(&d->mirror, fault->address, fault->write);
}
