/*
 * oracle.h - what the memory of a few address spaces should be, kept in the simplest possible way.
 *
 * One record for each page of each address space, one for each page of each object.  No ranges, no sharing, no copy
 * on write: fork copies, mmap fills in a loop.  It knows the specification (docs/abi.md; R0.1 - R0.10, R1.1 - R1.8) and
 * nothing of mm/.  Each function returns the result that the operation must have and, if that is success, makes the
 * state what it must be then.
 *
 * A *content* is what a page's bytes are: a few words at fixed offsets (cells).  A device that holds a pin holds a
 * content, whatever becomes of the addresses that showed it.
 */
#ifndef TESTS_MODEL_ORACLE_H
#define TESTS_MODEL_ORACLE_H

#include "mm/space/mm.h"
#include "tests/model/op.h"

#define CELLS 5     /* of a content; the tester's own operations use the first OWN_CELLS */
#define OWN_CELLS 2 /* the rest belongs to concurrent threads, one each */
#define CONTENTS 8192
#define NONE (-1)
#define CONTENT_ZERO 0 /* nobody may change it: the zero page */

struct o_content {
	u64 cell[CELLS];
};

struct o_page {
	bool mapped;
	bool shared;       /* stores are seen by others */
	bool asked_shared; /* ... was asked for; a file that is not open for writing has only that */
	bool locked, dontfork;
	bool remapped;       /* remap_file_pages has put it there */
	unsigned char prot;  /* what the page allows: PROT_* */
	unsigned char vprot; /* what its mapping allows where nothing else was said */
	unsigned char may;   /* what it may ever allow */
	int object;          /* NONE: anonymous */
	u64 linear, pgoff;   /* the file page it would show by its place in the mapping; and what it does show */
	int copy;            /* the content of its own: private memory that was stored to */
	bool zero;           /* anonymous and read: memory is there */
};

struct o_space {
	bool live;
	struct o_page page[MODEL_PAGES];
};

struct o_object {
	bool live, disk;
	u64 size;
	int content[MODEL_FILE_PAGES];
	bool cached[MODEL_FILE_PAGES];
};

struct oracle {
	bool nx;       /* execution can be forbidden */
	u64 pgoff_max; /* the last offset that an entry can hold */
	struct o_space space[MODEL_SPACES];
	struct o_object object[MODEL_OBJECTS];
	unsigned nr_contents;
	struct o_content content[CONTENTS];
};

void oracle_init(struct oracle *o, bool nx, u64 pgoff_max);
/* Is there room for one more operation, whatever it is? */
bool oracle_has_room(const struct oracle *o);
/* Where in its page a cell is, and the cell's value in page @pgoff of a disk that was filled. */
unsigned cell_offset(unsigned cell);

/* -- ranges: a request as the system call gets it; addresses in bytes ------------------------------------------------ */
struct o_map {
	u64 addr, length;
	unsigned prot, may;    /* PROT_* */
	bool shared, writable; /* asked for; opened for writing */
	bool noreplace, populate, locked;
	int object;
	u64 pgoff;
};
int oracle_map(struct oracle *o, unsigned space, const struct o_map *m); /* at m->addr, fixed */
/* Is nothing mapped in [addr, addr + length)? */
bool oracle_free(const struct oracle *o, unsigned space, u64 addr, u64 length);
int oracle_unmap(struct oracle *o, unsigned space, u64 addr, u64 length);
int oracle_protect(struct oracle *o, unsigned space, u64 addr, u64 length, unsigned prot);

struct o_remap {
	u64 addr, length, prot, pgoff;
	bool chgprot, nonblock, keep_offset;
	bool vector; /* in one call, but each page by itself */
};
int oracle_remap(struct oracle *o, unsigned space, const struct o_remap *r);

struct o_mremap {
	u64 old, old_length, new_length, new;
	unsigned flags;
};
/* Where it may go is the kernel's choice, and whether two mappings that look the same are one is not promised: so
 * @result is what the kernel answered.  True: that is right, and has been done. */
bool oracle_mremap(struct oracle *o, unsigned space, const struct o_mremap *m, long result);

int oracle_dontneed(struct oracle *o, unsigned space, u64 addr, u64 length);
int oracle_forking(struct oracle *o, unsigned space, u64 addr, u64 length, bool allow);
int oracle_populate(struct oracle *o, unsigned space, u64 addr, u64 length, bool store);
int oracle_lock(struct oracle *o, unsigned space, u64 addr, u64 length, bool lock);
int oracle_msync(const struct oracle *o, unsigned space, u64 addr, u64 length, unsigned flags);
int oracle_mincore(const struct oracle *o, unsigned space, u64 addr, u64 length, unsigned char *vec);

/* -- whole spaces ----------------------------------------------------------------------------------------------------- */
void oracle_fork(struct oracle *o, unsigned from, unsigned to);
void oracle_exit(struct oracle *o, unsigned space);

/* -- accesses ---------------------------------------------------------------------------------------------------------- */
enum fault_result oracle_may(const struct oracle *o, const struct o_page *p, enum fault_access access);
/* A touch. OK: *@content is what it hits. */
enum fault_result oracle_touch(struct oracle *o, unsigned space, unsigned page, enum fault_access access, int *content);
/* What a pin gets hold of. */
enum fault_result oracle_pin(struct oracle *o, unsigned space, unsigned page, bool store, bool longterm, int *content);
/* What the page shows now; CONTENT_ZERO: nothing was stored. => an access would be allowed */
int oracle_shown(const struct oracle *o, const struct o_page *p);

/* -- objects ----------------------------------------------------------------------------------------------------------- */
/* A new object of @size bytes; filled: page n is full of words n << 16 | 0xf11e. NONE: no room. */
int oracle_object(struct oracle *o, bool disk, u64 size, bool filled);
void oracle_truncate(struct oracle *o, int object, u64 size);
void oracle_punch(struct oracle *o, int object, u64 first, u64 last);
/* One cell; a write may extend the file. => within the file's largest size */
void oracle_file_write(struct oracle *o, int object, u64 pgoff, unsigned cell, u64 value);
/* True: *@value is there; false: beyond the end. */
bool oracle_file_read(struct oracle *o, int object, u64 pgoff, unsigned cell, u64 *value);
/* Pages that the size covers. */
u64 oracle_file_pages(const struct oracle *o, int object);

#endif
