/*
 * trap.c - what the machine calls: page faults, exceptions, the ways to ring 3.  Layer 10; implements part of
 * <arch/upcall.h>.
 *
 *	fault from          address           outcome
 *	ring 3              user, resolved    again
 *	ring 3              user, no          SIGSEGV MAPERR or ACCERR, SIGBUS ADRERR or MCEERR_AR, or nothing (no memory: oom.c)
 *	ring 3              kernel            SIGSEGV MAPERR
 *	kernel, user copy   user, resolved    again
 *	kernel, user copy   user, no; or inside pagefault_disable()    false: the exception table's turn
 *	kernel              anything else     false: the machine's report, and the end
 */
#include <arch/context.h>
#include <arch/pgtable.h>
#include <arch/uaccess.h>
#include <arch/upcall.h>
#include "kernel/lib/assert.h"
#include "kernel/proc/oom.h"
#include "kernel/proc/process.h"
#include "kernel/sched/thread.h"

static void fault_signal(const struct fault_cause *cause, enum fault_result result)
{
	u32 err = (u32)cause->error_code;

	switch (result) {
	case FAULT_MAPERR:
		signal_force_fault(SIGSEGV, SEGV_MAPERR, cause->addr, ABI_TRAP_PAGE_FAULT, err);
		break;
	case FAULT_ACCERR:
		signal_force_fault(SIGSEGV, SEGV_ACCERR, cause->addr, ABI_TRAP_PAGE_FAULT, err);
		break;
	case FAULT_SIGBUS:
		signal_force_fault(SIGBUS, BUS_ADRERR, cause->addr, ABI_TRAP_PAGE_FAULT, err);
		break;
	case FAULT_POISON:
		signal_force_fault(SIGBUS, BUS_MCEERR_AR, cause->addr, ABI_TRAP_PAGE_FAULT, err);
		break;
	case FAULT_OOM:
		oom_resolve(cause->addr); /* the access is tried again, unless we were chosen */
		break;
	default: /* resolved; or the thread is being killed and dies on its way out */
		break;
	}
}

static bool user_fault(const struct fault_cause *cause)
{
	struct process *p = current_process();

	ASSERT(p && p->mm);
	if (unlikely(cause->addr >= USER_END)) {
		fault_signal(cause, FAULT_MAPERR);
		return true;
	}
	fault_signal(cause, mm_fault_user(p->mm, cause->addr, cause->access));
	return true;
}

static bool kernel_fault(const struct fault_cause *cause)
{
	struct thread *t = current_thread();
	enum fault_result result;

	if (cause->addr >= USER_END || !t || !t->process || !t->pt)
		return false;
	if (pagefault_disabled() || this_cpu()->preempt_count || !irqs_enabled())
		return false;
	while ((result = mm_fault(t->process->mm, cause->addr, cause->access)) == FAULT_OOM && oom_resolve(cause->addr))
		;
	return result == FAULT_OK;
}

bool upcall_page_fault(struct trap_frame *tf, const struct fault_cause *cause)
{
	if (unlikely(cause->reserved))
		return false;
	return likely(cause->user) ? user_fault(cause) : kernel_fault(cause);
}

void upcall_user_exception(struct trap_frame *tf, unsigned vector, unsigned long error_code)
{
	struct abi_exception e = abi_exception(vector);
	int code = e.code == ABI_SI_KERNEL ? SI_KERNEL : e.code;

	signal_force_fault(e.signo, code, e.has_addr ? frame_ip(tf) : 0, vector, (u32)error_code);
}

void upcall_return_to_user(struct trap_frame *tf)
{
	struct thread *t = current_thread();

	ASSERT(!irqs_enabled());
	while (this_cpu()->need_resched || READ_ONCE(t->work)) {
		irq_enable();
		if (this_cpu()->need_resched)
			schedule();
		if (READ_ONCE(t->work))
			signal_deliver(tf);
		irq_disable();
	}
	lock_assert_none_held("return to ring 3");
}

void upcall_fork_return(void)
{
	struct thread_signals *ts = current_signals();

	thread_first_run();
	if (!ts->first_run && !ts->set_child_tid)
		return;
	irq_enable();
	if (ts->first_run)
		ts->first_run(ts->first_arg);
	if (ts->set_child_tid)
		put_user(current_thread()->tid, ts->set_child_tid);
	ts->first_run = NULL;
	ts->set_child_tid = NULL;
	irq_disable();
}
