/*
 * test_pte.c - the contract tests of page-table entries as an ordinary user-space program, one build for each
 * format (-DPTE_FORMAT_x); tests/unit/run_pte.py builds and runs them.  `test_pte all` also decodes every
 * value that a 4-byte entry can have.
 *
 * Kernel headers and libc's cannot be mixed; the three functions needed from libc are declared here.
 */
#include <asm/pte_layout.h>
#include <arch/pgtable.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/printk.h"
#include "tests/contract/contract.h"
#include "tests/contract/views.h"

/* The specification's limits (section 8; the 4-byte swap slot pays one bit for "no access"). */
#if defined(PTE_FORMAT_amd64)
STATIC_ASSERT(PTE_FILE_PGOFF_MAX == ((u64)1 << 46) - 1 && PTE_SWAP_SLOT_MAX == ((u64)1 << 46) - 1);
STATIC_ASSERT(PTE_SWAP_TYPE_MAX == 31);
#elif defined(PTE_FORMAT_pae)
STATIC_ASSERT(PTE_FILE_PGOFF_MAX == 0xffffffff && PTE_SWAP_SLOT_MAX == 0xffffffff && PTE_SWAP_TYPE_MAX == 31);
#else
STATIC_ASSERT(PTE_FILE_PGOFF_MAX == ((u64)1 << 26) - 1 && PTE_SWAP_SLOT_MAX == ((u64)1 << 22) - 1);
STATIC_ASSERT(PTE_SWAP_TYPE_MAX == 2);
#endif

int vprintf(const char *fmt, va_list ap);
__noreturn void exit(int status);
int strcmp(const char *a, const char *b);

int vprintk(const char *fmt, va_list ap)
{
	return vprintf(fmt, ap);
}

int printk(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vprintk(fmt, ap);
	va_end(ap);
	return n;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	exit(2);
}

/* These need the machine: reported as skipped. */
bool contract_geometry(void)
{
	return true;
}

bool contract_root(void)
{
	return true;
}

bool contract_ipi_call(void)
{
	return true;
}

bool contract_clock_order(void)
{
	return true;
}

static bool needs_machine(const struct contract_test *test)
{
	return test->run == contract_geometry || test->run == contract_root || test->run == contract_ipi_call ||
	       test->run == contract_clock_order;
}

/* Bit for bit what section 8 of the specification says, worked out by hand (without NX). */
static bool golden_values(void)
{
	struct pte_view swap = {.kind = PTE_KIND_SWAP, .grant = GRANT_R | GRANT_X, .type = 2, .payload = 5};
	const struct golden {
		pte_t made;
		u64 want;
	} list[] = {
		{pte_mk_page(1, GRANT_R | GRANT_W), 0x1825},
		{pte_mkwrite(pte_mkdirty(pte_mk_page(1, GRANT_R | GRANT_W))), 0x1867},
		{pte_mk_page(1, GRANT_NONE), 0x1124},
		{pte_mk_special(1, GRANT_R), 0x1225},
#if defined(PTE_FORMAT_amd64)
		{pte_mk_file(0, GRANT_R | GRANT_W), 0x03fffffffffffe02},
		{pte_mk_file(1, GRANT_NONE), 0x03ffffffffffe002},
		{pte_encode(&swap, 0), 0x0bffffffffffaa04},
#elif defined(PTE_FORMAT_pae)
		{pte_mk_file(1, GRANT_R), 0xfffffffe00000a02},
		{pte_mk_file(0, GRANT_NONE), 0xffffffff00000002},
		{pte_encode(&swap, 0), 0xfffffffa00002a04},
#else
		{pte_mk_file(1, GRANT_R), 0x26},
		{pte_mk_file(8, GRANT_R | GRANT_W), 0x20a},
		{pte_encode(&swap, 0), 0xa0c},
#endif
	};

	for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
		contract_check(list[i].made.pteval == list[i].want, "entry %u is %llx, not %llx", i,
		               (unsigned long long)list[i].made.pteval, (unsigned long long)list[i].want);
	return contract_held();
}

/* Whatever bits are thrown at it, decoding yields a view that, if valid, encodes to an entry of the same view. */
static bool decode_value(pteval_t v, unsigned level)
{
	struct pte_view w = pte_decode(x86_pte(v), level), back;
	pte_t pte;

	if (!pte_view_valid(&w, level))
		return false;
	pte = pte_encode(&w, level);
	back = pte_decode(pte, level);
	contract_check(view_same(&w, &back), "value %llx: %s", (unsigned long long)v, view_text(&w, level));
	contract_check(pte_reserved_ok(pte, level), "value %llx: reserved", (unsigned long long)v);
	if (w.kind != PTE_KIND_TABLE)
		contract_check(pte_has_page(pte) == (w.kind == PTE_KIND_PAGE), "value %llx: kind", (unsigned long long)v);
	return true;
}

/* A cheap full-period sequence over all values of the entry's width; 2^20 of them unless @all. */
static bool decode_many(bool all)
{
	u64 count = all && sizeof(pteval_t) == 4 ? (u64)1 << 32 : (u64)1 << 20, valid = 0, v = 1;

	for (u64 i = 0; i < count; i++) {
		v = v * 6364136223846793005u + 1442695040888963407u;
		valid += decode_value(count >> 32 ? (pteval_t)i : (pteval_t)(v ^ v >> 29), 0);
	}
	printk("# %llu of %llu values are entries\n", (unsigned long long)valid, (unsigned long long)count);
	return contract_held();
}

static bool decode_few(void)
{
	return decode_many(false);
}

static bool decode_every(void)
{
	return decode_many(true);
}

static unsigned run_one(const struct contract_test *test, const char *suffix, unsigned number)
{
	bool skip = needs_machine(test), ok = skip || contract_run(test);

	printk("%sok %u - %s %s%s%s\n", ok ? "" : "not ", number, test->id, test->what, suffix,
	       skip ? " # SKIP needs the machine" : "");
	return !ok;
}

static unsigned run_all(const char *suffix, unsigned number)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < contract_test_count; i++)
		failed += run_one(&contract_tests[i], suffix, number + i);
	return failed;
}

int main(int argc, char **argv)
{
	static const struct contract_test golden = {"T4-13", "entries are bit for bit as specified", golden_values};
	static const struct contract_test few = {"T4-13", "arbitrary values decode to what they encode", decode_few};
	static const struct contract_test every = {"T4-13", "every value decodes to what it encodes", decode_every};
	bool all = argc > 1 && strcmp(argv[1], "all") == 0;
	unsigned runs = X86_PTE_XD ? 2 : 1, failed, last = runs * contract_test_count + 2;

	printk("KTAP version 1\n1..%u\n", last);
	failed = run_one(&golden, "", 1);
	failed += run_all("", 2);
	if (runs == 2) {
		pte_nx_mask = (u64)X86_PTE_XD;
		failed += run_all(" with NX", 2 + contract_test_count);
	}
	failed += run_one(all ? &every : &few, "", last);
	return failed != 0;
}
