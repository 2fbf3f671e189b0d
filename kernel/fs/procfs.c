/*
 * procfs.c - /proc as a file system: the tree of registered files, the directories of processes.
 *
 * Layer 9 (kernel/fs).  Interface: procfs.h.  The content of files: proc_file.c.
 * Locks: proc_lock (leaf) guards the registered tree, which only grows.  Inodes are made at lookup and live as
 * long as somebody has them; names are never cached (processes come and go).
 *
 * Inode numbers: 1 the root; 2.. registered entries; of process p: (p + 1) << 20, + 1 + i for entry i of the
 * table, + 0x10000 + n for descriptor n.
 */
#include "kernel/fs/proc_internal.h"

#define PROC_MAGIC 0x9fa0
#define PID_INO(pid) ((u64)((pid) + 1) << 20)
#define FD_INO 0x10000u

const struct proc_pid_ops *proc_pid_ops;

static struct proc_entry root = {.name = "", .mode = S_IFDIR | 0555, .ino = 1, .children = LIST_INIT(root.children)};
static spinlock_t proc_lock = SPINLOCK_INIT(LOCK_INODE_TABLE);
static unsigned next_ino = 2;

/* -- registration ------------------------------------------------------------------------------------------ */

static struct proc_entry *child(struct proc_entry *dir, const char *name, size_t len)
{
	struct proc_entry *e, *found = NULL;

	spin_lock(&proc_lock);
	list_for_each_entry(e, &dir->children, link)
		if (strlen(e->name) == len && !memcmp(e->name, name, len))
			found = e;
	spin_unlock(&proc_lock);
	return found;
}

static struct proc_entry *add_child(struct proc_entry *dir, const char *name, size_t len, u32 mode)
{
	struct proc_entry *e = kzalloc(sizeof(*e), GFP_KERNEL);
	char *copy = kstrndup(name, len, GFP_KERNEL);

	if (!e || !copy)
		panic("proc: no memory for %s\n", name);
	e->name = copy;
	e->mode = mode;
	list_init(&e->children);
	spin_lock(&proc_lock);
	e->ino = next_ino++;
	list_add_tail(&e->link, &dir->children);
	spin_unlock(&proc_lock);
	return e;
}

struct proc_entry *proc_add_path(struct proc_entry *at, const char *path, u32 mode)
{
	for (;;) {
		size_t len = strcspn(path, "/");
		bool last = !path[len];
		struct proc_entry *e = child(at, path, len);

		if (!e)
			e = add_child(at, path, len, last ? mode : (u32)S_IFDIR | 0555);
		if (last)
			return e;
		at = e;
		path += len + 1;
	}
}

void proc_register_rw(const char *path, proc_show_t *show, proc_store_t *store)
{
	struct proc_entry *e = proc_add_path(&root, path, S_IFREG | (store ? 0644 : 0444));

	e->show = show;
	e->store = store;
}

void proc_register(const char *path, proc_show_t *show)
{
	proc_register_rw(path, show, NULL);
}

/* -- inodes ------------------------------------------------------------------------------------------------ */

static const struct inode_ops root_ops, dir_ops, self_ops, pid_ops, pid_link_ops, fd_dir_ops, fd_link_ops, plain_ops;
static const struct file_ops root_fops, dir_fops, pid_fops, fd_dir_fops;

static int no_page(struct vm_object *obj, struct page *page)
{
	return -EIO;
}

static const struct object_ops no_object_ops = {.read_page = no_page};

/* A private node of an inode. */
struct proc_node *proc_node_of(const struct inode *inode)
{
	return inode->private;
}

static struct inode *make(struct super *sb, u64 ino, u32 mode, struct proc_node node, const struct inode_ops *ops,
                          const struct file_ops *fops)
{
	struct inode *inode = inode_alloc(sb, mode);
	struct proc_node *n = kmalloc(sizeof(*n), GFP_KERNEL);

	if (!inode || !n) {
		if (inode)
			inode_free(inode);
		kfree(n);
		return ERR_PTR(-ENOMEM);
	}
	*n = node;
	object_init(&inode->obj, &no_object_ops, inode, false);
	inode->ino = ino;
	inode->private = n;
	inode->ops = ops;
	inode->fops = fops;
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	return inode;
}

void proc_evict(struct inode *inode)
{
	kfree(inode->private);
}

static struct inode *make_registered(struct super *sb, struct proc_entry *e)
{
	struct proc_node n = {.entry = e};

	if (S_ISDIR(e->mode))
		return make(sb, e->ino, e->mode, n, e == &root ? &root_ops : &dir_ops, e == &root ? &root_fops : &dir_fops);
	return make(sb, e->ino, e->mode, n, &plain_ops, e->fops ? e->fops : &proc_file_fops);
}

static struct inode *dir_lookup(struct inode *dir, const char *name)
{
	struct proc_entry *e = child(proc_node_of(dir)->entry, name, strlen(name));

	return e ? make_registered(dir->super, e) : ERR_PTR(-ENOENT);
}

static ssize_t copy_text(const char *text, char *buf, size_t n)
{
	n = min(n, strlen(text));
	memcpy(buf, text, n);
	return (ssize_t)n;
}

typedef bool emit_t(void *ctx, const char *name, u64 ino, u8 type, loff_t next);

static bool emit_dots(struct file *f, emit_t *emit, void *ctx)
{
	if (f->pos <= 0 && !emit(ctx, ".", f->inode->ino, DT_DIR, 1))
		return false;
	return f->pos > 1 || emit(ctx, "..", 1, DT_DIR, 2);
}

/* The @n-th child, or NULL. */
static struct proc_entry *nth_child(struct proc_entry *dir, loff_t n)
{
	struct proc_entry *e, *found = NULL;

	spin_lock(&proc_lock);
	list_for_each_entry(e, &dir->children, link) {
		if (n-- == 0) {
			found = e;
			break;
		}
	}
	spin_unlock(&proc_lock);
	return found;
}

/* Entries have positions 2 + n; true: all were taken. */
static bool emit_registered(struct file *f, emit_t *emit, void *ctx)
{
	struct proc_entry *dir = proc_node_of(f->inode)->entry, *e;

	for (loff_t n = f->pos > 2 ? f->pos - 2 : 0; (e = nth_child(dir, n)); n++)
		if (!emit(ctx, e->name, e->ino, mode_to_dt(e->mode), n + 3))
			return false;
	return true;
}

static int dir_readdir(struct file *f, emit_t *emit, void *ctx)
{
	if (emit_dots(f, emit, ctx))
		emit_registered(f, emit, ctx);
	return 0;
}

static const struct inode_ops dir_ops = {.lookup = dir_lookup};
static const struct file_ops dir_fops = {.readdir = dir_readdir};
static const struct inode_ops plain_ops = {.lookup = NULL};

/* -- the root: registered entries, self, processes --------------------------------------------------------- */

#define PID_POS 0x100000 /* positions of processes in the root: above those of entries */
#define SELF_INO 0xffff0

static int parse_number(const char *s)
{
	int n = 0;

	if (!*s || (*s == '0' && s[1]))
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > 100000000)
			return -1;
		n = n * 10 + (*s - '0');
	}
	return n;
}

static struct inode *root_lookup(struct inode *dir, const char *name)
{
	int pid = parse_number(name);

	if (!strcmp(name, "self") || !strcmp(name, "thread-self"))
		return proc_pid_ops && proc_pid_ops->self()
		           ? make(dir->super, SELF_INO, S_IFLNK | 0777, (struct proc_node){0}, &self_ops, NULL)
		           : ERR_PTR(-ENOENT);
	if (pid <= 0 || !proc_pid_ops)
		return dir_lookup(dir, name);
	if (proc_pid_ops->next(pid) != pid)
		return ERR_PTR(-ENOENT);
	return make(dir->super, PID_INO(pid), S_IFDIR | 0555, (struct proc_node){.pid = pid}, &pid_ops, &pid_fops);
}

static ssize_t self_readlink(struct inode *inode, char *buf, size_t n)
{
	char text[12];

	snprintf(text, sizeof(text), "%d", proc_pid_ops->self());
	return copy_text(text, buf, n);
}

static int root_readdir(struct file *f, emit_t *emit, void *ctx)
{
	char name[12];
	int pid;

	if (f->pos < PID_POS) {
		if (!emit_dots(f, emit, ctx) || !emit_registered(f, emit, ctx))
			return 0;
		if (proc_pid_ops && !emit(ctx, "self", SELF_INO, DT_LNK, PID_POS))
			return 0;
	}
	pid = f->pos > PID_POS ? (int)(f->pos - PID_POS) : 0;
	while (proc_pid_ops && (pid = proc_pid_ops->next(pid + 1)) > 0) {
		snprintf(name, sizeof(name), "%d", pid);
		if (!emit(ctx, name, PID_INO(pid), DT_DIR, (loff_t)PID_POS + pid))
			break;
	}
	return 0;
}

static const struct inode_ops root_ops = {.lookup = root_lookup};
static const struct file_ops root_fops = {.readdir = root_readdir};
static const struct inode_ops self_ops = {.readlink = self_readlink};

/* -- one process ------------------------------------------------------------------------------------------- */

static struct inode *pid_lookup(struct inode *dir, const char *name)
{
	int pid = proc_node_of(dir)->pid;

	for (unsigned i = 0; i < proc_pid_ops->nr_entries; i++) {
		const struct proc_pid_entry *e = &proc_pid_ops->entries[i];
		struct proc_node n = {.pid = pid, .pid_entry = e};
		u64 ino = PID_INO(pid) + 1 + i;

		if (strcmp(e->name, name))
			continue;
		if (e->kind == PROC_PID_LINK)
			return make(dir->super, ino, S_IFLNK | 0777, n, &pid_link_ops, NULL);
		if (e->kind == PROC_PID_FD)
			return make(dir->super, ino, S_IFDIR | 0500, n, &fd_dir_ops, &fd_dir_fops);
		if (e->raw_read)
			return make(dir->super, ino, S_IFREG | 0600, n, &plain_ops, &proc_raw_fops);
		return make(dir->super, ino, S_IFREG | (e->store ? 0644 : 0444), n, &plain_ops, &proc_file_fops);
	}
	return ERR_PTR(-ENOENT);
}

static int pid_readdir(struct file *f, emit_t *emit, void *ctx)
{
	int pid = proc_node_of(f->inode)->pid;

	if (!emit_dots(f, emit, ctx))
		return 0;
	for (unsigned i = f->pos > 2 ? (unsigned)(f->pos - 2) : 0; i < proc_pid_ops->nr_entries; i++) {
		const struct proc_pid_entry *e = &proc_pid_ops->entries[i];
		u8 type = e->kind == PROC_PID_LINK ? DT_LNK : e->kind == PROC_PID_FD ? DT_DIR : DT_REG;

		if (!emit(ctx, e->name, PID_INO(pid) + 1 + i, type, (loff_t)i + 3))
			break;
	}
	return 0;
}

static struct dentry *pid_link_follow(struct inode *inode)
{
	const struct proc_node *n = proc_node_of(inode);

	return n->pid_entry->follow ? n->pid_entry->follow(n->pid) : ERR_PTR(-ENOENT);
}

/* The path of the dentry @d (reference consumed, may be an error) as a link's text. */
static ssize_t path_text(struct dentry *d, char *buf, size_t n)
{
	char *path;
	ssize_t len;

	if (IS_ERR(d))
		return PTR_ERR(d);
	path = kmalloc(PATH_MAX, GFP_KERNEL);
	len = path ? dentry_path(d, path, PATH_MAX) : -ENOMEM;
	if (len > 0)
		len = copy_text(path, buf, n);
	kfree(path);
	dentry_put(d);
	return len == -ERANGE ? -ENAMETOOLONG : len;
}

static ssize_t pid_link_readlink(struct inode *inode, char *buf, size_t n)
{
	const struct proc_node *node = proc_node_of(inode);

	if (node->pid_entry->target)
		return node->pid_entry->target(node->pid, buf, n);
	return path_text(pid_link_follow(inode), buf, n);
}

static const struct inode_ops pid_ops = {.lookup = pid_lookup};
static const struct file_ops pid_fops = {.readdir = pid_readdir};
static const struct inode_ops pid_link_ops = {.readlink = pid_link_readlink, .follow = pid_link_follow};

/* -- /proc/<pid>/fd ---------------------------------------------------------------------------------------- */

static struct inode *fd_lookup(struct inode *dir, const char *name)
{
	int pid = proc_node_of(dir)->pid, fd = parse_number(name);
	struct proc_node n = {.pid = pid, .fd = fd};

	if (fd < 0 || proc_pid_ops->next_fd(pid, fd) != fd)
		return ERR_PTR(-ENOENT);
	return make(dir->super, PID_INO(pid) + FD_INO + (unsigned)fd, S_IFLNK | 0700, n, &fd_link_ops, NULL);
}

static int fd_readdir(struct file *f, emit_t *emit, void *ctx)
{
	int pid = proc_node_of(f->inode)->pid, fd = f->pos > 2 ? (int)(f->pos - 2) : 0;
	char name[12];

	if (!emit_dots(f, emit, ctx))
		return 0;
	for (; (fd = proc_pid_ops->next_fd(pid, fd)) >= 0; fd++) {
		snprintf(name, sizeof(name), "%d", fd);
		if (!emit(ctx, name, PID_INO(pid) + FD_INO + (unsigned)fd, DT_LNK, (loff_t)fd + 3))
			break;
	}
	return 0;
}

static struct file *fd_file(struct inode *inode)
{
	const struct proc_node *n = proc_node_of(inode);

	return proc_pid_ops->get_fd(n->pid, n->fd);
}

/* Files without a name get one that only this walk sees. */
static struct dentry *fd_follow(struct inode *inode)
{
	struct file *f = fd_file(inode);
	struct dentry *d;

	if (!f)
		return ERR_PTR(-ENOENT);
	d = f->dentry;
	if (d) {
		dentry_get(d);
	} else if (f->inode->super) {
		inode_get(f->inode);
		d = dentry_make_unhashed(vfs_root(), f->name, f->inode);
	} else {
		d = ERR_PTR(-ENXIO);
	}
	file_put(f);
	return d;
}

static ssize_t fd_readlink(struct inode *inode, char *buf, size_t n)
{
	struct file *f = fd_file(inode);
	ssize_t r;

	if (!f)
		return -ENOENT;
	if (f->dentry) {
		dentry_get(f->dentry);
		r = path_text(f->dentry, buf, n);
	} else {
		char text[64];

		snprintf(text, sizeof(text), "%s%s", strchr(f->name, '[') ? "" : "/", f->name);
		strlcat(text, strchr(f->name, '[') ? "" : " (deleted)", sizeof(text));
		r = copy_text(text, buf, n);
	}
	file_put(f);
	return r;
}

static const struct inode_ops fd_dir_ops = {.lookup = fd_lookup};
static const struct file_ops fd_dir_fops = {.readdir = fd_readdir};
static const struct inode_ops fd_link_ops = {.readlink = fd_readlink, .follow = fd_follow};

/* -- the file system --------------------------------------------------------------------------------------- */

static int proc_statfs(struct super *sb, struct statfs_info *st)
{
	st->type = PROC_MAGIC;
	return 0;
}

static const struct super_ops proc_super_ops = {.evict = proc_evict, .statfs = proc_statfs};

struct super *proc_mount_tree(const char *type, const struct super_ops *ops, struct proc_entry *tree,
                              const char *source)
{
	struct super *sb = super_alloc(type, ops, source);

	if (!sb)
		return ERR_PTR(-ENOMEM);
	sb->volatile_names = true;
	sb->root = make_registered(sb, tree);
	if (IS_ERR(sb->root)) {
		super_free(sb);
		return ERR_PTR(-ENOMEM);
	}
	return sb;
}

static struct super *proc_mount(const char *source, bool read_only)
{
	return proc_mount_tree("proc", &proc_super_ops, &root, source);
}

const struct fs_type procfs_type = {.name = "proc", .mount = proc_mount};

void procfs_init(void)
{
	procfs_register_system();
}
