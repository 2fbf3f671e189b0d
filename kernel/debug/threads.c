/*
 * threads.c - gdb's threads: the CPUs first, then every thread that runs on none of them.  Interface: internal.h.
 *
 *   1 .. 16          CPU 0 .. 15
 *   1000 + tid       a thread
 *   1000000 - tid    one of the kernel's own, whose ids are below 0
 */
#include <arch/debug.h>
#include <arch/smp.h>
#include "kernel/debug/internal.h"
#include "kernel/lib/string.h"

#define USER_ID 1000
#define KERNEL_ID 1000000
#define TARGETS_MAX 4096 /* a list that was being changed when the machine stopped may have no end */

static bool runs_somewhere(const struct thread *task)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (cpus[cpu].current == task)
			return true;
	return false;
}

static unsigned id_of(const struct thread *task)
{
	return task->tid >= 0 ? USER_ID + (unsigned)task->tid : KERNEL_ID + (unsigned)-task->tid;
}

struct target target_of_cpu(unsigned cpu)
{
	return (struct target){.id = cpu + 1, .cpu = cpu};
}

/* The first from @task on that does not run and has something on its stack.  (Idle threads, 0, only show as their CPU.) */
static bool next_task(struct thread *task, struct target *next)
{
	for (unsigned i = 0; task && i < TARGETS_MAX; i++, task = thread_next_unlocked(task))
		if (task->tid && !runs_somewhere(task) && !(task->state & (THREAD_NEW | THREAD_DEAD)) && task->ctx.sp) {
			*next = (struct target){.id = id_of(task), .cpu = task->cpu, .task = task};
			return true;
		}
	return false;
}

bool target_next(const struct target *t, struct target *next)
{
	unsigned cpu = !t ? 0 : t->task ? cpu_count : t->cpu + 1;

	if (cpu < cpu_count) {
		*next = target_of_cpu(cpu);
		return true;
	}
	return next_task(thread_next_unlocked(t && t->task ? t->task : NULL), next);
}

bool target_find(s64 id, struct target *found)
{
	struct target t;

	for (bool more = target_next(NULL, &t); more; more = target_next(&(struct target){t.id, t.cpu, t.task}, &t))
		if (t.id == id) {
			*found = t;
			return true;
		}
	return false;
}

struct thread *target_thread(const struct target *t)
{
	return t->task ?: cpus[t->cpu].current;
}

struct debug_who target_who(const struct target *t)
{
	return (struct debug_who){.cpu = t->cpu, .ctx = t->task ? &t->task->ctx : NULL};
}

struct pgtable *target_space(const struct target *t)
{
	return t->task ? t->task->pt : cpus[t->cpu].loaded;
}

void target_name(const struct target *t, struct writer *w)
{
	const struct thread *task = target_thread(t);

	if (!t->task)
		write_format(w, "cpu%u%s", t->cpu, arch_debug_held(t->cpu) ? "" : " (does not stop)");
	if (!t->task && task)
		write_char(w, ' ');
	if (task)
		write_format(w, "%.15s/%d", task->name, task->tid);
}
