/*
 * dir.c - ext2: the entries of a directory.
 *
 * Layer 9 (kernel/fs).  Locks: the directory's inode lock and meta, except where said.
 *
 * A directory is a file of whole blocks; each is filled by a chain of entries, free space belongs to the entry
 * before it.  Indexed directories (dir_index) are read as what they also are, plain ones; the first change
 * takes the index mark away.
 */
#include "kernel/fs/ext2/ext2.h"

#define DIR_BLOCKS_MAX 0x100000u

static u32 dir_blocks(const struct inode *dir)
{
	return (u32)(dir->obj.size >> ext2_fs_of(dir)->block_shift);
}

static struct buffer *dir_block(struct inode *dir, u32 index)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	u32 block;
	int err = ext2_map(dir, index, false, &block, NULL);

	if (!err && !block)
		err = ext2_corrupt(fs, "hole in directory", dir->ino);
	return err ? ERR_PTR(err) : buffer_read(&fs->cache, block);
}

/* Does an entry that can be worked with start at @at? */
static bool entry_ok(const struct ext2_fs *fs, const char *data, unsigned at)
{
	const struct ext2_disk_dirent *e = (const struct ext2_disk_dirent *)(data + at);
	unsigned room = fs->block_size - at;

	return room >= 12 && e->rec_len >= 12 && e->rec_len % 4 == 0 && e->rec_len <= room &&
	       EXT2_DIRENT_SIZE(e->name_len) <= e->rec_len;
}

static bool entry_is(const struct ext2_disk_dirent *e, const char *name, size_t len)
{
	return e->inode && e->name_len == len && !memcmp(e->name, name, len);
}

/* Walk the entries of one block: the next one after @prev (NULL: the first), NULL at the end, or ERR_PTR. */
static struct ext2_disk_dirent *next_entry(struct inode *dir, char *data, struct ext2_disk_dirent *prev)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	unsigned at = prev ? (unsigned)((char *)prev - data) + prev->rec_len : 0;

	if (at >= fs->block_size)
		return NULL;
	if (!entry_ok(fs, data, at))
		return ERR_PTR(ext2_corrupt(fs, "entry of directory", dir->ino));
	return (struct ext2_disk_dirent *)(data + at);
}

/* Where a name is: the buffer is referenced. */
struct place {
	struct buffer *buffer;
	struct ext2_disk_dirent *entry, *before; /* before: in the same block, or NULL */
};

static int find_in_block(struct inode *dir, const char *name, size_t len, struct place *p)
{
	struct ext2_disk_dirent *e = NULL;

	p->before = NULL;
	for (;;) {
		struct ext2_disk_dirent *prev = e;

		e = next_entry(dir, p->buffer->data, prev);
		if (IS_ERR(e))
			return (int)PTR_ERR(e);
		if (!e)
			return -ENOENT;
		if (entry_is(e, name, len)) {
			p->entry = e;
			p->before = prev;
			return 0;
		}
	}
}

static int find(struct inode *dir, const char *name, struct place *p)
{
	size_t len = strlen(name);

	for (u32 i = 0; i < dir_blocks(dir); i++) {
		int err;

		p->buffer = dir_block(dir, i);
		if (IS_ERR(p->buffer))
			return (int)PTR_ERR(p->buffer);
		err = find_in_block(dir, name, len, p);
		if (!err)
			return 0;
		buffer_put(&ext2_fs_of(dir)->cache, p->buffer);
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

int ext2_dir_find(struct inode *dir, const char *name, u32 *ino)
{
	struct place p;
	int err = find(dir, name, &p);

	if (err)
		return err;
	*ino = p.entry->inode;
	buffer_put(&ext2_fs_of(dir)->cache, p.buffer);
	return 0;
}

u32 ext2_dir_where(struct inode *dir, const char *name)
{
	struct place p;
	u32 block;

	if (find(dir, name, &p))
		return 0;
	block = p.buffer->block;
	buffer_put(&ext2_fs_of(dir)->cache, p.buffer);
	return block;
}

/* -- changes --------------------------------------------------------------------------------------------------- */

u8 ext2_file_type(const struct ext2_fs *fs, u32 mode)
{
	if (!fs->filetype)
		return 0;
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 1;
	case S_IFDIR:
		return 2;
	case S_IFCHR:
		return 3;
	case S_IFBLK:
		return 4;
	case S_IFIFO:
		return 5;
	case S_IFSOCK:
		return 6;
	case S_IFLNK:
		return 7;
	default:
		return 0;
	}
}

static void entry_set(struct ext2_fs *fs, struct ext2_disk_dirent *e, const char *name, u32 ino, u32 mode)
{
	e->inode = ino;
	e->name_len = (u8)strlen(name);
	e->file_type = ext2_file_type(fs, mode);
	memcpy(e->name, name, e->name_len);
}

/* The directory itself has changed. */
static int dir_changed(struct inode *dir)
{
	ext2_inode_of(dir)->flags &= ~(u32)EXT2_INDEX_FL;
	dir->mtime = dir->ctime = vfs_now();
	return ext2_store(dir);
}

/* Room for @need bytes in the block: the entry to fill (split off if necessary), NULL, or ERR_PTR. */
static struct ext2_disk_dirent *make_room(struct inode *dir, struct buffer *b, unsigned need)
{
	struct ext2_disk_dirent *e = NULL, *new;

	while ((e = next_entry(dir, b->data, e)) && !IS_ERR(e)) {
		unsigned used = e->inode ? EXT2_DIRENT_SIZE(e->name_len) : 0;

		if (e->rec_len < used + need)
			continue;
		if (!used)
			return e;
		new = (struct ext2_disk_dirent *)((char *)e + used);
		new->rec_len = (u16)(e->rec_len - used);
		e->rec_len = (u16)used;
		return new;
	}
	return e;
}

/* One more block at the end, a single free entry. Referenced, or ERR_PTR */
static struct buffer *append_block(struct inode *dir)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	u32 index = dir_blocks(dir), block;
	struct buffer *b;
	int err = index < DIR_BLOCKS_MAX ? ext2_map(dir, index, true, &block, NULL) : -ENOSPC;

	if (err)
		return ERR_PTR(err);
	b = buffer_new(&fs->cache, block, EXT2_FRESH);
	if (IS_ERR(b)) {
		(void)ext2_unmap(dir, index, EXT2_END);
		return b;
	}
	((struct ext2_disk_dirent *)b->data)->rec_len = (u16)fs->block_size;
	dir->obj.size += fs->block_size;
	return b;
}

int ext2_dir_add(struct inode *dir, const char *name, u32 ino, u32 mode)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	unsigned need = EXT2_DIRENT_SIZE(strlen(name));
	u32 nr = dir_blocks(dir);

	for (u32 i = 0; i <= nr; i++) {
		struct buffer *b = i < nr ? dir_block(dir, i) : append_block(dir);
		struct ext2_disk_dirent *e;

		if (IS_ERR(b))
			return (int)PTR_ERR(b);
		e = make_room(dir, b, need);
		if (e && !IS_ERR(e)) {
			ext2_dirty(fs, b, EXT2_DIR);
			entry_set(fs, e, name, ino, mode);
		}
		buffer_put(&fs->cache, b);
		if (IS_ERR(e))
			return (int)PTR_ERR(e);
		if (e)
			return dir_changed(dir);
	}
	return -ENOSPC;
}

int ext2_dir_remove(struct inode *dir, const char *name)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	struct place p;
	int err = find(dir, name, &p);

	if (err)
		return err;
	ext2_dirty(fs, p.buffer, EXT2_DIR);
	if (p.before)
		p.before->rec_len = (u16)(p.before->rec_len + p.entry->rec_len);
	p.entry->inode = 0;
	buffer_put(&fs->cache, p.buffer);
	return dir_changed(dir);
}

int ext2_dir_replace(struct inode *dir, const char *name, u32 ino, u32 mode)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	struct place p;
	int err = find(dir, name, &p);

	if (err)
		return err;
	ext2_dirty(fs, p.buffer, EXT2_DIR);
	p.entry->inode = ino;
	p.entry->file_type = ext2_file_type(fs, mode);
	buffer_put(&fs->cache, p.buffer);
	return dir_changed(dir);
}

int ext2_dir_make_empty(struct inode *dir, u32 parent)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	struct buffer *b = append_block(dir);
	struct ext2_disk_dirent *dot, *dotdot;

	if (IS_ERR(b))
		return (int)PTR_ERR(b);
	dot = (struct ext2_disk_dirent *)b->data;
	dot->rec_len = 12;
	entry_set(fs, dot, ".", (u32)dir->ino, S_IFDIR);
	dotdot = (struct ext2_disk_dirent *)(b->data + 12);
	dotdot->rec_len = (u16)(fs->block_size - 12);
	entry_set(fs, dotdot, "..", parent, S_IFDIR);
	buffer_put(&fs->cache, b);
	return ext2_store(dir);
}

static bool is_dots(const struct ext2_disk_dirent *e)
{
	return entry_is(e, ".", 1) || entry_is(e, "..", 2);
}

int ext2_dir_is_empty(struct inode *dir)
{
	struct ext2_fs *fs = ext2_fs_of(dir);

	for (u32 i = 0; i < dir_blocks(dir); i++) {
		struct buffer *b = dir_block(dir, i);
		struct ext2_disk_dirent *e = NULL;
		int r = 1;

		if (IS_ERR(b))
			return (int)PTR_ERR(b);
		while ((e = next_entry(dir, b->data, e)) && !IS_ERR(e))
			if (e->inode && !is_dots(e))
				r = 0;
		buffer_put(&fs->cache, b);
		if (IS_ERR(e))
			return (int)PTR_ERR(e);
		if (!r)
			return 0;
	}
	return 1;
}

bool ext2_dir_unwritten(struct inode *dir)
{
	bool unwritten = false;

	for (u32 i = 0; i < dir_blocks(dir) && !unwritten; i++) {
		struct buffer *b = dir_block(dir, i);

		if (IS_ERR(b))
			return false;
		unwritten = b->dirty;
		buffer_put(&ext2_fs_of(dir)->cache, b);
	}
	return unwritten;
}

/* -- reading: positions are byte offsets ------------------------------------------------------------------------- */

static const u8 dt_of_type[] = {DT_UNKNOWN, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK, DT_LNK};

/* Block @index into @copy: the entries are handed out without meta. */
static int copy_block(struct inode *dir, u32 index, char *copy)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	struct buffer *b;
	int err = 0;

	mutex_lock(&fs->meta);
	b = dir_block(dir, index);
	if (IS_ERR(b)) {
		err = (int)PTR_ERR(b);
	} else {
		memcpy(copy, b->data, fs->block_size);
		buffer_put(&fs->cache, b);
	}
	mutex_unlock(&fs->meta);
	return err;
}

typedef bool emit_t(void *ctx, const char *name, u64 ino, u8 type, loff_t next);

/* Emit the entries of the block at file offset @base that lie at or after @pos: 1 go on, 0 stop, or -EIO. */
static int emit_block(struct inode *dir, const char *data, loff_t base, loff_t pos, emit_t *emit, void *ctx)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	const struct ext2_disk_dirent *e;
	char name[NAME_MAX + 1];

	for (unsigned at = 0; at < fs->block_size; at += e->rec_len) {
		e = (const struct ext2_disk_dirent *)(data + at);
		if (!entry_ok(fs, data, at)) {
			int err;

			mutex_lock(&fs->meta);
			err = ext2_corrupt(fs, "entry of directory", dir->ino);
			mutex_unlock(&fs->meta);
			return err;
		}
		if (!e->inode || base + at < pos)
			continue;
		memcpy(name, e->name, e->name_len);
		name[e->name_len] = 0;
		if (!emit(ctx, name, e->inode, fs->filetype && e->file_type < 8 ? dt_of_type[e->file_type] : DT_UNKNOWN,
		          base + at + e->rec_len))
			return 0;
	}
	return 1;
}

static int ext2_readdir(struct file *f, emit_t *emit, void *ctx)
{
	struct inode *dir = f->inode;
	struct ext2_fs *fs = ext2_fs_of(dir);
	char *copy = kmalloc(fs->block_size, GFP_KERNEL);
	loff_t pos = f->pos;
	int r = 1;

	if (!copy)
		return -ENOMEM;
	for (loff_t base = pos & ~(loff_t)(fs->block_size - 1); r > 0 && base < dir->obj.size; base += fs->block_size) {
		r = copy_block(dir, (u32)(base >> fs->block_shift), copy);
		if (!r)
			r = emit_block(dir, copy, base, pos, emit, ctx);
	}
	kfree(copy);
	return r < 0 ? r : 0;
}

const struct file_ops ext2_dir_fops = {.readdir = ext2_readdir};
