/*
 * run_contract.c - run the contract tests of tests/contract in the booted kernel.  Layer 11.
 */
#include "kernel/main/run_contract.h"

#include "kernel/lib/printk.h"
#include "kernel/lib/tap.h"
#include "tests/contract/contract.h"

void run_contract_tests(void)
{
	printk("KTAP version 1\n1..%u\n", contract_test_count);
	for (unsigned i = 0; i < contract_test_count; i++) {
		bool ok = contract_run(&contract_tests[i]);

		printk("%s %u %s %s\n", ok ? "ok" : "not ok", i + 1, contract_tests[i].id, contract_tests[i].what);
	}
}
