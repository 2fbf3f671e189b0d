/*
 * demo_mosaic.c - `demo mosaic [plain] [steps] [PAGES]`: a picture of 256 x 256 tiles, each tile one page of a file.
 *
 * The file holds the tiles in a random order.  One window of 65,536 pages puts them right, page by page, with
 * remap_file_pages: RW inside, R in the frame, NONE outside; all in ONE vma.  Linux gives every page a vma of
 * its own, has no per-page protection, and stops with ENOMEM at its limit of 65,530 vmas.
 *
 * `plain`: no colours; nor are there any if NO_COLOR is set, or elsewhere than on a terminal.  `steps`: a smaller
 * window, and what its entries say before and after each of a few steps (demo_steps.c).  PAGES: 1024, 4096, 16384 or 65536.  32 x 32 of the tiles are drawn, and only those
 * pages are ever made.
 */
#define _GNU_SOURCE
#include "user/demo.h"
#include "user/kmem.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define DRAWN 32u /* tiles in each direction */
#define MAP_CHGPROT 0x20000

static unsigned side = 256; /* tiles in each direction */
static unsigned tiles, step;
static uint8_t *window;
static bool colours, steps;

/* -- the picture ------------------------------------------------------------------------------------------------ */

/* Where the file keeps tile i: a bijection of the tiles (their number is a power of two) that looks like noise. */
static unsigned place(unsigned i)
{
	const unsigned mask = tiles - 1;

	i = i * 0x6255u & mask;
	i ^= i >> 7;
	i = i * 0x9e37u & mask;
	i ^= i >> 5;
	return i * 0x3c6fu & mask;
}

static int radius2(unsigned i)
{
	int x = (int)(i % side * 256 / side) - 128, y = (int)(i / side * 256 / side) - 128;

	return x * x + y * y;
}

static int tile_prot(unsigned i)
{
	if (radius2(i) > 124 * 124)
		return PROT_NONE;
	return radius2(i) > 96 * 96 ? PROT_READ : PROT_READ | PROT_WRITE;
}

/* A colour of the terminal's 6 x 6 x 6 cube: rings and rays. */
static uint8_t tile_colour(unsigned i)
{
	unsigned x = i % side, y = i / side, r = (unsigned)radius2(i) / 3000 % 6;

	return (uint8_t)(16 + 36 * (x * 6 / side) + 6 * (y * 6 / side) + r);
}

/* -- catching a forbidden access ----------------------------------------------------------------------------------- */

static sigjmp_buf landing;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	siglongjmp(landing, info->si_code == SEGV_ACCERR ? 2 : 1);
}

/* May the byte be read (written)? */
static bool may(uint8_t *p, bool write)
{
	if (sigsetjmp(landing, 1))
		return false;
	if (write)
		*(volatile uint8_t *)p = *p;
	else
		(void)*(volatile uint8_t *)p;
	return true;
}

/* -- the show --------------------------------------------------------------------------------------------------------- */

static bool make_tiles(int fd)
{
	if (ftruncate(fd, (off_t)tiles * (off_t)PAGE))
		return false;
	for (unsigned y = 0; y < side; y += step)
		for (unsigned x = 0; x < side; x += step) {
			unsigned i = y * side + x;
			uint8_t colour = tile_colour(i);

			if (pwrite(fd, &colour, 1, (off_t)place(i) * (off_t)PAGE) != 1)
				return false;
		}
	return true;
}

/* Returns how many pages could be remapped; *prots: whether with protections of their own. */
static unsigned remap(bool *prots)
{
	unsigned i;

	*prots = true;
	for (i = 0; i < tiles; i++) {
		uint8_t *p = window + i * PAGE;

		if (*prots &&
		    !syscall(SYS_remap_file_pages, p, PAGE, tile_prot(i), (size_t)place(i), MAP_CHGPROT | MAP_NONBLOCK))
			continue;
		if (*prots && errno == EINVAL && tile_prot(i))
			*prots = false; /* no MAP_CHGPROT here: offsets only */
		if (*prots || syscall(SYS_remap_file_pages, p, PAGE, 0, (size_t)place(i), MAP_NONBLOCK))
			break;
	}
	return i;
}

/* One character shows two tiles, one above the other; -1: a tile that may not be read. */
static void draw_pair(int top, int bottom)
{
	if (!colours) {
		putchar(top < 0 ? ' ' : "-=+*#%"[(top - 16) % 6]);
		return;
	}
	if (top < 0 && bottom < 0)
		fputs("\033[0m ", stdout);
	else if (top < 0)
		printf("\033[0;38;5;%dm\342\226\204", bottom);
	else if (bottom < 0)
		printf("\033[0;38;5;%dm\342\226\200", top);
	else
		printf("\033[38;5;%d;48;5;%dm\342\226\200", top, bottom);
}

static int seen(unsigned x, unsigned y)
{
	uint8_t *p = window + (y * side + x) * PAGE;

	return may(p, false) ? *p : -1;
}

/* The drawn tiles in the order in which the file holds them. */
static unsigned by_place[DRAWN * DRAWN];

static int compare_places(const void *a, const void *b)
{
	return (int)place(*(const unsigned *)a) - (int)place(*(const unsigned *)b);
}

static int stored(int fd, unsigned x, unsigned y)
{
	unsigned i = by_place[y / step * DRAWN + x / step];
	uint8_t colour = 0;

	return pread(fd, &colour, 1, (off_t)place(i) * (off_t)PAGE) == 1 ? colour : -1;
}

static void draw(int fd)
{
	for (unsigned k = 0; k < DRAWN * DRAWN; k++)
		by_place[k] = k / DRAWN * step * side + k % DRAWN * step;
	qsort(by_place, DRAWN * DRAWN, sizeof(*by_place), compare_places);
	printf("  %-*s  %s\n", (int)DRAWN, "as the file stores them", "as the window shows them; blank: NONE");
	for (unsigned y = 0; y < side; y += 2 * step) {
		fputs("  ", stdout);
		for (unsigned x = 0; x < side; x += step)
			draw_pair(stored(fd, x, y), stored(fd, x, y + step));
		fputs(colours ? "\033[0m  " : "  ", stdout);
		for (unsigned x = 0; x < side; x += step)
			draw_pair(seen(x, y), seen(x, y + step));
		fputs(colours ? "\033[0m\n" : "\n", stdout);
	}
}

/* Every drawn tile: is it readable and writable exactly as asked? */
static unsigned count_wrong(void)
{
	unsigned wrong = 0;

	for (unsigned y = 0; y < side; y += step)
		for (unsigned x = 0; x < side; x += step) {
			unsigned i = y * side + x;
			uint8_t *p = window + i * PAGE;
			int prot = tile_prot(i);

			if (may(p, false) != (prot != PROT_NONE) || may(p, true) != !!(prot & PROT_WRITE))
				wrong++;
			else if (prot != PROT_NONE && *p != tile_colour(i))
				wrong++;
		}
	return wrong;
}

static void report(const struct kmem *a, const struct kmem *b, unsigned done)
{
	if (a->slab_bytes >= 0 && b->slab_bytes >= 0)
		printf("kernel objects: %ld KiB more, %ld bytes a page\n", (b->slab_bytes - a->slab_bytes) / 1024,
		       (b->slab_bytes - a->slab_bytes) / (long)(done ? done : 1));
	if (a->table_bytes >= 0 && b->table_bytes >= 0)
		printf("page tables:    %ld KiB more\n", (b->table_bytes - a->table_bytes) / 1024);
}

static bool parse(int argc, char **argv)
{
	const char *no_color = getenv("NO_COLOR");

	colours = isatty(1) && !(no_color && *no_color);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "plain"))
			colours = false;
		else if (!strcmp(argv[i], "steps"))
			steps = true;
		else
			for (side = 256; side >= DRAWN && (int)(side * side) != atoi(argv[i]); side /= 2)
				;
	}
	tiles = side * side;
	step = side / DRAWN;
	return side >= DRAWN;
}

int demo_mosaic(int argc, char **argv)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct kmem before, after;
	struct timespec t0, t1;
	unsigned done, wrong = 0;
	bool prots;
	int fd = (int)syscall(SYS_memfd_create, "mosaic", 0);

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: demo mosaic [plain] [steps|1024|4096|16384|65536]\n");
		return 2;
	}
	if (steps)
		return demo_steps(colours);
	if (fd < 0 || !make_tiles(fd)) {
		perror("demo mosaic: memfd");
		return 1;
	}
	window = mmap(NULL, tiles * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (window == MAP_FAILED || sigaction(SIGSEGV, &sa, NULL) || sigaction(SIGBUS, &sa, NULL)) {
		perror("demo mosaic");
		return 1;
	}
	before = kmem_read();
	clock_gettime(CLOCK_MONOTONIC, &t0);
	done = remap(&prots);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	if (done < tiles)
		printf("stopped at page %u of %u: %s\n", done, tiles, strerror(errno));
	after = kmem_read();
	printf("%u pages remapped in %ld ms%s\n", done,
	       (long)((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000),
	       prots ? ", each with its own protection" : "; this kernel has no protections per page");
	printf("/proc/self/maps: %u line(s) for the window\n", kmem_maps_lines(window, tiles * PAGE));
	report(&before, &after, done);
	draw(fd);
	if (prots) {
		wrong = count_wrong();
		printf("%u tiles tried: %u wrong\n", DRAWN * DRAWN, wrong);
	}
	return done == tiles && !wrong ? 0 : 1;
}
