/*
 * test_pte.c - the contract tests of page-table entries as an ordinary user-space program, one build for each
 * format (-DPTE_FORMAT_x); tests/unit/run_pte.py builds and runs them.
 *
 * Kernel headers and libc's cannot be mixed; the two functions needed from libc are declared here.
 */
#include <asm/pte_layout.h>
#include <arch/pgtable.h>
#include "kernel/lib/assert.h"
#include "tests/contract/contract.h"
#include "tests/contract/views.h"
#include "tests/unit/pte_printk.h"

/* The specification's limits (section 8; the 4-byte swap slot pays two bits for "no access" and "exclusive"). */
#if defined(PTE_FORMAT_amd64)
STATIC_ASSERT(PTE_FILE_PGOFF_MAX == ((u64)1 << 46) - 1 && PTE_SWAP_SLOT_MAX == ((u64)1 << 46) - 1);
STATIC_ASSERT(PTE_SWAP_TYPE_MAX == 31);
#elif defined(PTE_FORMAT_scrambled)
STATIC_ASSERT(PTE_FILE_PGOFF_MAX == ((u64)1 << 46) - 1 && PTE_SWAP_SLOT_MAX == ((u64)1 << 46) - 1);
#elif defined(PTE_FORMAT_pae)
STATIC_ASSERT(PTE_FILE_PGOFF_MAX == 0xffffffff && PTE_SWAP_SLOT_MAX == 0xffffffff && PTE_SWAP_TYPE_MAX == 31);
#else
/* Thread 0's limit for four-byte entries with protections: 28 bits, 1 TiB. */
STATIC_ASSERT(PTE_FILE_PGOFF_MAX == ((u64)1 << 28) - 1 && PTE_SWAP_SLOT_MAX == ((u64)1 << 21) - 1);
STATIC_ASSERT(PTE_SWAP_TYPE_MAX == 2);
#endif

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
#if defined(PTE_FORMAT_scrambled)
		{pte_mk_page(1, GRANT_R | GRANT_W), 0x100000000000406a ^ SCR_KEY},
		{pte_mkwrite(pte_mkdirty(pte_mk_page(1, GRANT_R | GRANT_W))), 0x100000000000407b ^ SCR_KEY},
		{pte_mk_page(1, GRANT_NONE), 0x1000000000004008 ^ SCR_KEY},
		{pte_mk_special(1, GRANT_R), 0x10000000000040ca ^ SCR_KEY},
		{pte_mk_file(1, GRANT_R), 0x2000000000004042 ^ SCR_KEY},
		{pte_mk_file(8, GRANT_R | GRANT_W), 0x2000000000020062 ^ SCR_KEY},
		{pte_encode(&swap, 0), 0x4000000000014242 ^ SCR_KEY},
		{pte_mk_table(1, 1), 0xe000000000004000 ^ SCR_KEY},
		{pte_none(), SCR_KEY},
#else
		{pte_mk_page(1, GRANT_R | GRANT_W), 0x1825},
		{pte_mkwrite(pte_mkdirty(pte_mk_page(1, GRANT_R | GRANT_W))), 0x1867},
		{pte_mk_page(1, GRANT_NONE), 0x1124},
		{pte_mk_special(1, GRANT_R), 0x1225},
		{pte_none(), 0},
#endif
#if defined(PTE_FORMAT_amd64)
		{pte_mk_file(0, GRANT_R | GRANT_W), 0x03fffffffffffe02},
		{pte_mk_file(1, GRANT_NONE), 0x03ffffffffffe002},
		{pte_encode(&swap, 0), 0x0bffffffffffaa04},
#elif defined(PTE_FORMAT_pae)
		{pte_mk_file(1, GRANT_R), 0xfffffffe00000a02},
		{pte_mk_file(0, GRANT_NONE), 0xffffffff00000002},
		{pte_encode(&swap, 0), 0xfffffffa00002a04},
#elif defined(PTE_FORMAT_i386)
		{pte_mk_file(1, GRANT_R), 0xc},
		{pte_mk_file(8, GRANT_R | GRANT_W), 0x46},
		{pte_mk_file(0x8000020, GRANT_NONE), 0x80000202},
		{pte_mk_file(PTE_FILE_PGOFF_MAX, GRANT_R), 0xfffffefc},
		{pte_encode(&swap, 0), 0xa18},
#endif
	};

	for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
		contract_check(X86_VAL(list[i].made) == list[i].want, "entry %u is %llx, not %llx", i,
		               (unsigned long long)X86_VAL(list[i].made), (unsigned long long)list[i].want);
	return contract_held();
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

int main(void)
{
	static const struct contract_test golden = {"T4-13", "entries are bit for bit as specified", golden_values};
	unsigned runs = X86_PTE_XD ? 2 : 1, failed;

	printk("KTAP version 1\n1..%u\n", runs * contract_test_count + 1);
	failed = run_one(&golden, "", 1);
	failed += run_all("", 2);
	if (runs == 2) {
		pte_nx_mask = (u64)X86_PTE_XD;
		failed += run_all(" with NX", 2 + contract_test_count);
	}
	return failed != 0;
}
