/*
 * uffd_fill.c - UFFDIO_COPY, ZEROPAGE, CONTINUE, POISON and WRITEPROTECT: ranges that a program answers for are filled.
 *
 * Layer 7 (mm/service).  Interface: uffd.h.  Lock order: mm->lock (read), then as fault_fill.c.
 *
 * The caller's memory is read with no lock held: it may be anybody's, absent, and even of a range that is answered for
 * itself.  So the destination is judged anew for every page, under the lock that its entry is set under.
 */
#include <arch/uaccess.h>

#include "kernel/lib/err.h"
#include "mm/service/uffd.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

struct fill {
	struct uffd *u;
	struct mm *mm;
	enum uffd_fill what;
	bool wp;
};

/* The vma that holds [va, end), if it may be filled. ERR_PTR(-ENOENT, -EAGAIN, -EINVAL). => mm->lock held */
static struct vma *find_target(const struct fill *f, vaddr_t va, vaddr_t end)
{
	struct vma *vma = vma_find(f->mm, va);

	if (!vma || vma->start > va || vma->end < end || !vma->uffd)
		return ERR_PTR(-ENOENT);
	if (uffd_changing(f->u))
		return ERR_PTR(-EAGAIN);
	if (f->wp && !(vma->flags & VM_UFFD_WP))
		return ERR_PTR(-EINVAL);
	if (vma->object ? vma->object->tracks_dirty : f->what == UFFD_FILL_CONTINUE)
		return ERR_PTR(-EINVAL);
	return vma;
}

/* => mm->lock held; @content's reference passes to a private mapping that takes it: *@content is NULL then */
static int fill_entry(const struct fill *f, struct vma *vma, vaddr_t va, struct page **content)
{
	int err;

	switch (f->what) {
	case UFFD_FILL_CONTINUE:
		return uffd_fill_cached(vma, va, f->wp);
	case UFFD_FILL_POISON:
		return uffd_fill_poison(vma, va);
	default:
		break;
	}
	if (!vma_private(vma))
		return uffd_fill_file(vma, va, *content, f->wp);
	if (f->what == UFFD_FILL_ZERO)
		return uffd_fill_zero(vma, va);
	err = uffd_fill_page(vma, va, *content, f->wp);
	if (!err)
		*content = NULL;
	return err;
}

/* A page with what the caller has at @src. ERR_PTR(-ENOMEM, -EFAULT). */
static struct page *fetch(vaddr_t src)
{
	struct page *page = page_alloc(0, GFP_USER);
	void *va;
	int err;

	if (!page)
		return ERR_PTR(-ENOMEM);
	va = page_kmap(page);
	err = copy_from_user(va, (const void *)src, PAGE_SIZE);
	page_kunmap(va);
	if (!err)
		return page;
	page_put(page);
	return ERR_PTR(-EFAULT);
}

/* One page; @end: of the whole request. */
static int fill_one(const struct fill *f, vaddr_t dst, vaddr_t src, vaddr_t end)
{
	struct page *content = f->what == UFFD_FILL_COPY ? fetch(src) : NULL;
	struct vma *vma;
	int err;

	if (IS_ERR(content))
		return (int)PTR_ERR(content);
	rwsem_read_lock(&f->mm->lock);
	vma = find_target(f, dst, end);
	err = IS_ERR(vma) ? (int)PTR_ERR(vma) : fill_entry(f, vma, dst, &content);
	rwsem_read_unlock(&f->mm->lock);
	if (content)
		page_put(content);
	return err;
}

/* Is there any point in reading the caller's memory? */
static int judge(const struct fill *f, vaddr_t dst, vaddr_t end)
{
	struct vma *vma;

	rwsem_read_lock(&f->mm->lock);
	vma = find_target(f, dst, end);
	rwsem_read_unlock(&f->mm->lock);
	return IS_ERR(vma) ? (int)PTR_ERR(vma) : 0;
}

long uffd_fill(struct uffd *u, enum uffd_fill what, vaddr_t dst, vaddr_t src, size_t len, bool wp)
{
	struct fill f = {.u = u, .mm = uffd_mm_get(u), .what = what, .wp = wp};
	size_t done = 0;
	int err;

	if (!f.mm)
		return -ESRCH;
	err = judge(&f, dst, dst + len);
	while (!err && done < len) {
		err = fill_one(&f, dst + done, src + done, dst + len);
		if (err)
			break;
		done += PAGE_SIZE;
		if (sync_fatal_pending())
			err = -EINTR;
	}
	mm_put(f.mm);
	return done ? (long)done : err;
}

/* -- WRITEPROTECT -------------------------------------------------------------------------------------------------------- */

/* => mm->lock held */
static int protect_range(struct mm *mm, vaddr_t start, vaddr_t end, bool protect)
{
	int err = -ENOENT;
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end) {
		err = -ENOENT;
		if (vma->flags & VM_UFFD_WP)
			err = uffd_write_protect(vma, max(start, vma->start), min(end, vma->end), protect);
		if (err)
			break;
	}
	return err;
}

int uffd_protect(struct uffd *u, vaddr_t start, size_t len, bool protect)
{
	struct mm *mm = uffd_mm_get(u);
	int err = -EAGAIN;

	if (!mm)
		return -ESRCH;
	rwsem_read_lock(&mm->lock);
	if (!uffd_changing(u))
		err = protect_range(mm, start, start + len, protect);
	rwsem_read_unlock(&mm->lock);
	mm_put(mm);
	return err;
}
