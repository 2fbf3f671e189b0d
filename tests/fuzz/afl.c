/*
 * afl.c - a program for AFL, and for trying one input by hand: a sequence from a file, or from standard input.
 *
 *	tests/fuzz/run.py build tiny2                    the last program that it names is for AFL
 *	afl-fuzz -i tests/fuzz/corpus -o out -- build/host/afl/tiny2/afl @@
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/model/run.h"

int main(int argc, char **argv)
{
	static unsigned char bytes[SEQUENCE_HEADER + SEQUENCE_OPS * OP_BYTES];
	static struct sequence sequence;
	FILE *f = argc > 1 ? fopen(argv[1], "rb") : stdin;
	size_t n;

	if (!f) {
		perror(argv[1]);
		return 1;
	}
	n = fread(bytes, 1, sizeof(bytes), f);
	sim_main(1, argv);
	sequence_decode(&sequence, bytes, n);
	if (run_sequence(&sequence)) {
		sequence_print(&sequence);
		abort();
	}
	return 0;
}
