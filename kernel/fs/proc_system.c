/*
 * proc_system.c - the files of /proc that this layer can fill by itself.
 *
 * Layer 9 (kernel/fs).  Interface: procfs.h.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/phys.h>

#include "kernel/dev/block.h"
#include "kernel/fs/procfs.h"
#include "kernel/fs/vfs_internal.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/lock_waits.h"
#include "kernel/fs/swapfile.h"
#include "mm/object/dirty.h"
#include "mm/object/swap.h"

static unsigned long long kib(unsigned long pages)
{
	return (unsigned long long)pages * (PAGE_SIZE / 1024);
}

static int meminfo_show(struct proc_buf *b)
{
	struct swap_stat swap;
	struct phys_stat st;

	phys_stat(&st);
	swap_stat(&swap);
	proc_printf(b, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n", kib(st.total),
	            kib(st.free), kib(st.free));
	proc_printf(b, "Buffers:        %8llu kB\nCached:         %8llu kB\nSwapCached:     %8llu kB\n", 0ull,
	            kib((unsigned long)max(READ_ONCE(dirty_stat.cached), 0l)), kib(swap.cached));
	proc_printf(b, "Dirty:          %8llu kB\nWriteback:      %8llu kB\n",
	            kib((unsigned long)max(READ_ONCE(dirty_stat.dirty), 0l)),
	            kib((unsigned long)max(READ_ONCE(dirty_stat.writeback), 0l)));
	proc_printf(
		b, "HighTotal:      %8llu kB\nHighFree:       %8llu kB\nLowTotal:       %8llu kB\nLowFree:        %8llu kB\n",
		kib(st.high_total), kib(st.high_free), kib(st.total - st.high_total), kib(st.free - st.high_free));
	proc_printf(b, "SwapTotal:      %8llu kB\nSwapFree:       %8llu kB\n", kib(swap.total), kib(swap.free));
	proc_printf(b, "Slab:           %8llu kB\nPageTables:     %8llu kB\nKernelPages:    %8llu kB\n", kib(st.slab),
	            kib(st.tables), kib(st.kernel));
	return 0;
}

/* A name that Linux has counts what it counts there; tlb_shootdowns: flushes that had to interrupt other CPUs. */
/* One line a rank, outermost first: how often somebody found such a lock taken. */
static int lock_waits_show(struct proc_buf *b)
{
	for (unsigned rank = 0; rank < LOCK_RANK_COUNT; rank++)
		proc_printf(b, "%s %lu\n", lock_rank_name((enum lock_rank)rank), lock_waits((enum lock_rank)rank));
	return 0;
}

static int slabinfo_show(struct proc_buf *b)
{
	struct slab_cache *c = NULL;

	proc_printf(b, "slabinfo - version: 2.1\n# name            <active_objs> <objsize> <pages>\n");
	while ((c = slab_cache_next(c)))
		proc_printf(b, "%-17s %8lu %6zu %6lu\n", c->name, c->objects, c->size, c->slabs);
	return 0;
}

static void mount_line(void *ctx, const char *source, const char *target, const struct super *sb)
{
	proc_printf(ctx, "%s%s %s %s %s%s 0 0\n", sb->has_device && source[0] != '/' ? "/dev/" : "", source, target,
	            sb->type, sb->read_only ? "ro" : "rw", sb->noexec ? ",noexec" : "");
}

static int mounts_show(struct proc_buf *b)
{
	mounts_show_each(mount_line, b);
	return 0;
}

static int filesystems_show(struct proc_buf *b)
{
	proc_printf(b, "nodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\n\text2\n");
	return 0;
}

static int cmdline_show(struct proc_buf *b)
{
	proc_printf(b, "%s\n", boot_info.cmdline);
	return 0;
}

static int uptime_show(struct proc_buf *b)
{
	struct sched_stat st;
	unsigned long long cs = arch_clock_ns() / 10000000u, idle;

	sched_stat(&st);
	idle = st.idle_ns / 10000000u;
	proc_printf(b, "%llu.%02u %llu.%02u\n", cs / 100, (unsigned)(cs % 100), idle / 100, (unsigned)(idle % 100));
	return 0;
}

static int partitions_show(struct proc_buf *b)
{
	struct block_device *dev;

	proc_printf(b, "major minor  #blocks  name\n\n");
	for (unsigned i = 0; (dev = block_nth(i)); i++)
		proc_printf(b, "%4d %7u %10llu %s\n", 254, dev->minor, (unsigned long long)dev->sectors / 2, dev->name);
	return 0;
}

static int diskstats_show(struct proc_buf *b)
{
	struct block_device *dev;

	for (unsigned i = 0; (dev = block_nth(i)); i++)
		proc_printf(b, "%4d %7u %s %lu 0 %lu 0 %lu 0 %lu 0 %lu 0 0\n", 254, dev->minor, dev->name, dev->stat.reads,
		            dev->stat.sectors_read, dev->stat.writes, dev->stat.sectors_written, dev->stat.in_flight);
	return 0;
}

/* Of our own: how large requests are, and what became of stable pages. */
static int blockstats_show(struct proc_buf *b)
{
	struct block_device *dev;

	proc_printf(
		b,
		"# name <=4k <=16k <=64k <128k >=128k flushes errors slot_waits copied checked mismatches meta meta_sectors\n");
	for (unsigned i = 0; (dev = block_nth(i)); i++) {
		const struct block_stat *st = &dev->stat;

		proc_printf(b, "%s %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu\n", dev->name, st->sizes[0],
		            st->sizes[1], st->sizes[2], st->sizes[3], st->sizes[4], st->flushes, st->errors, st->slot_waits,
		            st->copied, st->checked, st->mismatches, st->meta_requests, st->meta_sectors);
	}
	return 0;
}

#define TICK_NS 10000000 /* 1/100 s, the unit of /proc/stat */

static void stat_line(struct proc_buf *b, const char *name, const struct sched_cpu_stat *st)
{
	proc_printf(b, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name, (unsigned long long)(st->user_ns / TICK_NS),
	            (unsigned long long)(st->system_ns / TICK_NS), (unsigned long long)(st->idle_ns / TICK_NS));
}

/* The C library counts the "cpu<n>" lines for sysconf(_SC_NPROCESSORS_ONLN). */
static int stat_show(struct proc_buf *b)
{
	struct sched_cpu_stat cpu, sum = {.user_ns = 0};
	char name[16];

	for (unsigned i = 0; i < MAX_CPUS; i++) {
		if (!sched_cpu_stat(i, &cpu))
			continue;
		sum.user_ns += cpu.user_ns;
		sum.system_ns += cpu.system_ns;
		sum.idle_ns += cpu.idle_ns;
		sum.switches += cpu.switches;
		sum.running += cpu.running;
	}
	stat_line(b, "cpu ", &sum);
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		if (!sched_cpu_stat(i, &cpu))
			continue;
		snprintf(name, sizeof(name), "cpu%u", i);
		stat_line(b, name, &cpu);
	}
	proc_printf(b, "ctxt %lu\nbtime %llu\nprocs_running %u\n", sum.switches, (unsigned long long)arch_boot_epoch(),
	            sum.running);
	return 0;
}

static int cpuinfo_show(struct proc_buf *b)
{
	struct sched_cpu_stat st;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (sched_cpu_stat(i, &st))
			proc_printf(b, "processor\t: %u\napicid\t\t: %u\ncore id\t\t: %u\n\n", i, cpus[i].apic_id, i);
	return 0;
}

void procfs_register_system(void)
{
	proc_register("meminfo", meminfo_show);
	proc_register("lock_waits", lock_waits_show);
	proc_register("slabinfo", slabinfo_show);
	proc_register("mounts", mounts_show);
	proc_register("filesystems", filesystems_show);
	proc_register("cmdline", cmdline_show);
	proc_register("uptime", uptime_show);
	proc_register("partitions", partitions_show);
	proc_register("diskstats", diskstats_show);
	proc_register("blockstats", blockstats_show);
	proc_register("stat", stat_show);
	proc_register("cpuinfo", cpuinfo_show);
	procfs_register_vm();
	swapfile_init();
}
