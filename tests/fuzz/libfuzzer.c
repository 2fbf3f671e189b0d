/*
 * libfuzzer.c - entry point for libFuzzer: any bytes are a sequence of operations (tests/model/op.h).
 */
#include <stdlib.h>

#include "tests/model/run.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *words[] = {(*argv)[0], NULL};

	sim_main(1, words);
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n)
{
	static struct sequence sequence;

	sequence_decode(&sequence, bytes, n);
	if (run_sequence(&sequence)) {
		sequence_print(&sequence);
		abort();
	}
	return 0;
}
