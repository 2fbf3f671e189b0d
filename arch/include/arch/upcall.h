/*
 * upcall.h - the only calls that machine code makes upward.  Layer 1; implemented by kernel/proc,
 * kernel/sched and kernel/main.
 */
#ifndef ARCH_UPCALL_H
#define ARCH_UPCALL_H

#include "kernel/lib/types.h"

struct trap_frame;

/* A page fault's decoded cause. */
enum fault_access { FAULT_READ = 0, FAULT_WRITE = 1, FAULT_EXEC = 2 };
struct fault_cause {
	vaddr_t addr;
	enum fault_access access;
	bool user;       /* the access was made by ring 3 */
	bool protection; /* the entry was present */
	bool reserved;   /* reserved bit set in an entry: always a kernel bug */
	unsigned long error_code;
};

/* => interrupts on if they were on at the fault. Returns true if handled (resume), false if the kernel
 *    itself accessed a bad address and has no fixup: the machine dies with a report. */
bool upcall_page_fault(struct trap_frame *tf, const struct fault_cause *cause);
/* Any other exception that ring 3 caused: becomes a signal. => interrupts on */
void upcall_user_exception(struct trap_frame *tf, unsigned vector, unsigned long error_code);
/* A system call; the frame already holds number and arguments, the result goes into the frame. */
void upcall_syscall(struct trap_frame *tf);
/* Slow way out to ring 3: signals and rescheduling, when this_cpu()->need_resched or the thread's
 * work flag is set. => interrupts off on entry and return */
void upcall_return_to_user(struct trap_frame *tf);
/* First return of a forked thread. => interrupts off */
void upcall_fork_return(void);
/* Periodic timer. => interrupts off, in interrupt context */
void upcall_timer_tick(bool from_user);
/* A byte arrived on the console. => interrupts off */
void upcall_console_input(u8 byte);
/* A CPU that smp_start() started has arrived, on its idle stack. => interrupts off; current_thread() is NULL */
__noreturn void upcall_cpu_start(void);
/* After the machine is up, on the boot stack. */
__noreturn void kernel_main(void);

#endif
