/*
 * elf.h - an ELF file that was read and checked, before it is mapped.  Layer 10, for elf.c.
 */
#ifndef KERNEL_PROC_ELF_H
#define KERNEL_PROC_ELF_H

#include <arch/abi.h>
#include "kernel/fs/vfs.h"

#define PT_LOAD 1
#define PT_INTERP 3
#define PT_GNU_STACK 0x6474e551
#define PF_X 1
#define PF_W 2
#define PF_R 4
#define ET_EXEC 2
#define ET_DYN 3

struct elf {
	struct file *file; /* the caller's reference */
	struct abi_elf_header h;
	struct abi_elf_phdr *ph;    /* h.phnum of them */
	vaddr_t first, last, align; /* the extent of what is to be mapped, and its greatest alignment */
};

/* Read the headers of @file, which begins with the @n bytes @head, and check every number in them. 0, -ENOEXEC, -ENOMEM (also:
 * addresses that no program can have), -EIO. => sleeps */
int elf_open(struct elf *e, struct file *file, const void *head, size_t n);
void elf_close(struct elf *e);
/* The path of the interpreter that the program asks for (kmalloc'd), NULL if for none, or an ERR_PTR. => sleeps */
char *elf_interpreter(const struct elf *e);

#endif
