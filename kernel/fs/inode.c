/*
 * inode.c - inodes in memory: their references, how they are found, their end.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h, vfs_internal.h.
 *
 * An inode lives while somebody has a reference: dentries (also unused ones, that keep the page cache warm),
 * open files, directories of tmpfs.  The last reference to go makes it dying (refs == 0: nobody can get it
 * again) and evicts it at once.  Whoever looks for the same number meanwhile waits for the end of that, so the
 * file system never has two ideas of one inode.
 *
 * Unmounting waits for the last of a file system's inodes: who borrows one without holding a name (fstat, the
 * flusher) does so for moments only.
 *
 * Lock order: load_lock (held by the caller of inode_find), then inodes_lock, a leaf.
 */
#include <arch/irq.h>

#include "kernel/fs/vfs_internal.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/hash.h"
#include "mm/object/pagecache.h"

static int anon_ino = 1;

struct timespec64 vfs_now(void)
{
	u64 ns = arch_clock_ns();
	u64 sec = ns / 1000000000u;

	return (struct timespec64){.sec = (s64)(arch_boot_epoch() + sec), .nsec = (s64)(ns - sec * 1000000000u)};
}

/* The last one's going is what an unmount waits for: nothing of @sb is touched once the lock is open. */
static void inode_count(struct super *sb, int delta)
{
	if (!sb)
		return;
	spin_lock(&sb->inodes_lock);
	sb->nr_inodes += (unsigned)delta;
	if (!sb->nr_inodes)
		wake_up_all(&sb->evicted);
	spin_unlock(&sb->inodes_lock);
}

void inode_free(struct inode *inode)
{
	struct super *sb = inode->super;

	kfree(inode);
	inode_count(sb, -1);
}

static bool inodes_gone(struct super *sb)
{
	bool gone;

	spin_lock(&sb->inodes_lock);
	gone = sb->nr_inodes == 0;
	spin_unlock(&sb->inodes_lock);
	return gone;
}

void inodes_wait_gone(struct super *sb)
{
	wait_event(&sb->evicted, inodes_gone(sb));
}

struct inode *inode_alloc(struct super *sb, u32 mode)
{
	struct inode *inode = kzalloc(sizeof(*inode), GFP_KERNEL);

	if (!inode)
		return NULL;
	inode->super = sb;
	inode->mode = mode;
	inode->nlink = 1;
	inode->refs = 1;
	inode->atime = inode->mtime = inode->ctime = vfs_now();
	inode->seals = F_SEAL_SEAL;
	inode_count(sb, 1);
	rwsem_init(&inode->lock, LOCK_INODE);
	list_init(&inode->hash_link);
	wait_queue_init(&inode->wait);
	return inode;
}

static int no_read_page(struct vm_object *obj, struct page *page)
{
	page_zero(page);
	page_set(page, PG_UPTODATE);
	return 0;
}

static const struct object_ops no_object_ops = {.read_page = no_read_page};

struct inode *inode_make_anon(u32 mode, const struct file_ops *fops)
{
	struct inode *inode = inode_alloc(NULL, mode);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	object_init(&inode->obj, &no_object_ops, inode, false);
	inode->ino = (u64)atomic_fetch_add(&anon_ino, 1);
	inode->fops = fops;
	return inode;
}

void inode_get(struct inode *inode)
{
	ASSERT(atomic_read(&inode->refs) > 0);
	atomic_inc(&inode->refs);
}

bool inode_try_get(struct inode *inode)
{
	return atomic_inc_not_zero(&inode->refs);
}

bool inode_object_hold(struct vm_object *obj)
{
	return inode_try_get(inode_of(obj));
}

void inode_object_release(struct vm_object *obj)
{
	inode_put(inode_of(obj));
}

static struct list *hash_list(struct super *sb, u64 ino)
{
	return &sb->inodes[hash_u64(ino, 6)];
}

void inode_hash(struct inode *inode)
{
	struct super *sb = inode->super;

	spin_lock(&sb->inodes_lock);
	list_add(&inode->hash_link, hash_list(sb, inode->ino));
	spin_unlock(&sb->inodes_lock);
}

static void inode_unhash(struct inode *inode)
{
	struct super *sb = inode->super;

	spin_lock(&sb->inodes_lock);
	list_del_init(&inode->hash_link);
	sb->evictions++;
	spin_unlock(&sb->inodes_lock);
	wake_up_all(&sb->evicted);
}

/* One look: found and referenced, NULL, or *@dying with the eviction count to wait beyond. */
static struct inode *inode_find_once(struct super *sb, u64 ino, bool *dying, unsigned *evictions)
{
	struct inode *i, *found = NULL;

	*dying = false;
	spin_lock(&sb->inodes_lock);
	*evictions = sb->evictions;
	list_for_each_entry(i, hash_list(sb, ino), hash_link) {
		if (i->ino != ino)
			continue;
		if (inode_try_get(i))
			found = i;
		else
			*dying = true;
		break;
	}
	spin_unlock(&sb->inodes_lock);
	return found;
}

struct inode *inode_find(struct super *sb, u64 ino)
{
	for (;;) {
		unsigned evictions;
		bool dying;
		struct inode *found = inode_find_once(sb, ino, &dying, &evictions);

		if (found || !dying)
			return found;
		wait_event(&sb->evicted, READ_ONCE(sb->evictions) != evictions);
	}
}

bool inode_is_live(struct super *sb, u64 ino)
{
	struct inode *i;
	bool live = false;

	spin_lock(&sb->inodes_lock);
	list_for_each_entry(i, hash_list(sb, ino), hash_link)
		live |= i->ino == ino && atomic_read(&i->refs) > 0;
	spin_unlock(&sb->inodes_lock);
	return live;
}

static void inode_evict(struct inode *inode)
{
	struct super *sb = inode->super;

	if (sb && sb->ops->evict)
		sb->ops->evict(inode);
	object_destroy(&inode->obj);
	if (!list_empty(&inode->hash_link))
		inode_unhash(inode);
	inode_free(inode);
}

void inode_put(struct inode *inode)
{
	ASSERT(atomic_read(&inode->refs) > 0);
	if (atomic_dec_and_test(&inode->refs))
		inode_evict(inode);
}

static void inode_setattr(struct inode *inode)
{
	if (inode->ops && inode->ops->setattr)
		(void)inode->ops->setattr(inode);
}

void inode_touch(struct inode *inode)
{
	inode->mtime = inode->ctime = vfs_now();
	inode_setattr(inode);
}

/* The first live inode of @list behind @prev (NULL: of all), referenced; @prev's reference is given back. */
static struct inode *next_live(struct super *sb, struct list *list, struct inode *prev)
{
	bool behind = !prev;
	struct inode *i, *found = NULL;

	spin_lock(&sb->inodes_lock);
	list_for_each_entry(i, list, hash_link) {
		if (behind && inode_try_get(i)) {
			found = i;
			break;
		}
		behind |= i == prev; /* it is still there: we have a reference */
	}
	spin_unlock(&sb->inodes_lock);
	if (prev)
		inode_put(prev);
	return found;
}

void inodes_shed_pages(struct super *sb)
{
	for (unsigned n = 0; n < INODE_HASH; n++) {
		struct inode *i = NULL;

		while ((i = next_live(sb, &sb->inodes[n], i)))
			pagecache_shed(&i->obj, 0, ~0UL);
	}
}
