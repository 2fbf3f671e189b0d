/*
 * table.c - the list of contract tests and the counting of their checks.
 */
#include "kernel/lib/printk.h"
#include "tests/contract/contract.h"

#define FAILURES_SHOWN 8

const struct contract_test contract_tests[] = {
	{"T4-13", "page-less entries round trip at boundary values", contract_soft_round_trip},
	{"T4-13", "kinds of entry are mutually exclusive", contract_soft_kinds},
	{"T4-13", "page and table entries round trip", contract_page_round_trip},
	{"T4-19", "reserved bits of page-less entries are clear", contract_reserved_bits},
	{"T0-06", "file entries hold every offset up to the limit", contract_file_limits},
	{"T4-18", "grants of page and file entries", contract_grants},
	{"T4-18", "changing the grant keeps everything else", contract_grant_changes},
	{"C-PTE-VALUE", "accessed, dirty, write, special", contract_page_values},
	{"C-PTE-TABLE", "table and kernel entries", contract_table_values},
	{"C-PTE-HUGE", "entries at level 1 that map a page themselves", contract_huge_values},
	{"C-FORMAT", "the description of the format says what decoding says", contract_format},
	{"C-HW-TABLE", "a new table is empty, and so is one that was cleared", contract_hw_table},
	{"C-HW-SET", "live entries: set, get, clear, neighbours", contract_hw_set_get},
	{"C-HW-YOUNG", "live entries: accessed bit, dirty kept", contract_hw_young},
	{"C-HW-CMPXCHG", "live entries: exchange", contract_hw_cmpxchg},
	{"C-GEOMETRY", "page-table geometry", contract_geometry},
	{"C-ROOT", "a new root shares the kernel half", contract_root},
	{"C-IPI-CALL", "calls to other CPUs: who runs them, and when they are over", contract_ipi_call},
	{"C-CLOCK-ORDER", "time does not step back from one CPU to another", contract_clock_order},
};
const unsigned contract_test_count = ARRAY_SIZE(contract_tests);

static unsigned failures;

void contract_fail(const char *fmt, ...)
{
	va_list ap;

	if (failures++ >= FAILURES_SHOWN)
		return;
	printk("# ");
	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	printk("\n");
}

bool contract_held(void)
{
	return failures == 0;
}

bool contract_run(const struct contract_test *test)
{
	failures = 0;
	return test->run();
}
