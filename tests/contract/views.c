/*
 * views.c - all interesting decoded entries.
 *
 * Every combination of grants, flags, types and payloads at their limits is tried; pte_view_valid() says
 * which of them this format can hold.  That it does not refuse too much is for the tests to check.
 */
#include "kernel/lib/string.h"
#include "tests/contract/views.h"

enum view_flag {
	F_WRITE = 1,
	F_ACCESSED = 2,
	F_DIRTY = 4,
	F_SPECIAL = 8,
	F_UFFD_WP = 16,
	F_EXCLUSIVE = 32,
	F_ALL = 63
};

/* Payloads around every limit that any format has. */
static unsigned payload_list(u64 *list)
{
	static const u8 shifts[] = {0, 1, 2, 3, 4, 8, 10, 16, 19, 20, 21, 22, 23, 26, 28, 29, 31, 32, 34, 39, 40, 45, 46};
	unsigned n = 0;

	list[n++] = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(shifts); i++) {
		list[n++] = (u64)1 << shifts[i];
		list[n++] = ((u64)1 << shifts[i]) - 1;
		list[n++] = ((u64)1 << shifts[i]) - ((u64)1 << shifts[i] / 2); /* a run of ones above zeros */
	}
	list[n++] = 0x5555555555555555 & PTE_SWAP_SLOT_MAX;
	list[n++] = 0xaaaaaaaaaaaaaaaa & PTE_SWAP_SLOT_MAX;
	list[n++] = 0x12345678;
	return n;
}

static struct pte_view view_make(enum pte_kind kind, unsigned grant, unsigned flags, u8 type, u64 payload)
{
	return (struct pte_view){
		.kind = kind,
		.grant = (u8)grant,
		.write = flags & F_WRITE,
		.accessed = flags & F_ACCESSED,
		.dirty = flags & F_DIRTY,
		.special = flags & F_SPECIAL,
		.uffd_wp = flags & F_UFFD_WP,
		.exclusive = flags & F_EXCLUSIVE,
		.type = type,
		.payload = payload,
	};
}

/* All types and payloads of one kind, grant and set of flags. */
static unsigned long try_payloads(enum pte_kind kind, unsigned level, unsigned grant, unsigned flags, view_fn *fn)
{
	static const u8 types[] = {0, 1, 2, 3, 7, 15, 16, 31, 32};
	struct pte_view least = view_make(kind, grant, flags, 0, 0);
	u64 payloads[88];
	unsigned long count = 0;
	unsigned n;

	/* What no payload can make valid is not worth trying them all. */
	if (!pte_view_valid(&least, level))
		return 0;
	n = payload_list(payloads);
	for (unsigned t = 0; t < ARRAY_SIZE(types); t++)
		for (unsigned i = 0; i < n; i++) {
			struct pte_view w = view_make(kind, grant, flags, types[t], payloads[i]);

			if (!pte_view_valid(&w, level))
				continue;
			fn(&w, level);
			count++;
		}
	return count;
}

unsigned long views_for_kind(enum pte_kind kind, view_fn *fn)
{
	unsigned long count = 0;

	for (unsigned level = 0; level < PT_LEVELS; level++)
		for (unsigned grant = 0; grant <= GRANT_MASK; grant++)
			for (unsigned flags = 0; flags <= F_ALL; flags++)
				count += try_payloads(kind, level, grant, flags, fn);
	return count;
}

unsigned long views_for_each(view_fn *fn)
{
	unsigned long count = 0;

	for (unsigned kind = 0; kind < PTE_KIND_COUNT; kind++)
		count += views_for_kind((enum pte_kind)kind, fn);
	return count;
}

bool view_same(const struct pte_view *a, const struct pte_view *b)
{
	return a->kind == b->kind && a->grant == b->grant && a->write == b->write && a->accessed == b->accessed &&
	       a->dirty == b->dirty && a->special == b->special && a->uffd_wp == b->uffd_wp &&
	       a->exclusive == b->exclusive && a->type == b->type && a->payload == b->payload;
}

const char *view_text(const struct pte_view *w, unsigned level)
{
	static char text[120];

	snprintf(text, sizeof(text), "level %u %s grant=%u w=%d a=%d d=%d s=%d u=%d e=%d type=%u payload=%llx", level,
	         pte_kind_name(w->kind), w->grant, w->write, w->accessed, w->dirty, w->special, w->uffd_wp, w->exclusive,
	         w->type, (unsigned long long)w->payload);
	return text;
}
