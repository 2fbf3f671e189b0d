/*
 * swap.c - swap areas and their slots: who gives them, who counts what refers to them.
 *
 * Layer 5b (mm/object).  Interface: swap.h, swap_area.h.  Lock order: page lock, PTL, area->lock.
 *
 *   a slot's number     meaning
 *   0                   free
 *   n                   n entries of page tables refer to it, its page is on the device only
 *   n + CACHED          the same, and its page is in memory, in the swap cache
 *   CACHED              every one has its page back (or not lost it yet); the cache keeps the slot so that the page, as
 *                       long as it is clean, need not be written again
 *
 * Priorities: the open area with the highest one gives; areas of equal priority take turns, a batch of slots each, so that
 * a batch of pages is still one request.
 */
#include "mm/object/swap_area.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/failpoint.h"
#include "kernel/sync/mutex.h"
#include "mm/phys/slab.h"

struct swap_area swap_areas[SWAP_AREAS] = {
	[0 ... SWAP_AREAS - 1] = {.lock = SPINLOCK_INIT(LOCK_SWAP)},
};
unsigned long swap_pages_in, swap_pages_out;

static struct mutex setup_lock = MUTEX_INIT(setup_lock, LOCK_SWAP_SETUP); /* which areas are in use */
static int lowest_prio = SWAP_PRIO_DEFAULT;                               /* setup_lock */
static unsigned turn;                                                     /* whose it is; a hint, as is ... */
static unsigned turn_left;                                                /* for how many slots */

#define for_each_area(area) for ((area) = swap_areas; (area) < swap_areas + SWAP_AREAS; (area)++)

/* -- giving slots ------------------------------------------------------------------------------------------------ */

/* The first free slot at or after @from in its chunk. => area->lock; the chunk has one or not */
static unsigned long free_in_chunk(struct swap_area *area, unsigned long from)
{
	unsigned long end = min(area->pages, ALIGN_DOWN(from, CHUNK_SLOTS) + CHUNK_SLOTS);

	while (from < end && *swap_slot(area, from))
		from++;
	return from < end ? from : 0;
}

/* => area->lock, area->free > 0 */
static unsigned long find_free(struct swap_area *area)
{
	unsigned long chunks = (area->pages + CHUNK_SLOTS - 1) / CHUNK_SLOTS;
	unsigned long chunk = area->hint / CHUNK_SLOTS, slot = free_in_chunk(area, area->hint);

	for (unsigned long i = 0; !slot && i <= chunks; i++) {
		chunk = (chunk + 1) % chunks;
		if (area->chunks[chunk].free)
			slot = free_in_chunk(area, chunk * CHUNK_SLOTS);
	}
	return slot;
}

/* A slot of @area: {0} if it has none. */
static swap_entry_t take_slot(struct swap_area *area)
{
	unsigned long flags = spin_lock_irqsave(&area->lock), slot = 0;

	if (area->open && area->free) {
		slot = find_free(area);
		ASSERT(slot);
		*swap_slot(area, slot) = SLOT_CACHED;
		area->chunks[slot / CHUNK_SLOTS].free--;
		area->free--;
		area->hint = slot + 1 < area->pages ? slot + 1 : 0;
	}
	spin_unlock_irqrestore(&area->lock, flags);
	return slot ? swap_entry(area, slot) : (swap_entry_t){0};
}

/* The first area from @first on, in turn, of those with the highest priority; NULL: all are full or closed. Read without
 * locks: take_slot() looks again. */
static struct swap_area *best_area(unsigned first)
{
	struct swap_area *best = NULL;

	for (unsigned i = 0; i < SWAP_AREAS; i++) {
		struct swap_area *area = &swap_areas[(first + i) % SWAP_AREAS];

		if (READ_ONCE(area->open) && READ_ONCE(area->free) && (!best || area->prio > best->prio))
			best = area;
	}
	return best;
}

static struct swap_area *next_area(void)
{
	unsigned now = READ_ONCE(turn), left = READ_ONCE(turn_left);
	struct swap_area *area = best_area(left ? now : now + 1);

	if (area && (!left || area != &swap_areas[now])) {
		WRITE_ONCE(turn, (unsigned)(area - swap_areas));
		left = SWAP_BATCH;
	}
	WRITE_ONCE(turn_left, left - 1);
	return area;
}

swap_entry_t swap_slot_alloc(void)
{
	swap_entry_t entry = {0};
	struct swap_area *area;

	if (FAILPOINT("swap_slot"))
		return entry;
	while (!entry.v && (area = next_area()))
		entry = take_slot(area);
	return entry;
}

void swap_slot_freed(struct swap_area *area, unsigned long slot)
{
	ASSERT(*swap_slot(area, slot) == 0);
	area->chunks[slot / CHUNK_SLOTS].free++;
	area->free++;
}

/* -- counting what refers to them -------------------------------------------------------------------------------- */

bool swap_dup(swap_entry_t entry)
{
	struct swap_area *area = swap_area_of(entry);
	unsigned long flags = spin_lock_irqsave(&area->lock);
	u16 *slot = swap_slot(area, swap_slot_of(entry));
	bool room = (*slot & SLOT_COUNT) < SLOT_COUNT_MAX && !FAILPOINT("swap_dup");

	ASSERT(*slot && *slot != SLOT_BAD);
	if (room)
		++*slot;
	spin_unlock_irqrestore(&area->lock, flags);
	return room;
}

void swap_put(swap_entry_t entry)
{
	struct swap_area *area = swap_area_of(entry);
	unsigned long flags = spin_lock_irqsave(&area->lock), n = swap_slot_of(entry);
	struct page *page = NULL;
	u16 *slot;

	BUG_ON(!swap_slot_used(area, n));
	slot = swap_slot(area, n);
	BUG_ON((*slot & SLOT_COUNT) == 0);
	--*slot;
	if (*slot == 0) {
		swap_slot_freed(area, n);
	} else if (*slot == SLOT_CACHED) {
		page = radix_lookup(&area->cache, n);
		page_get(page);
	}
	spin_unlock_irqrestore(&area->lock, flags);
	if (page) {
		swap_drop_unused(page);
		page_put(page);
	}
}

bool swap_slot_look(swap_entry_t entry, unsigned *count, struct page **page)
{
	struct swap_area *area = swap_area_of(entry);
	unsigned long flags = spin_lock_irqsave(&area->lock), n = swap_slot_of(entry);
	bool exists = area->active && n < area->pages && *swap_slot(area, n) != SLOT_BAD;

	*count = exists ? *swap_slot(area, n) & SLOT_COUNT : 0;
	*page = exists ? radix_lookup(&area->cache, n) : NULL;
	spin_unlock_irqrestore(&area->lock, flags);
	return exists;
}

/* -- areas coming and going ----------------------------------------------------------------------------------------- */

static void free_chunks(struct swap_chunk *chunks, unsigned long pages)
{
	for (unsigned long i = 0; chunks && i * CHUNK_SLOTS < pages; i++)
		kfree(chunks[i].slot);
	kfree(chunks);
}

static struct swap_chunk *make_chunks(unsigned long pages)
{
	unsigned long n = (pages + CHUNK_SLOTS - 1) / CHUNK_SLOTS;
	struct swap_chunk *chunks = kzalloc(n * sizeof(*chunks), GFP_KERNEL);

	for (unsigned long i = 0; chunks && i < n; i++) {
		chunks[i].slot = kzalloc(PAGE_SIZE, GFP_KERNEL);
		chunks[i].free = (unsigned)min((unsigned long)CHUNK_SLOTS, pages - i * CHUNK_SLOTS);
		if (!chunks[i].slot) {
			free_chunks(chunks, i * CHUNK_SLOTS);
			return NULL;
		}
	}
	return chunks;
}

/* The slot exists and was not marked before. */
static bool mark_bad(struct swap_chunk *chunks, const struct swap_setup *setup, unsigned long slot)
{
	struct swap_chunk *c = &chunks[slot / CHUNK_SLOTS];

	if (slot >= setup->pages || c->slot[slot % CHUNK_SLOTS])
		return false;
	c->slot[slot % CHUNK_SLOTS] = SLOT_BAD;
	c->free--;
	return true;
}

static bool mark_all_bad(struct swap_chunk *chunks, const struct swap_setup *setup)
{
	bool ok = mark_bad(chunks, setup, 0); /* the header */

	for (unsigned i = 0; ok && i < setup->nr_bad; i++)
		ok = mark_bad(chunks, setup, setup->bad[i]);
	return ok;
}

/* => setup_lock */
static struct swap_area *unused_area(void)
{
	struct swap_area *area;

	for_each_area(area) if (!area->active) return area;
	return NULL;
}

static void activate(struct swap_area *area, const struct swap_setup *setup, struct swap_chunk *chunks)
{
	unsigned long flags = spin_lock_irqsave(&area->lock);

	area->pages = setup->pages;
	area->usable = area->free = setup->pages - 1 - setup->nr_bad;
	area->hint = 1;
	area->chunks = chunks;
	radix_init(&area->cache);
	area->nr_cached = 0;
	area->ops = setup->ops;
	area->host = setup->host;
	area->prio = setup->prio >= 0 ? setup->prio : --lowest_prio;
	area->active = area->open = true;
	spin_unlock_irqrestore(&area->lock, flags);
}

int swap_area_start(const struct swap_setup *setup)
{
	struct swap_chunk *chunks;
	struct swap_area *area;
	int err = -EPERM;

	if (setup->pages < 2 || setup->pages - 1 <= setup->nr_bad || setup->pages - 1 > SWAP_SLOT_MAX)
		return -EINVAL;
	chunks = make_chunks(setup->pages);
	if (!chunks)
		return -ENOMEM;
	if (!mark_all_bad(chunks, setup)) {
		free_chunks(chunks, setup->pages);
		return -EINVAL;
	}
	mutex_lock(&setup_lock);
	area = unused_area();
	if (area) {
		activate(area, setup, chunks);
		err = (int)(area - swap_areas);
	}
	mutex_unlock(&setup_lock);
	if (err < 0)
		free_chunks(chunks, setup->pages);
	return err;
}

static void set_open(unsigned type, bool open)
{
	struct swap_area *area = &swap_areas[type];
	unsigned long flags = spin_lock_irqsave(&area->lock);

	ASSERT(area->active);
	area->open = open;
	spin_unlock_irqrestore(&area->lock, flags);
}

void swap_area_close(unsigned type)
{
	set_open(type, false);
}

void swap_area_reopen(unsigned type)
{
	set_open(type, true);
}

bool swap_area_stop(unsigned type)
{
	struct swap_area *area = &swap_areas[type];
	struct swap_chunk *chunks;
	unsigned long flags, pages;
	bool unused;

	mutex_lock(&setup_lock);
	flags = spin_lock_irqsave(&area->lock);
	ASSERT(area->active && !area->open);
	unused = area->free == area->usable;
	chunks = area->chunks;
	pages = area->pages;
	if (unused) {
		ASSERT(!area->nr_cached && radix_empty(&area->cache));
		area->active = false;
		area->chunks = NULL;
	}
	spin_unlock_irqrestore(&area->lock, flags);
	mutex_unlock(&setup_lock);
	if (unused)
		free_chunks(chunks, pages);
	return unused;
}

bool swap_area_next_used(unsigned type, unsigned long *slot)
{
	struct swap_area *area = &swap_areas[type];
	unsigned long flags = spin_lock_irqsave(&area->lock);
	bool found = false;

	for (; area->active && *slot < area->pages; ++*slot) {
		found = swap_slot_used(area, *slot);
		if (found)
			break;
	}
	spin_unlock_irqrestore(&area->lock, flags);
	return found;
}

/* -- numbers ---------------------------------------------------------------------------------------------------------- */

bool swap_area_stat(unsigned type, struct swap_area_stat *st)
{
	struct swap_area *area = &swap_areas[type];
	unsigned long flags = spin_lock_irqsave(&area->lock);
	bool active = area->active;

	*st = (struct swap_area_stat){
		.slots = area->pages, .pages = area->usable, .used = area->usable - area->free, .prio = area->prio};
	spin_unlock_irqrestore(&area->lock, flags);
	return active;
}

void swap_stat(struct swap_stat *st)
{
	struct swap_area *area;

	*st = (struct swap_stat){.in = READ_ONCE(swap_pages_in), .out = READ_ONCE(swap_pages_out)};
	for_each_area(area)
	{
		unsigned long flags = spin_lock_irqsave(&area->lock);

		if (area->active) {
			st->total += area->usable;
			st->free += area->free;
			st->cached += area->nr_cached;
		}
		spin_unlock_irqrestore(&area->lock, flags);
	}
}

bool swap_has_room(void)
{
	struct swap_area *area;

	if (best_area(0))
		return true;
	for_each_area(area) if (READ_ONCE(area->open) && READ_ONCE(area->nr_cached)) return true;
	return false;
}
