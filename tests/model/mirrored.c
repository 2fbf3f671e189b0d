/*
 * mirrored.c - a secondary MMU for each address space.
 *
 * What it has translated stays until it is told, across operations: a translation that should have gone is found by the
 * comparison with the entries, and by its content.
 */
#include "tests/model/mirrored.h"

#include "kernel/lib/string.h"
#include "tests/model/drive.h"

static void forget_nothing(struct mirror *m, vaddr_t start, vaddr_t end)
{
}

static const struct mirror_ops ops = {.flush = forget_nothing};

void mirrored_begin(struct drive *d, unsigned space)
{
	struct mirrored *x = &d->mirrored[space];

	if (d->touch.on)
		return;
	*x = (struct mirrored){.mirror = {.ops = &ops}, .open = true};
	BUG_ON(mirror_open(&x->mirror, d->mm[space], 0, USER_END));
}

void mirrored_end(struct drive *d, unsigned space)
{
	if (d->mirrored[space].open)
		mirror_close(&d->mirrored[space].mirror);
	d->mirrored[space].open = false;
}

void mirrored_check(struct drive *d, unsigned space)
{
	if (d->mirrored[space].open && mmu_notifiers_check(d->mm[space]->pt.notifiers, 0, USER_END, 0))
		drive_fail(d, "mm %u: its mirror has translations that the entries do not allow", space);
}

static bool load_translated(struct mirror *m, vaddr_t va, u64 *values, unsigned n)
{
	const struct spte *s;
	char *bytes;

	spin_lock(&m->sub.lock);
	s = mirror_find(m, va);
	if (s) {
		bytes = page_kmap(s->page);
		for (unsigned cell = 0; cell < n; cell++)
			memcpy(&values[cell], bytes + cell_offset(cell), sizeof(values[cell]));
		page_kunmap(bytes);
	}
	spin_unlock(&m->sub.lock);
	return s;
}

int mirrored_load(struct drive *d, unsigned space, unsigned page, u64 *values, unsigned n)
{
	struct mirror *m = &d->mirrored[space].mirror;
	vaddr_t va = MODEL_BASE + page * PAGE_SIZE;
	int err = 0;

	while (!err && !load_translated(m, va, values, n))
		err = mirror_fill(m, va, false);
	return err;
}
