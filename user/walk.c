/*
 * walk.c - the program of docs/book, and of tests/gdb: goes from one stop to the next, each a function stop_...(), which
 * does nothing but be there for a debugger.  Meant as process 1 (init=/bin/walk), so that nothing else runs.
 *
 * It also prints what it can learn by itself (/proc, /dev/mm, /dev/edu): tests compare that with what a debugger reads.
 */
#define _GNU_SOURCE
#include "kernel/uapi/edu.h"
#include "kernel/uapi/mm_debug.h"
#include "kernel/uapi/remap.h"
#include "user/machine.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define P 4096ul
#define WINDOW 16 /* pages of what is mapped from files */
#define SWAP_PAGES 64u

static int mm_fd, edu_fd;

/* A place to stop at: @memory is what the stop is about. */
#define STOP(name)                                                             \
	void stop_##name(volatile unsigned char *memory);                          \
	__attribute__((noinline)) void stop_##name(volatile unsigned char *memory) \
	{                                                                          \
		__asm__ volatile("" ::"r"(memory) : "memory");                         \
	}

STOP(ring3)
STOP(touch)
STOP(cow)
STOP(store)
STOP(writeback)
STOP(swap)
STOP(nonlinear)
STOP(forbidden)
STOP(pin)
STOP(shootdown)
STOP(locks)
STOP(after)
STOP(scene)

static void need(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	machine_exit(MACHINE_FAIL);
}

static volatile unsigned char *map(size_t pages, int flags, int fd)
{
	void *p = mmap(NULL, pages * P, PROT_READ | PROT_WRITE, flags, fd, 0);

	need(p != MAP_FAILED, "mmap");
	return p;
}

static void trace(uint64_t events)
{
	struct mm_trace_control control = {.events = events, .clear = events != 0};

	need(!ioctl(mm_fd, MM_IOC_TRACE_CONTROL, &control), "trace");
}

/* -- what it can see itself --------------------------------------------------------------------------------------- */

static void show_file(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	memset(text, 1, sizeof(text)); /* so that showing the entries changes none of them */
	printf("<<< %s\n", path);
	fflush(stdout);
	while ((n = read(fd, text, sizeof(text))) > 0)
		need(write(1, text, (size_t)n) == n, "write");
	close(fd);
	printf(">>>\n");
}

static void show_entry(const char *name, const volatile void *p)
{
	struct mm_entry e = {.addr = (uintptr_t)p};

	need(!ioctl(mm_fd, MM_IOC_ENTRY, &e), "entry");
	printf("entry %s addr=%llx kind=%llu grant=%llu write=%llu dirty=%llu pgoff=%llu pfn=%llx page=%llu mapcount=%llu "
	       "refs=%llu pins_w=%llu index=%llu\n",
	       name, (unsigned long long)e.addr, (unsigned long long)e.kind, (unsigned long long)e.grant,
	       (unsigned long long)e.write, (unsigned long long)e.dirty, (unsigned long long)e.pgoff,
	       (unsigned long long)e.pfn, (unsigned long long)e.page, (unsigned long long)e.mapcount,
	       (unsigned long long)e.refs, (unsigned long long)e.pins_w, (unsigned long long)e.index);
}

/* -- the stops ---------------------------------------------------------------------------------------------------- */

static volatile unsigned char *first_touch(void)
{
	volatile unsigned char *p = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	stop_touch(p);
	(void)p[0]; /* reading: the page of zeros is enough */
	p[0] = 1;   /* writing: a page of its own */
	stop_after(p);
	return p;
}

/* A child that does nothing, until it is told to end. */
static pid_t sleeping_child(int *tell)
{
	int ends[2];
	char c;
	pid_t pid;

	need(!pipe(ends), "pipe");
	pid = fork();
	need(pid >= 0, "fork");
	if (!pid) {
		close(ends[1]);
		_exit(read(ends[0], &c, 1) != 0);
	}
	close(ends[0]);
	*tell = ends[1];
	return pid;
}

static pid_t copy_on_write(volatile unsigned char *p, int *tell)
{
	pid_t child = sleeping_child(tell);

	usleep(50000); /* now it sleeps */
	stop_cow(p);
	p[0] = 2;
	stop_after(p);
	return child;
}

static volatile unsigned char *store_to_file(int *fd)
{
	static char page[P];
	volatile unsigned char *p;

	*fd = open("/walk.dat", O_RDWR | O_CREAT | O_TRUNC, 0600);
	need(*fd >= 0, "/walk.dat");
	for (unsigned i = 0; i < WINDOW; i++) {
		memset(page, 'a' + (int)i, P);
		need(write(*fd, page, P) == P, "write");
	}
	need(!fsync(*fd), "fsync");
	p = map(WINDOW, MAP_SHARED, *fd);
	(void)p[0];
	stop_store(p);
	p[0] = 'A';
	stop_after(p);
	return p;
}

static void write_back(volatile unsigned char *p)
{
	trace(~0ull >> (64 - MM_TRACE_EVENTS) & ~(1ull << MM_TRACE_LOCK));
	stop_writeback(p);
	need(!msync((void *)p, P, MS_SYNC), "msync");
	trace(0);
	stop_after(p);
}

static void make_swap_file(const char *path)
{
	static unsigned char block[SWAP_PAGES * P];
	uint32_t words[3] = {1, SWAP_PAGES - 1, 0};
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	memcpy(block + 1024, words, sizeof(words));
	memcpy(block + P - 10, "SWAPSPACE2", 10);
	need(fd >= 0 && write(fd, block, sizeof(block)) == sizeof(block), path);
	close(fd);
	need(!syscall(SYS_swapon, path, 0), "swapon");
}

static volatile unsigned char *out_and_in(void)
{
	volatile unsigned char *p = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	make_swap_file("/walk.swap");
	for (unsigned i = 0; i < 4; i++)
		p[i * P] = (unsigned char)(10 + i);
	need(!madvise((void *)p, 4 * P, 21 /* MADV_PAGEOUT */), "madvise");
	need(!madvise((void *)p, 4 * P, 21), "madvise"); /* the second time they are clean, and go */
	stop_swap(p);
	need(p[0] == 10, "swapped page");
	stop_after(p);
	return p;
}

static sigjmp_buf after_fault;

static void on_fault(int signo)
{
	siglongjmp(after_fault, signo);
}

/* 16 pages of one file in reverse order, in one vma; every other one may only be read; the last four not at all. */
static volatile unsigned char *nonlinear(void)
{
	int fd = memfd_create("window", 0);
	volatile unsigned char *p;

	need(fd >= 0 && !ftruncate(fd, WINDOW * P), "memfd");
	p = map(WINDOW, MAP_SHARED, fd);
	for (unsigned i = 0; i < WINDOW; i++)
		p[i * P] = (unsigned char)('a' + i);
	for (unsigned i = 0; i < WINDOW; i++) {
		int prot = i >= WINDOW - 4 ? PROT_NONE : i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;

		need(!syscall(SYS_remap_file_pages, p + i * P, P, (long)prot, (long)(WINDOW - 1 - i), (long)MAP_CHGPROT),
		     "remap_file_pages");
	}
	need(!madvise((void *)p, 8 * P, MADV_DONTNEED), "madvise"); /* the entries of eight keep offset and grant */
	stop_nonlinear(p);
	need(p[0] == 'a' + WINDOW - 1, "remapped page");
	stop_after(p);
	signal(SIGSEGV, on_fault);
	if (!sigsetjmp(after_fault, 1)) {
		stop_forbidden(p + P);
		p[P] = 0;
	}
	signal(SIGSEGV, SIG_DFL);
	return p;
}

static void pin(volatile unsigned char *p)
{
	struct edu_pin pin = {.addr = (uintptr_t)p, .len = 2 * P, .flags = EDU_PIN_WRITE};

	need(!ioctl(edu_fd, EDU_IOC_PIN, &pin) && pin.npages == 2, "pin");
	stop_pin(p);
}

/* -- two threads ---------------------------------------------------------------------------------------------------- */

static volatile bool over;

static void run_on(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* there may be one CPU only */
}

static void *reader(void *arg)
{
	volatile unsigned char *p = arg;

	run_on(1);
	while (!over)
		(void)*p;
	return NULL;
}

/* Another CPU reads a page all the time; here it becomes write-protected. */
static void shootdown(void)
{
	volatile unsigned char *p = map(1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	pthread_t thread;

	run_on(0);
	p[0] = 1;
	need(!pthread_create(&thread, NULL, reader, (void *)p), "thread");
	usleep(20000);
	stop_shootdown(p);
	need(!mprotect((void *)p, P, PROT_READ), "mprotect");
	stop_after(p);
	over = true;
	pthread_join(thread, NULL);
}

static volatile int turn; /* 1: the first thread's, 2: and the second one's */

static void *toucher(void *arg)
{
	while (turn < 1)
		sched_yield();
	(void)*(volatile unsigned char *)arg;
	return NULL;
}

static void *mapper(void *arg)
{
	while (turn < 2)
		sched_yield();
	munmap(arg, P);
	return NULL;
}

/* One thread is held in the middle of a fault, with the mmap lock; another one waits for that lock. */
static void locks(void)
{
	volatile unsigned char *p = map(2, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct mm_sync_arm arm = {.name = "fault-snapshot", .mode = MM_SYNC_PAUSE, .hits = 1};
	struct mm_sync sync = {.name = "fault-snapshot", .timeout_ms = 4000};
	pthread_t a, b;

	need(!pthread_create(&a, NULL, toucher, (void *)p), "thread");
	need(!pthread_create(&b, NULL, mapper, (void *)(p + P)), "thread");
	usleep(10000);
	need(!ioctl(mm_fd, MM_IOC_SYNC_ARM, &arm), "arm");
	turn = 1;
	need(!ioctl(mm_fd, MM_IOC_SYNC_WAIT, &sync), "wait");
	turn = 2;
	usleep(50000);
	stop_locks(p);
	need(!ioctl(mm_fd, MM_IOC_SYNC_RELEASE, &sync), "release");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

int main(void)
{
	volatile unsigned char *anon, *file, *swapped, *window;
	int tell, fd;
	pid_t child;

	mm_fd = open("/dev/mm", O_RDWR);
	edu_fd = open("/dev/edu", O_RDWR);
	need(mm_fd >= 0 && edu_fd >= 0, "devices");
	stop_ring3((volatile unsigned char *)main);
	anon = first_touch();
	child = copy_on_write(anon, &tell);
	file = store_to_file(&fd);
	write_back(file);
	swapped = out_and_in();
	window = nonlinear();
	pin(anon);
	shootdown();
	locks();

	file[P] = 'B';
	show_entry("anon", anon);
	show_entry("file", file);
	show_entry("dirty", file + P);
	show_entry("swapped", swapped + P);
	show_entry("window", window);
	show_entry("remapped", window + 2 * P);
	show_entry("none", window + 15 * P);
	show_file("/proc/self/maps");
	show_file("/proc/self/ptes");
	fflush(stdout);
	stop_scene(anon);
	close(tell);
	waitpid(child, NULL, 0);
	machine_poweroff();
	return 0;
}
