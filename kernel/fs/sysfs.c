/*
 * sysfs.c - /sys: the few files of Linux's that programs ask for huge pages; and what devices register.
 *
 * Layer 9 (kernel/fs).  Interface: procfs.h.  A tree of registered entries, as /proc is.
 */
#include "kernel/fs/proc_internal.h"
#include "kernel/lib/string.h"
#include "mm/pgtable/huge.h"
#include "mm/space/mm.h"

#define SYSFS_MAGIC 0x62656572

static struct proc_entry root = {.name = "", .mode = S_IFDIR | 0555, .ino = 1, .children = LIST_INIT(root.children)};

void sysfs_register_rw(const char *path, proc_show_t *show, proc_store_t *store)
{
	struct proc_entry *e = proc_add_path(&root, path, S_IFREG | (store ? 0644 : 0444));

	e->show = show;
	e->store = store;
}

void sysfs_register_node(const char *path, const struct file_ops *fops)
{
	proc_add_path(&root, path, S_IFREG | 0600)->fops = fops;
}

/* -- huge pages ---------------------------------------------------------------------------------------------------- */

static const char *const modes[] = {[THP_ALWAYS] = "always", [THP_MADVISE] = "madvise", [THP_NEVER] = "never"};
static const enum thp_mode mode_order[] = {THP_ALWAYS, THP_MADVISE, THP_NEVER}; /* as Linux lists them */

static int enabled_show(struct proc_buf *b)
{
	enum thp_mode now = READ_ONCE(thp_mode);

	for (unsigned i = 0; i < ARRAY_SIZE(mode_order); i++) {
		enum thp_mode m = mode_order[i];

		proc_printf(b, m == now ? "[%s]" : "%s", modes[m]);
		proc_printf(b, "%c", i + 1 < ARRAY_SIZE(mode_order) ? ' ' : '\n');
	}
	return 0;
}

static int enabled_store(const char *text, size_t n)
{
	size_t len = strcspn(text, "\n");

	for (unsigned i = 0; i < ARRAY_SIZE(mode_order); i++) {
		if (strlen(modes[mode_order[i]]) == len && !memcmp(modes[mode_order[i]], text, len)) {
			WRITE_ONCE(thp_mode, mode_order[i]);
			return 0;
		}
	}
	return -EINVAL;
}

static int size_show(struct proc_buf *b)
{
	proc_printf(b, "%llu\n", (unsigned long long)PT_HUGE_SIZE);
	return 0;
}

/* -- the file system --------------------------------------------------------------------------------------------------- */

static int sysfs_statfs(struct super *sb, struct statfs_info *st)
{
	st->type = SYSFS_MAGIC;
	return 0;
}

static const struct super_ops sysfs_super_ops = {.evict = proc_evict, .statfs = sysfs_statfs};

static struct super *sysfs_mount(const char *source, bool read_only)
{
	return proc_mount_tree("sysfs", &sysfs_super_ops, &root, source);
}

const struct fs_type sysfs_type = {.name = "sysfs", .mount = sysfs_mount};

void sysfs_init(void)
{
	sysfs_register_rw("kernel/mm/transparent_hugepage/enabled", enabled_show, enabled_store);
	sysfs_register_rw("kernel/mm/transparent_hugepage/hpage_pmd_size", size_show, NULL);
}
