/*
 * exec_stack.c - what a new program finds on its stack.  Layer 9.
 *
 *	top     0 word
 *	        the path that was executed            AT_EXECFN
 *	        strings: arguments, environment
 *	        platform name, 16 random bytes        AT_PLATFORM, AT_RANDOM
 *	        auxiliary vector
 *	        NULL, environment pointers
 *	        NULL, argument pointers
 *	sp ->   argument count                        (16-byte aligned)
 */
#include <arch/pgtable.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/exec.h"
#include "kernel/dev/random.h"

enum auxv_type {
	AT_NULL,
	AT_PHDR = 3,
	AT_PHENT,
	AT_PHNUM,
	AT_PAGESZ,
	AT_BASE,
	AT_FLAGS,
	AT_ENTRY,
	AT_UID = 11,
	AT_EUID,
	AT_GID,
	AT_EGID,
	AT_PLATFORM,
	AT_HWCAP,
	AT_CLKTCK,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_HWCAP2,
	AT_EXECFN = 31,
	AT_MINSIGSTKSZ = 51,
};

#define AUXV_PAIRS 22

static int put(struct mm *mm, vaddr_t to, const void *from, size_t n)
{
	while (n) {
		ssize_t did = mm_access(mm, to, (void *)from, n, true);

		if (did <= 0)
			return -EFAULT;
		to += (vaddr_t)did;
		from = (const char *)from + did;
		n -= (size_t)did;
	}
	return 0;
}

/* Words written upwards, a small buffer at a time. */
struct word_writer {
	struct mm *mm;
	vaddr_t at;
	unsigned n;
	int error;
	unsigned long words[64];
};

static void flush_words(struct word_writer *w)
{
	if (w->n && !w->error)
		w->error = put(w->mm, w->at, w->words, w->n * sizeof(long));
	w->at += w->n * sizeof(long);
	w->n = 0;
}

static void put_word(struct word_writer *w, unsigned long value)
{
	w->words[w->n++] = value;
	if (w->n == ARRAY_SIZE(w->words))
		flush_words(w);
}

static void put_aux(struct word_writer *w, unsigned long type, unsigned long value)
{
	put_word(w, type);
	put_word(w, value);
}

/* Where the strings are, and walking over them. */
struct strings {
	const struct exec_args *a;
	vaddr_t user; /* address of the next string */
	size_t prefix_at, at;
};

/* Address of the next string; steps over it. */
static vaddr_t next_string(struct strings *s, bool from_prefix)
{
	vaddr_t here = s->user;
	const struct exec_args *a = s->a;
	size_t n = 0;

	if (from_prefix) {
		n = strlen(a->prefix + s->prefix_at) + 1;
		s->prefix_at += n;
	} else {
		for (;; n++) {
			size_t i = s->at + n;

			if (!a->pages[i / PAGE_SIZE][i % PAGE_SIZE])
				break;
		}
		s->at += ++n;
	}
	s->user += n;
	return here;
}

static int put_strings(struct mm *mm, const struct exec_args *a, vaddr_t to)
{
	size_t i = a->prefix ? a->first : 0;
	int err = 0;

	if (a->prefix)
		err = put(mm, to, a->prefix, a->prefix_length);
	to += a->prefix_length;
	while (!err && i < a->length) {
		size_t n = min(PAGE_SIZE - i % PAGE_SIZE, a->length - i);

		err = put(mm, to, a->pages[i / PAGE_SIZE] + i % PAGE_SIZE, n);
		to += n;
		i += n;
	}
	return err;
}

static void put_auxv(struct word_writer *w, const struct exec_image *image, vaddr_t platform, vaddr_t random,
                     vaddr_t execfn)
{
	const struct process *p = current_process();

	put_aux(w, AT_HWCAP, abi_hwcap());
	put_aux(w, AT_PAGESZ, PAGE_SIZE);
	put_aux(w, AT_CLKTCK, 100);
	put_aux(w, AT_PHDR, image->phdr);
	put_aux(w, AT_PHENT, sizeof(struct abi_elf_phdr));
	put_aux(w, AT_PHNUM, image->phnum);
	put_aux(w, AT_BASE, image->base);
	put_aux(w, AT_FLAGS, 0);
	put_aux(w, AT_ENTRY, image->entry);
	put_aux(w, AT_UID, p->uid);
	put_aux(w, AT_EUID, p->euid);
	put_aux(w, AT_GID, p->gid);
	put_aux(w, AT_EGID, p->egid);
	put_aux(w, AT_SECURE, 0);
	put_aux(w, AT_RANDOM, random);
	put_aux(w, AT_HWCAP2, abi_hwcap2());
	put_aux(w, AT_EXECFN, execfn);
	put_aux(w, AT_PLATFORM, platform);
	put_aux(w, AT_MINSIGSTKSZ, MINSIGSTKSZ);
	put_aux(w, AT_NULL, 0);
}

/* The 8 MiB that the stack may use, demand-zero. */
static int map_stack(struct mm *mm, bool exec)
{
	struct mmap_request req = {
		.addr = EXEC_STACK_BOTTOM,
		.length = EXEC_STACK_SIZE,
		.prot = PROT_READ | PROT_WRITE | (exec ? PROT_EXEC : 0),
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		.may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC,
	};
	long at = mm_mmap(mm, &req);
	struct vma *vma;

	if (IS_ERR_VALUE(at))
		return (int)at;
	rwsem_write_lock(&mm->lock);
	vma = vma_find(mm, EXEC_STACK_BOTTOM);
	if (vma)
		vma->name = "[stack]";
	rwsem_write_unlock(&mm->lock);
	mm->stack_top = ABI_STACK_TOP;
	return 0;
}

int exec_stack_build(struct mm *mm, const struct exec_image *image, const struct exec_args *a, const char *execfn,
                     vaddr_t *sp_out)
{
	unsigned argc = a->prefix ? a->prefix_count + (a->argc ? a->argc - 1 : 0) : a->argc;
	size_t strings_length = a->prefix_length + a->length - (a->prefix ? a->first : 0);
	size_t words = 1 + argc + 1 + a->envc + 1 + 2 * AUXV_PAIRS;
	vaddr_t fn = ABI_STACK_TOP - sizeof(long) - (strlen(execfn) + 1);
	vaddr_t strings = fn - strings_length;
	vaddr_t platform = strings - sizeof(ABI_PLATFORM);
	vaddr_t random = ALIGN_DOWN(platform - 16, 16);
	vaddr_t sp = ALIGN_DOWN(random - words * sizeof(long), 16);
	struct strings s = {.a = a, .user = strings, .at = a->prefix ? a->first : 0};
	struct word_writer w = {.mm = mm, .at = sp};
	u8 seed[16];
	int err = map_stack(mm, image->stack_exec);

	random_bytes(seed, sizeof(seed));
	if (!err)
		err = put(mm, fn, execfn, strlen(execfn) + 1);
	if (!err)
		err = put_strings(mm, a, strings);
	if (!err)
		err = put(mm, platform, ABI_PLATFORM, sizeof(ABI_PLATFORM));
	if (!err)
		err = put(mm, random, seed, sizeof(seed));
	if (err)
		return err;
	put_word(&w, argc);
	mm->arg_start = s.user;
	for (unsigned i = 0; i < argc; i++)
		put_word(&w, next_string(&s, i < a->prefix_count));
	put_word(&w, 0);
	mm->arg_end = mm->env_start = s.user;
	for (unsigned i = 0; i < a->envc; i++)
		put_word(&w, next_string(&s, false));
	put_word(&w, 0);
	mm->env_end = s.user;
	put_auxv(&w, image, platform, random, fn);
	flush_words(&w);
	ASSERT(w.at <= random);
	*sp_out = sp;
	return w.error;
}
