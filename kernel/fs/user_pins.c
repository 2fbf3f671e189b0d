/*
 * user_pins.c - pins that a program holds through an open device.
 *
 * Layer 9 (kernel/fs).  Interface: user_pins.h.  Lock order: pins->lock, the allocators'.
 */
#include "kernel/fs/user_pins.h"

#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/pgtable/huge.h"
#include "mm/object/pagecache.h"
#include "mm/phys/slab.h"
#include "mm/space/space.h"

#define PIN_PAGES_MAX (1ul << 16)

struct mm *user_pins_mm(void)
{
	struct pgtable *pt = current_thread()->pt;

	return pt ? container_of(pt, struct mm, pt) : NULL;
}

static void pin_free(struct user_pin *pin)
{
	if (pin)
		kfree(pin->pages);
	kfree(pin);
}

static struct user_pin *pin_alloc(unsigned long npages)
{
	struct user_pin *pin = kzalloc(sizeof(*pin), GFP_KERNEL);

	if (!pin)
		return NULL;
	pin->pages = kzalloc(npages * sizeof(*pin->pages), GFP_KERNEL | GFP_NOWARN);
	if (pin->pages)
		return pin;
	kfree(pin);
	return NULL;
}

/* => pins->lock; NULL: none */
static struct user_pin *pin_find(struct user_pins *pins, u64 id)
{
	struct user_pin *pin;

	list_for_each_entry(pin, &pins->pins, link)
		if (pin->id == id)
			return pin;
	return NULL;
}

struct user_pin *user_pin_use(struct user_pins *pins, u64 id)
{
	struct user_pin *pin;

	mutex_lock(&pins->lock);
	pin = pin_find(pins, id);
	if (pin)
		pin->users++;
	mutex_unlock(&pins->lock);
	return pin;
}

void user_pin_unuse(struct user_pins *pins, struct user_pin *pin, bool stored)
{
	mutex_lock(&pins->lock);
	pin->users--;
	pin->stored |= stored;
	mutex_unlock(&pins->lock);
}

static void pin_drop(struct user_pin *pin, bool dirty)
{
	unpin_user_pages(pin->pages, pin->npages, pin->flags, dirty || pin->stored);
	pin_free(pin);
}

void user_pins_init(struct user_pins *pins)
{
	mutex_init(&pins->lock, LOCK_DEVICE);
	list_init(&pins->pins);
	pins->last_id = 0;
}

void user_pins_release(struct user_pins *pins)
{
	struct user_pin *pin, *next;

	list_for_each_entry_safe(pin, next, &pins->pins, link) {
		list_del(&pin->link);
		pin_drop(pin, false);
	}
}

int user_pin_check(const struct user_pin *pin, u64 offset, u64 length, bool stores)
{
	if (offset > pin->bytes || length > pin->bytes - offset)
		return -EINVAL;
	return stores && !(pin->flags & FOLL_WRITE) ? -EACCES : 0;
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

static unsigned foll_flags(u64 flags)
{
	return (flags & EDU_PIN_WRITE ? FOLL_WRITE : 0) | (flags & EDU_PIN_LONGTERM ? FOLL_LONGTERM : 0) |
	       (flags & EDU_PIN_FORCE ? FOLL_FORCE : 0);
}

static long pin_pages(struct user_pin *pin, vaddr_t addr, unsigned long n, u64 flags)
{
	unsigned only = flags & EDU_PIN_FAST_ONLY ? FOLL_FAST_ONLY : 0;

	if (flags & (EDU_PIN_FAST | EDU_PIN_FAST_ONLY))
		return pin_user_pages_fast(user_pins_mm(), addr, n, pin->flags | only, pin->pages);
	return pin_user_pages(user_pins_mm(), addr, n, pin->flags, pin->pages);
}

long user_pins_pin(void *ctx, void *argument)
{
	struct user_pins *pins = ctx;
	struct edu_pin *arg = argument;
	struct user_pin *pin;
	long n;

	if (arg->flags & ~(u64)EDU_PIN_FLAGS)
		return -EINVAL;
	arg->id = arg->npages = 0;
	n = range_pages(arg->addr, arg->len);
	if (n < 0 || arg->len == 0)
		return n < 0 ? n : 0;
	pin = pin_alloc(n);
	if (!pin)
		return -ENOMEM;
	pin->flags = foll_flags(arg->flags);
	n = pin_pages(pin, (vaddr_t)arg->addr, (unsigned long)n, arg->flags);
	if (n <= 0) {
		pin_free(pin);
		return n;
	}
	pin->npages = n;
	pin->head = arg->addr & (PAGE_SIZE - 1);
	pin->bytes = min(arg->len, ((u64)n << PAGE_SHIFT) - pin->head);
	mutex_lock(&pins->lock);
	pin->id = ++pins->last_id;
	list_add_tail(&pin->link, &pins->pins);
	mutex_unlock(&pins->lock);
	arg->id = pin->id;
	arg->npages = n;
	return 0;
}

long user_pins_unpin(void *ctx, void *argument)
{
	struct user_pins *pins = ctx;
	const struct edu_unpin *arg = argument;
	struct user_pin *pin;
	long result = 0;

	mutex_lock(&pins->lock);
	pin = pin_find(pins, arg->id);
	if (!pin)
		result = -ENOENT;
	else if (pin->users)
		result = -EBUSY;
	else
		list_del(&pin->link);
	mutex_unlock(&pins->lock);
	if (!result)
		pin_drop(pin, arg->dirty != 0);
	return result;
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
	struct mm *mm = user_pins_mm();
	struct pt_reading r;

	if (st->addr >= USER_END)
		return -EFAULT;
	rwsem_read_lock(&mm->lock);
	if (pt_read_lock(&mm->pt, (vaddr_t)st->addr, &r)) {
		if (pte_has_page(r.pte))
			fill_stat(st, pfn_to_page(pte_pfn(r.pte)), pte_special(r.pte));
		pt_read_unlock(&r);
	}
	rwsem_read_unlock(&mm->lock);
	return 0;
}

static int stat_pin(struct user_pins *pins, struct edu_stat *st)
{
	struct user_pin *pin = user_pin_use(pins, st->id);
	int result = -EINVAL;

	if (!pin)
		return -ENOENT;
	if (st->index < pin->npages) {
		fill_stat(st, pin->pages[st->index], pin->pages[st->index] == zero_page);
		result = 0;
	}
	user_pin_unuse(pins, pin, false);
	return result;
}

long user_pins_stat(void *ctx, void *argument)
{
	struct user_pins *pins = ctx;
	struct edu_stat *st = argument;
	u64 addr = st->addr, id = st->id, index = st->index;

	*st = (struct edu_stat){.addr = addr, .id = id, .index = index};
	st->acquired = READ_ONCE(pin_acquired);
	st->released = READ_ONCE(pin_released);
	return id ? stat_pin(pins, st) : stat_address(st);
}
