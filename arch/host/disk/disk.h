/*
 * disk.h - block layer and file systems on the simulated machine, over a file of the real one.
 *
 * Beside the layers.  A test that says "with: files" in its opening comment is linked with kernel/fs, kernel/dev/block.c
 * and this.  Caches stay filled and names stay known, so such a run is not judged by what is left over: config.no_audit.
 */
#ifndef ARCH_HOST_DISK_DISK_H
#define ARCH_HOST_DISK_DISK_H

#include "arch/host/sim.h"
#include "kernel/dev/block.h"
#include "kernel/fs/vfs.h"

/* Start the VFS: a tmpfs root with /dev, /proc, /tmp, /mnt.  mm's files are the VFS's from here on: struct sim_file is
 * not for this run. => once, in a simulated thread */
void disk_start(void);
/* A block device of that name over the file at @path; NULL: it cannot be opened. => after disk_start() */
struct block_device *disk_attach(const char *name, const char *path);
/* mm_mmap() of an open file, as mmap(2) does it. */
long disk_mmap(struct mm *mm, struct file *f, size_t length, unsigned prot, unsigned flags, pgoff_t pgoff);
/* The end of the machine: everything written, file systems marked clean, no request under way. */
void disk_stop(void);

#endif
