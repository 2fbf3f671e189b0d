/*
 * ops.h - what the files of operations (ops*.c) share.
 *
 * The shape of each operation: drive_acting(), the machine, drive_acted(), the oracle with the same arguments,
 * drive_expect().  What an operand means depends on what there is: the nth live address space, a free slot for a child.
 */
#ifndef TESTS_MODEL_OPS_H
#define TESTS_MODEL_OPS_H

#include "tests/model/drive.h"

struct span {
	u64 addr, length;
};
struct span span_of(const struct op *op); /* with its twist */
int file_of(const struct op *op);
unsigned live_spaces(const struct drive *d);
u64 stamp(const struct drive *d, const struct op *op); /* a value nobody stored before */

typedef void op_fn(struct drive *d, const struct op *op, unsigned space);

op_fn do_map_private, do_map_shared, do_map_file, do_unmap, do_protect, do_remap, do_mremap; /* ops_map.c */
op_fn do_dontneed, do_forking, do_populate, do_lock, do_unlock, do_msync, do_mincore, do_age, do_fork,
	do_exit;                                                              /* ops_range.c */
op_fn do_read, do_write, do_exec, do_access, do_pin, do_unpin, do_device; /* ops_access.c */
op_fn do_reclaim;                                                         /* ops_reclaim.c */
op_fn do_file_write, do_file_read, do_truncate, do_punch, do_writeback;   /* ops_file.c */

#endif
