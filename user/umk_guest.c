/*
 * umk_guest.c - the toy guest's kernel: its frames, its page tables, its address spaces.  It knows nothing of the
 * host; it changes tables in its own RAM and tells the MMU of what the MMU may have kept.
 */
#include "user/umk.h"

#include <string.h>

unsigned guest_current;

static uint16_t free_frames[GUEST_FRAMES];
static unsigned nfree;
static unsigned directories[GUEST_CONTEXTS];

static gpte_t *frame_at(unsigned frame)
{
	return (gpte_t *)(ram + (size_t)frame * GUEST_PAGE);
}

unsigned guest_frame(void)
{
	return nfree ? free_frames[--nfree] : 0;
}

void guest_frame_free(unsigned frame)
{
	free_frames[nfree++] = (uint16_t)frame;
}

static unsigned table_frame(void)
{
	unsigned frame = guest_frame();

	if (frame)
		memset(frame_at(frame), 0, GUEST_PAGE);
	return frame;
}

bool guest_boot(void)
{
	nfree = 0;
	for (unsigned frame = GUEST_FRAMES - 1; frame > 0; frame--) /* frame 0 is nobody's */
		guest_frame_free(frame);
	for (unsigned i = 0; i < GUEST_CONTEXTS; i++)
		if (!(directories[i] = table_frame()))
			return false;
	guest_current = 0;
	mmu_load(0, directories[0]);
	return true;
}

/* The entry of @page; NULL: there is no table, and none was to be made, or no frame for it. */
static gpte_t *entry_of(unsigned context, unsigned page, bool make)
{
	gpte_t *upper = frame_at(directories[context]) + (page >> GPTE_INDEX_BITS);
	unsigned frame;

	if (!(*upper & GPTE_V)) {
		if (!make || !(frame = table_frame()))
			return NULL;
		*upper = frame << GPTE_SHIFT | GPTE_V;
	}
	return frame_at(*upper >> GPTE_SHIFT) + page % GPTE_PER_TABLE;
}

/* Set the entry, and let the MMU forget the old one. */
static gpte_t change(unsigned context, unsigned page, gpte_t *entry, gpte_t value)
{
	gpte_t old = *entry;

	*entry = value;
	if (context == guest_current && old & GPTE_V)
		mmu_invalidate(page);
	return old;
}

bool guest_map(unsigned context, unsigned page, unsigned frame, unsigned rights)
{
	gpte_t *entry = entry_of(context, page, true);

	if (entry)
		change(context, page, entry, frame << GPTE_SHIFT | rights | GPTE_V);
	return entry;
}

gpte_t guest_unmap(unsigned context, unsigned page)
{
	gpte_t *entry = entry_of(context, page, false);

	return entry ? change(context, page, entry, 0) : 0;
}

gpte_t guest_protect(unsigned context, unsigned page, unsigned rights)
{
	gpte_t *entry = entry_of(context, page, false);

	return entry ? change(context, page, entry, (*entry & ~(gpte_t)(GPTE_R | GPTE_W)) | rights) : 0;
}

gpte_t guest_age(unsigned context, unsigned page)
{
	gpte_t *entry = entry_of(context, page, false);

	return entry ? change(context, page, entry, *entry & ~(gpte_t)(GPTE_A | GPTE_D)) : 0;
}

gpte_t guest_entry(unsigned context, unsigned page)
{
	const gpte_t *entry = entry_of(context, page, false);

	return entry ? *entry : 0;
}

void guest_switch(unsigned context)
{
	guest_current = context;
	mmu_load(context, directories[context]);
}
