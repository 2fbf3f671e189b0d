/*
 * dentry.c - the tree of cached names.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h, vfs_internal.h.
 * Lock order: a directory's inode lock, then dentry_lock (a leaf).
 *
 * A dentry holds its parent and its inode.  Unused ones (refs == 0) stay to be found again, in order of use;
 * beyond UNUSED_MAX the oldest go, at a moment when no lock is held.  A name that was removed makes its dentry
 * dead: out of the hash, freed with the last reference.  A file system with volatile_names (procfs) gets
 * dentries that are never hashed, so every look asks it again.
 */
#include "kernel/fs/vfs_internal.h"
#include "kernel/lib/hash.h"
#include "mm/service/reclaim.h"

#define HASH_BITS 10
#define UNUSED_MAX 4096

static struct list dentry_hash[1 << HASH_BITS];
static struct list unused = LIST_INIT(unused);
static unsigned nr_unused;
static spinlock_t dentry_lock = SPINLOCK_INIT(LOCK_DENTRY);

static struct shrinker names;

void dentry_init_cache(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(dentry_hash); i++)
		list_init(&dentry_hash[i]);
	shrinker_register(&names);
}

static u32 name_hash(const struct dentry *parent, const char *name, size_t len)
{
	return hash_string(name, len) ^ hash_ptr(parent, 32);
}

static struct list *hash_bucket(u32 hash)
{
	return &dentry_hash[hash_u32(hash, HASH_BITS)];
}

static bool hashed(const struct dentry *d)
{
	return !list_empty(&d->hash_link);
}

static struct dentry *dentry_alloc(struct super *sb, const char *name, size_t len)
{
	struct dentry *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return NULL;
	d->name = kstrndup(name, len, GFP_KERNEL);
	if (!d->name) {
		kfree(d);
		return NULL;
	}
	d->refs = 1;
	d->super = sb;
	list_init(&d->hash_link);
	list_init(&d->unused_link);
	return d;
}

struct dentry *dentry_make_root(struct super *sb)
{
	struct dentry *d = dentry_alloc(sb, "/", 1);

	if (!d)
		return NULL;
	d->parent = d;
	d->inode = sb->root;
	inode_get(sb->root);
	return d;
}

struct dentry *dentry_make_unhashed(struct dentry *parent, const char *name, struct inode *inode)
{
	struct dentry *d = dentry_alloc(parent->super, name, strlen(name));

	if (!d) {
		if (inode)
			inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	dentry_get(parent);
	d->parent = parent;
	d->inode = inode;
	return d;
}

/* -- references ---------------------------------------------------------------------------------------------- */

/* => dentry_lock held */
static void get_locked(struct dentry *d)
{
	if (d->refs++ == 0 && !list_empty(&d->unused_link)) {
		list_del_init(&d->unused_link);
		nr_unused--;
	}
}

void dentry_get(struct dentry *d)
{
	spin_lock(&dentry_lock);
	ASSERT(d->refs > 0);
	get_locked(d);
	spin_unlock(&dentry_lock);
}

/* Drop a reference; true if @d is to be freed. => dentry_lock held */
static bool put_locked(struct dentry *d)
{
	ASSERT(d->refs > 0);
	if (--d->refs)
		return false;
	if (!hashed(d))
		return true;
	list_add_tail(&d->unused_link, &unused);
	nr_unused++;
	return false;
}

/* Free @d, which nobody can find any more, and then its parents as far as they are only held by it. */
static void dentry_free(struct dentry *d)
{
	while (d) {
		struct dentry *parent = d->parent != d ? d->parent : NULL;
		bool last = false;

		if (d->inode)
			inode_put(d->inode);
		kfree(d->name);
		kfree(d);
		if (parent) {
			spin_lock(&dentry_lock);
			last = put_locked(parent);
			spin_unlock(&dentry_lock);
		}
		d = last ? parent : NULL;
	}
}

void dentry_put(struct dentry *d)
{
	bool last;

	spin_lock(&dentry_lock);
	last = put_locked(d);
	spin_unlock(&dentry_lock);
	if (last)
		dentry_free(d);
}

/* => dentry_lock held */
static void take_out(struct dentry *d)
{
	list_del_init(&d->unused_link);
	list_del_init(&d->hash_link);
	nr_unused--;
}

/* The oldest unused dentry of @sb or below @parent (both NULL: of all, if there are more than @most), taken out of the
 * cache, or NULL. */
static struct dentry *take_unused(struct super *sb, struct dentry *parent, unsigned most)
{
	struct dentry *d, *found = NULL;

	spin_lock(&dentry_lock);
	if (sb || parent || nr_unused > most) {
		list_for_each_entry(d, &unused, unused_link) {
			if ((sb && d->super != sb) || (parent && d->parent != parent))
				continue;
			found = d;
			take_out(d);
			break;
		}
	}
	spin_unlock(&dentry_lock);
	return found;
}

void dentry_prune(struct super *sb)
{
	struct dentry *d;

	while ((d = take_unused(sb, NULL, UNUSED_MAX)))
		dentry_free(d);
}

void dentry_prune_below(struct dentry *dir)
{
	struct dentry *d;

	while ((d = take_unused(NULL, dir, 0)))
		dentry_free(d);
}

/* Its file's pages would go with it, all of them, used lately or not: their own age decides, and the name goes after them. */
static bool keeps_pages(const struct dentry *d)
{
	return d->inode && READ_ONCE(d->inode->obj.nr_pages);
}

/* The oldest unused name that keeps no pages, among the *@nr oldest; those looked at and left become the youngest. */
static struct dentry *take_bare(unsigned long *nr)
{
	struct dentry *d, *found = NULL;

	spin_lock(&dentry_lock);
	while (!found && *nr && !list_empty(&unused)) {
		d = list_first_entry(&unused, struct dentry, unused_link);
		--*nr;
		if (keeps_pages(d)) {
			list_move_tail(&d->unused_link, &unused);
			continue;
		}
		found = d;
		take_out(d);
	}
	spin_unlock(&dentry_lock);
	return found;
}

/* Memory is short: the oldest go, and with them the inodes that only they held. */
static unsigned long dentry_shrink(unsigned long nr)
{
	unsigned long n = 0;
	struct dentry *d;

	for (; (d = take_bare(&nr)); n++)
		dentry_free(d);
	return n;
}

static struct shrinker names = {.shrink = dentry_shrink};

/* -- finding ------------------------------------------------------------------------------------------------- */

static struct dentry *cache_find(struct dentry *dir, const char *name, size_t len)
{
	u32 hash = name_hash(dir, name, len);
	struct dentry *d, *found = NULL;

	spin_lock(&dentry_lock);
	list_for_each_entry(d, hash_bucket(hash), hash_link) {
		if (d->hash != hash || d->parent != dir || strncmp(d->name, name, len) || d->name[len])
			continue;
		get_locked(d);
		found = d;
		break;
	}
	spin_unlock(&dentry_lock);
	return found;
}

static void cache_insert(struct dentry *dir, struct dentry *d)
{
	spin_lock(&dentry_lock);
	d->hash = name_hash(dir, d->name, strlen(d->name));
	list_add(&d->hash_link, hash_bucket(d->hash));
	spin_unlock(&dentry_lock);
}

/* Ask the file system. => dir's inode lock held for writing */
static struct dentry *real_lookup(struct dentry *dir, const char *name, size_t len)
{
	struct inode *inode = ERR_PTR(-ENOENT);
	struct dentry *d;
	char *copy = kstrndup(name, len, GFP_KERNEL);

	if (!copy)
		return ERR_PTR(-ENOMEM);
	if (dir->inode->nlink)
		inode = dir->inode->ops->lookup(dir->inode, copy);
	if (PTR_ERR(inode) == -ENOENT) {
		inode = NULL;
	} else if (IS_ERR(inode)) {
		kfree(copy);
		return ERR_CAST(inode);
	}
	d = dentry_make_unhashed(dir, copy, inode);
	kfree(copy);
	if (!IS_ERR(d) && !dir->super->volatile_names && dir->inode->nlink)
		cache_insert(dir, d);
	return d;
}

struct dentry *dentry_lookup_locked(struct dentry *dir, const char *name, size_t len)
{
	struct dentry *d;

	ASSERT(rwsem_held(&dir->inode->lock));
	if (len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	d = cache_find(dir, name, len);
	return d ? d : real_lookup(dir, name, len);
}

struct dentry *dentry_lookup(struct dentry *dir, const char *name, size_t len)
{
	struct dentry *d;

	if (len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	d = cache_find(dir, name, len);
	if (d)
		return d;
	dentry_prune(NULL);
	rwsem_write_lock(&dir->inode->lock);
	d = dentry_lookup_locked(dir, name, len);
	rwsem_write_unlock(&dir->inode->lock);
	return d;
}

/* -- changes ------------------------------------------------------------------------------------------------- */

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
	ASSERT(!d->inode);
	spin_lock(&dentry_lock);
	d->inode = inode;
	spin_unlock(&dentry_lock);
}

void dentry_kill(struct dentry *d)
{
	spin_lock(&dentry_lock);
	ASSERT(d->refs > 0);
	list_del_init(&d->hash_link);
	d->dead = true;
	spin_unlock(&dentry_lock);
}

void dentry_move(struct dentry *d, struct dentry *parent, char *name)
{
	struct dentry *old = d->parent;
	char *old_name;
	bool last;

	spin_lock(&dentry_lock);
	get_locked(parent);
	list_del_init(&d->hash_link);
	old_name = d->name;
	d->name = name;
	d->parent = parent;
	d->hash = name_hash(parent, name, strlen(name));
	list_add(&d->hash_link, hash_bucket(d->hash));
	last = put_locked(old);
	spin_unlock(&dentry_lock);
	kfree(old_name);
	ASSERT(!last); /* the caller holds it */
}

bool dentry_is_ancestor(struct dentry *a, struct dentry *d)
{
	bool is;

	spin_lock(&dentry_lock);
	while (d != a && d->parent != d)
		d = d->parent;
	is = d == a;
	spin_unlock(&dentry_lock);
	return is;
}

/* -- mounts -------------------------------------------------------------------------------------------------- */

struct dentry *dentry_follow_mounts(struct dentry *d)
{
	struct dentry *to = d;

	if (!READ_ONCE(d->mount_root))
		return d;
	spin_lock(&dentry_lock);
	while (to->mount_root)
		to = to->mount_root;
	get_locked(to);
	spin_unlock(&dentry_lock);
	dentry_put(d);
	return to;
}

struct dentry *dentry_up(struct dentry *d)
{
	struct dentry *to = d;

	spin_lock(&dentry_lock);
	while (to != root_dentry && to->covers)
		to = to->covers;
	if (to != root_dentry)
		to = to->parent;
	while (to->mount_root)
		to = to->mount_root;
	get_locked(to);
	spin_unlock(&dentry_lock);
	dentry_put(d);
	return to;
}

bool dentry_is_mountpoint(struct dentry *d)
{
	return READ_ONCE(d->mount_root) != NULL;
}

void dentry_cover(struct dentry *dir, struct dentry *root)
{
	spin_lock(&dentry_lock);
	ASSERT(!dir->mount_root && !root->covers);
	dir->mount_root = root;
	root->covers = dir;
	spin_unlock(&dentry_lock);
}

struct dentry *dentry_uncover(struct dentry *root, int max_refs)
{
	struct dentry *dir = NULL;

	spin_lock(&dentry_lock);
	if (root->refs <= max_refs)
		dir = root->covers;
	if (dir) {
		dir->mount_root = NULL;
		root->covers = NULL;
	}
	spin_unlock(&dentry_lock);
	return dir;
}

/* -- paths --------------------------------------------------------------------------------------------------- */

/* Put @s before *@at; false: no room. */
static bool prepend(char *buf, char **at, const char *s)
{
	size_t n = strlen(s);

	if ((size_t)(*at - buf) < n)
		return false;
	*at -= n;
	memcpy(*at, s, n);
	return true;
}

/* => dentry_lock held */
static bool prepend_path(const struct dentry *d, char *buf, char **at)
{
	bool any = false;

	for (;;) {
		while (d != root_dentry && d->covers)
			d = d->covers;
		if (d == root_dentry || d->parent == d)
			return any || prepend(buf, at, "/");
		if (!prepend(buf, at, d->name) || !prepend(buf, at, "/"))
			return false;
		any = true;
		d = d->parent;
	}
}

ssize_t dentry_path(struct dentry *d, char *buf, size_t n)
{
	char *at;
	bool fits;

	if (n == 0)
		return -ERANGE;
	at = buf + n - 1;
	*at = 0;
	spin_lock(&dentry_lock);
	fits = (!d->dead || prepend(buf, &at, " (deleted)")) && prepend_path(d, buf, &at);
	spin_unlock(&dentry_lock);
	if (!fits)
		return -ERANGE;
	memmove(buf, at, (size_t)(buf + n - at));
	return buf + n - 1 - at;
}
