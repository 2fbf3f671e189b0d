/*
 * resume.c - going on: all, some, one instruction.  Interface: internal.h.
 *
 *   c [ADDR]  s [ADDR]  C SIG[;ADDR]  S SIG[;ADDR]        signals mean nothing here
 *   vCont;ACTION[:THREAD]...                              the first that fits a CPU is its; without one it stands
 *
 * A thread that runs nowhere can only go on with everybody else.  A program's thread that makes one step may well be
 * interrupted meanwhile, but it stays on its CPU, as that is what gdb takes it for.
 */
#include <arch/pgtable.h>
#include <arch/smp.h>
#include "kernel/debug/internal.h"
#include "kernel/lib/errno.h"

#define NO_CPU MAX_CPUS

/* What gdb wants of the CPUs. */
struct wish {
	unsigned long go, decided;
	unsigned step; /* NO_CPU: none */
};

/* Whose step is under way, and where it may run otherwise. */
static struct thread *stepper;
static unsigned long stepper_allowed;

static void keep_on_cpu(struct thread *task, unsigned cpu)
{
	stepper = task;
	stepper_allowed = task->allowed;
	task->allowed = BIT(cpu);
}

static bool exists(const struct thread *task)
{
	for (const struct thread *t = thread_next_unlocked(NULL); t; t = thread_next_unlocked(t))
		if (t == task)
			return true;
	return false;
}

void resume_ended(void)
{
	if (stepper && exists(stepper))
		stepper->allowed = stepper_allowed;
	stepper = NULL;
}

static void carry_out(const struct wish *wish)
{
	unsigned long go = wish->go;
	u8 insn[4] = {0};

	if (wish->step != NO_CPU) {
		struct target t = target_of_cpu(wish->step);
		struct debug_who who = target_who(&t);

		if (arch_debug_ip(&who) < USER_END)
			keep_on_cpu(target_thread(&t), wish->step);
		debug_read(&t, arch_debug_ip(&who), insn, sizeof(insn));
		if (!arch_debug_step(wish->step, insn))
			go = ~0UL;
	}
	session.owed = true;
	arch_debug_go(go);
}

static bool refuse(struct writer *w, unsigned number)
{
	write_error(w, number);
	return false;
}

/* -- the old packets: the chosen thread's CPU, with everybody else ---------------------------------------------------- */
static bool read_address(struct reader *r)
{
	struct debug_who who = target_who(&session.chosen);
	u64 va;

	if (!reader_left(r))
		return true;
	return read_hex(r, &va) && !reader_left(r) && arch_debug_set_ip(&who, (vaddr_t)va);
}

bool resume_all(struct reader *r, struct writer *w, bool step)
{
	bool runs = !session.chosen.task && arch_debug_held(session.chosen.cpu);

	if (!read_address(r) || (step && !runs))
		return refuse(w, EINVAL);
	carry_out(&(struct wish){.go = ~0UL, .step = step ? session.chosen.cpu : NO_CPU});
	return true;
}

/* -- vCont --------------------------------------------------------------------------------------------------------------- */
/* One action for the CPUs of @mask that have none. False: it cannot be done. */
static bool decide(struct wish *wish, unsigned long mask, bool step)
{
	mask &= ~wish->decided;
	wish->decided |= mask;
	wish->go |= mask;
	if (!step || !mask)
		return true;
	if (wish->step != NO_CPU || (mask & (mask - 1)) || !arch_debug_held((unsigned)__builtin_ctzl(mask)))
		return false;
	wish->step = (unsigned)__builtin_ctzl(mask);
	return true;
}

static bool read_action(struct reader *r, bool *step)
{
	bool signal = read_char(r, 'C') || (r->p < r->end && *r->p == 'S');
	u64 ignored;

	if (signal) {
		*step = read_char(r, 'S');
		return read_hex(r, &ignored);
	}
	*step = read_char(r, 's');
	return *step || read_char(r, 'c');
}

/* ";ACTION[:THREAD]" */
static bool read_wish(struct reader *r, struct wish *wish)
{
	struct target t;
	bool step;
	s64 id = -1;

	if (!read_char(r, ';') || !read_action(r, &step))
		return false;
	if (read_char(r, ':') && !read_thread(r, &id))
		return false;
	if (id == -1)
		return decide(wish, step ? BIT(session.cpu) : cpu_online_mask(), step);
	if (!target_find(id, &t))
		return false;
	if (t.task)
		return !step;
	return decide(wish, BIT(t.cpu), step);
}

bool resume_each(struct reader *r, struct writer *w)
{
	struct wish wish = {.step = NO_CPU};

	while (reader_left(r))
		if (!read_wish(r, &wish))
			return refuse(w, EINVAL);
	if (!wish.go)
		return refuse(w, EINVAL);
	carry_out(&wish);
	return true;
}
