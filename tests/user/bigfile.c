/*
 * bigfile.c - the program `reverse64m` (issue 2, "Real input").
 *
 *   reverse64m FILE        FILE: 16,384 pages, page i begins with u64 i and continues with a pattern of i
 *                          (tests/host/make_bigfile.py)
 *
 * Maps the whole file in one shared mapping, remaps entry i to page 16,383 - i with protections cycling
 * NONE, R, RW; checks every page and every fault; writes a pattern through the RW entries; msyncs; verifies by
 * read(2).  The host then compares every byte of the file in the image (tests/host/check_reverse64m.py).
 * Stands alone: no harness, so that it can be run under -icount, gdb or on Linux (where it says so and exits 2).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES 16384u
#define MAP_CHGPROT 0x20000
#define WORDS (PAGE / 8)

static uint8_t *window;
static unsigned long faults;

/* -- the pattern, shared with the host scripts ------------------------------------------------------------------ */

/* Word w of page i as the file is made: the first is i itself. */
static uint64_t made(uint64_t page, uint64_t word)
{
	return word == 0 ? page : page * 0x9e3779b97f4a7c15ull + word * 0xbf58476d1ce4e5b9ull;
}

/* Word w of page i after this program wrote it. */
static uint64_t rewritten(uint64_t page, uint64_t word)
{
	return made(page, word) ^ 0x5054455f4f4e2121ull;
}

static int entry_prot(unsigned entry)
{
	static const int prots[3] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};

	return prots[entry % 3];
}

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "reverse64m: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

/* -- faults: no system call per try ------------------------------------------------------------------------------ */

static sigjmp_buf landing;
static volatile sig_atomic_t armed, got_signal, got_code;
static void *volatile got_addr;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!armed)
		_exit(99);
	got_signal = sig;
	got_code = info->si_code;
	got_addr = info->si_addr;
	siglongjmp(landing, 1);
}

/* 0 if the access went through, else the signal. */
static int probe(uint8_t *p, int write, uint8_t value)
{
	if (sigsetjmp(landing, 0)) {
		armed = 0;
		faults++;
		return got_signal;
	}
	armed = 1;
	if (write)
		*(volatile uint8_t *)p = value;
	else
		(void)*(volatile uint8_t *)p;
	armed = 0;
	return 0;
}

static void expect_accerr(uint8_t *p, int write)
{
	int sig = probe(p, write, 0xee);

	if (sig != SIGSEGV || got_code != SEGV_ACCERR || got_addr != (void *)p)
		die("%s at entry %lu: signal %d code %d addr %p, expected SEGV_ACCERR %p", write ? "write" : "read",
		    (unsigned long)(p - window) / PAGE, sig, got_code, got_addr, (void *)p);
}

/* -- the steps ------------------------------------------------------------------------------------------------------ */

static int open_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || st.st_size != (off_t)PAGES * PAGE)
		die("%s is not %u bytes long", path, PAGES * PAGE);
	return fd;
}

static void remap_all(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (syscall(SYS_remap_file_pages, window + (size_t)i * PAGE, (size_t)PAGE, entry_prot(i),
		            (size_t)(PAGES - 1 - i), MAP_CHGPROT)) {
			if (errno == EINVAL && entry_prot(i)) {
				fprintf(stderr, "reverse64m: this kernel has no MAP_CHGPROT\n");
				exit(2);
			}
			die("remap of entry %u: %s", i, strerror(errno));
		}
}

static void check_page(const uint8_t *p, uint64_t page, uint64_t (*word)(uint64_t, uint64_t))
{
	const volatile uint64_t *words = (const volatile uint64_t *)p;

	for (unsigned w = 0; w < WORDS; w++)
		if (words[w] != word(page, w))
			die("page %llu word %u is %llx, expected %llx", (unsigned long long)page, w, (unsigned long long)words[w],
			    (unsigned long long)word(page, w));
}

/* Every access that a protection allows or forbids, with the exact signal, code and address. */
static void check_entries(int after_writing)
{
	for (unsigned i = 0; i < PAGES; i++) {
		uint8_t *p = window + (size_t)i * PAGE, *odd = p + i * 37 % PAGE;
		uint64_t page = PAGES - 1 - i;

		if (entry_prot(i) == PROT_NONE) {
			expect_accerr(odd, 0);
			expect_accerr(odd, 1);
			continue;
		}
		if (probe(odd, 0, 0))
			die("read of entry %u: signal %d code %d", i, got_signal, got_code);
		if (entry_prot(i) == PROT_READ) {
			expect_accerr(odd, 1);
			check_page(p, page, made);
		} else {
			check_page(p, page, after_writing ? rewritten : made);
		}
	}
}

static void write_pages(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t *p = (uint64_t *)(window + (size_t)i * PAGE);

		if (!(entry_prot(i) & PROT_WRITE))
			continue;
		for (unsigned w = 0; w < WORDS; w++)
			p[w] = rewritten(PAGES - 1 - i, w);
	}
}

static void verify_by_read(int fd)
{
	static uint64_t buf[16 * WORDS];

	for (unsigned page = 0; page < PAGES; page += 16) {
		if (pread(fd, buf, sizeof(buf), (off_t)page * PAGE) != (ssize_t)sizeof(buf))
			die("read of page %u: %s", page, strerror(errno));
		for (unsigned k = 0; k < 16; k++)
			check_page((uint8_t *)(buf + k * WORDS), page + k,
			           entry_prot(PAGES - 1 - (page + k)) & PROT_WRITE ? rewritten : made);
	}
}

static unsigned count_vmas(void)
{
	unsigned long start, end, n = 0;
	char line[256];
	FILE *f = fopen("/proc/self/maps", "r");

	if (!f)
		die("/proc/self/maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start < (unsigned long)window + PAGES * PAGE &&
		    end > (unsigned long)window)
			n++;
	fclose(f);
	return (unsigned)n;
}

static void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	if (sigaction(SIGSEGV, &sa, NULL) || sigaction(SIGBUS, &sa, NULL))
		die("sigaction: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	const size_t size = (size_t)PAGES * PAGE;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: reverse64m FILE\n");
		return 2;
	}
	catch_faults();
	fd = open_file(argv[1]);
	window = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (window == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	remap_all();
	printf("reverse64m: %u pages remapped, %u line(s) in /proc/self/maps\n", PAGES, count_vmas());
	if (count_vmas() != 1)
		die("expected one vma");
	check_entries(0);
	printf("reverse64m: read, %lu faults, all as expected\n", faults);
	write_pages();
	if (msync(window, size, MS_SYNC))
		die("msync: %s", strerror(errno));
	verify_by_read(fd);
	check_entries(1);
	if (munmap(window, size) || fsync(fd) || close(fd))
		die("munmap, fsync, close: %s", strerror(errno));
	printf("reverse64m: written, synced and verified; %lu faults\n", faults);
	return 0;
}
