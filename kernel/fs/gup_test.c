/*
 * gup_test.c - Linux's gup_test requests (kernel/uapi/gup_test.h), so that programs written for that device run here.
 *
 * Layer 9 (kernel/fs).  Interface: dev_dma.h.
 */
#include <arch/irq.h>
#include <arch/uaccess.h>

#include "kernel/fs/dev_dma.h"
#include "kernel/fs/user_pins.h"
#include "kernel/lib/err.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/uapi/gup_test.h"
#include "mm/phys/slab.h"

#define PAGES_MAX (1ul << 16)
#define TEST_PINS 1u /* test_flags: DUMP_USER_PAGES_TEST pins */

typedef long gup_fn(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages);

/* How one request gets its pages, and whether they are pins. */
struct way {
	gup_fn *get;
	unsigned flags;
	bool pins;
};

static struct way way_of(unsigned cmd, const struct gup_test *arg)
{
	switch (cmd) {
	case GUP_FAST_BENCHMARK:
		return (struct way){get_user_pages_fast, 0, false};
	case PIN_FAST_BENCHMARK:
		return (struct way){pin_user_pages_fast, 0, true};
	case PIN_LONGTERM_BENCHMARK:
		return (struct way){pin_user_pages, FOLL_LONGTERM, true};
	case PIN_BASIC_TEST:
		return (struct way){pin_user_pages, 0, true};
	case DUMP_USER_PAGES_TEST:
		if (arg->test_flags & TEST_PINS)
			return (struct way){pin_user_pages, 0, true};
		return (struct way){get_user_pages, 0, false};
	default:
		return (struct way){get_user_pages, 0, false};
	}
}

/* How many pages are got; *@end: where it stopped. */
static unsigned long get_all(const struct gup_test *arg, const struct way *way, struct page **pages, u64 *end)
{
	unsigned long total = (unsigned long)(arg->size >> PAGE_SHIFT), n = 0;
	long got = arg->nr_pages_per_call;

	*end = arg->addr;
	while (n < total && got == (long)arg->nr_pages_per_call) {
		unsigned long want = min((unsigned long)arg->nr_pages_per_call, total - n);

		got = way->get(user_pins_mm(), (vaddr_t)*end, want, arg->gup_flags | way->flags, pages + n);
		if (got <= 0)
			break;
		n += (unsigned long)got;
		*end += (u64)want << PAGE_SHIFT;
	}
	return n;
}

static void dump(const struct gup_test *arg, struct page **pages, unsigned long n)
{
	for (unsigned i = 0; i < GUP_TEST_MAX_PAGES_TO_DUMP && arg->which_pages[i]; i++) {
		const struct page *p = arg->which_pages[i] <= n ? pages[arg->which_pages[i] - 1] : NULL;

		if (p)
			printk("gup_test: page %u: pfn %lx, %d references, mapcount %d, %d pins\n", arg->which_pages[i],
			       (unsigned long)page_to_pfn(p), READ_ONCE(p->refs), READ_ONCE(p->mapcount), page_pins(p));
	}
}

static void put_all(const struct way *way, unsigned flags, struct page **pages, unsigned long n)
{
	if (way->pins)
		unpin_user_pages(pages, n, flags, false);
	else
		put_user_pages(pages, n);
}

static u64 usec_since(u64 ns)
{
	return (arch_clock_ns() - ns) / 1000;
}

static long run(unsigned cmd, struct gup_test *arg)
{
	struct way way = way_of(cmd, arg);
	unsigned long n;
	struct page **pages;
	u64 begin, end;

	if (arg->size > ~0ul || arg->addr > ~0ul)
		return -EINVAL;
	if (arg->size >> PAGE_SHIFT > PAGES_MAX)
		return -ENOMEM;
	pages = kzalloc((size_t)(arg->size >> PAGE_SHIFT) * sizeof(*pages) + 1, GFP_KERNEL | GFP_NOWARN);
	if (!pages)
		return -ENOMEM;
	begin = arch_clock_ns();
	n = get_all(arg, &way, pages, &end);
	arg->get_delta_usec = usec_since(begin);
	arg->size = end - arg->addr;
	if (cmd == DUMP_USER_PAGES_TEST)
		dump(arg, pages, n);
	begin = arch_clock_ns();
	put_all(&way, arg->gup_flags, pages, n);
	arg->put_delta_usec = usec_since(begin);
	kfree(pages);
	return 0;
}

/* -- long-term pins -------------------------------------------------------------------------------------------------- */

void gup_longterm_stop(struct gup_longterm *lt)
{
	unpin_user_pages(lt->pages, lt->nr, lt->flags, false);
	kfree(lt->pages);
	*lt = (struct gup_longterm){NULL, 0, 0};
}

static long longterm_start(struct gup_longterm *lt, const struct pin_longterm_test *arg)
{
	unsigned long nr = (unsigned long)(arg->size >> PAGE_SHIFT);
	bool fast = arg->flags & PIN_LONGTERM_TEST_FLAG_USE_FAST;

	if (lt->pages)
		return -EINVAL;
	if (arg->flags & ~(unsigned)(PIN_LONGTERM_TEST_FLAG_USE_WRITE | PIN_LONGTERM_TEST_FLAG_USE_FAST))
		return -EINVAL;
	if (!IS_ALIGNED(arg->addr | arg->size, (u64)PAGE_SIZE) || arg->size > ~0ul || arg->addr > ~0ul)
		return -EINVAL;
	if (nr > PAGES_MAX)
		return -ENOMEM;
	lt->pages = kzalloc(nr * sizeof(*lt->pages) + 1, GFP_KERNEL | GFP_NOWARN);
	if (!lt->pages)
		return -ENOMEM;
	lt->flags = FOLL_LONGTERM | (arg->flags & PIN_LONGTERM_TEST_FLAG_USE_WRITE ? FOLL_WRITE : 0);
	while (lt->nr < nr) {
		long got = (fast ? pin_user_pages_fast : pin_user_pages)(
			user_pins_mm(), (vaddr_t)arg->addr + (lt->nr << PAGE_SHIFT), nr - lt->nr, lt->flags, lt->pages + lt->nr);

		if (got <= 0) {
			gup_longterm_stop(lt);
			return got ? got : -EFAULT;
		}
		lt->nr += (unsigned long)got;
	}
	return 0;
}

static long longterm_read(const struct gup_longterm *lt, u64 to)
{
	char *copy;
	long err = 0;

	if (!lt->pages)
		return -EINVAL;
	copy = kmalloc(PAGE_SIZE, GFP_KERNEL); /* user memory cannot be touched while a page is mapped for a moment */
	if (!copy)
		return -ENOMEM;
	for (unsigned long i = 0; i < lt->nr && !err; i++, to += PAGE_SIZE) {
		char *va = page_kmap(lt->pages[i]);

		memcpy(copy, va, PAGE_SIZE);
		page_kunmap(va);
		err = to > ~0ul || copy_to_user((void *)(uintptr_t)to, copy, PAGE_SIZE) ? -EFAULT : 0;
	}
	kfree(copy);
	return err;
}

long gup_test_ioctl(struct gup_longterm *lt, unsigned cmd, unsigned long user)
{
	union {
		struct gup_test test;
		struct pin_longterm_test longterm;
		u64 to;
	} arg;
	size_t size = cmd >> 16 & 0x3fff;
	long result;

	if ((cmd >> 8 & 0xff) != 'g' || size > sizeof(arg))
		return -ENOTTY;
	if (copy_from_user(&arg, (const void *)user, size))
		return -EFAULT;
	switch (cmd) {
	case GUP_FAST_BENCHMARK:
	case PIN_FAST_BENCHMARK:
	case PIN_LONGTERM_BENCHMARK:
	case GUP_BASIC_TEST:
	case PIN_BASIC_TEST:
	case DUMP_USER_PAGES_TEST:
		result = run(cmd, &arg.test);
		if (!result && copy_to_user((void *)user, &arg, size))
			result = -EFAULT;
		return result;
	case PIN_LONGTERM_TEST_START:
		return longterm_start(lt, &arg.longterm);
	case PIN_LONGTERM_TEST_STOP:
		if (!lt->pages)
			return -EINVAL;
		gup_longterm_stop(lt);
		return 0;
	case PIN_LONGTERM_TEST_READ:
		return longterm_read(lt, arg.to);
	default:
		return -ENOTTY;
	}
}
