/*
 * dev_edu.c - /dev/edu: user memory for a real DMA device, pinned, or through an IOMMU.  The ioctls are those of kernel/uapi/edu.h.
 *
 * Layer 9 (kernel/fs).  Every open file has pins of its own.  A pin in use by a transfer cannot be unpinned
 * (EBUSY), so the client's lock need not be held for the 100 ms that a transfer takes; release() runs when no
 * call on the file is left.
 * Lock order: client->lock (LOCK_DEVICE) is never held over anything that sleeps or locks, but allocation.
 */
#include "kernel/fs/dev_edu.h"

#include "kernel/dev/edu.h"
#include "kernel/fs/ioctl.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/phys/slab.h"
#include "mm/service/pin.h"
#include "mm/space/space.h"

#define EDU_MAJOR 240
#define PIN_PAGES_MAX (1ul << 16)

struct pin {
	struct list link; /* client->pins */
	u64 id;
	unsigned flags; /* PIN_* */
	unsigned head;  /* offset of the first byte in the first page */
	u64 bytes;      /* that transfers may touch, from head on */
	unsigned long npages;
	unsigned users; /* transfers under way; client lock */
	bool stored;    /* the device has stored; client lock */
	struct page **pages;
};

struct client {
	struct mutex lock;
	struct list pins;
	u64 last_id;
	struct iommu_domain *domain; /* from the first transfer without a pin on; atomic, stays */
};

static struct mm *current_mm(void)
{
	struct pgtable *pt = current_thread()->pt;

	return pt ? container_of(pt, struct mm, pt) : NULL;
}

/* -- pins ------------------------------------------------------------------------------------------------------- */

static void pin_free(struct pin *pin)
{
	if (pin)
		kfree(pin->pages);
	kfree(pin);
}

static struct pin *pin_alloc(unsigned long npages)
{
	struct pin *pin = kzalloc(sizeof(*pin), GFP_KERNEL);

	if (!pin)
		return NULL;
	pin->pages = kzalloc(npages * sizeof(*pin->pages), GFP_KERNEL | GFP_NOWARN);
	if (pin->pages)
		return pin;
	kfree(pin);
	return NULL;
}

/* => client->lock; NULL: none */
static struct pin *pin_find(struct client *client, u64 id)
{
	struct pin *pin;

	list_for_each_entry(pin, &client->pins, link)
		if (pin->id == id)
			return pin;
	return NULL;
}

/* The pin with a user more, so that it stays; NULL: none. */
static struct pin *pin_use(struct client *client, u64 id)
{
	struct pin *pin;

	mutex_lock(&client->lock);
	pin = pin_find(client, id);
	if (pin)
		pin->users++;
	mutex_unlock(&client->lock);
	return pin;
}

static void pin_unuse(struct client *client, struct pin *pin, bool stored)
{
	mutex_lock(&client->lock);
	pin->users--;
	pin->stored |= stored;
	mutex_unlock(&client->lock);
}

static void pin_drop(struct pin *pin, bool dirty)
{
	unpin_user_pages(pin->pages, pin->npages, pin->flags, dirty || pin->stored);
	pin_free(pin);
}

/* How many pages [addr, addr + len) touches: -EOVERFLOW, -EFAULT, -ENOMEM when that is no sensible range. */
static long range_pages(u64 addr, u64 len)
{
	u64 pages;

	if (addr + len < addr)
		return -EOVERFLOW;
	if (addr > ~0ul)
		return -EFAULT;
	if (len > ~0ul || (vaddr_t)(addr + len) < addr)
		return -EOVERFLOW;
	pages = ((addr & (PAGE_SIZE - 1)) + len + PAGE_SIZE - 1) >> PAGE_SHIFT;
	return pages > PIN_PAGES_MAX ? -ENOMEM : (long)pages;
}

static long ioctl_pin(void *ctx, void *argument)
{
	struct client *client = ctx;
	struct edu_pin *arg = argument;
	struct pin *pin;
	long n;

	if (arg->flags & ~(u64)(EDU_PIN_WRITE | EDU_PIN_LONGTERM))
		return -EINVAL;
	arg->id = arg->npages = 0;
	n = range_pages(arg->addr, arg->len);
	if (n < 0 || arg->len == 0)
		return n < 0 ? n : 0;
	pin = pin_alloc(n);
	if (!pin)
		return -ENOMEM;
	pin->flags = (arg->flags & EDU_PIN_WRITE ? FOLL_WRITE : 0) | (arg->flags & EDU_PIN_LONGTERM ? FOLL_LONGTERM : 0);
	n = pin_user_pages(current_mm(), (vaddr_t)arg->addr, n, pin->flags, pin->pages);
	if (n <= 0) {
		pin_free(pin);
		return n;
	}
	pin->npages = n;
	pin->head = arg->addr & (PAGE_SIZE - 1);
	pin->bytes = min(arg->len, ((u64)n << PAGE_SHIFT) - pin->head);
	mutex_lock(&client->lock);
	pin->id = ++client->last_id;
	list_add_tail(&pin->link, &client->pins);
	mutex_unlock(&client->lock);
	arg->id = pin->id;
	arg->npages = n;
	return 0;
}

static long ioctl_unpin(void *ctx, void *argument)
{
	struct client *client = ctx;
	struct edu_unpin *arg = argument;
	struct pin *pin;
	long result = 0;

	mutex_lock(&client->lock);
	pin = pin_find(client, arg->id);
	if (!pin)
		result = -ENOENT;
	else if (pin->users)
		result = -EBUSY;
	else
		list_del(&pin->link);
	mutex_unlock(&client->lock);
	if (!result)
		pin_drop(pin, arg->dirty != 0);
	return result;
}

/* -- transfers -------------------------------------------------------------------------------------------------- */

static int check_transfer(const struct pin *pin, const struct edu_dma *arg, bool to_device)
{
	if (arg->offset > pin->bytes || arg->length > pin->bytes - arg->offset)
		return -EINVAL;
	if (arg->buffer_offset > EDU_BUFFER_SIZE || arg->length > EDU_BUFFER_SIZE - arg->buffer_offset)
		return -EINVAL;
	return to_device || (pin->flags & FOLL_WRITE) ? 0 : -EACCES;
}

/* Page by page; arg->done says how far it came. */
static int run_transfer(struct pin *pin, struct edu_dma *arg, bool to_device)
{
	while (arg->done < arg->length) {
		u64 at = pin->head + arg->offset + arg->done;
		unsigned offset = at & (PAGE_SIZE - 1);
		unsigned n = min(arg->length - arg->done, (u64)(PAGE_SIZE - offset));
		int error = edu_dma(pin->pages[at >> PAGE_SHIFT], offset, arg->buffer_offset + arg->done, n, to_device);

		if (error)
			return error;
		arg->done += n;
	}
	return 0;
}

static long transfer(struct client *client, struct edu_dma *arg, bool to_device)
{
	struct pin *pin = pin_use(client, arg->id);
	int error;

	if (!pin)
		return -ENOENT;
	arg->done = 0;
	error = check_transfer(pin, arg, to_device);
	if (!error)
		error = run_transfer(pin, arg, to_device);
	pin_unuse(client, pin, !to_device && arg->done > 0);
	return error;
}

static long ioctl_to_device(void *ctx, void *argument)
{
	struct client *client = ctx;

	return transfer(client, argument, true);
}

static long ioctl_from_device(void *ctx, void *argument)
{
	struct client *client = ctx;

	return transfer(client, argument, false);
}

/* -- transfers without a pin ------------------------------------------------------------------------------------- */

/* The client's domain; ERR_PTR(-EOPNOTSUPP, -EPERM: of another process, ...). */
static struct iommu_domain *domain_get(struct client *client)
{
	struct iommu_domain *d = __atomic_load_n(&client->domain, __ATOMIC_ACQUIRE), *seen = NULL;

	if (!edu_has_iommu())
		return ERR_PTR(-EOPNOTSUPP);
	if (!d) {
		d = iommu_domain_create(current_mm());
		if (IS_ERR(d))
			return d;
		if (!__atomic_compare_exchange_n(&client->domain, &seen, d, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			iommu_domain_destroy(d); /* another thread was faster */
			d = seen;
		}
	}
	return iommu_domain_is_of(d, current_mm()) ? d : ERR_PTR(-EPERM);
}

static long ioctl_dma_user(void *ctx, void *argument)
{
	struct edu_user_dma *arg = argument;
	struct iommu_domain *d = domain_get(ctx);
	unsigned faults = 0;
	int error;

	arg->faults = 0;
	if (IS_ERR(d))
		return PTR_ERR(d);
	if (arg->length > EDU_BUFFER_SIZE || arg->buffer_offset > EDU_BUFFER_SIZE)
		return -EINVAL;
	if (arg->addr >= USER_END || arg->length > USER_END - arg->addr)
		return -EFAULT;
	error = edu_dma_user(d, (vaddr_t)arg->addr, (unsigned)arg->buffer_offset, (unsigned)arg->length,
	                     arg->to_device != 0, &faults);
	arg->faults = faults;
	return error;
}

/* -- looking ---------------------------------------------------------------------------------------------------- */

static u64 flag(const struct page *page, enum page_flag bit, u64 value)
{
	return page_test(page, bit) ? value : 0;
}

/* => @page cannot go away */
static void fill_stat(struct edu_stat *st, const struct page *page, bool zero)
{
	st->flags = EDU_STAT_PRESENT | (zero ? EDU_STAT_ZERO : 0) | (page_object(page) ? EDU_STAT_CACHED : 0) |
	            flag(page, PG_DIRTY, EDU_STAT_DIRTY) | flag(page, PG_WRITEBACK, EDU_STAT_WRITEBACK) |
	            flag(page, PG_ANON, EDU_STAT_ANON) | flag(page, PG_ANON_EXCLUSIVE, EDU_STAT_EXCLUSIVE) |
	            (page_leased(page) ? EDU_STAT_LEASED : 0);
	st->pins_w = READ_ONCE(page->pins_w);
	st->pins_r = READ_ONCE(page->pins_r);
	st->mapcount = READ_ONCE(page->mapcount);
	st->refs = READ_ONCE(page->refs);
	st->pfn = page_to_pfn(page);
}

/* The page that the caller has mapped at st->addr. */
static int stat_address(struct edu_stat *st)
{
	struct mm *mm = current_mm();
	struct pt_slot slot;
	pte_t pte;

	if (st->addr >= USER_END)
		return -EFAULT;
	rwsem_read_lock(&mm->lock);
	slot = pt_lock(&mm->pt, (vaddr_t)st->addr);
	if (slot.hw) {
		pte = hw_pte_get(slot.hw);
		if (pte_has_page(pte))
			fill_stat(st, pfn_to_page(pte_pfn(pte)), pte_special(pte));
		pt_unlock(slot);
	}
	rwsem_read_unlock(&mm->lock);
	return 0;
}

static int stat_pin(struct client *client, struct edu_stat *st)
{
	struct pin *pin = pin_use(client, st->id);
	int result = -EINVAL;

	if (!pin)
		return -ENOENT;
	if (st->index < pin->npages) {
		fill_stat(st, pin->pages[st->index], pin->pages[st->index] == zero_page);
		result = 0;
	}
	pin_unuse(client, pin, false);
	return result;
}

static long ioctl_stat(void *ctx, void *argument)
{
	struct client *client = ctx;
	struct edu_stat *st = argument;
	u64 addr = st->addr, id = st->id, index = st->index;

	*st = (struct edu_stat){.addr = addr, .id = id, .index = index};
	st->acquired = READ_ONCE(pin_acquired);
	st->released = READ_ONCE(pin_released);
	return id ? stat_pin(client, st) : stat_address(st);
}

static long ioctl_ident(void *ctx, void *argument)
{
	edu_ident(argument);
	return 0;
}

static long ioctl_totals(void *ctx, void *argument)
{
	edu_totals(argument);
	return 0;
}

static long ioctl_factorial(void *ctx, void *argument)
{
	struct edu_factorial *arg = argument;
	u32 result = 0;
	int error;

	if (arg->n > UINT32_MAX)
		return -EINVAL;
	error = edu_factorial((u32)arg->n, &result);
	arg->result = result;
	return error;
}

/* -- the file --------------------------------------------------------------------------------------------------- */

static const struct ioctl_request requests[] = {
	{EDU_IOC_IDENT, ioctl_ident},
	{EDU_IOC_FACTORIAL, ioctl_factorial},
	{EDU_IOC_PIN, ioctl_pin},
	{EDU_IOC_UNPIN, ioctl_unpin},
	{EDU_IOC_DMA_TO_DEVICE, ioctl_to_device},
	{EDU_IOC_DMA_FROM_DEVICE, ioctl_from_device},
	{EDU_IOC_STAT, ioctl_stat},
	{EDU_IOC_TOTALS, ioctl_totals},
	{EDU_IOC_DMA_USER, ioctl_dma_user},
};

static long dev_edu_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	/* A pin that the caller was not told of goes at close. */
	return ioctl_dispatch(requests, ARRAY_SIZE(requests), f->private, cmd, user);
}

static int dev_edu_open(struct inode *inode, struct file *f)
{
	struct client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return -ENOMEM;
	mutex_init(&client->lock, LOCK_DEVICE);
	list_init(&client->pins);
	f->private = client;
	return 0;
}

static void dev_edu_release(struct file *f)
{
	struct client *client = f->private;
	struct pin *pin, *next;

	list_for_each_entry_safe(pin, next, &client->pins, link) {
		list_del(&pin->link);
		pin_drop(pin, false);
	}
	if (client->domain) {
		edu_forget(client->domain);
		iommu_domain_destroy(client->domain);
	}
	kfree(client);
}

static const struct file_ops dev_edu_ops = {
	.ioctl = dev_edu_ioctl,
	.open = dev_edu_open,
	.release = dev_edu_release,
	.no_mmap = true,
};

void dev_edu_init(void)
{
	if (edu_init())
		dev_register("edu", EDU_MAJOR, 0, 0666, &dev_edu_ops);
}
