/*
 * touch.c - the threads of the concurrent mode, and the judge of their notes.
 */
#include "tests/model/touch.h"

#include "kernel/lib/string.h"
#include "tests/model/drive.h"

#define IDLE (~0u)
#define STAY 64 /* a toucher goes to another address space after so many accesses */

/* -- the threads ---------------------------------------------------------------------------------------------------- */

/* Others may run: on this CPU, and on the others. */
static void wait_a_little(void)
{
	sim_yield();
	cpu_relax();
}

/* Note when the access begins: the driver waits for those that overlap its operation. */
static unsigned begin(struct toucher *t)
{
	const unsigned *generation = &t->drive->touch.generation;
	unsigned now;

	do {
		now = __atomic_load_n(generation, __ATOMIC_SEQ_CST);
		__atomic_store_n(&t->began, now, __ATOMIC_SEQ_CST);
	} while (now != __atomic_load_n(generation, __ATOMIC_SEQ_CST));
	return now;
}

/* The address of a cell that only this toucher stores to. */
static vaddr_t my_cell(const struct toucher *t, unsigned page)
{
	return MODEL_BASE + page * PAGE_SIZE + cell_offset(OWN_CELLS + t->nr);
}

static enum fault_result access(struct toucher *t, struct note *n)
{
	vaddr_t va = my_cell(t, n->page);

	if (n->access == FAULT_EXEC)
		return sim_exec(va);
	if (n->access == FAULT_READ)
		return sim_load(va, &n->value, sizeof(n->value));
	n->value = (u64)(t->nr + 1) << 48 | ++t->stored;
	return sim_store(va, &n->value, sizeof(n->value));
}

static unsigned choose_page(const struct toucher *t)
{
	u64 r = sim_random();
	unsigned hot = __atomic_load_n(&t->drive->touch.hot, __ATOMIC_RELAXED);

	return (unsigned)(r % 4 ? hot + r / 4 % 3 : r / 4) % MODEL_PAGES;
}

static void touch_once(struct toucher *t, unsigned space)
{
	static const enum fault_access kinds[] = {FAULT_READ,  FAULT_READ,  FAULT_READ,  FAULT_WRITE,
	                                          FAULT_WRITE, FAULT_WRITE, FAULT_WRITE, FAULT_EXEC};
	struct note *n = &t->notes[t->written % NOTES];

	*n = (struct note){.space = space, .page = choose_page(t), .access = kinds[sim_below(8)]};
	n->began = begin(t);
	n->result = access(t, n);
	n->ended = __atomic_load_n(&t->drive->touch.generation, __ATOMIC_SEQ_CST);
	__atomic_store_n(&t->written, t->written + 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&t->began, IDLE, __ATOMIC_SEQ_CST);
}

/* Into one of the address spaces; returns which. */
static unsigned enter(struct toucher *t)
{
	struct drive *d = t->drive;
	unsigned space;

	mutex_lock(&d->lock);
	do
		space = (unsigned)sim_below(MODEL_SPACES);
	while (!d->mm[space]);
	sim_use(d->mm[space]);
	__atomic_store_n(&t->inside, space, __ATOMIC_SEQ_CST);
	mutex_unlock(&d->lock);
	return space;
}

static bool stopped(const struct toucher *t)
{
	return __atomic_load_n(&t->drive->touch.stop, __ATOMIC_RELAXED);
}

static bool exists(struct drive *d, unsigned space)
{
	return __atomic_load_n(&d->mm[space], __ATOMIC_RELAXED);
}

static bool full(const struct toucher *t)
{
	return t->written - __atomic_load_n(&t->judged, __ATOMIC_ACQUIRE) == NOTES;
}

static void toucher_main(void *arg)
{
	struct toucher *t = arg;

	while (!stopped(t)) {
		unsigned space = enter(t);

		for (unsigned i = 0; i < STAY && !stopped(t) && exists(t->drive, space); i++) {
			if (full(t))
				wait_a_little();
			else
				touch_once(t, space);
		}
	}
}

/* -- the judge --------------------------------------------------------------------------------------------------------- */
/* A settled doubt makes room for a new one. */
static struct doubt *room_for_doubt(struct touch *t)
{
	if (t->nr_doubts < DOUBTS)
		return &t->doubt[t->nr_doubts++];
	for (unsigned i = 0; i < DOUBTS; i++)
		if (t->doubt[i].content == NONE)
			return &t->doubt[i];
	return NULL;
}

static void doubt(struct drive *d, int content, unsigned nr, u64 value)
{
	struct touch *t = &d->touch;
	struct doubt *room;

	if (content <= CONTENT_ZERO)
		return;
	room = room_for_doubt(t);
	if (room)
		*room = (struct doubt){content, nr, value};
	else
		t->anything[content] = true;
	t->doubtful[content] = true;
}

bool touch_may_be(const struct drive *d, int content, unsigned nr, u64 value)
{
	const struct touch *t = &d->touch;

	if (!t->doubtful[content] || t->anything[content])
		return t->anything[content];
	for (unsigned i = 0; i < t->nr_doubts; i++)
		if (t->doubt[i].content == content && t->doubt[i].nr == nr && t->doubt[i].value == value)
			return true;
	return false;
}

static void settle_doubts(struct drive *d, int content, unsigned nr)
{
	struct touch *t = &d->touch;

	if (!t->doubtful[content])
		return;
	for (unsigned i = 0; i < t->nr_doubts; i++)
		if (t->doubt[i].content == content && t->doubt[i].nr == nr)
			t->doubt[i].content = NONE;
}

static void copy_doubts(struct drive *d, int from, int to)
{
	struct touch *t = &d->touch;

	if (from == NONE || !t->doubtful[from])
		return;
	t->anything[to] |= t->anything[from];
	for (unsigned i = 0; i < t->nr_doubts; i++)
		if (t->doubt[i].content == from)
			doubt(d, to, t->doubt[i].nr, t->doubt[i].value);
}

void touch_forked(struct drive *d, unsigned from, unsigned to)
{
	for (unsigned page = 0; page < MODEL_PAGES; page++)
		if (d->o.space[to].page[page].copy != NONE)
			copy_doubts(d, d->o.space[from].page[page].copy, d->o.space[to].page[page].copy);
}

/* The store was done, and here. */
static void surely(struct drive *d, int content, const struct toucher *t, u64 value)
{
	settle_doubts(d, content, t->nr);
	d->o.content[content].cell[OWN_CELLS + t->nr] = value;
}

static void complain(struct drive *d, const struct toucher *t, const struct note *n, const char *what, u64 should)
{
	drive_fail(d, "toucher %u, mm %u, page %u, access %d: result %d, value %llx; %s %llx", t->nr, n->space, n->page,
	           n->access, n->result, (unsigned long long)n->value, what, (unsigned long long)should);
}

/* Nothing changed meanwhile: there is one right result. */
static void judge_quiet(struct drive *d, const struct toucher *t, const struct note *n)
{
	int content = NONE;
	enum fault_result want = oracle_touch(&d->o, n->space, n->page, n->access, &content);
	u64 *cell;

	if (n->result != want) {
		complain(d, t, n, "result should be", want);
		return;
	}
	if (want != FAULT_OK)
		return;
	cell = &d->o.content[content].cell[OWN_CELLS + t->nr];
	if (n->access == FAULT_WRITE)
		surely(d, content, t, n->value);
	else if (n->access == FAULT_READ && n->value != *cell && !touch_may_be(d, content, t->nr, n->value))
		complain(d, t, n, "value should be", *cell);
}

/* A twist may make the range a page longer. */
static bool in_range(const struct op *op, const struct note *n)
{
	return n->page >= op->page && n->page <= op->page + op->pages;
}

/* May the operation have changed what this cell of the page holds? */
static bool disturbed(const struct drive *d, const struct note *n, const struct state *was)
{
	switch (d->op.kind) {
	case OP_READ:
	case OP_WRITE:
	case OP_EXEC:
	case OP_FORK:
	case OP_EXIT:
	case OP_MSYNC:
	case OP_WRITEBACK:
	case OP_AGE:
	case OP_RECLAIM:
	case OP_MINCORE:
	case OP_FILE_READ:
	case OP_AUDIT:
	case OP_DEVICE:
	case OP_ACCESS:
		return false;
	case OP_TRUNCATE:
	case OP_FILE_WRITE:
	case OP_PUNCH:
		return was->object;
	case OP_MREMAP:
		return true;
	default:
		return in_range(&d->op, n);
	}
}

/* The content of a page that has one, or may have got one. */
static int content_now(struct drive *d, struct o_page *p)
{
	int content = NONE;

	if (!p->mapped)
		return NONE;
	if (p->object != NONE)
		return p->pgoff < MODEL_FILE_PAGES ? oracle_shown(&d->o, p) : NONE;
	if (p->copy == NONE) {
		p->copy = content = (int)d->o.nr_contents++;
		memset(&d->o.content[content], 0, sizeof(d->o.content[content]));
	}
	return p->copy;
}

/* fork: did the child get it? */
static void doubt_child(struct drive *d, const struct toucher *t, const struct note *n)
{
	struct o_page *parent = &d->o.space[n->space].page[n->page];

	for (unsigned s = 0; s < MODEL_SPACES; s++) {
		struct o_page *p = &d->o.space[s].page[n->page];

		if (s != n->space && d->o.space[s].live && !d->touch.lived[s] && p->mapped && !parent->shared)
			doubt(d, content_now(d, p), t->nr, n->value);
	}
}

/* A store while the operation was under way. */
static void judge_store(struct drive *d, const struct toucher *t, const struct note *n)
{
	const struct state *was = &d->touch.before[n->space][n->page];
	int new = content_now(d, &d->o.space[n->space].page[n->page]);

	if (d->op.kind == OP_FORK)
		doubt_child(d, t, n);
	if (!disturbed(d, n, was)) {
		if (new != NONE || was->content != NONE)
			surely(d, new != NONE ? new : was->content, t, n->value);
		return;
	}
	doubt(d, was->content, t->nr, n->value);
	doubt(d, new, t->nr, n->value);
}

/* The accessed bits were cleared meanwhile: the store's dirty bit must have survived that. */
static void judge_dirty(struct drive *d, const struct toucher *t, const struct note *n)
{
	struct pte_view v = sim_entry(d->mm[n->space], MODEL_BASE + n->page * PAGE_SIZE);

	if (v.kind == PTE_KIND_PAGE && v.write && !v.dirty)
		complain(d, t, n, "the entry should be dirty", true);
}

static void judge_overlapping(struct drive *d, const struct toucher *t, const struct note *n)
{
	enum fault_result before = d->touch.before[n->space][n->page].may[n->access];
	enum fault_result after = oracle_may(&d->o, &d->o.space[n->space].page[n->page], n->access);

	if (n->result != before && n->result != after)
		complain(d, t, n, "result should be", after);
	else if (n->result == FAULT_OK && n->access == FAULT_WRITE)
		judge_store(d, t, n);
	if (n->result == FAULT_OK && n->access == FAULT_WRITE && d->op.kind == OP_AGE)
		judge_dirty(d, t, n);
}

/* The notes of accesses that ended by generation @until, in order. */
static void judge_until(struct drive *d, struct toucher *t, unsigned until)
{
	unsigned written = __atomic_load_n(&t->written, __ATOMIC_ACQUIRE);

	for (; t->judged != written && !d->failed; __atomic_store_n(&t->judged, t->judged + 1, __ATOMIC_RELEASE)) {
		const struct note *n = &t->notes[t->judged % NOTES];

		if (n->ended > until)
			return;
		if (n->began == n->ended && n->began % 2 == 0)
			judge_quiet(d, t, n);
		else
			judge_overlapping(d, t, n);
	}
}

/* -- around an operation -------------------------------------------------------------------------------------------------- */
void touch_begin(struct drive *d)
{
	__atomic_store_n(&d->touch.hot, d->op.page, __ATOMIC_RELAXED);
	__atomic_fetch_add(&d->touch.generation, 1, __ATOMIC_SEQ_CST);
}

/* Until no access is under way that began before @generation. */
static void wait_for(struct toucher *t, unsigned generation)
{
	while (__atomic_load_n(&t->began, __ATOMIC_SEQ_CST) < generation)
		wait_a_little();
}

static struct state state_of(struct drive *d, const struct o_page *p)
{
	struct state s = {.content = p->copy, .object = p->object != NONE};

	for (unsigned access = 0; access < ARRAY_SIZE(s.may); access++)
		s.may[access] = oracle_may(&d->o, p, access);
	if (p->mapped && p->object != NONE && p->copy == NONE && p->pgoff < MODEL_FILE_PAGES)
		s.content = oracle_shown(&d->o, p);
	return s;
}

static void note_state(struct drive *d)
{
	for (unsigned s = 0; s < MODEL_SPACES; s++) {
		d->touch.lived[s] = d->o.space[s].live;
		for (unsigned page = 0; page < MODEL_PAGES; page++)
			d->touch.before[s][page] = state_of(d, &d->o.space[s].page[page]);
	}
}

void touch_done(struct drive *d)
{
	unsigned now = __atomic_add_fetch(&d->touch.generation, 1, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; i < TOUCHERS; i++)
		wait_for(&d->touch.toucher[i], now);
	for (unsigned i = 0; i < TOUCHERS; i++)
		judge_until(d, &d->touch.toucher[i], now - 2);
	note_state(d);
}

void touch_judge(struct drive *d)
{
	for (unsigned i = 0; i < TOUCHERS; i++)
		judge_until(d, &d->touch.toucher[i], d->touch.generation);
}

void touch_evict(struct drive *d, unsigned space)
{
	for (unsigned i = 0; i < TOUCHERS; i++)
		while (__atomic_load_n(&d->touch.toucher[i].inside, __ATOMIC_SEQ_CST) == space)
			wait_a_little();
}

void touch_start(struct drive *d)
{
	d->touch.on = true;
	memset(d->touch.doubtful, 0, sizeof(d->touch.doubtful));
	memset(d->touch.anything, 0, sizeof(d->touch.anything));
	for (unsigned i = 0; i < TOUCHERS; i++) {
		struct toucher *t = &d->touch.toucher[i];

		*t = (struct toucher){.drive = d, .nr = i, .inside = MODEL_SPACES, .began = IDLE};
		t->thread = sim_spawn(NULL, (int)(i + 1) % MODEL_CPUS, toucher_main, t);
	}
}

void touch_stop(struct drive *d)
{
	__atomic_store_n(&d->touch.stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < TOUCHERS; i++)
		sim_join(d->touch.toucher[i].thread);
	touch_judge(d);
	d->touch.on = false;
}
