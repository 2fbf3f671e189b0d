/*
 * exec_args.c - the strings of execve(2) on their way from the old address space to the new one.  Layer 10.
 */
#include <arch/uaccess.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/exec.h"
#include "mm/phys/slab.h"

#define PAGES_MAX (EXEC_ARGS_MAX / PAGE_SIZE)

void exec_args_init(struct exec_args *a)
{
	memset(a, 0, sizeof(*a));
}

void exec_args_free(struct exec_args *a)
{
	for (unsigned i = 0; i < a->nr_pages; i++)
		kfree(a->pages[i]);
	kfree(a->pages);
	kfree(a->prefix);
	memset(a, 0, sizeof(*a));
}

/* Bytes that strings and pointers take together. */
static size_t weight(const struct exec_args *a)
{
	return a->length + (a->argc + a->envc) * sizeof(long);
}

static int more_pages(struct exec_args *a)
{
	char **pages;
	unsigned max = a->max_pages ? 4 * a->max_pages : 8;

	if (a->nr_pages == a->max_pages) {
		pages = kmalloc(max * sizeof(*pages), GFP_KERNEL);
		if (!pages)
			return -ENOMEM;
		if (a->nr_pages)
			memcpy(pages, a->pages, a->nr_pages * sizeof(*pages));
		kfree(a->pages);
		a->pages = pages;
		a->max_pages = max;
	}
	a->pages[a->nr_pages] = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!a->pages[a->nr_pages])
		return -ENOMEM;
	a->nr_pages++;
	return 0;
}

/* Room at the end of the strings: *@n bytes, at least one. NULL: out of memory. */
static char *room(struct exec_args *a, size_t *n)
{
	size_t used = a->length % PAGE_SIZE;

	if (a->length == a->nr_pages * PAGE_SIZE && more_pages(a) < 0)
		return NULL;
	*n = PAGE_SIZE - used;
	return a->pages[a->length / PAGE_SIZE] + used;
}

/* Append one string of the user's. -E2BIG, -ENOMEM, -EFAULT. */
static int add_user(struct exec_args *a, const char *user)
{
	size_t begin = a->length, n;
	ssize_t got;
	char *to;

	do {
		if (a->length - begin >= EXEC_STRING_MAX || weight(a) >= EXEC_ARGS_MAX)
			return -E2BIG;
		to = room(a, &n);
		if (!to)
			return -ENOMEM;
		n = min(n, EXEC_STRING_MAX - (a->length - begin));
		got = strncpy_from_user(to, user, n);
		if (got < 0 && got != -ENAMETOOLONG)
			return (int)got;
		n = got >= 0 ? (size_t)got + 1 : n;
		a->length += n;
		user += n;
	} while (got < 0);
	return 0;
}

int exec_args_add(struct exec_args *a, const char *s)
{
	size_t left = strlen(s) + 1, n;
	char *to;

	while (left) {
		if (weight(a) >= EXEC_ARGS_MAX)
			return -E2BIG;
		to = room(a, &n);
		if (!to)
			return -ENOMEM;
		n = min(n, left);
		memcpy(to, s, n);
		s += n;
		left -= n;
		a->length += n;
	}
	return 0;
}

int exec_args_add_vector(struct exec_args *a, const unsigned long *vector, unsigned *count)
{
	unsigned long s;
	int err;

	*count = 0;
	if (!vector)
		return 0;
	for (;; vector++) {
		if (get_user(s, vector))
			return -EFAULT;
		if (!s)
			return 0;
		err = add_user(a, (const char *)s);
		if (err)
			return err;
		++*count;
		if (a->length + (a->argc + a->envc + *count) * sizeof(long) > EXEC_ARGS_MAX)
			return -E2BIG;
	}
}

void exec_args_note_first(struct exec_args *a)
{
	size_t n = 0;

	if (!a->argc)
		return;
	while (a->pages[n / PAGE_SIZE][n % PAGE_SIZE])
		n++;
	a->first = n + 1;
}

int exec_args_script(struct exec_args *a, const char *interp, const char *option, const char *script)
{
	size_t skip = a->prefix ? strlen(a->prefix) + 1 : 0;
	size_t rest = a->prefix_length - skip;
	size_t ni = strlen(interp) + 1, no = option ? strlen(option) + 1 : 0, ns = strlen(script) + 1;
	char *p = kmalloc(ni + no + ns + rest, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	memcpy(p, interp, ni);
	if (option)
		memcpy(p + ni, option, no);
	memcpy(p + ni + no, script, ns);
	if (rest)
		memcpy(p + ni + no + ns, a->prefix + skip, rest);
	a->prefix_count = 2 + !!option + (a->prefix ? a->prefix_count - 1 : 0);
	a->prefix_length = ni + no + ns + rest;
	kfree(a->prefix);
	a->prefix = p;
	return 0;
}
