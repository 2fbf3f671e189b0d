/*
 * ops.c - operands and the table of operations.
 */
#include "tests/model/ops.h"

struct span span_of(const struct op *op)
{
	struct span s = {MODEL_BASE + op->page * PAGE_SIZE, op->pages * PAGE_SIZE};

	switch (op->twist) {
	case TWIST_START:
		s.addr += 5;
		break;
	case TWIST_SHORT:
		s.length--;
		break;
	case TWIST_LONG: /* one page more, if the window has it */
		s.length += op->page + op->pages < MODEL_PAGES ? 100 : 0;
		break;
	case TWIST_EMPTY:
		s.length = 0;
		break;
	case TWIST_WRAP:
		s.length = (u64)0 - 2 * PAGE_SIZE;
		break;
	default:
		break;
	}
	return s;
}

unsigned live_spaces(const struct drive *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MODEL_SPACES; i++)
		n += d->mm[i] != NULL;
	return n;
}

/* One of those that live. */
static unsigned space_of(const struct drive *d, const struct op *op)
{
	unsigned nth = op->space % live_spaces(d), i = 0;

	while (!d->mm[i] || nth--)
		i++;
	return i;
}

void drive_enter(struct drive *d, unsigned space, unsigned cpu)
{
	if (sim_cpu() != cpu)
		sim_move(cpu);
	if (sim_mm() != d->mm[space])
		sim_use(d->mm[space]);
}

int file_of(const struct op *op)
{
	return (int)(op->object % MODEL_FILES);
}

/* -- what is not worth a file ------------------------------------------------------------------------------------------ */
static void do_audit(struct drive *d, const struct op *op, unsigned space)
{
	drive_verify(d, false);
	if (!d->touch.on) { /* nobody is between a change and its flush */
		sim_tlb_stale(true);
		sim_audit(false);
	}
}

/* -- all ---------------------------------------------------------------------------------------------------------------------------------- */
static op_fn *const functions[OP_KINDS] = {
	[OP_MAP_PRIVATE] = do_map_private,
	[OP_MAP_SHARED] = do_map_shared,
	[OP_MAP_FILE] = do_map_file,
	[OP_UNMAP] = do_unmap,
	[OP_PROTECT] = do_protect,
	[OP_REMAP] = do_remap,
	[OP_FORK] = do_fork,
	[OP_EXIT] = do_exit,
	[OP_READ] = do_read,
	[OP_WRITE] = do_write,
	[OP_EXEC] = do_exec,
	[OP_MSYNC] = do_msync,
	[OP_FILE_WRITE] = do_file_write,
	[OP_FILE_READ] = do_file_read,
	[OP_TRUNCATE] = do_truncate,
	[OP_PUNCH] = do_punch,
	[OP_DONTNEED] = do_dontneed,
	[OP_FORKING] = do_forking,
	[OP_POPULATE] = do_populate,
	[OP_MINCORE] = do_mincore,
	[OP_MREMAP] = do_mremap,
	[OP_LOCK] = do_lock,
	[OP_UNLOCK] = do_unlock,
	[OP_PIN] = do_pin,
	[OP_UNPIN] = do_unpin,
	[OP_DEVICE] = do_device,
	[OP_WRITEBACK] = do_writeback,
	[OP_AGE] = do_age,
	[OP_ACCESS] = do_access,
	[OP_RECLAIM] = do_reclaim,
	[OP_AUDIT] = do_audit,
};

void drive_op(struct drive *d, const struct op *op)
{
	functions[op->kind](d, op, space_of(d, op));
	if (d->touch.on)
		touch_judge(d);
}
