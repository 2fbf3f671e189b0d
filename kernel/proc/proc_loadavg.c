/*
 * proc_loadavg.c - /proc/loadavg.  Layer 10 (kernel/proc).
 */
#include "kernel/fs/procfs.h"
#include "kernel/proc/process.h"

/* Three averages, runnable and existing threads, the last number that was given to one. */
static int loadavg_show(struct proc_buf *b)
{
	struct sched_stat st;

	sched_stat(&st);
	for (unsigned i = 0; i < LOAD_AVERAGES; i++) {
		unsigned hundredths = (sched_load(i) * 100 + LOAD_ONE / 2) / LOAD_ONE;

		proc_printf(b, "%u.%02u ", hundredths / 100, hundredths % 100);
	}
	proc_printf(b, "%lu/%lu %d\n", st.running, st.threads, id_last());
	return 0;
}

void proc_loadavg_init(void)
{
	proc_register("loadavg", loadavg_show);
}
