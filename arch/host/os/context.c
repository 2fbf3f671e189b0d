/*
 * context.c - stacks, and switching between them.  arch/host/os; x86-64.
 *
 * Only what a function call keeps is saved.  The address sanitizer must know which stack is in use.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "arch/host/os/os.h"
#include "arch/host/os/sanitizer.h"

#define STACK_SIZE (256 * 1024)
#define GUARD 4096
#define POOL 64

struct os_context {
	void *sp;
	char *stack; /* lowest usable address; NULL: a thread's own */
	size_t size;
	void (*fn)(void *arg);
	void *arg;
	void *fake_stack; /* the sanitizer's */
	bool gone;        /* left for good */
};

static char *pool[POOL];
static unsigned pooled;

__asm__(".text\n"
        ".type context_switch_stacks, @function\n"
        "context_switch_stacks:\n" /* rdi: where to save the stack pointer; rsi: the other one */
        "	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
        "	mov %rsp, (%rdi)\n"
        "	mov %rsi, %rsp\n"
        "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	pop %rbp\n"
        "	ret\n"
        ".size context_switch_stacks, . - context_switch_stacks\n");
void context_switch_stacks(void **save, void *sp) __attribute__((visibility("hidden")));

static struct os_context *previous; /* who switched to the running one */

static void arrived(struct os_context *self)
{
#if HAVE_ASAN
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &size);
	if (!previous->stack) { /* now it is known where the thread's own stack is */
		previous->size = size;
		previous->arg = (void *)bottom;
	}
#else
	(void)self;
#endif
}

static struct os_context *starting;

static void first(void)
{
	struct os_context *self = starting;

	arrived(self);
	self->fn(self->arg);
	abort();
}

static char *stack_get(void)
{
	char *p;

	if (pooled)
		return pool[--pooled];
	p = mmap(NULL, STACK_SIZE + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED || mprotect(p, GUARD, PROT_NONE))
		abort();
	return p + GUARD;
}

struct os_context *os_context_self(void)
{
	return os_alloc(sizeof(struct os_context));
}

struct os_context *os_context_create(void (*fn)(void *), void *arg)
{
	struct os_context *c = os_alloc(sizeof(*c));
	void **sp;

	*c = (struct os_context){.stack = stack_get(), .size = STACK_SIZE, .fn = fn, .arg = arg};
	os_poison(c->stack, c->size, false); /* what a former user's frames left */
	sp = (void **)(c->stack + c->size);
	*--sp = NULL; /* the return address of a function that never returns; keeps calls aligned */
	*--sp = (void *)first;
	sp -= 6; /* registers */
	c->sp = sp;
	return c;
}

static void go(struct os_context *from, struct os_context *to, bool for_good)
{
#if HAVE_ASAN
	__sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->stack ? to->stack : to->arg, to->size);
#endif
	previous = from;
	starting = to;
	from->gone = for_good;
	context_switch_stacks(&from->sp, to->sp);
	arrived(from);
}

void os_context_switch(struct os_context *from, struct os_context *to)
{
	go(from, to, false);
}

void os_context_leave(struct os_context *from, struct os_context *to)
{
	go(from, to, true);
	abort();
}

void os_context_free(struct os_context *c)
{
	if (c->stack && pooled < POOL)
		pool[pooled++] = c->stack;
	else if (c->stack)
		munmap(c->stack - GUARD, STACK_SIZE + GUARD);
	os_free(c);
}
