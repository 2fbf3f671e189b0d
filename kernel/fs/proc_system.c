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
#include "mm/pgtable/huge.h"
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"

static unsigned long long kib(unsigned long pages)
{
	return (unsigned long long)pages * (PAGE_SIZE / 1024);
}

static void kib_line(struct proc_buf *b, const char *name, unsigned long pages)
{
	char label[20];

	scnprintf(label, sizeof(label), "%s:", name);
	proc_printf(b, "%-16s%8llu kB\n", label, kib(pages));
}

/* Linux's estimate: what a new program could have without swapping. */
static unsigned long available(const struct phys_stat *st, unsigned long files)
{
	struct page_marks low, high;
	unsigned long reserved, keep;

	page_marks(CLASS_LOW, &low);
	page_marks(CLASS_HIGH, &high);
	reserved = low.high + high.high;
	keep = min(files / 2, low.low + high.low);
	return (st->free > reserved ? st->free - reserved : 0) + files - keep;
}

/* Pages of tmpfs are on the list of those that reclaim leaves alone; Linux shows them where swap would take them from. */
static void lists_show(struct proc_buf *b, const struct vm_census *census)
{
	unsigned long active_anon = lru_count(LRU_ACTIVE_ANON), active_file = lru_count(LRU_ACTIVE_FILE);
	unsigned long anon = lru_count(LRU_INACTIVE_ANON) + census->shmem, file = lru_count(LRU_INACTIVE_FILE);
	unsigned long unevictable = lru_count(LRU_UNEVICTABLE);

	unevictable -= min(unevictable, census->shmem);
	kib_line(b, "Active", active_anon + active_file);
	kib_line(b, "Inactive", anon + file);
	kib_line(b, "Active(anon)", active_anon);
	kib_line(b, "Inactive(anon)", anon);
	kib_line(b, "Active(file)", active_file);
	kib_line(b, "Inactive(file)", file);
	kib_line(b, "Unevictable", unevictable);
	kib_line(b, "Mlocked", unevictable);
}

static unsigned long not_negative(long *counter)
{
	return (unsigned long)max(READ_ONCE(*counter), 0l);
}

static void usage_show(struct proc_buf *b, const struct vm_census *census, const struct phys_stat *st)
{
	struct sched_stat sched;

	sched_stat(&sched);
	kib_line(b, "Dirty", not_negative(&dirty_stat.dirty));
	kib_line(b, "Writeback", not_negative(&dirty_stat.writeback));
	kib_line(b, "AnonPages", census->anon);
	kib_line(b, "Mapped", census->mapped);
	kib_line(b, "Shmem", census->shmem);
	kib_line(b, "Slab", st->slab);
	kib_line(b, "KernelStack", sched.threads << THREAD_STACK_ORDER);
	kib_line(b, "PageTables", st->tables);
	kib_line(b, "KernelPages", st->kernel);
	kib_line(b, "AnonHugePages", READ_ONCE(pt_huge_mapped));
}

static int meminfo_show(struct proc_buf *b)
{
	struct vm_census census;
	struct swap_stat swap;
	struct phys_stat st;

	phys_stat(&st);
	swap_stat(&swap);
	vm_census(&census);
	kib_line(b, "MemTotal", st.total);
	kib_line(b, "MemFree", st.free);
	kib_line(b, "MemAvailable", available(&st, lru_count(LRU_ACTIVE_FILE) + lru_count(LRU_INACTIVE_FILE)));
	kib_line(b, "Buffers", 0);
	kib_line(b, "Cached", not_negative(&dirty_stat.cached));
	kib_line(b, "SwapCached", swap.cached);
	lists_show(b, &census);
	kib_line(b, "HighTotal", st.high_total);
	kib_line(b, "HighFree", st.high_free);
	kib_line(b, "LowTotal", st.total - st.high_total);
	kib_line(b, "LowFree", st.free - st.high_free);
	kib_line(b, "SwapTotal", swap.total);
	kib_line(b, "SwapFree", swap.free);
	usage_show(b, &census, &st);
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
	procfs_register_pin();
	swapfile_init();
}
