/*
 * kmem.h - how much memory the kernel itself uses, from /proc; for the demo and the benchmarks.
 */
#ifndef USER_KMEM_H
#define USER_KMEM_H

#include <stdbool.h>

struct kmem {
	long slab_bytes;  /* kernel objects: /proc/slabinfo's pages, or Slab of /proc/meminfo; -1 unknown */
	long table_bytes; /* PageTables of /proc/meminfo; -1 unknown */
	long free_bytes;  /* MemFree */
};

struct kmem kmem_read(void);
/* Lines of /proc/self/maps that overlap [p, p + size). */
unsigned kmem_maps_lines(const void *p, unsigned long size);

#endif
