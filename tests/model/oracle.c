/*
 * oracle.c - pages and what they show; accesses, whole spaces, objects.
 */
#include "tests/model/oracle_internal.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

/* -- contents ------------------------------------------------------------------------------------------------------- */
unsigned cell_offset(unsigned cell)
{
	static const unsigned offsets[CELLS] = {0, 2048, 1024, 3072, 1032};

	return offsets[cell];
}

int content_new(struct oracle *o)
{
	memset(&o->content[o->nr_contents], 0, sizeof(o->content[0]));
	return (int)o->nr_contents++;
}

int content_copy(struct oracle *o, int from)
{
	int to = content_new(o);

	o->content[to] = o->content[from];
	return to;
}

bool oracle_has_room(const struct oracle *o)
{
	return o->nr_contents + 512 < CONTENTS;
}

void oracle_init(struct oracle *o, bool nx, u64 pgoff_max)
{
	memset(o, 0, sizeof(*o) - sizeof(o->content));
	o->nx = nx;
	o->pgoff_max = pgoff_max;
	content_new(o); /* CONTENT_ZERO */
	for (unsigned s = 0; s < MODEL_SPACES; s++)
		oracle_exit(o, s);
	o->space[0].live = true;
}

/* -- ranges ----------------------------------------------------------------------------------------------------------- */
u64 round_up(u64 n)
{
	return (n + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
}

bool aligned(u64 addr)
{
	return addr % PAGE_SIZE == 0;
}

/* Does the range, once its length is rounded up, fit into the address space? */
bool fits(u64 addr, u64 length)
{
	u64 n = round_up(length);

	return n >= length && n <= USER_END && addr <= USER_END - n;
}

/* => it lies in the window */
struct range range_of(u64 addr, u64 length)
{
	unsigned first = (unsigned)((addr - MODEL_BASE) / PAGE_SIZE);

	return (struct range){first, first + (unsigned)(round_up(length) / PAGE_SIZE)};
}

bool covered(const struct oracle *o, unsigned space, struct range r)
{
	for (unsigned i = r.first; i < r.end; i++)
		if (!o->space[space].page[i].mapped)
			return false;
	return true;
}

bool any_locked(const struct oracle *o, unsigned space, struct range r)
{
	for (unsigned i = r.first; i < r.end; i++)
		if (o->space[space].page[i].mapped && o->space[space].page[i].locked)
			return true;
	return false;
}

bool oracle_free(const struct oracle *o, unsigned space, u64 addr, u64 length)
{
	struct range r = range_of(addr, length);

	for (unsigned i = r.first; i < r.end; i++)
		if (o->space[space].page[i].mapped)
			return false;
	return true;
}

/* -- what a page shows --------------------------------------------------------------------------------------------------- */
u64 oracle_file_pages(const struct oracle *o, int object)
{
	return round_up(o->object[object].size) / PAGE_SIZE;
}

static bool permits(const struct oracle *o, unsigned prot, enum fault_access access)
{
	if (access == FAULT_WRITE)
		return prot & PROT_WRITE;
	if (access == FAULT_EXEC && o->nx)
		return prot & PROT_EXEC;
	return prot != 0; /* what may be written or executed may be read */
}

static bool beyond_end(const struct oracle *o, const struct o_page *p)
{
	return p->object != NONE && p->copy == NONE && p->pgoff >= oracle_file_pages(o, p->object);
}

enum fault_result oracle_may(const struct oracle *o, const struct o_page *p, enum fault_access access)
{
	if (!p->mapped)
		return FAULT_MAPERR;
	if (!permits(o, p->prot, access))
		return FAULT_ACCERR;
	return beyond_end(o, p) ? FAULT_SIGBUS : FAULT_OK;
}

int oracle_shown(const struct oracle *o, const struct o_page *p)
{
	if (p->copy != NONE)
		return p->copy;
	return p->object == NONE ? CONTENT_ZERO : o->object[p->object].content[p->pgoff];
}

/* The page gets a content of its own, equal to what it shows. */
static void unshare(struct oracle *o, struct o_page *p)
{
	if (p->copy == NONE)
		p->copy = content_copy(o, oracle_shown(o, p));
}

/* It is brought in; a store to private memory makes it private. */
void bring_in(struct oracle *o, struct o_page *p, bool own)
{
	if (p->object != NONE && p->copy == NONE)
		o->object[p->object].cached[p->pgoff] = true;
	if (own && !p->shared)
		unshare(o, p);
	else if (p->object == NONE)
		p->zero = true;
}

enum fault_result oracle_touch(struct oracle *o, unsigned space, unsigned page, enum fault_access access, int *content)
{
	struct o_page *p = &o->space[space].page[page];
	enum fault_result result = oracle_may(o, p, access);

	if (result == FAULT_OK) {
		bring_in(o, p, access == FAULT_WRITE);
		*content = oracle_shown(o, p);
	}
	return result;
}

/* A device that only reads must see what the program stores later: anonymous memory becomes the program's own.  A
 * private mapping of a file may go on to show the file to a device that does not stay long. */
enum fault_result oracle_pin(struct oracle *o, unsigned space, unsigned page, bool store, bool longterm, int *content)
{
	struct o_page *p = &o->space[space].page[page];
	enum fault_result result = oracle_may(o, p, store ? FAULT_WRITE : FAULT_READ);
	bool writable_once = p->may & PROT_WRITE;

	if (result == FAULT_OK) {
		bring_in(o, p, store || (longterm && (p->object == NONE || writable_once)));
		*content = oracle_shown(o, p);
	}
	return result;
}

void drop(struct o_page *p)
{
	*p = (struct o_page){.copy = NONE, .object = NONE};
}

/* -- whole spaces ---------------------------------------------------------------------------------------------------------------------- */
void oracle_fork(struct oracle *o, unsigned from, unsigned to)
{
	o->space[to] = o->space[from];
	for_each_page(p, &o->space[to], ((struct range){0, MODEL_PAGES}))
	{
		if (p->dontfork)
			drop(p);
		p->locked = false;
		if (p->copy != NONE)
			p->copy = content_copy(o, p->copy);
	}
}

void oracle_exit(struct oracle *o, unsigned space)
{
	for_each_page(p, &o->space[space], ((struct range){0, MODEL_PAGES})) drop(p);
	o->space[space].live = false;
}

/* -- objects ------------------------------------------------------------------------------------------------------------------------------ */
int oracle_object(struct oracle *o, bool disk, u64 size, bool filled)
{
	for (int i = 0; i < MODEL_OBJECTS; i++) {
		struct o_object *obj = &o->object[i];

		if (obj->live)
			continue;
		*obj = (struct o_object){.live = true, .disk = disk, .size = size};
		for (unsigned page = 0; page < MODEL_FILE_PAGES; page++) {
			obj->content[page] = content_new(o);
			for (unsigned c = 0; filled && page < oracle_file_pages(o, i) && c < CELLS; c++)
				o->content[obj->content[page]].cell[c] = (u64)page << 16 | 0xf11e;
		}
		return i;
	}
	return NONE;
}

/* Pages [first, last] of the object are not what they were: new ones, full of zeros. */
static void replace_pages(struct oracle *o, int object, u64 first, u64 last)
{
	for (u64 i = first; i <= last && i < MODEL_FILE_PAGES; i++) {
		o->object[object].content[i] = content_new(o);
		o->object[object].cached[i] = false;
	}
}

/* Private copies of what is beyond the end go with it; one that is off position stays until its address is dropped. */
static void drop_copies(struct oracle *o, int object)
{
	for (unsigned s = 0; s < MODEL_SPACES; s++)
		for_each_page(p, &o->space[s], ((struct range){0, MODEL_PAGES}))
		{
			bool in_place = p->object == object && p->pgoff == p->linear;

			if (p->mapped && in_place && p->pgoff >= oracle_file_pages(o, object))
				p->copy = NONE;
		}
}

/* The rest of the page in which @from lies reads as zero from now on. */
static void zero_tail(struct oracle *o, int object, u64 from)
{
	struct o_object *obj = &o->object[object];

	if (aligned(from))
		return;
	obj->cached[from / PAGE_SIZE] = true;
	for (unsigned c = 0; c < CELLS; c++)
		if (cell_offset(c) >= from % PAGE_SIZE)
			o->content[obj->content[from / PAGE_SIZE]].cell[c] = 0;
}

void oracle_truncate(struct oracle *o, int object, u64 size)
{
	u64 old = o->object[object].size;

	zero_tail(o, object, min(old, size));
	o->object[object].size = size;
	if (size < old) {
		replace_pages(o, object, oracle_file_pages(o, object), MODEL_FILE_PAGES);
		drop_copies(o, object);
	}
}

void oracle_punch(struct oracle *o, int object, u64 first, u64 last)
{
	replace_pages(o, object, first, last);
}

void oracle_file_write(struct oracle *o, int object, u64 pgoff, unsigned cell, u64 value)
{
	struct o_object *obj = &o->object[object];
	u64 pos = pgoff * PAGE_SIZE + cell_offset(cell);

	if (pos > obj->size)
		oracle_truncate(o, object, pos); /* what lies between reads as zero */
	o->content[obj->content[pgoff]].cell[cell] = value;
	obj->cached[pgoff] = true;
	obj->size = max(obj->size, pos + sizeof(value));
}

bool oracle_file_read(struct oracle *o, int object, u64 pgoff, unsigned cell, u64 *value)
{
	struct o_object *obj = &o->object[object];

	if (pgoff * PAGE_SIZE + cell_offset(cell) >= obj->size)
		return false;
	obj->cached[pgoff] = true;
	*value = o->content[obj->content[pgoff]].cell[cell];
	return true;
}
