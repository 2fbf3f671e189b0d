/*
 * demo_pins.c - `demo pins`: is this page pinned?  One page, four moments at which others would be wrong.
 *
 * Each scene puts a second process between writeback's walk over the page's entries and its verdict (debug kernels: a sync point
 * of /dev/mm), and shows what each rule says; /proc/pinstat has counted it.  Then a device stores all the time while
 * the file is synced, and the last thing it stored is on the disk.
 */
#define _GNU_SOURCE
#include "user/demo.h"

#include "kernel/uapi/dma.h"
#include "kernel/uapi/mm_debug.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define MANY 1500

static int dma, debug, file;
static volatile char *page;

static int fail(const char *what)
{
	perror(what);
	exit(1);
}

static volatile char *map_page(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	return p == MAP_FAILED ? (fail("mmap"), NULL) : p;
}

static uint64_t pin(void)
{
	struct edu_pin arg = {.addr = (uintptr_t)page, .len = PAGE, .flags = EDU_PIN_WRITE | EDU_PIN_FAST};

	if (ioctl(dma, EDU_IOC_PIN, &arg) || !arg.npages)
		fail("pin");
	return arg.id;
}

static void unpin(uint64_t id)
{
	struct edu_unpin arg = {.id = id, .dirty = 1};

	if (ioctl(dma, EDU_IOC_UNPIN, &arg))
		fail("unpin");
}

/* -- what the rules said -------------------------------------------------------------------------------------------------- */

static const char *const rules[] = {"one_walk", "two_walks", "bias"};
#define RULES 3

struct counts {
	long missed[RULES], phantom[RULES], impossible;
};

static long value_of(const char *text, const char *rule, const char *what)
{
	char name[40];
	const char *at;

	snprintf(name, sizeof(name), "%s_%s ", rule, what);
	at = strstr(text, name);
	return at ? atol(at + strlen(name)) : 0;
}

static struct counts counts(void)
{
	static char text[2048];
	struct counts c;
	int fd = open("/proc/pinstat", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		fail("/proc/pinstat");
	text[n] = 0;
	close(fd);
	for (int i = 0; i < RULES; i++) {
		c.missed[i] = value_of(text, rules[i], "missed");
		c.phantom[i] = value_of(text, rules[i], "phantom");
	}
	c.impossible = value_of(text, "two_walks", "impossible");
	return c;
}

static const char *opinion(const struct counts *a, const struct counts *b, int rule, bool pinned)
{
	if (rule == 1 && b->impossible > a->impossible)
		return "its assertion fires";
	if (b->missed[rule] > a->missed[rule])
		return "no   WRONG: data lost";
	if (b->phantom[rule] > a->phantom[rule])
		return "yes  WRONG";
	return pinned ? "yes" : "no";
}

static void show(const struct counts *before, bool pinned)
{
	struct counts after = counts();

	printf("     exact count               %s\n", pinned ? "yes" : "no");
	printf("     mapcount - entries        %s\n", opinion(before, &after, 0, pinned));
	printf("     the same, refined         %s\n", opinion(before, &after, 1, pinned));
	printf("     references >= 1,024       %s\n", opinion(before, &after, 2, pinned));
}

/* -- scenes ------------------------------------------------------------------------------------------------------------------ */

/* A process that syncs the file when told, held at @point meanwhile. */
struct scene {
	pid_t syncer, actor;
	int go[2], act[2];
};

static pid_t child_that_waits(int gate[2], void (*fn)(void))
{
	pid_t pid;
	char c;

	if (pipe(gate))
		fail("pipe");
	pid = fork();
	if (pid)
		return pid;
	if (fn == NULL)
		page[64]++; /* maps the page, too */
	if (read(gate[0], &c, 1) != 1)
		_exit(1);
	if (fn)
		fn();
	_exit(0);
}

static void open_gate(int gate[2], pid_t pid, bool wait)
{
	if (write(gate[1], "g", 1) != 1)
		fail("gate");
	close(gate[0]);
	close(gate[1]);
	if (wait)
		waitpid(pid, NULL, 0);
}

static void sync_file(void)
{
	fsync(file);
}

static void map_it(void)
{
	(void)page[0];
}

static void arm(const char *point, pid_t tid)
{
	struct mm_sync_arm a = {.mode = MM_SYNC_PAUSE, .tid = (uint64_t)tid};
	struct mm_sync w = {.timeout_ms = 4000};

	strcpy(a.name, point);
	strcpy(w.name, point);
	if (tid && ioctl(debug, MM_IOC_SYNC_ARM, &a))
		fail("arm");
	if (!tid && ioctl(debug, MM_IOC_SYNC_RELEASE, &w))
		fail("release");
}

static void await(const char *point)
{
	struct mm_sync w = {.timeout_ms = 4000};

	strcpy(w.name, point);
	if (ioctl(debug, MM_IOC_SYNC_WAIT, &w))
		fail("nobody came to the sync point");
}

/* @leaves: the actor maps the page before, and is gone at the moment; else it comes. */
static void scene(const char *title, const char *point, bool leaves, bool pinned)
{
	struct scene s;
	struct counts before;
	uint64_t id;

	printf("\n%s\n", title);
	page[0]++;
	id = pin(); /* "pinned lately" is what the refined rule wants to know */
	if (!pinned)
		unpin(id);
	s.syncer = child_that_waits(s.go, sync_file);
	s.actor = child_that_waits(s.act, leaves ? NULL : map_it);
	usleep(20000);
	before = counts();
	arm(point, s.syncer);
	open_gate(s.go, s.syncer, false);
	await(point);
	open_gate(s.act, s.actor, true);
	arm(point, 0);
	waitpid(s.syncer, NULL, 0);
	show(&before, pinned);
	if (pinned)
		unpin(id);
	fsync(file);
}

static void crowd(void)
{
	struct counts before;

	printf("\n4. nobody has it pinned, but %d entries map it\n", MANY);
	for (int i = 0; i < MANY; i++)
		page[1] += map_page()[0];
	before = counts();
	fsync(file);
	show(&before, false);
}

static int device(void)
{
	struct dma_start start = {.length = PAGE, .first = 1};
	struct dma_stop stop = {0};
	uint64_t word = 0;

	printf("\n5. a device stores into the page while the file is synced 50 times\n");
	start.id = stop.id = pin();
	if (ioctl(dma, DMA_IOC_START, &start))
		fail("start");
	for (int i = 0; i < 50; i++)
		fsync(file);
	if (ioctl(dma, DMA_IOC_STOP, &stop))
		fail("stop");
	unpin(stop.id);
	fsync(file);
	if (fcntl(file, F_SETFL, O_DIRECT) == 0) {
		void *buf = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (buf == MAP_FAILED || pread(file, buf, PAGE, 0) != (ssize_t)PAGE)
			fail("O_DIRECT");
		memcpy(&word, buf, sizeof(word));
	}
	printf("     %llu times; its last store is %llu, the disk has %llu\n", (unsigned long long)stop.rounds,
	       (unsigned long long)stop.last, (unsigned long long)word);
	return word == stop.last ? 0 : 1;
}

int demo_pins(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	dma = open("/dev/dma", O_RDWR);
	debug = open("/dev/mm", O_RDWR);
	file = open("/var/demo.pins", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file < 0)
		file = open("/root/demo.pins", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (dma < 0 || file < 0 || ftruncate(file, PAGE))
		fail("demo pins");
	unlink("/var/demo.pins");
	unlink("/root/demo.pins");
	page = map_page();
	page[0] = 1;
	fsync(file);
	printf("Is the page pinned, asks writeback: may it call the page clean?\n");
	if (debug >= 0) {
		scene("1. it is; a mapping that was counted already goes away", "mkclean-before-pin", true, true);
		scene("2. it was, but is no more; a mapping appears behind the count", "mkclean-before-pin", false, false);
		scene("3. the same, a moment earlier", "mkclean-begins", false, false);
		crowd();
	} else {
		printf("\n(1 to 4 need a debug kernel, which can hold writeback at a chosen moment.)\n");
	}
	return device();
}
