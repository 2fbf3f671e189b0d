/*
 * test.h - the tiny harness of the ring-3 suite.
 *
 * A test is a function registered through a linker section; it runs in a forked child of its own with two
 * watchdogs (alarm in the child, alarm in the parent).  Falling off the end is a pass.  The suite is an
 * ordinary static Linux program: the same binary runs on Linux, where tests of what only Pteron has SKIP.
 */
#ifndef TESTS_USER_TEST_H
#define TESTS_USER_TEST_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

typedef unsigned char u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned long ulong;

struct test {
	const char *title; /* "T0-01 reverse": the first word is the id that GLOB is matched with */
	void (*fn)(void);
	unsigned seconds; /* watchdog */
};

#define TEST_SECONDS(sym, name, secs)                                                                  \
	static void test_##sym(void);                                                                      \
	static const struct test entry_##sym = {name, test_##sym, secs};                                   \
	static const struct test *const link_##sym __attribute__((used, section("suite"))) = &entry_##sym; \
	static void test_##sym(void)
#define TEST(sym, name) TEST_SECONDS(sym, name, 60)

/* -- verdicts ---------------------------------------------------------------------------------------- */
void test_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Print "# file:line: ..." and end the test (exit status 1). Also usable in grandchildren: see join(). */
void test_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4), noreturn));
void test_skip(const char *reason) __attribute__((noreturn));

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(reason) test_skip(reason)
#define CHECK(cond)                                       \
	do {                                                  \
		if (!(cond))                                      \
			FAIL("%s is false (errno %d)", #cond, errno); \
	} while (0)
#define CHECK_OP(a, op, b)                                                                                       \
	do {                                                                                                         \
		long long a_ = (long long)(a), b_ = (long long)(b);                                                      \
		if (!(a_ op b_))                                                                                         \
			FAIL("%s " #op " %s: %lld (0x%llx) against %lld (0x%llx), errno %d", #a, #b, a_, a_, b_, b_, errno); \
	} while (0)
#define CHECK_EQ(a, b) CHECK_OP(a, ==, b)
/* A call that must succeed (any value but -1), and one that must fail with exactly this errno. */
#define CHECK_OK(call)                                                     \
	({                                                                     \
		errno = 0;                                                         \
		__typeof__(call) r_ = (call);                                      \
		if ((long)r_ == -1)                                                \
			FAIL("%s failed: errno %d %s", #call, errno, strerror(errno)); \
		r_;                                                                \
	})
#define CHECK_ERRNO(call, err)                                                            \
	do {                                                                                  \
		errno = 0;                                                                        \
		long r_ = (long)(call);                                                           \
		int e_ = errno;                                                                   \
		if (r_ != -1)                                                                     \
			FAIL("%s returned %ld (0x%lx), expected errno %d " #err, #call, r_, r_, err); \
		if (e_ != (err))                                                                  \
			FAIL("%s: errno %d %s, expected %d " #err, #call, e_, strerror(e_), err);     \
	} while (0)

/* -- faults -------------------------------------------------------------------------------------------- */
struct fault {
	int signo;           /* 0: the access went through */
	int code;            /* si_code */
	volatile void *addr; /* si_addr */
};
struct fault try_read(const volatile void *p);         /* one byte */
struct fault try_write(volatile void *p, u8 value);    /* one byte */
struct fault try_write64(volatile void *p, u64 value); /* an aligned 8 bytes (two stores on i386) */
struct fault try_exec(void *p);                        /* calls p; memory there holds `ret` */
struct fault try_call(void (*fn)(void *), void *arg);  /* fn may be cut short */
#define RET_INSN 0xc3

#define CHECK_FAULT(f, sig, cod, where)                                                                 \
	do {                                                                                                \
		struct fault f_ = (f);                                                                          \
		if (f_.signo != (sig) || f_.code != (cod) || f_.addr != (volatile void *)(where))               \
			FAIL("%s: signal %d code %d addr %p, expected " #sig " " #cod " %p", #f, f_.signo, f_.code, \
			     (void *)f_.addr, (void *)(where));                                                     \
	} while (0)
#define CHECK_NOFAULT(f)                                                                   \
	do {                                                                                   \
		struct fault f_ = (f);                                                             \
		if (f_.signo)                                                                      \
			FAIL("%s: signal %d code %d addr %p", #f, f_.signo, f_.code, (void *)f_.addr); \
	} while (0)
#define CHECK_ACCERR(f, where) CHECK_FAULT(f, SIGSEGV, SEGV_ACCERR, where)
#define CHECK_MAPERR(f, where) CHECK_FAULT(f, SIGSEGV, SEGV_MAPERR, where)
#define CHECK_BUS(f, where) CHECK_FAULT(f, SIGBUS, BUS_ADRERR, where)

/* -- processes ------------------------------------------------------------------------------------------ */
/* Wait for @pid and demand that it exited with 0: a child's CHECK failure fails the test. */
void join(pid_t pid);
/* Demand that it died of / exited with exactly this. */
void join_signal(pid_t pid, int signo);
void join_exit(pid_t pid, int status);
/* Run fn(arg) in a child and join it. */
void in_child(void (*fn)(void *), void *arg);

/* -- memory and files ------------------------------------------------------------------------------------ */
#define P ((size_t)4096)
extern const bool is64;
extern volatile uintptr_t bad_address; /* 8: never mapped, and the compiler does not know */
#define BAD ((void *)bad_address)
bool on_pteron(void); /* remap_file_pages honours MAP_CHGPROT here */
bool has_nx(void);    /* by behaviour */
#define PTERON_ONLY()             \
	do {                          \
		if (!on_pteron())         \
			SKIP("needs Pteron"); \
	} while (0)

#define MAP_CHGPROT 0x20000
long rfp(void *start, size_t size, int prot, size_t pgoff, int flags);

u8 *map_anon(size_t pages, int prot); /* private; fails the test */
int tagged_memfd(size_t pages);       /* page i begins with u64 i */
u8 *map_shared(int fd, size_t pages, int prot);
void tag_file(int fd, size_t pages);
u64 file_tag(int fd, size_t page); /* by pread */
static inline u64 tag(const volatile u8 *window, size_t page)
{
	return *(const volatile u64 *)(window + page * P);
}
static inline void set_tag(volatile u8 *window, size_t page, u64 value)
{
	*(volatile u64 *)(window + page * P) = value;
}
/* How many lines of /proc/self/maps overlap [p, p + size); the first one's text to @line if not NULL. */
int vma_count(const volatile void *p, size_t size, char line[256]);
/* The permissions ("rw-s") and the inode-less offset of the line that holds @p; false if none. */
bool vma_at(const volatile void *p, char perms[5], u64 *offset, ulong *start, ulong *end);
int resident(const volatile void *p); /* mincore of one page: 0, 1, or -errno */
long vmstat(const char *name);        /* /proc/vmstat line, or -1 */
long meminfo_kb(const char *name);    /* /proc/meminfo line, or -1 */
long status_kb(const char *name);     /* /proc/self/status line, or -1 */
/* A line of /proc/self/smaps, summed over the ranges that overlap [p, p + size), or -1. */
long smaps_kb(const volatile void *p, size_t size, const char *name);

/* A fresh directory of this test (removed and recreated), on tmpfs or on a disk file system; SKIPs if none. */
const char *tmp_dir(void);
const char *disk_dir(void);
int make_file(const char *dir, const char *name, int flags); /* O_RDWR | O_CREAT | O_TRUNC | flags */
char *path_in(const char *dir, const char *name);            /* static ring of 32 buffers */
void sleep_ms(unsigned ms);
u64 now_ns(void);    /* CLOCK_MONOTONIC */
u32 rnd(u32 *state); /* xorshift */

#endif
