/*
 * crash.c - planted bugs, each by its name: the boot option crash=NAME (debug builds).  Layer 11.
 *
 * tests/host/test_crash.py boots every one of them and looks at the exit code and the report, which must name
 * the function crash_NAME.  Where a function returns, its bug went unnoticed.
 *
 * Pointers go through hide(), so that the compiler cannot see the bug and leave it out.
 */
#include "kernel/main/crash.h"

#include <arch/cpu.h>
#include <arch/debug.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/main/options.h"
#include "kernel/sync/spinlock.h"
#include "mm/phys/slab.h"

#define OBJECT 48 /* a size class of kmalloc */

static void *hide(void *p)
{
	void *volatile hidden = p;

	return hidden;
}

static unsigned hide_number(unsigned n)
{
	return (unsigned)(unsigned long)hide((void *)(unsigned long)n);
}

static char table[5] = "abcd";
static int numbers[4] = {1, 2, 3, 4};

/* -- what every kernel must catch ----------------------------------------------------------------------------- */
static void crash_null(void)
{
	*(volatile int *)hide(NULL) = 1;
}

static void crash_panic(void)
{
	panic("crash=panic\n");
}

static void crash_double(void)
{
	arch_lose_stack();
}

/* Until the stack is used up. */
static unsigned crash_stack_deeper(unsigned depth)
{
	volatile char room[128];

	room[depth % sizeof(room)] = (char)depth;
	if (hide_number(depth) == ~0U)
		return 0;
	return crash_stack_deeper(depth + 1) + (unsigned)room[0];
}

static void crash_stack(void)
{
	printk("crash: %u\n", crash_stack_deeper(0));
}

/* -- the lock validator --------------------------------------------------------------------------------------- */
static void crash_deadlock(void)
{
	static spinlock_t outer = SPINLOCK_INIT(LOCK_SLAB), inner = SPINLOCK_INIT(LOCK_BUDDY);

	spin_lock(&inner);
	spin_lock(&outer);
}

static void crash_sleep(void)
{
	static spinlock_t lock = SPINLOCK_INIT(LOCK_BUDDY);

	spin_lock(&lock);
	kfree(kmalloc(OBJECT, GFP_KERNEL));
}

/* -- the compiler's checks ------------------------------------------------------------------------------------ */
static void crash_shift(void)
{
	printk("crash: %d\n", 1 << hide_number(40));
}

static void crash_bounds(void)
{
	printk("crash: %d\n", numbers[hide_number(4)]);
}

/* A string that is too long: the word above the array changes. KASAN sees the store itself. */
static void crash_stackoob(void)
{
	char text[24];
	volatile char *p = hide(text);

	for (unsigned i = 0; i < sizeof(text) + 16; i++)
		p[i] = 'x';
}

/* -- memory: KASAN sees the access, other debug builds the traces that it leaves ------------------------------ */
static void crash_uaf(void)
{
	volatile char *p = hide(kmalloc(OBJECT, GFP_KERNEL));

	kfree((void *)p);
	p[OBJECT / 2] = 1;
	hide(kmalloc(OBJECT, GFP_KERNEL));
}

static void crash_oob(void)
{
	volatile char *p = hide(kmalloc(OBJECT, GFP_KERNEL));

	p[OBJECT] = 1;
	kfree((void *)p);
}

static void crash_free_twice(void)
{
	volatile char *p = hide(kmalloc(OBJECT, GFP_KERNEL));

	kfree((void *)p);
	kfree((void *)p);
}

static void crash_global(void)
{
	volatile char *p = hide(table);

	printk("crash: %d\n", p[sizeof(table)]);
}

static void crash_frame(void)
{
	struct page *page = page_alloc(0, GFP_KERNEL);
	volatile char *p = hide(page_address(page));

	page_free(page, 0);
	p[100] = 1;
	hide(page_alloc(0, GFP_KERNEL));
}

/* Through an address that no sanitizer watches, as a device or a stale translation would. */
static void crash_table(void)
{
	struct page *page = page_alloc(0, GFP_KERNEL);
	volatile char *p = hide(page_address(page));

	page_was_table(page);
	page_free(page, 0);
	arch_probe_read((void *)(p + 100), "", 1);
	hide(page_alloc(0, GFP_KERNEL));
}

/* ------------------------------------------------------------------------------------------------------------- */
static const struct {
	const char *name;
	void (*fn)(void);
} crashes[] = {
	{"null", crash_null},         {"panic", crash_panic}, {"double", crash_double}, {"stack", crash_stack},
	{"deadlock", crash_deadlock}, {"sleep", crash_sleep}, {"shift", crash_shift},   {"bounds", crash_bounds},
	{"stackoob", crash_stackoob}, {"uaf", crash_uaf},     {"oob", crash_oob},       {"free_twice", crash_free_twice},
	{"global", crash_global},     {"frame", crash_frame}, {"table", crash_table},
};

void crash_if_asked(void)
{
	char name[16];

	if (!DEBUG || !option_value("crash", name, sizeof(name)))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(crashes); i++)
		if (!strcmp(name, crashes[i].name))
			crashes[i].fn();
	printk("crash: %s was not noticed\n", name);
	cpu_exit(EXIT_FAIL);
}
