/*
 * run_contract.h - the contract tests of tests/contract, run inside the booted kernel.  Layer 11.
 */
#ifndef KERNEL_MAIN_RUN_CONTRACT_H
#define KERNEL_MAIN_RUN_CONTRACT_H

/* Print their KTAP lines; a failure is seen by whoever reads the console. => thread context */
void run_contract_tests(void);

#endif
