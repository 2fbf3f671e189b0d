/*
 * ops_map.c - operations that make, change and move mappings.
 */
#include "tests/model/ops.h"

#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

/* What lies outside of the window is not followed: take it away. */
static void unmap_outside(struct mm *mm, u64 addr, u64 length)
{
	for (u64 a = addr; a < addr + length; a += PAGE_SIZE)
		if (a < MODEL_BASE || a >= MODEL_END)
			BUG_ON(mm_munmap(mm, a, PAGE_SIZE));
}

static unsigned map_flags(const struct op *op, const struct o_map *m)
{
	static const unsigned places[] = {MAP_FIXED, MAP_FIXED, MAP_FIXED_NOREPLACE, 0};

	return places[op->flags & OPF_PLACE] | (m->shared ? MAP_SHARED : MAP_PRIVATE) | (m->populate ? MAP_POPULATE : 0) |
	       (m->locked ? MAP_LOCKED : 0);
}

/* A hint that cannot be taken. */
static bool goes_elsewhere(const struct drive *d, const struct op *op, unsigned space)
{
	return (op->flags & OPF_PLACE) == OPF_PLACE_HINT &&
	       !oracle_free(&d->o, space, MODEL_BASE + op->page * PAGE_SIZE, op->pages * PAGE_SIZE);
}

/* Only a hint was given: it is taken if nothing is there. Otherwise anywhere else will do. */
static void judge_hint(struct drive *d, unsigned space, struct o_map *m, long got)
{
	u64 length = ALIGN_UP(m->length, PAGE_SIZE);

	m->addr = ALIGN_DOWN(m->addr, PAGE_SIZE);
	if (m->length == 0 || length < m->length || length > USER_END || oracle_free(&d->o, space, m->addr, m->length)) {
		int want = oracle_map(&d->o, space, m);

		drive_expect(d, got, want ? want : (long)m->addr);
	} else if (IS_ERR_VALUE((unsigned long)got)) {
		drive_expect(d, got, USER_END < 0x1000000 ? -ENOMEM : 0);
	} else {
		for (u64 a = (u64)got; a < (u64)got + length; a += PAGE_SIZE)
			if (a >= MODEL_BASE && a < MODEL_END && !oracle_free(&d->o, space, a, PAGE_SIZE))
				drive_fail(d, "mapped at %lx, which is not free", (unsigned long)got);
		BUG_ON(mm_munmap(d->mm[space], (vaddr_t)got, length));
	}
}

static void map(struct drive *d, const struct op *op, unsigned space, struct o_map *m, struct sim_file *file)
{
	struct span s = span_of(op);
	struct mmap_request req = {
		.addr = s.addr,
		.length = s.length,
		.prot = m->prot,
		.pgoff = m->pgoff,
		.object = file ? sim_file_object(file) : NULL,
		.file = file ? sim_file_handle(file) : NULL,
		.may = m->may << 4 | (m->writable ? VM_SHARED : 0),
	};
	long got;

	m->addr = s.addr;
	m->length = s.length;
	m->noreplace = (op->flags & OPF_PLACE) == OPF_PLACE_NOREPLACE;
	m->populate = op->flags & OPF_POPULATE && !goes_elsewhere(d, op, space);
	m->locked = (op->flags & OPF_LOCKED) && op->value % 4 == 0 && !goes_elsewhere(d, op, space);
	req.flags = map_flags(op, m);
	drive_acting(d);
	got = mm_mmap(d->mm[space], &req);
	drive_acted(d);
	if ((op->flags & OPF_PLACE) == OPF_PLACE_HINT) {
		judge_hint(d, space, m, got);
	} else {
		int want = oracle_map(&d->o, space, m);

		drive_expect(d, got, want ? want : (long)m->addr);
	}
}

void do_map_private(struct drive *d, const struct op *op, unsigned space)
{
	struct o_map m = {.prot = op->prot, .may = PROT_MASK, .writable = true, .object = NONE};

	map(d, op, space, &m, NULL);
}

/* Shared anonymous memory is a file that nobody else knows. */
void do_map_shared(struct drive *d, const struct op *op, unsigned space)
{
	u64 size = op->pages * PAGE_SIZE;
	struct o_map m = {.prot = op->prot, .may = PROT_MASK, .shared = true, .writable = true};
	struct sim_file *file;

	m.object = oracle_object(&d->o, false, min(size, (u64)MODEL_FILE_PAGES * PAGE_SIZE), false);
	if (m.object == NONE) {
		do_map_private(d, op, space);
		return;
	}
	file = sim_file_create(SIM_FILE_TMPFS, (loff_t)d->o.object[m.object].size, false);
	map(d, op, space, &m, file);
	sim_file_put(file);
}

void do_map_file(struct drive *d, const struct op *op, unsigned space)
{
	struct o_map m = {.may = PROT_MASK,
	                  .shared = op->flags & OPF_SHARED,
	                  .writable = true,
	                  .object = file_of(op),
	                  .pgoff = op->to % MODEL_FILE_PAGES};

	if (d->touch.on)
		m.shared = true; /* else a toucher's store would decide what the page shows from then on */
	if (m.shared && op->open == OPEN_READONLY)
		m.writable = false;
	if (m.shared && (op->open == OPEN_READONLY || op->open == OPEN_SEALED))
		m.may &= ~(unsigned)PROT_WRITE;
	if (op->open == OPEN_NOEXEC)
		m.may &= ~(unsigned)PROT_EXEC;
	m.prot = op->prot & m.may;
	map(d, op, space, &m, d->file[m.object]);
}

void do_unmap(struct drive *d, const struct op *op, unsigned space)
{
	struct span s = span_of(op);
	int got;

	drive_acting(d);
	got = mm_munmap(d->mm[space], s.addr, s.length);
	drive_acted(d);
	drive_expect(d, got, oracle_unmap(&d->o, space, s.addr, s.length));
}

void do_protect(struct drive *d, const struct op *op, unsigned space)
{
	unsigned prot = op->prot | (op->twist == TWIST_BIT ? 8 : 0);
	struct span s = span_of(op);
	int got;

	drive_acting(d);
	got = mm_mprotect(d->mm[space], s.addr, s.length, prot);
	drive_acted(d);
	drive_expect(d, got, oracle_protect(&d->o, space, s.addr, s.length, prot));
}

/* Offsets around what an entry and what a number can hold. */
static u64 far_offset(const struct drive *d, const struct op *op)
{
	static const u64 wraps[] = {(u64)0 - 1, (u64)0 - 2, (u64)1 << 32, ((u64)1 << 32) - 1};
	unsigned n = op->to % 8;

	return n < 4 ? d->o.pgoff_max - 2 + n : wraps[n - 4];
}

/* Page by page. => no offset that wraps */
static int remap_vector(struct mm *mm, const struct o_remap *r)
{
	struct remap_entry entries[MODEL_PAGES];
	unsigned nr = (unsigned)(r->length / PAGE_SIZE);

	for (unsigned i = 0; i < nr; i++)
		entries[i] = (struct remap_entry){
			.addr = r->addr + i * PAGE_SIZE, .length = PAGE_SIZE, .pgoff = r->pgoff + i, .prot = (unsigned)r->prot};
	return mm_remap_vector(mm, entries, nr, r->nonblock ? MAP_NONBLOCK : 0);
}

void do_remap(struct drive *d, const struct op *op, unsigned space)
{
	struct span s = span_of(op);
	bool plain = op->twist == TWIST_NONE && !(op->flags & OPF_FAR);
	struct o_remap r = {
		.addr = s.addr,
		.length = s.length,
		.chgprot = op->flags & OPF_CHGPROT,
		.nonblock = op->flags & OPF_NONBLOCK,
		.pgoff = (op->flags & OPF_FAR) && op->value % 4 == 0 ? far_offset(d, op) : op->to % MODEL_FILE_PAGES,
	};
	unsigned flags = (r.chgprot ? MAP_CHGPROT : 0) | (r.nonblock ? MAP_NONBLOCK : 0);
	int got;

	r.keep_offset = r.chgprot && (op->flags & OPF_HOW) == OPF_HOW_KEEPOFF;
	r.vector = r.chgprot && plain && (op->flags & OPF_HOW) == OPF_HOW_VECTOR;
	flags |= r.keep_offset ? MAP_KEEPOFF : 0;
	r.prot = r.chgprot ? op->prot : 0;
	if (op->twist == TWIST_BIT)
		r.prot = r.chgprot ? 8 : 1;
	drive_acting(d);
	got = r.vector ? remap_vector(d->mm[space], &r)
	               : mm_remap_file_pages(d->mm[space], r.addr, r.length, r.prot, r.pgoff, flags);
	drive_acted(d);
	drive_expect(d, got, oracle_remap(&d->o, space, &r));
}

/* -- mremap --------------------------------------------------------------------------------------------------------------- */
static struct o_mremap mremap_request(const struct op *op)
{
	static const unsigned flags[8] = {
		0,
		MREMAP_MAYMOVE,
		MREMAP_MAYMOVE | MREMAP_FIXED,
		MREMAP_MAYMOVE | MREMAP_FIXED,
		MREMAP_MAYMOVE | MREMAP_FIXED,
		MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
		MREMAP_FIXED,
	};
	unsigned kind = op->flags & OPF_MREMAP, to = op->to % MODEL_PAGES;
	unsigned room = MODEL_PAGES - (flags[kind] & MREMAP_FIXED ? max(to, op->page) : op->page);
	struct o_mremap m = {
		.old = MODEL_BASE + op->page * PAGE_SIZE, .new = MODEL_BASE + to *PAGE_SIZE, .flags = flags[kind]};
	unsigned longer = kind == 5 || kind == 6 ? 0 : op->object % 4;
	struct span s = span_of(op);

	m.old = s.addr;
	m.old_length = min(op->pages, room) * PAGE_SIZE;
	m.new_length = min(min(op->pages, room) + longer, room) * PAGE_SIZE;
	if (kind == 0 && op->object % 8 >= 4)
		m.new_length = PAGE_SIZE; /* shorter */
	if (kind == 4)
		m.old_length = 0; /* duplicate */
	if (op->twist == TWIST_BIT)
		m.flags |= 8;
	if (op->twist == TWIST_EMPTY || op->twist == TWIST_WRAP)
		m.new_length = s.length;
	return m;
}

/* A store that races with the move of a page nobody stored to yet could be anywhere: let there be pages. */
static void make_private_pages(struct drive *d, unsigned space, const struct o_mremap *m)
{
	for (u64 a = ALIGN_DOWN(m->old, PAGE_SIZE); a < m->old + m->old_length; a += PAGE_SIZE) {
		unsigned page = (unsigned)((a - MODEL_BASE) / PAGE_SIZE);
		enum fault_result got;
		int content;

		drive_enter(d, space, sim_cpu());
		drive_acting(d);
		got = sim_touch(a, FAULT_WRITE);
		drive_acted(d);
		if (got == FAULT_OK)
			(void)oracle_touch(&d->o, space, page, FAULT_WRITE, &content);
		touch_judge(d);
	}
}

void do_mremap(struct drive *d, const struct op *op, unsigned space)
{
	struct o_mremap m = mremap_request(op);
	long got;

	if (d->touch.on)
		make_private_pages(d, space, &m);
	drive_acting(d);
	got = mm_mremap(d->mm[space], m.old, m.old_length, m.new_length, m.flags, m.new);
	drive_acted(d);
	if (!IS_ERR_VALUE((unsigned long)got))
		unmap_outside(d->mm[space], (u64)got, ALIGN_UP(m.new_length, PAGE_SIZE));
	if (oracle_mremap(&d->o, space, &m, got))
		return;
	if (got == -ENOMEM && d->inject)
		drive_expect(d, got, 0);
	else
		drive_fail(d, "mremap(%lx, %lx, %lx, %x, %lx) gives %lx", (long)m.old, (long)m.old_length, (long)m.new_length,
		           m.flags, (long)m.new, got);
}
