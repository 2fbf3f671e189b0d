/*
 * futex_key.c - futexes' names, and the buckets that they are found in.  Layer 10.  Story: futex.h.
 */
#include <arch/uaccess.h>
#include "kernel/fs/vfs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/hash.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"
#include "mm/service/pin.h"

#define BUCKET_BITS 7

static struct futex_bucket buckets[1 << BUCKET_BITS];

void futex_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_init(&buckets[i].lock, LOCK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
	u64 h = (unsigned long)key->where ^ (u64)key->index * 31 ^ key->offset;

	return &buckets[hash_u64(h, BUCKET_BITS)];
}

bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->where == b->where && a->index == b->index && a->offset == b->offset;
}

/* What the shared mapping at @va maps there: object, page (the linear one), and a reference. False: it is private
 * memory after all. -EFAULT: nothing. => may sleep */
static int key_of_mapping(struct futex_key *key, struct mm *mm, vaddr_t va, bool *nonlinear)
{
	struct vma *vma;
	int ret = 0;

	*nonlinear = false;
	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (!vma || vma->start > va) {
		ret = -EFAULT;
	} else if (vma->object && vma->file && (vma->flags & VM_MAYSHARE)) {
		key->where = vma->object;
		key->index = vma->pgoff + ((va - vma->start) >> PAGE_SHIFT);
		key->offset = va % PAGE_SIZE;
		key->file = vma->file;
		file_get(key->file);
		*nonlinear = vma->flags & VM_NONLINEAR;
	}
	rwsem_read_unlock(&mm->lock);
	return ret;
}

/* Entries of their own offset: the page that is mapped there knows which. False: another file's meanwhile. */
static int key_of_page(struct futex_key *key, struct mm *mm, vaddr_t va, bool *same)
{
	struct page *page;
	long n = pin_user_pages(mm, va & PAGE_MASK, 1, 0, &page);

	if (n != 1)
		return n < 0 ? (int)n : -EFAULT;
	*same = page->object == key->where;
	key->index = page->index;
	unpin_user_pages(&page, 1, 0, false);
	return 0;
}

/* => may sleep */
void futex_key_put(struct futex_key *key)
{
	if (key->file)
		file_put(key->file);
}

/* Names the futex at @uaddr: futex_key_put() it. -EINVAL (not aligned), -EFAULT. => may sleep */
int futex_key_get(struct futex_key *key, int *uaddr, bool private)
{
	struct mm *mm = current_process()->mm;
	vaddr_t va = (vaddr_t)uaddr;
	bool nonlinear, same = true;
	int ret;

	if (va % sizeof(int))
		return -EINVAL;
	if (!user_range_ok(uaddr, sizeof(int)))
		return -EFAULT;
	do {
		*key = (struct futex_key){.where = mm, .index = va};
		if (private)
			return 0;
		ret = key_of_mapping(key, mm, va, &nonlinear);
		if (!ret && nonlinear)
			ret = key_of_page(key, mm, va, &same);
		if (ret || !same)
			futex_key_put(key);
	} while (!ret && !same);
	return ret;
}

/* The word, without sleeping. => bucket lock */
int futex_peek(u32 *value, const int *uaddr)
{
	int err;

	pagefault_disable();
	err = get_user(*value, (const u32 *)uaddr);
	pagefault_enable();
	return err;
}

void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->lock : &a->lock);
}

void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a != b)
		spin_unlock(&b->lock);
	spin_unlock(&a->lock);
}

/* Two names; on error neither is held. */
int futex_keys_get(struct futex_key *a, int *uaddr, struct futex_key *b, int *uaddr2, bool private)
{
	int ret = futex_key_get(a, uaddr, private);

	if (ret)
		return ret;
	ret = futex_key_get(b, uaddr2, private);
	if (ret)
		futex_key_put(a);
	return ret;
}
