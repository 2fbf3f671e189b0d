/*
 * elf_read.c - read an ELF executable's headers, believing nothing.  Layer 10.
 *
 * The file is hostile until every number in it was checked.
 */
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/elf.h"
#include "mm/phys/slab.h"

#define PHDRS_MAX_BYTES 65536

static int check_header(const struct abi_elf_header *h, size_t n)
{
	if (n < sizeof(*h) || memcmp(h->ident, "\177ELF", 4))
		return -ENOEXEC;
	if (h->ident[4] != ABI_ELF_CLASS || h->ident[5] != 1 || h->ident[6] != 1)
		return -ENOEXEC;
	if (h->machine != ABI_ELF_MACHINE || (h->type != ET_EXEC && h->type != ET_DYN))
		return -ENOEXEC;
	if (h->phentsize != sizeof(struct abi_elf_phdr) || !h->phnum ||
	    (size_t)h->phnum * sizeof(struct abi_elf_phdr) > PHDRS_MAX_BYTES)
		return -ENOEXEC;
	return 0;
}

/* A piece of the file, with a zero byte behind it; kmalloc'd, or an ERR_PTR. */
static void *read_piece(struct inode *inode, u64 offset, size_t bytes)
{
	char *piece;
	ssize_t got;

	if (offset > (u64)inode->obj.size || bytes > (u64)inode->obj.size - offset)
		return ERR_PTR(-ENOEXEC);
	piece = kmalloc(bytes + 1, GFP_KERNEL);
	if (!piece)
		return ERR_PTR(-ENOMEM);
	got = object_read(&inode->obj, (loff_t)offset, piece, bytes);
	if (got != (ssize_t)bytes) {
		kfree(piece);
		return ERR_PTR(got < 0 ? got : -ENOEXEC);
	}
	piece[bytes] = '\0';
	return piece;
}

/* One PT_LOAD's numbers; @*end: where the one before ended. */
static int check_segment(const struct abi_elf_phdr *ph, u64 file_size, vaddr_t *end)
{
	if (ph->memsz < ph->filesz || (u64)ph->offset > file_size || ph->filesz > file_size - ph->offset)
		return -ENOEXEC;
	if ((ph->offset ^ ph->vaddr) & (PAGE_SIZE - 1))
		return -ENOEXEC;
	if (ph->vaddr < *end)
		return -ENOEXEC;
	if (ph->vaddr >= USER_END || ph->memsz > USER_END - ph->vaddr)
		return -ENOMEM;
	*end = ph->vaddr + ph->memsz;
	return 0;
}

static int check_segments(struct elf *e)
{
	u64 file_size = (u64)e->file->inode->obj.size;
	unsigned loads = 0;
	vaddr_t end = 0;
	int err;

	e->align = PAGE_SIZE;
	for (const struct abi_elf_phdr *ph = e->ph; ph < e->ph + e->h.phnum; ph++) {
		if (ph->type != PT_LOAD || !ph->memsz)
			continue;
		err = check_segment(ph, file_size, &end);
		if (err)
			return err;
		if (!loads++)
			e->first = ALIGN_DOWN((vaddr_t)ph->vaddr, PAGE_SIZE);
		if (ph->align > e->align && !(ph->align & (ph->align - 1)) && ph->align <= 1UL << 24)
			e->align = ph->align;
	}
	e->last = end;
	return loads ? 0 : -ENOEXEC;
}

int elf_open(struct elf *e, struct file *file, const void *head, size_t n)
{
	const struct abi_elf_header *h = head;
	int err = check_header(h, n);

	if (err)
		return err;
	e->file = file;
	e->h = *h;
	e->ph = read_piece(file->inode, h->phoff, (size_t)h->phnum * sizeof(*e->ph));
	if (IS_ERR(e->ph))
		return (int)PTR_ERR(e->ph);
	err = check_segments(e);
	if (err)
		elf_close(e);
	return err;
}

void elf_close(struct elf *e)
{
	kfree(e->ph);
}

char *elf_interpreter(const struct elf *e)
{
	for (const struct abi_elf_phdr *ph = e->ph; ph < e->ph + e->h.phnum; ph++) {
		char *path;

		if (ph->type != PT_INTERP)
			continue;
		if (ph->filesz < 2 || ph->filesz > PATH_MAX)
			return ERR_PTR(-ENOEXEC);
		path = read_piece(e->file->inode, ph->offset, (size_t)ph->filesz);
		if (!IS_ERR(path) && path[ph->filesz - 1]) {
			kfree(path);
			return ERR_PTR(-ENOEXEC);
		}
		return path;
	}
	return NULL;
}
