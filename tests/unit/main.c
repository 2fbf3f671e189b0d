/*
 * main.c - the tests of one machine in one program: the name by which it was called says which of them it is to be.
 *
 * TESTS(X), of tools/host.py, is X(name) for each; there the main() of tests/unit/NAME.c is called NAME_main().
 */
#include <stdio.h>
#include <string.h>

#define DECLARE(name) int name##_main(int argc, char **argv);
#define ENTRY(name) {#name, name##_main},

TESTS(DECLARE)

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} tests[] = {TESTS(ENTRY)};

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(tests[i].name, name))
			return tests[i].main(argc, argv);
	fprintf(stderr, "%s: no test of this program\n", name);
	return 2;
}
