/*
 * test_pte_values.c - every value that an entry can have is decoded, and encoded again (T4-13), for one entry format
 * (-DPTE_FORMAT_x); tests/unit/run_pte.py builds and runs it:  test_pte_values [all] [threads]
 *
 * Four bytes: with "all" the 2^32 values, one by one.  They are counted by kind, and the counts must be those of the
 * views that the format says it can hold.  As no two views have one encoding, every view then has one, and no value
 * is of two kinds.  Without "all": all of bits 0..11 and 28..31, the bits between at their boundaries.
 *
 * Eight bytes: groups of bits take all their values (16 bits, with "all" 20; a group begins every 4 bits) while the
 * others are those of typical entries of each kind; and all of bits 0..11 together with all of bits 52..63, the bits
 * between all clear, all set (with "all" six patterns more).  Only payloads are wider fields than that, and the bits
 * of a payload do not touch each other.
 *
 * Kernel headers and libc's cannot be mixed; what is needed from libc is declared here.
 */
#include <asm/pte_view.h>
#include "kernel/lib/assert.h"
#include "tests/contract/views.h"
#include "tests/unit/pte_printk.h"

#define MAX_THREADS 64
#define WIDE (sizeof(pteval_t) == 8)

int strcmp(const char *a, const char *b);
int atoi(const char *text);
int pthread_create(unsigned long *thread, const void *attr, void *(*start)(void *), void *arg);
int pthread_join(unsigned long thread, void **result);

/* -- one value ------------------------------------------------------------------------------------------------- */
struct tally {
	u64 tried;
	u64 made[PTE_KIND_COUNT]; /* values that the kernel can make: encode(decode(v)) == v */
};

static unsigned failures;

static __attribute__((noinline, cold)) void fail(pteval_t v, const char *what)
{
	struct pte_view w = pte_decode(x86_pte(v), 0);

	if (__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) < 8)
		printk("# value %llx, %s: %s\n", (unsigned long long)v, view_text(&w, 0), what);
}

/* The kinds that claim @pte, one bit each. */
static inline unsigned kinds_of(pte_t pte)
{
	return (unsigned)pte_is_none(pte) << PTE_KIND_NONE | (unsigned)pte_has_page(pte) << PTE_KIND_PAGE |
	       (unsigned)pte_is_file(pte) << PTE_KIND_FILE | (unsigned)pte_is_swap(pte) << PTE_KIND_SWAP |
	       (unsigned)pte_is_migration(pte) << PTE_KIND_MIGRATION | (unsigned)pte_is_marker(pte) << PTE_KIND_MARKER |
	       (unsigned)pte_is_table(pte, 0) << PTE_KIND_TABLE;
}

static inline void check_valid(struct tally *t, pteval_t v, const struct pte_view *w, unsigned kinds)
{
	pte_t pte = x86_pte(v), again = pte_encode(w, 0);
	struct pte_view back = x86_decode(again, 0);

	if (kinds != 1u << w->kind)
		fail(v, "another kind claims it too");
	if (!view_same(w, &back))
		fail(v, "its view is encoded as something else");
	if (pte_grant(pte) != w->grant || pte_uffd_wp(pte) != w->uffd_wp)
		fail(v, "grant or uffd-wp differ from the view's");
	if (w->kind != PTE_KIND_PAGE && (pte_accessible(pte) || !pte_reserved_ok(again, 0)))
		fail(v, "hardware would use it");
	if (w->kind == PTE_KIND_PAGE && pte_accessible(pte) != (w->grant != GRANT_NONE))
		fail(v, "accessible is not what the grant says");
	if (pte_same(pte, again))
		t->made[w->kind]++;
}

static inline void check_value(struct tally *t, pteval_t v)
{
	pte_t pte = x86_pte(v);
	struct pte_view w = x86_decode(pte, 0);
	unsigned kinds = kinds_of(pte);

	t->tried++;
	if (kinds & (kinds - 1))
		fail(v, "it is of two kinds");
	if (pte_is_none(pte) != pte_same(pte, pte_none()))
		fail(v, "two values are none");
	if (pte_view_valid(&w, 0))
		check_valid(t, v, &w, kinds);
}

/* -- which values ------------------------------------------------------------------------------------------------ */
/* One piece of work. */
struct piece {
	pteval_t base;
	unsigned shift, bits;   /* these bits of the base take all values */
	unsigned shift2, bits2; /* and, for each of theirs, these */
};

static struct piece pieces[4096];
static unsigned nr_pieces, next_piece;

static void add_piece(u64 base, unsigned shift, unsigned bits, unsigned shift2, unsigned bits2)
{
	BUG_ON(nr_pieces == ARRAY_SIZE(pieces));
	pieces[nr_pieces++] = (struct piece){(pteval_t)base, shift, bits, shift2, bits2};
}

static pteval_t ones(unsigned shift, unsigned bits)
{
	return (((pteval_t)1 << bits) - 1) << shift;
}

static void run_piece(const struct piece *p, struct tally *t)
{
	pteval_t base = p->base & ~ones(p->shift, p->bits) & ~ones(p->shift2, p->bits2);

	for (u32 high = 0; high < 1u << p->bits2; high++)
		for (u32 low = 0; low < 1u << p->bits; low++)
			check_value(t, base | (pteval_t)high << p->shift2 | (pteval_t)low << p->shift);
}

/* Boundary patterns of @bits bits: nothing, all, one bit, all but one, alternating. */
static unsigned patterns(u64 *list, unsigned bits)
{
	u64 mask = ((u64)1 << bits) - 1;
	unsigned n = 0;

	list[n++] = 0;
	list[n++] = mask;
	list[n++] = 0x5555555555555555 & mask;
	list[n++] = 0xaaaaaaaaaaaaaaaa & mask;
	for (unsigned i = 0; i < bits; i++) {
		list[n++] = (u64)1 << i;
		list[n++] = mask & ~((u64)1 << i);
	}
	return n;
}

static void plan_four_bytes(bool all)
{
	u64 middle[64];
	unsigned n = patterns(middle, 16);

	for (u64 i = 0; all && i < 1024; i++)
		add_piece(i << 22, 0, 22, 31, 0);
	for (unsigned i = 0; !all && i < n; i++)
		add_piece(middle[i] << 12, 0, 12, 28, 4);
}

/* Encodings of a few views of every kind: what the bits around a group are. */
static unsigned typical(u64 *list)
{
	static const u64 payloads[] = {0, 0xaaaaaaaa, 0x15555};
	struct pte_view w = {.grant = (u8)pte_grant_normal(GRANT_R | GRANT_W)};
	unsigned n = 0;

	for (w.kind = PTE_KIND_PAGE; w.kind <= PTE_KIND_MARKER; w.kind++)
		for (unsigned i = 0; i < ARRAY_SIZE(payloads); i++) {
			w.payload = w.kind == PTE_KIND_MARKER ? 0 : payloads[i];
			list[n++] = X86_VAL(pte_encode(&w, 0));
		}
	list[n++] = X86_VAL(pte_none());
	return n;
}

static void plan_eight_bytes(bool all)
{
	u64 around[32], middle[100];
	unsigned n = typical(around), bits = all ? 20 : 14;

	patterns(middle, 40);
	for (unsigned i = 0; i < n; i++)
		for (unsigned shift = 0; shift <= 64 - bits; shift += 4)
			add_piece(around[i], shift, bits, 63, 0);
	for (unsigned i = 0; i < (all ? 8 : 2); i++)
		for (u64 part = 0; part < 16; part++)
			add_piece(middle[i] << 12 | part << 60, 0, 12, 52, 8);
}

/* -- all of it, by several threads ---------------------------------------------------------------------------------- */
static void *work(void *arg)
{
	struct tally *t = arg;
	unsigned i;

	while ((i = __atomic_fetch_add(&next_piece, 1, __ATOMIC_RELAXED)) < nr_pieces)
		run_piece(&pieces[i], t);
	return NULL;
}

static struct tally run(unsigned threads)
{
	static struct tally part[MAX_THREADS];
	struct tally total = {0};
	unsigned long thread[MAX_THREADS];

	next_piece = 0;
	for (unsigned i = 0; i < threads; i++) {
		part[i] = (struct tally){0};
		BUG_ON(pthread_create(&thread[i], NULL, work, &part[i]));
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		total.tried += part[i].tried;
		for (unsigned k = 0; k < PTE_KIND_COUNT; k++)
			total.made[k] += part[i].made[k];
	}
	return total;
}

/* How many views of each kind the 4-byte format has.  Three grants: none, R (which is RX) and RW. */
static void check_counts(const struct tally *t)
{
	static const u64 views[PTE_KIND_COUNT] = {
		[PTE_KIND_NONE] = 1,
		/* frame; accessed, dirty, special; grant and uffd-wp, and writable with W and without uffd-wp */
		[PTE_KIND_PAGE] = ((u64)1 << 20) * 8 * (3 * 2 + 1),
		[PTE_KIND_FILE] = ((u64)1 << 28) * 3,
		[PTE_KIND_SWAP] = ((u64)1 << 21) * 3 * 2 * 2 * 3,
		/* frame; accessed, dirty, uffd-wp; grant and exclusive, and was writable with W */
		[PTE_KIND_MIGRATION] = ((u64)1 << 20) * 8 * (3 * 2 + 1),
		[PTE_KIND_MARKER] = 2 * 2 * 3,
	};

	for (unsigned k = 0; k < PTE_KIND_COUNT; k++) {
		if (t->made[k] == views[k])
			continue;
		failures++;
		printk("# %llu values of kind %s, but %llu views\n", (unsigned long long)t->made[k],
		       pte_kind_name((enum pte_kind)k), (unsigned long long)views[k]);
	}
}

static bool run_and_check(bool all, unsigned threads, const char *suffix, unsigned number)
{
	struct tally t;

	failures = 0;
	nr_pieces = 0;
	if (WIDE)
		plan_eight_bytes(all);
	else
		plan_four_bytes(all);
	t = run(threads);
	if (!WIDE && all)
		check_counts(&t);
	printk("# of %llu values: %llu page, %llu file, %llu swap, %llu migration, %llu marker, %llu none\n",
	       (unsigned long long)t.tried, (unsigned long long)t.made[PTE_KIND_PAGE],
	       (unsigned long long)t.made[PTE_KIND_FILE], (unsigned long long)t.made[PTE_KIND_SWAP],
	       (unsigned long long)t.made[PTE_KIND_MIGRATION], (unsigned long long)t.made[PTE_KIND_MARKER],
	       (unsigned long long)t.made[PTE_KIND_NONE]);
	printk("%sok %u - T4-13 %s decode to what they encode%s\n", failures ? "not " : "", number,
	       WIDE  ? "values, field by field,"
	       : all ? "all 2^32 values"
	             : "values, payloads at their boundaries,",
	       suffix);
	return failures == 0;
}

int main(int argc, char **argv)
{
	bool all = argc > 1 && strcmp(argv[1], "all") == 0;
	int asked = argc > 1 ? atoi(argv[argc - 1]) : 1;
	unsigned threads = (unsigned)max(1, min(asked, MAX_THREADS)), runs = X86_PTE_XD ? 2 : 1;
	bool ok;

	printk("KTAP version 1\n1..%u\n", runs);
	ok = run_and_check(all, threads, "", 1);
	if (runs == 2) {
		pte_nx_mask = (u64)X86_PTE_XD;
		ok &= run_and_check(all, threads, " with NX", 2);
	}
	return !ok;
}
