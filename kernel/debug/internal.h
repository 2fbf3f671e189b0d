/*
 * internal.h - what the files of kernel/debug tell each other.  All of it runs in upcall_debugger(), with every CPU
 * standing: no locks, no sleep, no allocation.
 */
#ifndef KERNEL_DEBUG_INTERNAL_H
#define KERNEL_DEBUG_INTERNAL_H

#include <arch/debugger.h>
#include "kernel/debug/packet.h"
#include "kernel/debug/text.h"
#include "kernel/sched/thread.h"

/* One of gdb's threads: a CPU, with whatever it runs, or a thread that runs nowhere. */
struct target {
	unsigned id; /* as gdb calls it */
	unsigned cpu;
	struct thread *task; /* NULL: the CPU's */
};

struct session {
	struct packet_link link;
	bool attached;          /* a gdb has spoken, and not gone */
	bool owed;              /* it let the machine go, and waits to hear that it stopped */
	bool panicking;         /* panic() stopped the machine */
	bool at_panic;          /* gdb=panic */
	struct debug_stop stop; /* why the machine stands */
	unsigned cpu;           /* which CPU stopped it */
	struct target chosen;   /* whose registers and memory gdb asks for */
};
extern struct session session;

/* -- threads.c */
struct target target_of_cpu(unsigned cpu);
bool target_find(s64 id, struct target *t);
/* The one after @t; from NULL: the first. False: there are no more. */
bool target_next(const struct target *t, struct target *next);
void target_name(const struct target *t, struct writer *w); /* for people */
struct debug_who target_who(const struct target *t);
/* Its address space, or NULL. */
struct pgtable *target_space(const struct target *t);
struct thread *target_thread(const struct target *t);

/* -- memory.c: as @t sees it; how many bytes it was */
size_t debug_read(const struct target *t, vaddr_t va, void *buf, size_t n);
size_t debug_write(const struct target *t, vaddr_t va, const void *buf, size_t n);

/* -- breakpoints.c */
void breakpoints_lift(void);  /* out of memory: the debugger and gdb see what was there */
void breakpoints_plant(void); /* in again */
void breakpoints_forget(void);
int breakpoint_set(const struct target *t, vaddr_t va); /* 0, -ENOSPC, -EFAULT */
int breakpoint_clear(const struct target *t, vaddr_t va);
void breakpoints_settle(void); /* let go of frames that are not needed any more. => thread context */

/* -- what packets ask; each writes the answer. An empty one: no such thing */
void registers_read_all(struct writer *w);
void register_read(struct reader *r, struct writer *w);
void register_write(struct reader *r, struct writer *w);
void memory_read(struct reader *r, struct writer *w);
void memory_write(struct reader *r, struct writer *w, bool binary);
void breakpoint_packet(struct reader *r, struct writer *w, bool set);
void query(struct reader *r, struct writer *w);
void query_set(struct reader *r, struct writer *w);
void stop_reply(struct writer *w);
/* -- resume.c: true: the machine goes on, and the answer, if any, comes later */
bool resume_all(struct reader *r, struct writer *w, bool step);
bool resume_each(struct reader *r, struct writer *w); /* after "vCont" */
void resume_ended(void);                              /* the machine stands again */

/* -- describe.c: documents that gdb reads in pieces; NULL: no such one */
const char *describe_target(size_t *length);
const char *describe_threads(size_t *length, bool again);

/* -- monitor.c */
void monitor(const char *line);
__printf(1, 2) void monitor_print(const char *fmt, ...);

static inline void write_error(struct writer *w, unsigned number)
{
	write_format(w, "E%02x", number & 0xff);
}

#endif
