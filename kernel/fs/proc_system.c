/*
 * proc_system.c - the files of /proc that this layer can fill by itself.
 *
 * Layer 9 (kernel/fs).  Interface: procfs.h.
 */
#include <arch/irq.h>
#include <arch/phys.h>

#include "kernel/dev/block.h"
#include "kernel/fs/procfs.h"
#include "kernel/fs/vfs_internal.h"

static unsigned long long kib(unsigned long pages)
{
	return (unsigned long long)pages * (PAGE_SIZE / 1024);
}

static int meminfo_show(struct proc_buf *b)
{
	struct phys_stat st;

	phys_stat(&st);
	proc_printf(b, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n", kib(st.total),
	            kib(st.free), kib(st.free));
	proc_printf(b, "Buffers:        %8llu kB\nCached:         %8llu kB\nSwapCached:     %8llu kB\n", 0ull, 0ull, 0ull);
	proc_printf(
		b, "HighTotal:      %8llu kB\nHighFree:       %8llu kB\nLowTotal:       %8llu kB\nLowFree:        %8llu kB\n",
		kib(st.high_total), kib(st.high_free), kib(st.total - st.high_total), kib(st.free - st.high_free));
	proc_printf(b, "SwapTotal:      %8llu kB\nSwapFree:       %8llu kB\n", 0ull, 0ull);
	proc_printf(b, "Slab:           %8llu kB\nPageTables:     %8llu kB\nKernelPages:    %8llu kB\n", kib(st.slab),
	            kib(st.tables), kib(st.kernel));
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
	unsigned long long cs = arch_clock_ns() / 10000000u;

	proc_printf(b, "%llu.%02u 0.00\n", cs / 100, (unsigned)(cs % 100));
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

void procfs_register_system(void)
{
	proc_register("meminfo", meminfo_show);
	proc_register("slabinfo", slabinfo_show);
	proc_register("mounts", mounts_show);
	proc_register("filesystems", filesystems_show);
	proc_register("cmdline", cmdline_show);
	proc_register("uptime", uptime_show);
	proc_register("partitions", partitions_show);
	proc_register("diskstats", diskstats_show);
}
