/*
 * demo_steps.c - `demo mosaic steps [plain]`: what a mapping's entries say, page by page, before and after each step.
 *
 * A window of 8 x 32 pages of one file; one cell is one page, drawn from /proc/self/ptes.  The colour (or, without
 * colours, a letter in a picture of its own) is the page's place in the file, the glyph what is allowed.
 */
#define _GNU_SOURCE
#include "user/demo.h"
#include "user/kmem.h"
#include "user/ptes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul
#define WIDE 32u
#define HIGH 8u
#define CELLS (WIDE * HIGH)
#define MAP_CHGPROT 0x20000

static uint8_t *window;
static bool colours;
static struct pte_info entries[CELLS];

/* -- one cell ------------------------------------------------------------------------------------------------------- */

/* Along the edge of the terminal's colour cube: red, yellow, green, blue. */
static const uint8_t ramp[] = {196, 202, 208, 214, 220, 226, 190, 154, 118, 82, 46,
                               47,  48,  49,  50,  51,  45,  39,  33,  27,  21};
#define NRAMP (sizeof(ramp) / sizeof(*ramp))

static char glyph(const struct pte_info *e)
{
	if (!(e->prot & PROT_READ))
		return '.';
	return e->prot & PROT_WRITE ? e->dirty ? 'D' : 'w' : 'r';
}

/* Resident: on the colour.  Only an entry: in the colour.  Not even that: grey. */
static void draw_coloured(const struct pte_info *e)
{
	unsigned colour = ramp[e->offset % CELLS * NRAMP / CELLS];

	if (e->resident)
		printf("\033[38;5;16;48;5;%um%c\033[0m", colour, glyph(e));
	else if (strcmp(e->kind, "none"))
		printf("\033[38;5;%um%c\033[0m", colour, glyph(e));
	else
		printf("\033[38;5;240m%c\033[0m", glyph(e));
}

/* 'a' to 'p' from the file's beginning to its end; capital: resident. */
static char letter(const struct pte_info *e)
{
	char c = (char)('a' + e->offset % CELLS * 16 / CELLS);

	if (!strcmp(e->kind, "none"))
		return ' ';
	return e->resident ? (char)(c - 'a' + 'A') : c;
}

/* -- pictures ---------------------------------------------------------------------------------------------------------- */

static void draw_row(const struct pte_info *row)
{
	fputs("    ", stdout);
	for (unsigned x = 0; x < WIDE && colours; x++)
		draw_coloured(row + x);
	for (unsigned x = 0; x < WIDE && !colours; x++)
		putchar(letter(row + x));
	fputs(colours ? "" : "    ", stdout);
	for (unsigned x = 0; x < WIDE && !colours; x++)
		putchar(glyph(row + x));
	putchar('\n');
}

static unsigned count(bool (*what)(const struct pte_info *))
{
	unsigned n = 0;

	for (unsigned i = 0; i < CELLS; i++)
		n += what(&entries[i]);
	return n;
}

static bool is_resident(const struct pte_info *e)
{
	return e->resident;
}

static bool is_dirty(const struct pte_info *e)
{
	return e->dirty;
}

static void show(const char *what)
{
	static unsigned step;
	long lines = ptes_read(window, CELLS, entries);

	printf("\n%u. %s\n\n", ++step, what);
	for (unsigned y = 0; y < HIGH; y++)
		draw_row(entries + y * WIDE);
	printf("\n    %u vma, %ld runs in /proc/self/ptes; %u of %u pages resident, %u dirty\n",
	       kmem_maps_lines(window, CELLS * PAGE), lines, count(is_resident), CELLS, count(is_dirty));
}

static void legend(void)
{
	fputs("One cell is one page of a window of 256 pages of one file.\n", stdout);
	fputs("    .  nothing is allowed    r  reading    w  reading and writing    D  the same, and dirty\n", stdout);
	if (colours) {
		fputs("    from the file's beginning ", stdout);
		for (unsigned i = 0; i < NRAMP; i++)
			printf("\033[48;5;%um \033[0m", ramp[i]);
		fputs(" to its end\n    on the colour: resident; in the colour: an entry without a page; grey: no entry\n",
		      stdout);
	} else {
		fputs(
			"    on the left, where in the file: a to p, its beginning to its end; capital: resident; blank: no entry\n",
			stdout);
	}
}

/* -- the steps --------------------------------------------------------------------------------------------------------------- */

static int remap(unsigned page, unsigned pgoff, int prot)
{
	return (int)syscall(SYS_remap_file_pages, window + page * PAGE, PAGE, prot, (size_t)pgoff,
	                    MAP_CHGPROT | MAP_NONBLOCK);
}

/* Read what may be read of every page. */
static void touch(unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++)
		(void)*(volatile uint8_t *)(window + i * PAGE);
}

/* Every row from its end to its beginning. */
static bool mirror(void)
{
	for (unsigned i = 0; i < CELLS; i++)
		if (remap(i, i / WIDE * WIDE + (WIDE - 1 - i % WIDE), PROT_READ))
			return false;
	return true;
}

static int pattern(unsigned i)
{
	static const int prots[] = {PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ};

	return prots[(i % WIDE / 2 + i / WIDE) % 4];
}

/* Column by column what was row by row, and in each 2 x 1 pages another protection. */
static bool turn(void)
{
	for (unsigned i = 0; i < CELLS; i++)
		if (remap(i, i % WIDE * HIGH + i / WIDE, pattern(i)))
			return false;
	return true;
}

static void store(void)
{
	for (unsigned i = 0; i < CELLS; i++)
		if (pattern(i) & PROT_WRITE)
			*(volatile uint8_t *)(window + i * PAGE + 8) = 1;
}

/* The readable ones, which must be what they were. */
static bool come_back(void)
{
	for (unsigned i = 0; i < CELLS; i++)
		if (pattern(i) & PROT_READ && *(volatile uint16_t *)(window + i * PAGE) != i % WIDE * HIGH + i / WIDE)
			return false;
	return true;
}

static bool make_window(void)
{
	int fd = (int)syscall(SYS_memfd_create, "steps", 0);

	if (fd < 0 || ftruncate(fd, (off_t)(CELLS * PAGE)))
		return false;
	for (uint16_t i = 0; i < CELLS; i++)
		if (pwrite(fd, &i, sizeof(i), (off_t)i * (off_t)PAGE) != sizeof(i))
			return false;
	window = mmap(NULL, CELLS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return window != MAP_FAILED;
}

int demo_steps(bool in_colour)
{
	colours = in_colour;
	if (!make_window() || ptes_read(window, CELLS, entries) < 0) {
		fprintf(stderr, "demo mosaic steps: this kernel does not show its entries\n");
		return 1;
	}
	legend();
	show("mmap(): a promise, and not one entry");
	touch(0, CELLS / 2 - 1);
	show("The first half is read: each fault makes an entry");
	if (!mirror())
		return 1;
	show("remap_file_pages(): every row backwards, all read-only.  What is in memory is mapped at once");
	if (!turn())
		return 1;
	show("... rows become columns, and every other page has its own protection.  It is still one vma");
	store();
	show("What may be written is written");
	madvise(window, CELLS * PAGE, MADV_DONTNEED);
	show("madvise(MADV_DONTNEED): the pages go, the entries keep offset and protection");
	if (!come_back())
		return 1;
	show("All that may be read is read again: every page is back where it was");
	return 0;
}
