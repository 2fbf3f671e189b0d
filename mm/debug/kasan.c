/*
 * kasan.c - the address sanitizer: marking memory, checking it, reporting.  Layer 8 (mm/debug).
 *
 * Only in SAN=kasan builds, and itself not instrumented.  Compiled code looks at the shadow itself and calls
 * __asan_report_*() when it says no; very large functions, the string functions and copies from and to ring 3
 * come through kasan_check_range().  kernel/lib/kasan.h explains the shadow.  No locks: who may touch memory may
 * mark it.
 */
#include "kernel/lib/kasan.h"

#include <arch/debug.h>
#include <arch/kasan.h>
#include <arch/phys.h>
#include <arch/stack.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/ksyms.h"
#include "kernel/lib/string.h"
#include "mm/phys/slab.h"

#define GRAIN 8UL
#define FILES_MAX 512
#define ROW 16 /* bytes of shadow in a line of a report */

/* A global variable and the gap behind it, as the compiler describes them. */
struct global {
	u8 *start;
	size_t size, size_with_gap;
	const char *name, *module;
	unsigned long dynamic_init;
	void *location;
	const char *odr;
};

static bool started, reporting;
static struct {
	const struct global *first;
	size_t n;
} files[FILES_MAX]; /* with global variables */
static unsigned nr_files;

/* -- the shadow ----------------------------------------------------------------------------------------------- */

/* string.c's memset() would ask whether it may. */
static void shadow_set(const void *p, size_t size, u8 value)
{
	u8 *shadow = arch_kasan_shadow(p);

	__builtin_memset(shadow, value, size / GRAIN);
}

static bool byte_ok(vaddr_t a)
{
	s8 shadow = (s8)*arch_kasan_shadow((void *)a);

	return shadow == 0 || (s8)(a % GRAIN) < shadow;
}

/* The first byte of [a, a + size) that must not be touched, or 0. Grains are looked at once: a partial one is
 * good from its first byte on, so its last byte in the range decides. */
static vaddr_t first_bad(vaddr_t a, size_t size)
{
	vaddr_t last = a + size - 1;

	for (vaddr_t grain = a & ~(GRAIN - 1); grain <= last; grain += GRAIN) {
		vaddr_t end = min(grain + GRAIN - 1, last);

		if (*arch_kasan_shadow((void *)grain) && !byte_ok(end)) {
			for (vaddr_t b = max(grain, a); b < end; b++)
				if (!byte_ok(b))
					return b;
			return end;
		}
	}
	return 0;
}

void kasan_poison_range(const void *p, size_t size, enum kasan_why why)
{
	if (started)
		shadow_set(p, ALIGN_UP(size, GRAIN), (u8)why);
}

void kasan_unpoison_range(const void *p, size_t size)
{
	if (!started)
		return;
	shadow_set(p, ALIGN_DOWN(size, GRAIN), 0);
	if (size % GRAIN)
		*arch_kasan_shadow((u8 *)p + size) = size % GRAIN;
}

bool kasan_is_poisoned(const void *p)
{
	return started && !byte_ok((vaddr_t)p);
}

void kasan_start(void)
{
	started = true;
	arch_kasan_constructors();
}

/* -- reports -------------------------------------------------------------------------------------------------- */
static const char *why_name(u8 shadow)
{
	switch (shadow) {
	case KASAN_PAGE_FREE:
		return "use of a freed page";
	case KASAN_PAGE_REDZONE:
	case KASAN_SLAB_REDZONE:
		return "beyond an allocation";
	case KASAN_SLAB_FREE:
		return "use after free";
	case KASAN_STACK_FREE:
		return "use of a dead thread's stack";
	case KASAN_GLOBAL:
		return "beyond a global variable";
	case KASAN_STACK_LEFT:
	case KASAN_STACK_MID:
	case KASAN_STACK_RIGHT:
		return "beyond a variable on the stack";
	case KASAN_STACK_SCOPE:
		return "use of a variable that is gone";
	default:
		return "not to be touched";
	}
}

/* What the shadow says at the bad byte; of a partial grain the next one knows. */
static u8 why_at(vaddr_t bad)
{
	u8 shadow = *arch_kasan_shadow((void *)bad);

	return shadow < GRAIN ? *arch_kasan_shadow((void *)(bad + GRAIN)) : shadow;
}

static void print_shadow(vaddr_t bad)
{
	u8 *at = arch_kasan_shadow((void *)bad), row[ROW];
	u8 *base = (u8 *)ALIGN_DOWN((vaddr_t)at, (vaddr_t)ROW);

	printk("shadow, one byte for eight:\n");
	for (u8 *line = base - ROW; line <= base + ROW; line += ROW) {
		printk("  %p:", (void *)(((vaddr_t)line - (vaddr_t)arch_kasan_shadow(NULL)) * GRAIN));
		if (!arch_probe_read(row, line, ROW))
			printk(" not mapped");
		else
			for (unsigned i = 0; i < ROW; i++)
				printk("%c%02x%c", line + i == at ? '[' : ' ', row[i], line + i == at ? ']' : ' ');
		printk("\n");
	}
}

static void print_global(vaddr_t a)
{
	for (unsigned i = 0; i < nr_files; i++)
		for (const struct global *g = files[i].first; g < files[i].first + files[i].n; g++)
			if (a - (vaddr_t)g->start < g->size_with_gap)
				printk("byte %lu of the variable %s, %zu bytes, in %s\n", a - (vaddr_t)g->start, g->name, g->size,
				       g->module);
}

static void print_owner(const void *bad)
{
	vaddr_t a = (vaddr_t)bad;

	if (a - (vaddr_t)phys_to_virt(0) < phys_direct_end()) {
		if (!slab_describe(bad))
			printk("in frame %lx\n", page_to_pfn(virt_to_page(bad)));
	} else if (a - STACKS_BASE < STACKS_SIZE) {
		printk("on a kernel stack\n");
	} else {
		print_global(a);
	}
}

static void report(vaddr_t a, size_t size, bool write, vaddr_t ip)
{
	unsigned long offset = 0;
	const char *function;
	vaddr_t bad;

	if (!started || __atomic_exchange_n(&reporting, true, __ATOMIC_SEQ_CST))
		return;
	bad = first_bad(a, size);
	if (!bad)
		bad = a;
	function = ksym_lookup(ip - 1, &offset);
	printk_force();
	printk("\nKASAN: %s: %zu bytes %s at %p by %s+0x%lx\n", why_name(why_at(bad)), size, write ? "written" : "read",
	       (void *)a, function ? function : "?", offset + 1);
	print_owner((void *)bad);
	print_shadow(bad);
	arch_dump_walk(bad);
	panic("KASAN: %s\n", why_name(why_at(bad)));
}

/* -- checks ----------------------------------------------------------------------------------------------------- */
void kasan_check_range(const void *p, size_t size, bool write, const void *ip)
{
	if (size && started && first_bad((vaddr_t)p, size))
		report((vaddr_t)p, size, write, (vaddr_t)ip);
}

void kasan_check_free(const void *p, const void *ip)
{
	if (kasan_is_poisoned(p))
		report((vaddr_t)p, 1, true, (vaddr_t)ip);
}

/* -- the compiler's interface ------------------------------------------------------------------------------------- */
#define RETURN ((vaddr_t)__builtin_return_address(0))

/* A function that only compiled code calls: its prototype, then its body. */
#define CALLED(name, ...)   \
	void name(__VA_ARGS__); \
	void name(__VA_ARGS__)

#define ACCESS(size)                                                            \
	CALLED(__asan_report_load##size##_noabort, vaddr_t a)                       \
	{                                                                           \
		report(a, size, false, RETURN);                                         \
	}                                                                           \
	CALLED(__asan_report_store##size##_noabort, vaddr_t a)                      \
	{                                                                           \
		report(a, size, true, RETURN);                                          \
	}                                                                           \
	CALLED(__asan_load##size##_noabort, vaddr_t a)                              \
	{                                                                           \
		kasan_check_range((void *)a, size, false, __builtin_return_address(0)); \
	}                                                                           \
	CALLED(__asan_store##size##_noabort, vaddr_t a)                             \
	{                                                                           \
		kasan_check_range((void *)a, size, true, __builtin_return_address(0));  \
	}
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

CALLED(__asan_report_load_n_noabort, vaddr_t a, size_t size)
{
	report(a, size, false, RETURN);
}

CALLED(__asan_report_store_n_noabort, vaddr_t a, size_t size)
{
	report(a, size, true, RETURN);
}

CALLED(__asan_loadN_noabort, vaddr_t a, size_t size)
{
	kasan_check_range((void *)a, size, false, __builtin_return_address(0));
}

CALLED(__asan_storeN_noabort, vaddr_t a, size_t size)
{
	kasan_check_range((void *)a, size, true, __builtin_return_address(0));
}

/* The frames below a function that does not return stay marked: nobody returns into them, and a new thread's
 * stack is unmarked as a whole. */
CALLED(__asan_handle_no_return, void)
{
}

CALLED(__asan_poison_stack_memory, void *p, size_t size)
{
	kasan_poison_range(p, size, KASAN_STACK_SCOPE);
}

CALLED(__asan_unpoison_stack_memory, void *p, size_t size)
{
	kasan_unpoison_range(p, size);
}

CALLED(__asan_register_globals, struct global *globals, size_t n)
{
	if (nr_files < FILES_MAX) {
		files[nr_files].first = globals;
		files[nr_files++].n = n;
	}
	for (size_t i = 0; i < n; i++) {
		struct global *g = &globals[i];
		size_t whole = ALIGN_UP(g->size, GRAIN);

		kasan_unpoison_range(g->start, g->size);
		kasan_poison_range(g->start + whole, g->size_with_gap - whole, KASAN_GLOBAL);
	}
}

CALLED(__asan_unregister_globals, struct global *globals, size_t n)
{
}
