/*
 * exec.h - the parts of execve(2): the strings, the ELF loader, the new stack.  Layer 10.
 */
#ifndef KERNEL_PROC_EXEC_H
#define KERNEL_PROC_EXEC_H

#include <arch/abi.h>
#include "kernel/proc/process.h"

#define EXEC_HEAD 256             /* bytes of the file that decide what it is; longest #! line */
#define EXEC_ARGS_MAX (2UL << 20) /* strings and their pointers */
#define EXEC_STRING_MAX (128UL << 10)
#define EXEC_SCRIPT_DEPTH 5
#define EXEC_STACK_SIZE (8UL << 20)
#define EXEC_STACK_BOTTOM (ABI_STACK_TOP - EXEC_STACK_SIZE)
#define EXEC_STACK_GAP (1UL << 20)

/* Argument and environment strings, one after the other with their NULs, in kernel pages.  A script's
 * interpreter and arguments go into @prefix and replace the first argument. */
struct exec_args {
	char **pages;
	unsigned nr_pages, max_pages;
	size_t length; /* bytes in pages */
	unsigned argc, envc;
	size_t first; /* length of the first argument with its NUL */
	char *prefix; /* kmalloc'd, or NULL */
	size_t prefix_length;
	unsigned prefix_count;
};

struct exec_image {
	vaddr_t entry, phdr; /* of the program itself */
	vaddr_t start, base; /* where to begin: there, or in its interpreter, which lies at @base */
	unsigned phnum;
	vaddr_t brk;
	vaddr_t code_start, code_end;
	bool stack_exec;
};

/* -- exec_args.c -- */
void exec_args_init(struct exec_args *a);
void exec_args_free(struct exec_args *a);
/* Append one string of the kernel's. -E2BIG, -ENOMEM. */
int exec_args_add(struct exec_args *a, const char *s);
/* All of a NULL-terminated user vector; @count: how many there were. */
int exec_args_add_vector(struct exec_args *a, const unsigned long *vector, unsigned *count);
/* @interp [@option] @script take the place of the first argument. @option may be NULL. */
int exec_args_script(struct exec_args *a, const char *interp, const char *option, const char *script);
/* The first argument is being replaced or is there: remember its length. => after the arguments were added */
void exec_args_note_first(struct exec_args *a);

/* -- exec_stack.c: lay out strings, auxv and pointers in the stack of @mm. 0 and *@sp, or -ENOMEM, -EFAULT. -- */
int exec_stack_build(struct mm *mm, const struct exec_image *image, const struct exec_args *a, const char *execfn,
                     vaddr_t *sp);

/* -- elf.c: map @file, an ELF executable whose first @n bytes are @head, into the empty @mm.
 *    With the interpreter that it asks for.  0, -ENOEXEC, -EINVAL, -ENOMEM, -EIO, -ELIBBAD (the interpreter is no sane ELF
 *    file), or why exec_open() does not open it. => sleeps -- */
int elf_load(struct mm *mm, struct file *file, const void *head, size_t n, struct exec_image *image);

/* -- exec.c: open a file that may be executed, or an ERR_PTR; => sleeps -- */
struct file *exec_open(const char *path);
/* -- exec.c: replace the current program. 0: the frame is ready for the new one. Else the old program goes on. -- */
int process_exec(const char *path, struct exec_args *args);

#endif
