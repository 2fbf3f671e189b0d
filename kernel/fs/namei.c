/*
 * namei.c - from a path to a dentry: components, "..", mounts, symbolic links.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h, vfs_internal.h.
 * Locks: each step takes and releases the directory's lock if the name is not cached.
 *
 * A symbolic link is followed by replacing the path in hand by "target/rest", so the depth of the stack does
 * not depend on the input; 40 links and it is ELOOP.
 */
#include "kernel/fs/vfs_internal.h"

struct dentry *root_dentry;

struct dentry *vfs_root(void)
{
	return root_dentry;
}

static bool is_dir(const struct dentry *d)
{
	return d->inode && S_ISDIR(d->inode->mode);
}

static ssize_t dentry_readlink(struct dentry *d, char *buf, size_t n)
{
	if (!d->inode)
		return -ENOENT;
	if (!S_ISLNK(d->inode->mode))
		return -EINVAL;
	return d->inode->ops->readlink(d->inode, buf, n);
}

/* Stand at @d (reference consumed). */
static void walk_to(struct walk *w, struct dentry *d)
{
	dentry_put(w->at);
	w->at = d;
}

/* Where @path starts. */
static void walk_start(struct walk *w, struct dentry *from, const char *path)
{
	struct dentry *start = *path == '/' || !from ? root_dentry : from;

	dentry_get(start);
	w->at = start;
}

/*
 * The link @d (reference consumed) lies in directory w->at; *@rest follows it. Either moves w->at through the
 * link (links that lead to a file) and leaves *@rest, or makes a new path and points *@rest at it.
 */
static int follow_link(struct walk *w, struct dentry *d, const char **rest)
{
	struct dentry *target;
	char *buf;
	ssize_t n;

	if (++w->links > SYMLINK_DEPTH_MAX) {
		dentry_put(d);
		return -ELOOP;
	}
	if (d->inode->ops->follow) {
		target = d->inode->ops->follow(d->inode);
		dentry_put(d);
		if (IS_ERR(target))
			return (int)PTR_ERR(target);
		walk_to(w, target);
		return 1;
	}
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	n = buf ? d->inode->ops->readlink(d->inode, buf, PATH_MAX - 1) : -ENOMEM;
	dentry_put(d);
	if (n >= 0 && (size_t)n + strlen(*rest) >= PATH_MAX)
		n = -ENAMETOOLONG;
	if (n == 0)
		n = -ENOENT;
	if (n < 0) {
		kfree(buf);
		return (int)n;
	}
	strlcpy(buf + n, *rest, PATH_MAX - (size_t)n);
	kfree(w->buf);
	w->buf = buf;
	*rest = buf;
	if (*buf == '/') {
		dentry_get(root_dentry);
		walk_to(w, root_dentry);
	}
	return 0;
}

/* The entry for one component below w->at, mounts crossed; referenced. */
static struct dentry *step(struct walk *w, const char *name, size_t len)
{
	struct dentry *d;

	if (len == 1 && name[0] == '.') {
		dentry_get(w->at);
		return w->at;
	}
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		dentry_get(w->at);
		return dentry_up(w->at);
	}
	d = dentry_lookup(w->at, name, len);
	return IS_ERR(d) ? d : dentry_follow_mounts(d);
}

static enum last_type last_type(const char *name, size_t len)
{
	if (len == 1 && name[0] == '.')
		return LAST_DOT;
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return LAST_DOTDOT;
	return LAST_NORMAL;
}

/* Walk @p from w->at. With LOOKUP_PARENT the last component is left in w->last. */
static int walk_rest(struct walk *w, const char *p, unsigned flags)
{
	w->slash = false;
	w->last_type = LAST_ROOT;
	w->last = NULL;
	w->last_len = 0;
	for (;;) {
		struct dentry *d;
		const char *name, *rest;
		size_t len;
		bool more;
		int err;

		while (*p == '/')
			p++;
		if (!*p)
			return 0;
		if (!is_dir(w->at))
			return -ENOTDIR;
		name = p;
		len = strcspn(p, "/");
		rest = p + len;
		more = rest[strspn(rest, "/")] != 0;
		w->slash = !more && *rest == '/';
		if (!more && (flags & LOOKUP_PARENT)) {
			w->last = name;
			w->last_len = len;
			w->last_type = last_type(name, len);
			return len > NAME_MAX ? -ENAMETOOLONG : 0;
		}
		d = step(w, name, len);
		if (IS_ERR(d))
			return (int)PTR_ERR(d);
		p = rest;
		if (!d->inode) {
			dentry_put(d);
			return -ENOENT;
		}
		if (S_ISLNK(d->inode->mode) && (more || w->slash || (flags & LOOKUP_FOLLOW))) {
			err = follow_link(w, d, &p);
			if (err < 0)
				return err;
			if (err && !*p && (flags & LOOKUP_PARENT))
				return 0;
			continue;
		}
		walk_to(w, d);
		if ((more || w->slash) && !is_dir(d))
			return -ENOTDIR;
	}
}

int walk_path(struct walk *w, struct dentry *cwd, const char *path, unsigned flags)
{
	int err;

	*w = (struct walk){0};
	walk_start(w, cwd, path);
	if (!*path)
		err = -ENOENT;
	else if (strnlen(path, PATH_MAX) >= PATH_MAX)
		err = -ENAMETOOLONG;
	else
		err = walk_rest(w, path, flags);
	if (!err && (flags & LOOKUP_DIRECTORY) && !(flags & LOOKUP_PARENT) && !is_dir(w->at))
		err = -ENOTDIR;
	if (err)
		walk_end(w);
	return err;
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
	const char *rest = w->slash ? "/" : "";
	int err;

	dentry_get(d);
	err = follow_link(w, d, &rest);
	if (err > 0) { /* it led to a file itself */
		w->last = NULL;
		w->last_type = LAST_ROOT;
		return 0;
	}
	return err ? err : walk_rest(w, rest, LOOKUP_PARENT);
}

void walk_end(struct walk *w)
{
	if (w->at)
		dentry_put(w->at);
	kfree(w->buf);
	w->at = NULL;
	w->buf = NULL;
}

struct dentry *path_lookup(struct dentry *cwd, const char *path, unsigned flags)
{
	struct dentry *d;
	struct walk w;
	int err = walk_path(&w, cwd, path, flags & (LOOKUP_FOLLOW | LOOKUP_DIRECTORY));

	if (err)
		return ERR_PTR(err);
	d = w.at;
	w.at = NULL;
	walk_end(&w);
	return d;
}

ssize_t vfs_readlink(struct dentry *cwd, const char *path, char *buf, size_t n)
{
	struct dentry *d = path_lookup(cwd, path, 0);
	ssize_t r;

	if (IS_ERR(d))
		return PTR_ERR(d);
	r = dentry_readlink(d, buf, n);
	dentry_put(d);
	return r;
}
