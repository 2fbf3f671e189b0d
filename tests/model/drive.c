/*
 * drive.c - from a sequence's beginning to its end: set up, run, compare, clean up.
 */
#include "tests/model/drive.h"

#include <stdarg.h>

#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "tests/model/inject.h"

#define LINE 160

void drive_fail(struct drive *d, const char *fmt, ...)
{
	char what[LINE], op[LINE];
	va_list ap;

	if (d->failed)
		return;
	d->failed = true;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	op_print(&d->op, op, sizeof(op));
	sim_fail("operation %u: %s", d->at, d->at < d->s->nr ? op : "the end");
	sim_fail("%s", what);
}

void drive_acting(struct drive *d)
{
	if (d->touch.on)
		touch_begin(d);
	if (d->inject && d->at == d->inject_at)
		sim_failpoint(d->inject_name, d->inject_nth);
}

void drive_acted(struct drive *d)
{
	if (d->inject && d->at == d->inject_at)
		d->inject_hits += sim_failpoint_end(d->inject_name);
	if (d->touch.on)
		touch_done(d);
}

void drive_expect(struct drive *d, long got, long want)
{
	if (got == want)
		return;
	if (got == -ENOMEM && d->inject && d->at == d->inject_at && d->inject_nth)
		d->out_of_memory = true;
	else
		drive_fail(d, "result %ld, should be %ld", got, want);
}

/* -- looking at everything ------------------------------------------------------------------------------------------- */
static void verify_cell(struct drive *d, const char *where, unsigned nr, int content, unsigned cell, u64 value)
{
	u64 want = d->o.content[content].cell[cell];

	if (value != want && !(cell >= OWN_CELLS && touch_may_be(d, content, cell - OWN_CELLS, value)))
		drive_fail(d, "%s %u, cell %u: %llx, should be %llx", where, nr, cell, (unsigned long long)value,
		           (unsigned long long)want);
}

/* Those of concurrent threads can only be looked at when they have stopped. */
static unsigned cells_now(const struct drive *d)
{
	return d->touch.on ? OWN_CELLS : CELLS;
}

static void verify_cells(struct drive *d, const char *where, unsigned nr, int content, const char *bytes, u64 end)
{
	for (unsigned cell = 0; cell < cells_now(d); cell++) {
		u64 value;

		if (cell_offset(cell) >= end)
			continue;
		memcpy(&value, bytes + cell_offset(cell), sizeof(value));
		verify_cell(d, where, nr, content, cell, value);
	}
}

static enum fault_result load_cells(struct drive *d, vaddr_t va, u64 *values)
{
	enum fault_result result = FAULT_OK;

	for (unsigned cell = 0; cell < cells_now(d) && result == FAULT_OK; cell++)
		result = sim_load(va + cell_offset(cell), &values[cell], sizeof(values[cell]));
	return result;
}

static void verify_touch(struct drive *d, unsigned space, unsigned page, enum fault_access access)
{
	vaddr_t va = MODEL_BASE + page * PAGE_SIZE;
	enum fault_result got, want;
	u64 values[CELLS] = {0};
	int content = NONE;

	want = oracle_touch(&d->o, space, page, access, &content);
	if (access == FAULT_READ)
		got = load_cells(d, va, values);
	else if (access == FAULT_EXEC)
		got = sim_exec(va);
	else
		got = sim_store(va + PAGE_SIZE - 8, values, sizeof(values[0])); /* no cell */
	if (got != want)
		drive_fail(d, "mm %u, page %u, access %d: result %d, should be %d", space, page, access, got, want);
	for (unsigned cell = 0; access == FAULT_READ && got == FAULT_OK && want == FAULT_OK && cell < cells_now(d); cell++)
		verify_cell(d, "page", page, content, cell, values[cell]);
}

/* The secondary MMU sees the same; after verify_touch(), so that nothing is brought in by it. */
static void verify_mirrored(struct drive *d, unsigned space, unsigned page)
{
	enum fault_result want;
	u64 values[CELLS] = {0};
	int content = NONE, got;

	if (!d->mirrored[space].open || d->failed)
		return;
	want = oracle_touch(&d->o, space, page, FAULT_READ, &content);
	got = mirrored_load(d, space, page, values, cells_now(d));
	if (got != (want == FAULT_OK ? 0 : -EFAULT))
		drive_fail(d, "mm %u, page %u: its mirror gets %d, should be like %d", space, page, got, want);
	for (unsigned cell = 0; got == 0 && cell < cells_now(d); cell++)
		verify_cell(d, "mirrored page", page, content, cell, values[cell]);
}

static void verify_space(struct drive *d, unsigned space, bool deep)
{
	drive_enter(d, space, sim_cpu());
	mirrored_check(d, space);
	for (unsigned page = 0; page < MODEL_PAGES && !d->failed; page++) {
		verify_touch(d, space, page, FAULT_READ);
		verify_mirrored(d, space, page);
		if (!deep)
			continue;
		verify_touch(d, space, page, FAULT_EXEC);
		verify_touch(d, space, page, FAULT_WRITE);
		verify_touch(d, space, page, FAULT_READ);
	}
}

static void verify_file(struct drive *d, unsigned nr)
{
	u64 size = d->o.object[nr].size;
	char bytes[PAGE_SIZE];

	for (u64 page = 0; page < oracle_file_pages(&d->o, (int)nr) && !d->failed; page++) {
		u64 left = min(size - page * PAGE_SIZE, (u64)PAGE_SIZE);
		ssize_t n = sim_file_read(d->file[nr], (loff_t)(page * PAGE_SIZE), bytes, PAGE_SIZE);

		d->o.object[nr].cached[page] = true;
		if (n != (ssize_t)left)
			drive_fail(d, "read of page %u of file %u gives %ld", (unsigned)page, nr, (long)n);
		else
			verify_cells(d, nr ? "file page" : "disk file page", (unsigned)page, d->o.object[nr].content[page], bytes,
			             left);
	}
}

void drive_verify(struct drive *d, bool deep)
{
	for (unsigned s = 0; s < MODEL_SPACES && !d->failed; s++)
		if (d->mm[s])
			verify_space(d, s, deep);
	for (unsigned f = 0; f < MODEL_FILES && !d->failed; f++)
		verify_file(d, f);
}

void drive_verify_disk(struct drive *d, u64 first, u64 last)
{
	u64 size = d->o.object[0].size;
	char bytes[PAGE_SIZE];

	for (u64 page = first; page <= last && page < oracle_file_pages(&d->o, 0) && !d->failed; page++) {
		sim_disk_read(d->file[0], page, bytes);
		verify_cells(d, "on the disk: page", (unsigned)page, d->o.object[0].content[page], bytes,
		             size - page * PAGE_SIZE);
	}
}

/* -- from beginning to end --------------------------------------------------------------------------------------------- */
static void set_up(struct drive *d)
{
	oracle_init(&d->o, PTE_HAS_NX, PTE_FILE_PGOFF_MAX);
	d->mm[0] = mm_create();
	d->scratch = mm_create();
	sim_mmap(d->scratch, MODEL_BASE, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, NULL,
	         0);
	for (unsigned f = 0; f < MODEL_FILES; f++) {
		u64 size = MODEL_FILE_START * PAGE_SIZE;

		d->file[f] = sim_file_create(f ? SIM_FILE_TMPFS : SIM_FILE_DISK, (loff_t)size, !f);
		oracle_object(&d->o, !f, size, !f);
	}
	mutex_init(&d->lock, LOCK_NONE);
	reclaim_begin(d);
	if (d->s->mode & MODE_CONCURRENT)
		touch_start(d);
	mirrored_begin(d, 0);
}

/* The end of a sequence: everything once more, then the disk. */
static void final_look(struct drive *d)
{
	d->at = d->s->nr;
	drive_verify(d, !d->inject);
	if (sim_file_sync(d->file[0]) != 0)
		drive_fail(d, "the disk cannot be written");
	drive_verify_disk(d, 0, MODEL_FILE_PAGES);
}

static void clean_up(struct drive *d)
{
	for (unsigned i = 0; i < MODEL_PINS; i++)
		if (d->pin[i].page)
			drive_unpin(d, &d->pin[i], false);
	sim_use(NULL);
	for (unsigned s = 0; s < MODEL_SPACES; s++)
		if (d->mm[s]) {
			mm_put(d->mm[s]);
			mirrored_end(d, s);
		}
	mm_put(d->scratch);
	reclaim_end(d);
	for (unsigned f = 0; f < MODEL_FILES; f++)
		sim_file_put(d->file[f]);
}

void drive_main(void *drive)
{
	struct drive *d = drive;

	set_up(d);
	for (d->at = 0; d->at < d->s->nr && !d->failed && oracle_has_room(&d->o); d->at++) {
		d->op = op_decode(d->s->ops[d->at]);
		if (d->inject && d->at == d->inject_at)
			inject_op(d);
		else
			drive_op(d, &d->op);
	}
	if (d->touch.on)
		touch_stop(d);
	if (!d->failed)
		final_look(d);
	clean_up(d);
}
