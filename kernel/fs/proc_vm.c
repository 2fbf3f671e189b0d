/*
 * proc_vm.c - /proc/vmstat and /proc/sys/vm: what the page cache holds, the limits on what may be dirty.
 *
 * Layer 9 (kernel/fs).  Interface: procfs.h.
 */
#include "kernel/fs/procfs.h"
#include "kernel/fs/vfs_internal.h"
#include "mm/object/dirty.h"
#include "mm/object/swap.h"
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/service/pin.h"

static void vmstat_lists(struct proc_buf *b)
{
	struct vm_census census;

	vm_census(&census);
	proc_printf(b, "nr_inactive_anon %lu\nnr_active_anon %lu\nnr_inactive_file %lu\nnr_active_file %lu\n",
	            lru_count(LRU_INACTIVE_ANON), lru_count(LRU_ACTIVE_ANON), lru_count(LRU_INACTIVE_FILE),
	            lru_count(LRU_ACTIVE_FILE));
	proc_printf(b, "nr_unevictable %lu\nnr_anon_pages %lu\nnr_mapped %lu\nnr_shmem %lu\n", lru_count(LRU_UNEVICTABLE),
	            census.anon, census.mapped, census.shmem);
}

static void vmstat_events(struct proc_buf *b)
{
	struct swap_stat swap;

	swap_stat(&swap);
	proc_printf(b, "nr_swapcached %lu\n", swap.cached);
	for (unsigned e = 0; e < VM_EVENT_COUNT; e++)
		proc_printf(b, "%s %lu\n", vm_event_name((enum vm_event)e), vm_event_sum((enum vm_event)e));
}

static int vmstat_show(struct proc_buf *b)
{
	unsigned long faults, major;
	struct swap_stat swap;
	struct phys_stat phys;

	phys_stat(&phys);
	mm_fault_counts(&faults, &major);
	proc_printf(b, "nr_free_pages %lu\nnr_page_table_pages %lu\n", phys.free, phys.tables);
	proc_printf(b, "nr_file_pages %ld\nnr_dirty %ld\nnr_writeback %ld\n", READ_ONCE(dirty_stat.cached),
	            READ_ONCE(dirty_stat.dirty), READ_ONCE(dirty_stat.writeback));
	proc_printf(b, "nr_dirtied %ld\nnr_written %ld\nnr_dirty_background_threshold %lu\nnr_throttled_dirty %ld\n",
	            READ_ONCE(dirty_stat.dirtied), READ_ONCE(dirty_stat.written), READ_ONCE(dirty_background_pages),
	            READ_ONCE(dirty_stat.throttled));
	proc_printf(b, "nr_foll_pin_acquired %lu\nnr_foll_pin_released %lu\n", READ_ONCE(pin_acquired),
	            READ_ONCE(pin_released));
	swap_stat(&swap);
	proc_printf(b, "pswpin %lu\npswpout %lu\n", swap.in, swap.out);
	proc_printf(b, "pgfault %lu\npgmajfault %lu\ntlb_shootdowns %lu\n", faults, major, pgtable_shootdowns());
	vmstat_lists(b);
	vmstat_events(b);
	return 0;
}

/* A decimal number, perhaps with a newline: 0 or -EINVAL. */
static int parse(const char *text, unsigned long *value)
{
	unsigned long v = 0;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (v > (~0ul - 9) / 10)
			return -EINVAL;
		v = v * 10 + (unsigned long)(*text - '0');
	}
	if (*text && *text != '\n')
		return -EINVAL;
	*value = v;
	return 0;
}

/* A number that may be set, of dirty_limits or of the memory manager. */
struct tunable {
	unsigned long *value;
	unsigned long most;
	unsigned long *other; /* the same limit in its other form (bytes, percent): setting one puts the other to 0 */
};

static int tunable_show(struct proc_buf *b, const struct tunable *t)
{
	proc_printf(b, "%lu\n", READ_ONCE(*t->value));
	return 0;
}

static int tunable_store(const char *text, const struct tunable *t)
{
	unsigned long v;

	if (parse(text, &v) || v > t->most)
		return -EINVAL;
	WRITE_ONCE(*t->value, v);
	if (t->other)
		WRITE_ONCE(*t->other, 0);
	dirty_limits_changed();
	return 0;
}

static const struct tunable dirty_ratio = {&dirty_limits.ratio, 100, &dirty_limits.bytes};
static const struct tunable dirty_bytes = {&dirty_limits.bytes, ~0ul, &dirty_limits.ratio};
static const struct tunable background_ratio = {&dirty_limits.background_ratio, 100, &dirty_limits.background_bytes};
static const struct tunable background_bytes = {&dirty_limits.background_bytes, ~0ul, &dirty_limits.background_ratio};
static const struct tunable expire = {.value = &dirty_limits.expire_cs, .most = 8640000};
static const struct tunable max_map_count = {.value = &vm_max_map_count, .most = 0x7fffffff};
static const struct tunable overcommit = {.value = &vm_overcommit, .most = 1};
static const struct tunable writeback = {.value = &dirty_limits.writeback_cs, .most = 8640000};

/* What /proc calls has no argument of its own. */
#define TUNABLE(name)                                   \
	static int name##_show(struct proc_buf *b)          \
	{                                                   \
		return tunable_show(b, &name);                  \
	}                                                   \
	static int name##_store(const char *text, size_t n) \
	{                                                   \
		return tunable_store(text, &name);              \
	}

TUNABLE(dirty_ratio)
TUNABLE(dirty_bytes)
TUNABLE(background_ratio)
TUNABLE(background_bytes)
TUNABLE(expire)
TUNABLE(writeback)
TUNABLE(max_map_count)
TUNABLE(overcommit)

static int drop_caches_show(struct proc_buf *b)
{
	proc_printf(b, "0\n");
	return 0;
}

/* 1: file pages that are clean and idle; 2: names (and with them inodes) that nobody uses; 3: both. */
static int drop_caches_store(const char *text, size_t n)
{
	unsigned long what;
	int err = parse(text, &what);

	if (err || what < 1 || what > 4)
		return -EINVAL;
	if (what & 1) {
		vm_count(VM_DROP_PAGECACHE, 1);
		vfs_drop_pages();
	}
	if (what & 2) {
		vm_count(VM_DROP_SLAB, 1);
		vfs_drop_names();
	}
	return 0;
}

/* What mprotect(2) does where pages have protections of their own: mm/space/protect.c. */
static int manyprots_show(struct proc_buf *b)
{
	proc_printf(b, "%s\n", READ_ONCE(mprotect_strict) ? "strict-2007" : "all");
	return 0;
}

static int manyprots_store(const char *text, size_t n)
{
	if (n && text[n - 1] == '\n')
		n--;
	if (n == strlen("all") && !memcmp(text, "all", n))
		WRITE_ONCE(mprotect_strict, false);
	else if (n == strlen("strict-2007") && !memcmp(text, "strict-2007", n))
		WRITE_ONCE(mprotect_strict, true);
	else
		return -EINVAL;
	return 0;
}

void procfs_register_vm(void)
{
	dirty_limits_changed();
	proc_register("vmstat", vmstat_show);
	proc_register_rw("sys/vm/dirty_ratio", dirty_ratio_show, dirty_ratio_store);
	proc_register_rw("sys/vm/dirty_bytes", dirty_bytes_show, dirty_bytes_store);
	proc_register_rw("sys/vm/dirty_background_ratio", background_ratio_show, background_ratio_store);
	proc_register_rw("sys/vm/dirty_background_bytes", background_bytes_show, background_bytes_store);
	proc_register_rw("sys/vm/dirty_expire_centisecs", expire_show, expire_store);
	proc_register_rw("sys/vm/dirty_writeback_centisecs", writeback_show, writeback_store);
	proc_register_rw("sys/vm/max_map_count", max_map_count_show, max_map_count_store);
	proc_register_rw("sys/vm/overcommit_memory", overcommit_show, overcommit_store);
	proc_register_rw("sys/vm/mprotect_manyprots", manyprots_show, manyprots_store);
	proc_register_rw("sys/vm/drop_caches", drop_caches_show, drop_caches_store);
}
