/*
 * inject.c - what an operation that found no memory may leave behind.
 *
 *   populate, pin    some pages became the mapping's own
 *   mremap, fixed    the destination is cleared already
 *   all others       nothing
 *
 * Where something may be half done, it is unmapped, in both worlds: the rest is compared as ever.
 */
#include "tests/model/inject.h"

#include "tests/model/sites.h"

static struct oracle before;

static void clear_pages(struct drive *d, unsigned space, unsigned page, unsigned pages)
{
	u64 addr = MODEL_BASE + page * PAGE_SIZE, length = min(pages, MODEL_PAGES - page) * PAGE_SIZE;
	int err = mm_munmap(d->mm[space], addr, length);

	if (err)
		drive_fail(d, "munmap afterwards gives %d", err);
	oracle_unmap(&d->o, space, addr, length);
}

/* Where the file grew before the write failed, and shrank again. */
static void clear_tail(struct drive *d)
{
	int file = (int)(d->op.object % MODEL_FILES);
	u64 pos = d->op.to % MODEL_FILE_PAGES * PAGE_SIZE + cell_offset(d->op.cell), size = d->o.object[file].size;

	if (pos > size) {
		oracle_truncate(&d->o, file, pos);
		oracle_truncate(&d->o, file, size);
	}
}

static void settle(struct drive *d)
{
	const struct op *op = &d->op;

	d->o = before;
	for (unsigned s = 0; s < MODEL_SPACES; s++) {
		if (!d->mm[s])
			continue;
		if (op->kind == OP_POPULATE || op->kind == OP_PIN)
			clear_pages(d, s, op->page, op->pages + 1);
		else if (op->kind == OP_MREMAP)
			clear_pages(d, s, op->to % MODEL_PAGES, MODEL_PAGES);
	}
	if (op->kind == OP_FILE_WRITE)
		clear_tail(d);
}

void inject_op(struct drive *d)
{
	sites_start();
	before = d->o;
	drive_op(d, &d->op);
	if (d->out_of_memory)
		settle(d);
	d->out_of_memory = false;
	sim_audit(false);
	if (!d->failed)
		drive_verify(d, false);
}
