/*
 * demo.c - `demo NAME`: short shows of what the kernel can do, each in a file of its own.
 */
#include "user/demo.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} demos[] = {
	{"mosaic", demo_mosaic, "65,536 pages of one file, permuted, with mixed protections, in one vma"},
	{"pins", demo_pins, "a device stores into a page of a file: who knows that it is pinned, and who thinks so"},
	{"collect", demo_collect, "a heap that is compacted while its program runs, by copying and by moving pages"},
	{"migrate", demo_migrate, "a program goes on in another process before its memory has come there"},
	{"guest", demo_guest, "a virtual machine whose memory is taken away under it, and comes back"},
};
#define NDEMOS (sizeof(demos) / sizeof(*demos))

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < NDEMOS; i++)
		if (!strcmp(argv[1], demos[i].name))
			return demos[i].run(argc - 1, argv + 1);
	fprintf(stderr, "usage: demo NAME\n");
	for (size_t i = 0; i < NDEMOS; i++)
		fprintf(stderr, "  %-10s %s\n", demos[i].name, demos[i].what);
	return 2;
}
