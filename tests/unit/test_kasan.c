/*
 * test_kasan.c - mm/debug/kasan.c: a shadow of our own for an array, and the calls that compiled code makes.
 *
 * That file takes the place of the sanitizer's run-time library, so none is linked here.  It reports once and then is
 * silent, for the kernel has died: every report is a child's.
 *
 * links: mm/debug/kasan.c
 * without: sanitizers
 */
#include "kernel/lib/kasan.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <arch/debug.h>
#include <arch/kasan.h>
#include <arch/stack.h>
#include "kernel/lib/ksyms.h"
#include "mm/phys/slab.h"
#include "tests/unit/test.h"

#define GRAIN 8
#define ARENA 16384
#define RAM (ARENA / 2) /* of it is the direct map; the kernel's variables are in the rest */
#define SHADOW (ARENA / GRAIN)
#define ROUNDS 400

static u8 arena[ARENA] __attribute__((aligned(4096)));
static u8 shadow[SHADOW + 64]; /* and a little behind, as reports look at a row more */
static u8 stack_shadow;        /* of the one address in the window of stacks that a test uses */
static bool is_slab;
static unsigned constructors;

char *the_ram = (char *)arena;
static struct page records[RAM / PAGE_SIZE];
struct page *mem_map = records;

/* -- what kasan.c stands on --------------------------------------------------------------------------------------------- */
u8 *arch_kasan_shadow(const void *p)
{
	if ((vaddr_t)p - STACKS_BASE < STACKS_SIZE)
		return &stack_shadow;
	return (u8 *)((vaddr_t)shadow + ((vaddr_t)p >> 3) - ((vaddr_t)arena >> 3));
}

void arch_kasan_constructors(void)
{
	constructors++;
}

bool arch_probe_read(void *dst, const void *src, size_t n)
{
	if ((vaddr_t)src - (vaddr_t)shadow >= SHADOW)
		return false;
	memcpy(dst, src, n);
	return true;
}

void arch_dump_walk(vaddr_t va)
{
	printk("walk of %lx\n", va);
}

void printk_force(void)
{
}

const char *ksym_lookup(vaddr_t address, unsigned long *offset)
{
	*offset = 0x20;
	return is_slab ? NULL : "culprit";
}

paddr_t phys_direct_end(void)
{
	return RAM;
}

struct page *virt_to_page(const void *va)
{
	return &records[((vaddr_t)va - (vaddr_t)arena) / PAGE_SIZE];
}

bool slab_describe(const void *address)
{
	if (is_slab)
		printk("in an object\n");
	return is_slab;
}

/* -- the compiler's interface ------------------------------------------------------------------------------------------------ */
struct global {
	u8 *start;
	size_t size, size_with_gap;
	const char *name, *module;
	unsigned long dynamic_init;
	void *location;
	const char *odr;
};

void __asan_register_globals(struct global *globals, size_t n);
void __asan_unregister_globals(struct global *globals, size_t n);
void __asan_handle_no_return(void);
void __asan_poison_stack_memory(void *p, size_t size);
void __asan_unpoison_stack_memory(void *p, size_t size);
void __asan_loadN_noabort(vaddr_t a, size_t size);
void __asan_storeN_noabort(vaddr_t a, size_t size);
void __asan_report_load_n_noabort(vaddr_t a, size_t size);
void __asan_report_store_n_noabort(vaddr_t a, size_t size);
#define DECLARE(size)                                   \
	void __asan_load##size##_noabort(vaddr_t a);        \
	void __asan_store##size##_noabort(vaddr_t a);       \
	void __asan_report_load##size##_noabort(vaddr_t a); \
	void __asan_report_store##size##_noabort(vaddr_t a);
DECLARE(1)
DECLARE(2)
DECLARE(4)
DECLARE(8)
DECLARE(16)

typedef void (*check_fn)(vaddr_t a);

#define OF_SIZE(size)                                                               \
	{                                                                               \
		size, {__asan_load##size##_noabort, __asan_store##size##_noabort},          \
		{                                                                           \
			__asan_report_load##size##_noabort, __asan_report_store##size##_noabort \
		}                                                                           \
	}
static const struct {
	size_t size;
	check_fn check[2], report[2]; /* load, store */
} sizes[] = {OF_SIZE(1), OF_SIZE(2), OF_SIZE(4), OF_SIZE(8), OF_SIZE(16)};

/* -- reports -------------------------------------------------------------------------------------------------------------------- */
static char said[4096];

/* @fn(@arg) in a child: does it report?  What it printed is in said[]. */
static bool reports(void (*fn)(void *), void *arg)
{
	int ends[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t child;

	fflush(stdout);
	CHECK(pipe(ends) == 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		exit(PANICS(fn(arg)) ? 7 : 0);
	}
	close(ends[1]);
	while ((got = read(ends[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = 0;
	close(ends[0]);
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status) == 7;
}

static bool has(const char *text)
{
	if (strstr(said, text))
		return true;
	printf("# \"%s\" is not in:\n%s\n", text, said);
	return false;
}

struct range {
	void *p;
	size_t size;
	bool write;
};

static void check_range(void *arg)
{
	struct range *r = arg;

	kasan_check_range(r->p, r->size, r->write, check_range);
}

/* -- the shadow ------------------------------------------------------------------------------------------------------------------- */
static void nothing_before_the_start(void)
{
	struct range r = {arena, 64, true};

	kasan_poison_range(arena, 64, KASAN_SLAB_FREE);
	shadow[1] = KASAN_SLAB_FREE;
	kasan_unpoison_range(arena, 64);
	CHECK(!shadow[0] && shadow[1] == KASAN_SLAB_FREE && !kasan_is_poisoned(arena + 8));
	CHECK(!reports(check_range, &r));
	shadow[1] = 0;
	kasan_start();
	CHECK(constructors == 1);
}

static bool good[ARENA]; /* may this byte be touched? */

static void mark_randomly(void)
{
	size_t start = test_random() % (RAM - 256) & ~7UL, size = 1 + test_random() % 200;
	bool poison = test_random() % 2;
	size_t end = poison ? ALIGN_UP(start + size, 8UL) : start + size;

	if (poison)
		kasan_poison_range(arena + start, size, KASAN_PAGE_FREE);
	else
		kasan_unpoison_range(arena + start, size);
	for (size_t i = start; i < end; i++)
		good[i] = !poison;
	for (size_t i = end; !poison && i % 8; i++)
		good[i] = false; /* the rest of the last grain */
}

static size_t first_bad(size_t start, size_t size)
{
	size_t i = start;

	while (i < start + size && good[i])
		i++;
	return i;
}

/* Byte by byte as the record says; a range is good if all of it is, and the report names it. */
static void shadow_against_a_record_of_bytes(void)
{
	unsigned bad = 0;

	memset(good, true, sizeof(good));
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct range r = {.size = 1 + test_random() % 60, .write = round % 2};
		size_t start = test_random() % (RAM - 256), at;
		char text[40];

		mark_randomly();
		at = first_bad(start, r.size);
		r.p = arena + start;
		CHECK(kasan_is_poisoned(r.p) == !good[start]);
		if (at == start + r.size) {
			CHECK(!reports(check_range, &r));
			continue;
		}
		bad++;
		snprintf(text, sizeof(text), "walk of %lx\n", (vaddr_t)arena + at);
		CHECK(reports(check_range, &r) && has(text) && has(r.write ? " bytes written at" : " bytes read at"));
	}
	CHECK(bad > ROUNDS / 8 && bad < ROUNDS * 7 / 8);
	kasan_unpoison_range(arena, ARENA);
	CHECK(!PANICS(kasan_check_range(arena, 0, true, NULL)));
}

/* -- what a report says --------------------------------------------------------------------------------------------------------- */
static void names_the_reason(void)
{
	static const struct {
		u8 why;
		const char *text;
	} reasons[] = {
		{KASAN_PAGE_FREE, "KASAN: use of a freed page: 4 bytes read at"},
		{KASAN_PAGE_REDZONE, "KASAN: beyond an allocation"},
		{KASAN_SLAB_REDZONE, "KASAN: beyond an allocation"},
		{KASAN_SLAB_FREE, "KASAN: use after free"},
		{KASAN_STACK_FREE, "KASAN: use of a dead thread's stack"},
		{KASAN_GLOBAL, "KASAN: beyond a global variable"},
		{KASAN_STACK_LEFT, "KASAN: beyond a variable on the stack"},
		{KASAN_STACK_MID, "KASAN: beyond a variable on the stack"},
		{KASAN_STACK_RIGHT, "KASAN: beyond a variable on the stack"},
		{KASAN_STACK_SCOPE, "KASAN: use of a variable that is gone"},
		{0x80, "KASAN: not to be touched"},
	};
	struct range r = {arena + 64, 4, false};

	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
		kasan_poison_range(arena + 64, 8, reasons[i].why);
		CHECK(reports(check_range, &r) && has(reasons[i].text) && has("by culprit+0x21"));
	}
	/* a grain that ends early: the next one says why */
	kasan_unpoison_range(arena + 56, 5);
	kasan_poison_range(arena + 64, 8, KASAN_SLAB_REDZONE);
	r = (struct range){arena + 56, 6, true};
	CHECK(reports(check_range, &r) && has("beyond an allocation: 6 bytes written") && has("[05]"));
	kasan_unpoison_range(arena + 56, 16);
}

static void names_the_owner(void)
{
	struct range r = {arena + PAGE_SIZE + 16, 8, false}, on_stack = {(void *)(STACKS_BASE + 64), 1, false};

	kasan_poison_range(r.p, 8, KASAN_PAGE_FREE);
	CHECK(reports(check_range, &r) && has("in frame 1\n"));
	is_slab = true;
	CHECK(reports(check_range, &r) && has("in an object\n") && has("by ?+0x21"));
	is_slab = false;
	kasan_unpoison_range(r.p, 8);
	stack_shadow = KASAN_STACK_FREE;
	CHECK(reports(check_range, &on_stack) && has("on a kernel stack\n") && has(" not mapped\n"));
}

static void names_the_variable(void)
{
	u8 *room = arena + RAM;
	struct global globals[] = {
		{room, 20, 32, "twenty", "a.c", 0, NULL, NULL},
		{room + 32, 8, 32, "eight", "a.c", 0, NULL, NULL},
	};
	struct range ok = {room, 20, true}, beyond = {room, 21, true}, gap = {room + 44, 1, false};

	__asan_register_globals(globals, ARRAY_SIZE(globals));
	CHECK(!reports(check_range, &ok) && kasan_is_poisoned(room + 31) && !kasan_is_poisoned(room + 39));
	CHECK(reports(check_range, &beyond) && has("byte 20 of the variable twenty, 20 bytes, in a.c\n") &&
	      !strstr(said, "variable eight"));
	CHECK(reports(check_range, &gap) && has("byte 12 of the variable eight, 8 bytes") &&
	      has("beyond a global variable"));
	__asan_unregister_globals(globals, ARRAY_SIZE(globals));
	kasan_unpoison_range(room, 64);
}

/* -- compiled code ---------------------------------------------------------------------------------------------------------------- */
struct call {
	check_fn fn;
	vaddr_t a;
};

static void call(void *arg)
{
	struct call *c = arg;

	c->fn(c->a);
}

static void accesses_of_every_size(void)
{
	kasan_poison_range(arena + 512, 64, KASAN_SLAB_FREE);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		for (unsigned store = 0; store < 2; store++) {
			vaddr_t end = (vaddr_t)arena + 512;
			struct call fits = {sizes[i].check[store], end - sizes[i].size}, crosses = {fits.fn, fits.a + 1};
			struct call told = {sizes[i].report[store], end};
			char text[40];

			snprintf(text, sizeof(text), "%zu bytes %s at", sizes[i].size, store ? "written" : "read");
			CHECK(!reports(call, &fits));
			CHECK(reports(call, &crosses) && has(text));
			CHECK(reports(call, &told) && has(text));
		}
}

static void load_n(void *arg)
{
	__asan_loadN_noabort((vaddr_t)arg, 24);
}

static void store_n(void *arg)
{
	__asan_storeN_noabort((vaddr_t)arg, 24);
}

static void report_load_n(void *arg)
{
	__asan_report_load_n_noabort((vaddr_t)arg, 24);
}

static void report_store_n(void *arg)
{
	__asan_report_store_n_noabort((vaddr_t)arg, 24);
}

static void accesses_of_any_size(void)
{
	CHECK(!reports(load_n, arena + 488) && reports(load_n, arena + 489) && has("24 bytes read"));
	CHECK(!reports(store_n, arena + 488) && reports(store_n, arena + 489) && has("24 bytes written"));
	CHECK(reports(report_load_n, arena + 512) && has("24 bytes read"));
	CHECK(reports(report_store_n, arena) && has("24 bytes written")); /* compiled code has decided, whatever we see */
}

static void scopes(void)
{
	__asan_poison_stack_memory(arena, 24);
	CHECK(kasan_is_poisoned(arena) && kasan_is_poisoned(arena + 23) && !kasan_is_poisoned(arena + 24));
	CHECK(reports(load_n, arena) && has("use of a variable that is gone"));
	__asan_handle_no_return();
	__asan_unpoison_stack_memory(arena, 20);
	CHECK(!kasan_is_poisoned(arena + 19) && kasan_is_poisoned(arena + 20));
	__asan_unpoison_stack_memory(arena, 24);
}

static void free_it(void *arg)
{
	kasan_check_free(arg, free_it);
}

static void freed_twice(void)
{
	CHECK(!reports(free_it, arena));
	CHECK(reports(free_it, arena + 512) && has("use after free: 1 bytes written"));
}

int main(void)
{
	RUN(nothing_before_the_start);
	RUN(shadow_against_a_record_of_bytes);
	RUN(names_the_reason);
	RUN(names_the_owner);
	RUN(names_the_variable);
	RUN(accesses_of_every_size);
	RUN(accesses_of_any_size);
	RUN(scopes);
	RUN(freed_twice);
	return test_end();
}
