/*
 * debugger.h - what a debugger inside the kernel (kernel/debug) needs of the machine, and how the machine calls it.
 * Layer 1; docs/debugging.md.
 *
 *   a CPU traps          debugger_armed: the machine asks upcall_debugger_planted() whose breakpoint it is, ...
 *   it is the debugger's ... holds every other CPU, saves everybody's registers, and calls upcall_debugger()
 *   upcall returns       the CPUs that arch_debug_go() named run on; the others stay where they are
 *
 * While upcall_debugger() runs, nothing else does: it takes no locks, and locks that it finds held stay held.
 */
#ifndef ARCH_DEBUGGER_H
#define ARCH_DEBUGGER_H

#include <arch/cpu.h>

struct arch_context;
struct trap_frame;

/* Nothing below happens until this is set, once. Before: breakpoints in the kernel kill it, those of programs are theirs. */
extern bool debugger_armed;
/* Somebody wants the machine to stop: the next CPU that ends an interrupt enters the debugger. */
extern bool debugger_asked;

/* -- why the machine stands ------------------------------------------------------------------------------------- */
enum debug_cause {
	DEBUG_TRAP,       /* a breakpoint instruction that nobody planted: arch_breakpoint() */
	DEBUG_BREAKPOINT, /* a planted one; the instruction pointer is at it */
	DEBUG_HARD_BREAK, /* a debug register's */
	DEBUG_WATCH,      /* data: addr */
	DEBUG_STEP,
	DEBUG_ASKED,     /* a key, or the debugger's own line */
	DEBUG_PANIC,     /* panic() waits */
	DEBUG_EXCEPTION, /* so does the report of an exception */
};

struct debug_stop {
	enum debug_cause cause;
	vaddr_t addr; /* DEBUG_WATCH: what was asked to be watched */
	bool written; /* DEBUG_WATCH: for writes only */
};

/* Implemented by kernel/debug. => interrupts off, every other CPU held, on a stack of its own */
void upcall_debugger(const struct debug_stop *stop);
/* Whose is the breakpoint instruction at @ip, which this CPU just met? Of one that is no longer there, taken out while the CPU
 * was on its way here, the instruction that it stood for is to be executed. => interrupts off */
enum debug_planted { DEBUG_NOT_PLANTED, DEBUG_PLANTED, DEBUG_NO_LONGER };
enum debug_planted upcall_debugger_planted(vaddr_t ip);
/* The debugger itself met one on its way: those in the kernel out of memory, at once. */
void upcall_debugger_lift(void);

/* Stop here, as at a breakpoint. => debugger_armed; any context */
static inline void arch_breakpoint(void); /* <asm/debugger.h> */
#include <asm/debugger.h>
#define DEBUG_BREAKPOINT_INSN ((u8)0xcc)

/* -- CPUs. => in upcall_debugger() ------------------------------------------------------------------------------ */
/* Did this one stop? (One that does not even take an NMI has no registers to show.) */
bool arch_debug_held(unsigned cpu);
/* Who runs when upcall_debugger() returns. Without a call: everybody. */
void arch_debug_go(unsigned long mask);
/* Let @cpu, when it goes on, stop again after one instruction, of which @insn are the first bytes.  False: the others
 * must run too, because the instruction may have to wait for them. */
bool arch_debug_step(unsigned cpu, const u8 insn[4]);

/* -- registers ---------------------------------------------------------------------------------------------------- */
/* Whose: a CPU's, or those that a thread left on its stack when it gave up its CPU. */
struct debug_who {
	unsigned cpu;
	const struct arch_context *ctx; /* not NULL: a thread that does not run */
};

/* One register, in the order of the protocol's numbers. */
struct debug_register {
	const char *name, *type; /* type: as target descriptions call it; NULL: an integer */
	u8 bits;
	u8 kind; /* the machine's own */
	u16 where;
};

/* Registers of one feature of the target description. */
struct debug_feature {
	const char *name, *types; /* types: XML that goes before, or NULL */
	const struct debug_register *regs;
	unsigned count;
};

extern const char debug_architecture[];
extern const struct debug_feature debug_features[];
extern const unsigned debug_feature_count;

/* Copies the register's bits / 8 bytes; false: not known of this one. */
bool arch_debug_register(const struct debug_who *who, const struct debug_register *reg, void *value);
/* False: cannot be changed. */
bool arch_debug_register_set(const struct debug_who *who, const struct debug_register *reg, const void *value);
vaddr_t arch_debug_ip(const struct debug_who *who);
bool arch_debug_set_ip(const struct debug_who *who, vaddr_t ip);

/* -- memory --------------------------------------------------------------------------------------------------------- */
/* As arch_probe_read(), the other way. @force: also where it is mapped read-only. => @force: kernel addresses only */
bool arch_debug_write(void *dst, const void *src, size_t n, bool force);
/* A byte of the kernel's code, by no function that could have a breakpoint in it. */
u8 arch_debug_code(vaddr_t va);
void arch_debug_set_code(vaddr_t va, u8 byte);
/* The tree that this CPU translates by: an argument of arch_pgtable_load(). */
paddr_t arch_debug_root(void);

/* Where a breakpoint instruction in the kernel may stand. */
enum debug_place {
	DEBUG_PLACE_ANY,
	DEBUG_PLACE_REGISTER, /* only a debug register: the stack or the CPU's own pointer is not set up */
	DEBUG_PLACE_NEVER,    /* on the way to the debugger itself, or not code */
};
enum debug_place arch_debug_place(vaddr_t va);

/* -- debug registers, of all CPUs alike -------------------------------------------------------------------------------- */
enum debug_watch { DEBUG_ON_EXECUTE, DEBUG_ON_WRITE, DEBUG_ON_ACCESS };
/* 0; -ENOSPC: not that many are left; -EINVAL: no such range */
int arch_debug_watch(enum debug_watch on, vaddr_t va, size_t n);
int arch_debug_unwatch(enum debug_watch on, vaddr_t va, size_t n); /* -ENOENT */
void arch_debug_unwatch_all(void);

/* -- the line ------------------------------------------------------------------------------------------------------------- */
bool arch_debug_port_init(void);     /* false: there is none. Polled from now on */
void arch_debug_port_irq_init(void); /* a packet or Ctrl-C sets debugger_asked. => after arch_init() */
int arch_debug_port_get(void);       /* the next byte, or -1. => in upcall_debugger() */
void arch_debug_port_put(u8 byte);

#endif
