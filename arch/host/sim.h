/*
 * sim.h - the simulated machine, as tests use it: boot it, run threads on its CPUs, touch memory through its TLBs.
 *
 * Beside the layers: the machine (arch/host) below, mm/ in between, this on top of it in the place of kernel/sched,
 * kernel/proc and kernel/main.  docs/host.md tells the story.  A test is one ordinary program:
 *
 *	/ * machine: all * /                            tools/host.py builds it for every format; or a list of formats
 *	static void body(void *arg) { ... }
 *	int main(int argc, char **argv)
 *	{
 *		sim_main(argc, argv);                       // reads SEED=, says it
 *		CASE(body);                                 // tests/unit/sim_test.h: a KTAP line for each
 *		return sim_end();
 *	}
 *
 * Everything in mm/ is called directly (mm_create(), mm_mmap(), mm_fork(), ...) by simulated threads; nothing of it
 * may be called outside of sim_run().  A panic, an assert or a sanitizer's report ends the process with a line that
 * says how to replay it; inside sim_run_isolated() it ends only the child.
 */
#ifndef ARCH_HOST_SIM_H
#define ARCH_HOST_SIM_H

#include "kernel/lib/types.h"
#include "mm/space/mm.h"

/* ---- the machine ------------------------------------------------------------------------------------------------ */

/* All zero is a good machine: every 0 stands for the default that the comment gives. */
struct sim_config {
	unsigned cpus;            /* of the run, 1 .. MAX_CPUS; 4 */
	unsigned long ram_pages;  /* direct-mapped RAM, with holes in it; 4096.  Counts at the first boot of the process */
	unsigned long high_pages; /* more RAM that the high words of entries are needed for: from 4 GiB on (PAE: not direct-
	                           * mapped either); none on formats that cannot name it.  At the first boot; costs a
	                           * frame record for every frame below, ~60 MiB of RAM that nobody touches */
	u64 seed;                 /* of every choice of the run; sim_seed() */
	bool threads;             /* real threads instead of the seeded scheduler: for the thread sanitizer; THREADS=1 */
	unsigned switch_one_in;   /* seeded: one switch in so many points; 4.  SIM_NEVER: only where a thread waits */
	unsigned prefetch_one_in; /* at one point in so many a CPU walks an address it used lately into its TLB; 16 */
	unsigned evict_one_in;    /* at one point in so many a CPU forgets a translation; 64 */
	bool no_audit;            /* do not judge the end of the run */
	bool mute;                /* isolated: what the child prints goes nowhere */
};
#define SIM_NEVER (~0u)

/*
 * Run @main(@arg) as a thread on CPU 0 without an address space, and everything it starts.  The first call boots the
 * machine (phys, slab, mm); later ones go on with its memory as it is.  When @main has returned and every thread has
 * been joined (a thread left over is a failure), and unless no_audit: grace periods end, the auditor looks at
 * everything with leaks included, every TLB entry must agree with the tables, and as many frames must be free as at
 * the start.  Objects and address spaces that the run made must have been put.
 * 0: all well; else the number of complaints (printed as "# ...").
 */
int sim_run(const struct sim_config *config, void (*main)(void *), void *arg);

/*
 * The same in a child process that starts from the machine as it is after boot, however many runs there were before:
 * same config and argument, same run to the digit.  @main's effects on memory of the test are lost, except on what
 * sim_shared() gave.  => no sim_run() in this process before.  Milliseconds instead of microseconds.  @limit_ms of real time; 0: none.
 */
enum sim_verdict {
	SIM_PASSED = 0,
	SIM_COMPLAINED = 1, /* sim_run() complained, or sim_fail() was called */
	SIM_PANICKED = 2,   /* PANIC, ASSERT, BUG */
	SIM_SANITIZER = 3,  /* ASan, UBSan or TSan reported */
	SIM_CRASHED = 4,    /* another signal */
	SIM_TIMED_OUT = 5,  /* limit_ms, or nobody can run any more (deadlock) */
};
enum sim_verdict sim_run_isolated(const struct sim_config *config, void (*main)(void *), void *arg, unsigned limit_ms);
/* Boot now, so that children need not: for many isolated runs on the same RAM. */
void sim_boot(const struct sim_config *config);
/* Zeroed memory that child and parent share; for ever. */
void *sim_shared(size_t size);

/* The seed that runs without one use: SEED= of the environment or command line, else 1. */
u64 sim_seed(void);
/* SEED=n, THREADS=1 and VERBOSE=1 (the kernel's own messages), from argv or the environment. */
void sim_main(int argc, char **argv);
/* NAME=value of the same; @otherwise if there is none. */
u64 sim_option(const char *name, u64 otherwise);
bool sim_sees_addresses(void); /* is the address sanitizer there? */
bool sim_threads(void);        /* are runs to use real threads (THREADS=1)?  Nothing is repeatable then. */
/* One more complaint about this run, printed; the run goes on. */
__printf(1, 2) void sim_fail(const char *fmt, ...);
unsigned sim_failures(void);  /* since the process started */
const char *sim_format(void); /* "amd64", "pae", "i386", "scrambled", "tiny2", "tiny4" */

/* ---- threads and CPUs -------------------------------------------------------------------------------------------- */

struct sim_thread;

/* A thread of @mm (a reference is taken until it ends; NULL: none) on @cpu (-1: any of the run's, by the seed).
 * => cannot fail.  Every one must be joined, once; the pointer is gone then. */
struct sim_thread *sim_spawn(struct mm *mm, int cpu, void (*fn)(void *), void *arg);
void sim_join(struct sim_thread *thread); /* => may sleep */
struct sim_thread *sim_self(void);
/* End its killable sleeps and its mm operations with -EINTR / FAULT_KILLED, as a deadly signal does. */
void sim_kill(struct sim_thread *thread);

/* The current thread's address space: like exec (a reference is taken; the old one's given back). NULL: none. */
void sim_use(struct mm *mm);
struct mm *sim_mm(void);
/* Go on on another CPU, as after sched_setaffinity(2). */
void sim_move(unsigned cpu);
unsigned sim_cpu(void);

/* A place where the scheduler may switch CPUs and interrupts may arrive.  Locks, interrupt state, page-table entries
 * and user accesses are such places by themselves. */
void sim_point(void);
/* A place where user code may lose its CPU to another thread of the same CPU too. => no lock held */
void sim_yield(void);
/* Wait for simulated time to pass. */
void sim_sleep(u64 ns);
/* Repeatable numbers: the run's own stream in the seeded mode, the thread's own with real threads. */
u64 sim_random(void);
static inline u64 sim_below(u64 n) /* 0 .. n - 1 */
{
	return sim_random() % n;
}
/* A number that depends on everything the run did so far (switches, accesses, entries): equal for equal runs. */
u64 sim_trace(void);

/* ---- user accesses: by the current thread, through its CPU's TLB --------------------------------------------------- */

/* Like a user program's instructions: a fault goes to mm_fault() and the access is tried again, until it succeeds or
 * a signal would end it.  Page by page; in one piece for an aligned word.  On failure what came before it is done.
 * FAULT_MAPERR SIGSEGV, FAULT_ACCERR SIGSEGV, FAULT_SIGBUS SIGBUS, FAULT_OOM, FAULT_KILLED. */
enum fault_result sim_load(vaddr_t va, void *to, size_t n);
enum fault_result sim_store(vaddr_t va, const void *from, size_t n);
enum fault_result sim_exec(vaddr_t va); /* one instruction fetch */
/* One byte, for tests that only want a page touched. */
enum fault_result sim_touch(vaddr_t va, enum fault_access access);
/* One try, without the fault handler: false if the hardware refuses. => n within a page */
bool sim_try(vaddr_t va, enum fault_access access, void *bytes, size_t n);
/* Lock-prefixed compare and exchange of an aligned u32: *@old is what was there. */
enum fault_result sim_cmpxchg(vaddr_t va, u32 *old, u32 new);

/* ---- the TLBs ------------------------------------------------------------------------------------------------------ */

bool sim_tlb_has(unsigned cpu, vaddr_t va);
/* Have @cpu fetch a translation of the tree it has loaded, as speculation may at any time; false: nothing there. */
bool sim_tlb_prefetch(unsigned cpu, vaddr_t va);
/* Flushes do nothing from now on (true) / work again: to prove that a test sees a missed one. */
void sim_tlb_deaf(bool deaf);
/* TLB entries that allow more than the table entry does, or lead elsewhere; @loud: print them.
 * => nobody is between a change and its flush */
unsigned sim_tlb_stale(bool loud);
unsigned long sim_tlb_flushes(void); /* on any CPU, since boot */

/* ---- looking at the whole ------------------------------------------------------------------------------------------- */

/* The auditor, now: its number of complaints (printed). @leaks: nobody holds references of his own. => may sleep */
unsigned sim_audit(bool leaks);
/* The entry of @va, decoded (kind NONE also when there is no table). */
struct pte_view sim_entry(struct mm *mm, vaddr_t va);
unsigned long sim_free_pages(void);
/* The nth attempt from now on at "page_alloc", "slab_alloc", ... by the current thread fails (mm/debug/failpoint.c);
 * 0: only count.  sim_failpoint_end() tells how many attempts there were, and ends it. */
void sim_failpoint(const char *name, u64 nth);
u64 sim_failpoint_end(const char *name);

/* ---- mapping, shorter ------------------------------------------------------------------------------------------------ */

struct sim_file;

/* mm_mmap() with the request filled in: the address or a negative errno (IS_ERR_VALUE).  @flags: MAP_*; with @file a
 * reference of it goes to the vma; without, memory is anonymous, private or shared.  Length in bytes, @pgoff in pages. */
long sim_mmap(struct mm *mm, vaddr_t addr, size_t length, unsigned prot, unsigned flags, struct sim_file *file,
              pgoff_t pgoff);

/* ---- files: an object that mm can map, and the disk behind it ---------------------------------------------------------- */

enum sim_file_kind {
	SIM_FILE_DISK, /* tracks dirtiness, reads and writes its disk, write-notify: like ext2 */
	SIM_FILE_TMPFS /* its pages are the file: no disk, no tracking */
};
/* Reference owned by the caller.  A DISK file's page n is full of words n << 16 | 0xf11e at first, if @filled.
 * NULL: no memory (only with a failpoint armed). */
struct sim_file *sim_file_create(enum sim_file_kind kind, loff_t size, bool filled);
/* Read ahead from now on (mm/object/readahead.h); until then every page is read when it is needed, one by one.
 * => a DISK file that nobody else uses yet */
void sim_file_batched(struct sim_file *file);
void sim_file_get(struct sim_file *file);
void sim_file_put(struct sim_file *file); /* the last one: writes nothing back. => may sleep */
struct vm_object *sim_file_object(struct sim_file *file);
struct file *sim_file_handle(struct sim_file *file); /* for a struct mmap_request */
/* Under the file's inode lock, as the system calls do it: */
void sim_file_truncate(struct sim_file *file, loff_t size);
void sim_file_punch(struct sim_file *file, pgoff_t first, pgoff_t last); /* to zeros, on the disk too */
ssize_t sim_file_write(struct sim_file *file, loff_t pos, const void *from, size_t n);
ssize_t sim_file_read(struct sim_file *file, loff_t pos, void *to, size_t n);
int sim_file_sync(struct sim_file *file); /* 0, -EIO, -ENOSPC */

/* The disk as it is now: one page's content. False: TMPFS, or beyond its end. */
bool sim_disk_read(struct sim_file *file, pgoff_t pgoff, void *page);
unsigned long sim_disk_writes(struct sim_file *file, pgoff_t pgoff); /* how often that page was written */
unsigned long sim_disk_reads(struct sim_file *file, pgoff_t pgoff);
unsigned long sim_disk_requests(struct sim_file *file); /* that read ahead: each for consecutive pages */
/* Each transfer takes so long (simulated time, the thread or the completion waits); 0. */
void sim_disk_delay(struct sim_file *file, u64 ns);
/* The next @n writes / reads of any page / reservations (page_mkwrite) fail with @err (negative); n 0: none. */
void sim_disk_fail_writes(struct sim_file *file, unsigned n, int err);
void sim_disk_fail_reads(struct sim_file *file, unsigned n, int err);
void sim_disk_fail_reserve(struct sim_file *file, unsigned n, int err);

/* ---- swap --------------------------------------------------------------------------------------------------------------- */

struct sim_swap;

/* A swap area of so many pages (header included) in the memory of the process, priority as swap_setup has it; its device is a
 * thread.  NULL: refused. */
struct sim_swap *sim_swap_on(unsigned long pages, int prio);
int sim_swap_off(struct sim_swap *swap); /* swap_off(), and if that succeeds the device and @swap are gone */
unsigned sim_swap_type(const struct sim_swap *swap);
unsigned long sim_swap_requests(const struct sim_swap *swap);
/* The next requests fail with -EIO. */
void sim_swap_fail(struct sim_swap *swap, unsigned reads, unsigned writes);

#endif
