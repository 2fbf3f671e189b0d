/*
 * ops_file.c - the file side: read, write, truncate, punch, write back.
 */
#include "tests/model/ops.h"

#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

void do_file_write(struct drive *d, const struct op *op, unsigned space)
{
	int file = file_of(op);
	u64 page = op->to % MODEL_FILE_PAGES, pos = page * PAGE_SIZE + cell_offset(op->cell), value = stamp(d, op);
	u64 size = d->o.object[file].size;
	ssize_t got;

	drive_acting(d);
	if (pos > size) /* what lies between must read as zero: as the VFS does it */
		sim_file_truncate(d->file[file], (loff_t)pos);
	got = sim_file_write(d->file[file], (loff_t)pos, &value, sizeof(value));
	if (got < 0 && pos > size)
		sim_file_truncate(d->file[file], (loff_t)size);
	drive_acted(d);
	oracle_file_write(&d->o, file, page, op->cell, value);
	drive_expect(d, got, sizeof(value));
}

void do_file_read(struct drive *d, const struct op *op, unsigned space)
{
	u64 page = op->to % MODEL_FILE_PAGES, pos = page * PAGE_SIZE + cell_offset(op->cell), value = 0, want = 0;
	int file = file_of(op);
	ssize_t got;

	drive_acting(d);
	got = sim_file_read(d->file[file], (loff_t)pos, &value, sizeof(value));
	drive_acted(d);
	drive_expect(d, got, oracle_file_read(&d->o, file, page, op->cell, &want) ? (long)sizeof(value) : 0);
	if (got > 0 && value != want)
		drive_fail(d, "value %llx, should be %llx", (unsigned long long)value, (unsigned long long)want);
}

void do_truncate(struct drive *d, const struct op *op, unsigned space)
{
	u64 size = op->to % (MODEL_FILE_PAGES + 1) * PAGE_SIZE;
	int file = file_of(op);

	if (op->cell && op->to % (MODEL_FILE_PAGES + 1) < MODEL_FILE_PAGES)
		size += 8u * op->value; /* within a page */
	drive_acting(d);
	sim_file_truncate(d->file[file], (loff_t)size);
	drive_acted(d);
	oracle_truncate(&d->o, file, size);
}

/* A fault between the page's going and its block's would read the block in again: with touchers only the file without a
 * disk is punched, as in the kernel. */
void do_punch(struct drive *d, const struct op *op, unsigned space)
{
	u64 first = op->to % MODEL_FILE_PAGES, last = first + op->value % 3;
	int file = d->touch.on ? 1 : file_of(op);

	drive_acting(d);
	sim_file_punch(d->file[file], first, last);
	drive_acted(d);
	oracle_punch(&d->o, file, first, last);
}

void do_writeback(struct drive *d, const struct op *op, unsigned space)
{
	int got = 0;

	drive_acting(d);
	if (op->cell)
		writeback_sync_all();
	else
		got = sim_file_sync(d->file[0]);
	drive_acted(d);
	drive_expect(d, got, 0);
	if (!d->touch.on && !d->out_of_memory)
		drive_verify_disk(d, 0, MODEL_FILE_PAGES);
}
