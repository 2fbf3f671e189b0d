/*
 * race.h - what the race tests share: threads on chosen CPUs, a gate that releases them together, time that a race
 * may take, numbers given from outside, and the instruments of /dev/mm.
 *
 * Numbers come from the environment (SUITE_SEED=7) or the kernel's command line (suite.seed=7):
 *   seed    of everything random; printed           race    how many times longer each race runs (1)
 *   storm   seconds of one storm (5)                storms  how many of them, each with the next seed (1)
 *   slow    a disk with /big on it and slow reads ("vdb")
 */
#ifndef TESTS_USER_RACE_H
#define TESTS_USER_RACE_H

#include "test.h"
#include "kernel/uapi/mm_debug.h"

#define RACE_THREADS 16

/* -- numbers ------------------------------------------------------------------------------------------------ */
bool suite_text(const char *name, char *out, size_t size);
u64 suite_number(const char *name, u64 otherwise);
u32 suite_seed(void); /* printed the first time; never 0 */

/* When a race that takes @ms has to end, and whether to go on: until then, and longer on a busy machine if it was run
 * only a few times yet. */
u64 race_end(unsigned ms);
bool race_on(u64 end, u64 rounds);

/* -- threads ------------------------------------------------------------------------------------------------- */
unsigned cpu_total(void); /* that this process may run on */
void cpu_pin(unsigned n); /* this thread to the nth of them, modulo their number */
void cpu_unpin(void);     /* to all of them again */
/* Run fn(me, arg) in @n threads, me = 0 .. n-1, each on its own CPU as far as there are enough; 0 is the caller. */
void crew_run(unsigned n, void (*fn)(unsigned me, void *arg), void *arg);

/* The @n threads of a gate wait for each other; zero the rest. Also a full barrier. */
struct gate {
	unsigned n;
	unsigned arrived, turn;
};
void gate_pass(struct gate *g);
/* One step of waiting for another thread: pause, and now and then give up the CPU. @spins counts. */
void relax(unsigned *spins);
#define SPIN_UNTIL(cond)                    \
	do {                                    \
		for (unsigned spins_ = 0; !(cond);) \
			relax(&spins_);                 \
	} while (0)

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST)
#define ADD(x, v) __atomic_add_fetch(&(x), (v), __ATOMIC_SEQ_CST)

/* -- one access by any thread, with its value ---------------------------------------------------------------- */
struct access {
	volatile u32 *at;
	u32 value; /* read: out; write: in */
	bool write;
};
struct fault access_try(struct access *a);
void access_do(void *access); /* where a signal may end the test */

/* -- revoke races -------------------------------------------------------------------------------------------- */
/* One thread, then three, store into the page at @page without end while this one takes the permission down to @weaker and
 * back up to RW by set().  Once set() has returned, @alias, the same page somewhere else, must not change; and the
 * only signals are ACCERR at the stores' addresses. */
struct revoke {
	u8 *page;
	const u8 *alias;
	int weaker;
	void (*set)(u8 *page, int prot);
	unsigned ms;
};
void race_revoke(const struct revoke *r);

/* -- a disk whose content can be looked at from outside the page cache ----------------------------------------- */
/* Mount the slow disk; the directory, or NULL if there is none. Reads of what was not read before are slow. */
const char *slow_mount(void);
/* Unmount it: what the page cache knew is forgotten. Fails the test if it is busy. */
void slow_unmount(void);

/* -- /dev/mm ---------------------------------------------------------------------------------------------------- */
int mm_open(void); /* or -1 */
int mm_need(void); /* or SKIP */
void mm_audit_clean(int mm, const char *when);
struct mm_entry mm_entry_at(int mm, const volatile void *p, u64 flags);
void mm_clear_young(int mm, void *p, size_t len);
void mm_arm(int mm, const char *point, pid_t tid); /* pause the next arrival of @tid (0: anybody else) */
void mm_arm_after(int mm, const char *point, pid_t tid, u64 skip); /* the one after @skip arrivals */
void mm_await(int mm, const char *point);                          /* until it is paused; fails the test after 4 s */
void mm_release(int mm, const char *point);
void mm_disarm(int mm, const char *point);
struct mm_sync mm_look(int mm, const char *point); /* who was there, who is */
/* The @nth hit of the failpoint by this process fails; 0: none does any more. What became of what was armed before. */
struct mm_fail mm_fail_arm(int mm, const char *name, u64 nth);
pid_t tid_now(void);

#endif
