/*
 * memfd.c - files without a name: memfd_create(2) with its seals, shared anonymous memory.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h.
 * Lock order: mount_lock (first use only); the inode lock guards seals; object maps.lock inside.
 */
#include "kernel/fs/vfs_internal.h"

#include "kernel/fs/tmpfs.h"

#define SEALS_ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)

static struct super *anon_super; /* a tmpfs that is mounted nowhere */

static struct super *get_super(void)
{
	mutex_lock(&mount_lock);
	if (!anon_super) {
		struct super *sb = tmpfs_make("tmpfs", "memfd");

		if (!IS_ERR(sb))
			anon_super = sb;
	}
	mutex_unlock(&mount_lock);
	return anon_super;
}

static struct file *make(const char *name, u32 mode, loff_t size, u32 seals)
{
	struct super *sb = READ_ONCE(anon_super) ? anon_super : get_super();
	struct inode *inode = sb ? tmpfs_inode_make(sb, S_IFREG | mode) : NULL;
	struct file *f;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->nlink = 0;
	inode->obj.size = size;
	inode->seals = seals;
	f = file_make(inode, &tmpfs_file_fops, O_RDWR | O_LARGEFILE, name);
	inode_put(inode);
	return f;
}

struct file *memfd_make(const char *name, unsigned flags)
{
	u32 seals = flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) ? 0 : F_SEAL_SEAL;
	char full[sizeof(((struct file *)0)->name)];

	if (flags & MFD_NOEXEC_SEAL)
		seals |= F_SEAL_EXEC;
	snprintf(full, sizeof(full), "memfd:%s", name);
	return make(full, flags & MFD_NOEXEC_SEAL ? 0666 : 0777, 0, seals);
}

struct file *shmem_file_make(size_t size)
{
	return make("dev/zero", 0777, (loff_t)size, F_SEAL_SEAL);
}

/* -- seals ---------------------------------------------------------------------------------------------------- */

static bool can_seal(const struct file *f)
{
	return S_ISREG(f->inode->mode) && !f->inode->obj.tracks_dirty; /* other files of tmpfs are sealed against seals */
}

/* Could somebody store into the pages through a mapping, or a device through a pin? => inode lock */
static bool has_writers(struct vm_object *obj)
{
	struct itree_node *n;
	bool found = false;

	rwsem_read_lock(&obj->maps.lock);
	for (n = itree_first(&obj->maps.linear, 0, ~0UL); n && !found; n = itree_next(n, 0, ~0UL))
		found = container_of(n, struct rmap_link, node)->flags & RMAP_SHARED;
	rwsem_read_unlock(&obj->maps.lock);
	return found;
}

static bool has_write_pins(struct vm_object *obj)
{
	unsigned long index = 0;
	bool found = false;

	for (; !found; index++) {
		unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
		struct page *page = radix_next(&obj->pages, &index);

		if (page)
			found = page->pins_w > 0;
		spin_unlock_irqrestore(&obj->pages_lock, flags);
		if (!page || index == ~0UL)
			break;
	}
	return found;
}

int file_get_seals(struct file *f)
{
	return can_seal(f) ? (int)f->inode->seals : -EINVAL;
}

int file_add_seals(struct file *f, unsigned seals)
{
	struct inode *inode = f->inode;
	int err = 0;

	if (!file_writable(f))
		return -EPERM;
	if (!can_seal(f) || (seals & ~(unsigned)SEALS_ALL))
		return -EINVAL;
	rwsem_write_lock(&inode->lock);
	if (inode->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && !(inode->seals & F_SEAL_WRITE) &&
	         (has_writers(&inode->obj) || has_write_pins(&inode->obj)))
		err = -EBUSY;
	else
		inode->seals |= seals;
	rwsem_write_unlock(&inode->lock);
	return err;
}
