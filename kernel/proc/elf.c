/*
 * elf.c - map a static ELF executable (ET_EXEC or static-PIE ET_DYN) into a fresh address space.  Layer 10.
 *
 * The file is hostile until every number in it was checked; a bad one gives -ENOEXEC (not a sane ELF file) or
 * -EINVAL, -ENOMEM (addresses that cannot be had).  Nothing outside the new mm changes.
 *
 *	     offset                          a segment
 *	     |<------ filesz ------>|
 *	+----+----------------------+--------+--------------------+
 *	|    |  private file map    | zeroed |  anonymous         |
 *	+----+----------------------+--------+--------------------+
 *	     vaddr                  (if W)   page               vaddr + memsz, rounded up
 */
#include <arch/abi.h>
#include <arch/pgtable.h>
#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/exec.h"
#include "mm/phys/slab.h"

#define PT_LOAD 1
#define PT_INTERP 3
#define PT_GNU_STACK 0x6474e551
#define PF_X 1
#define PF_W 2
#define PF_R 4
#define ET_EXEC 2
#define ET_DYN 3
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

static struct abi_elf_phdr *read_phdrs(struct inode *inode, const struct abi_elf_header *h)
{
	size_t bytes = (size_t)h->phnum * sizeof(struct abi_elf_phdr);
	struct abi_elf_phdr *ph;
	ssize_t got;

	if ((u64)h->phoff > (u64)inode->obj.size || bytes > (u64)inode->obj.size - h->phoff)
		return ERR_PTR(-ENOEXEC);
	ph = kmalloc(bytes, GFP_KERNEL);
	if (!ph)
		return ERR_PTR(-ENOMEM);
	got = object_read(&inode->obj, (loff_t)h->phoff, ph, bytes);
	if (got != (ssize_t)bytes) {
		kfree(ph);
		return ERR_PTR(got < 0 ? got : -ENOEXEC);
	}
	return ph;
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

/* The whole list: 0 and the extent and greatest alignment of the segments. */
static int check_segments(const struct abi_elf_phdr *ph, unsigned n, u64 file_size, vaddr_t *first, vaddr_t *last,
                          vaddr_t *align)
{
	unsigned loads = 0;
	vaddr_t end = 0;
	int err;

	*align = PAGE_SIZE;
	for (unsigned i = 0; i < n; i++) {
		if (ph[i].type == PT_INTERP)
			return -ENOENT; /* a dynamic program: its interpreter is not here */
		if (ph[i].type != PT_LOAD || !ph[i].memsz)
			continue;
		err = check_segment(&ph[i], file_size, &end);
		if (err)
			return err;
		if (!loads++)
			*first = ALIGN_DOWN((vaddr_t)ph[i].vaddr, PAGE_SIZE);
		if (ph[i].align > *align && !(ph[i].align & (ph[i].align - 1)) && ph[i].align <= 1UL << 24)
			*align = ph[i].align;
	}
	*last = end;
	return loads ? 0 : -ENOEXEC;
}

static unsigned segment_prot(const struct abi_elf_phdr *ph)
{
	return (ph->flags & PF_R ? PROT_READ : 0) | (ph->flags & PF_W ? PROT_WRITE : 0) |
	       (ph->flags & PF_X ? PROT_EXEC : 0);
}

static int map_fixed(struct mm *mm, struct mmap_request *req, vaddr_t start, vaddr_t end, unsigned prot)
{
	long at;

	if (start >= end)
		return 0;
	req->addr = start;
	req->length = end - start;
	req->prot = prot;
	req->flags |= MAP_PRIVATE | MAP_FIXED;
	at = mm_mmap(mm, req);
	return IS_ERR_VALUE(at) ? (int)at : 0;
}

/* Zero [va, va + n) of the new address space; n < PAGE_SIZE. */
static int zero_tail(struct mm *mm, vaddr_t va, size_t n)
{
	static const char zeros[256];

	while (n) {
		size_t part = min(n, sizeof(zeros));
		ssize_t did = mm_access(mm, va, (void *)zeros, part, true);

		if (did <= 0)
			return did < 0 ? (int)did : -EFAULT;
		va += (vaddr_t)did;
		n -= (size_t)did;
	}
	return 0;
}

static int map_segment(struct mm *mm, struct file *file, const struct abi_elf_phdr *ph, vaddr_t bias)
{
	struct mmap_request filemap = {.pgoff = (pgoff_t)(ph->offset >> PAGE_SHIFT)};
	struct mmap_request anon = {.flags = MAP_ANONYMOUS, .may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC};
	vaddr_t start = bias + ALIGN_DOWN((vaddr_t)ph->vaddr, PAGE_SIZE);
	vaddr_t file_end = bias + ph->vaddr + ph->filesz;
	vaddr_t file_top = ph->filesz ? ALIGN_UP(file_end, PAGE_SIZE) : start;
	vaddr_t top = ALIGN_UP(bias + ph->vaddr + (vaddr_t)ph->memsz, PAGE_SIZE);
	unsigned prot = segment_prot(ph);
	int err = 0;

	if (ph->filesz) {
		filemap.flags = MAP_PRIVATE | MAP_FIXED;
		filemap.prot = prot;
		filemap.length = file_top - start;
		err = file_mmap_prepare(file, &filemap);
		if (!err)
			err = map_fixed(mm, &filemap, start, file_top, prot);
	}
	if (!err)
		err = map_fixed(mm, &anon, file_top, top, prot);
	if (!err && ph->memsz > ph->filesz && ph->filesz && (prot & PROT_WRITE))
		err = zero_tail(mm, file_end, min(file_top, bias + (vaddr_t)ph->vaddr + ph->memsz) - file_end);
	return err;
}

/* Where the program headers lie in memory, or 0. */
static vaddr_t phdr_address(const struct abi_elf_header *h, const struct abi_elf_phdr *ph, vaddr_t bias)
{
	for (unsigned i = 0; i < h->phnum; i++)
		if (ph[i].type == PT_LOAD && h->phoff >= ph[i].offset && h->phoff - ph[i].offset < ph[i].filesz)
			return bias + ph[i].vaddr + (h->phoff - ph[i].offset);
	return 0;
}

static void note_segment(struct exec_image *image, const struct abi_elf_phdr *ph, vaddr_t bias)
{
	vaddr_t start = bias + ph->vaddr, end = bias + ph->vaddr + ph->memsz;

	if (ph->flags & PF_X) {
		if (!image->code_start)
			image->code_start = start;
		image->code_end = bias + ph->vaddr + ph->filesz;
	}
	image->brk = max(image->brk, ALIGN_UP(end, PAGE_SIZE));
}

static int load(struct mm *mm, struct file *file, const struct abi_elf_header *h, const struct abi_elf_phdr *ph,
                struct exec_image *image)
{
	vaddr_t first, last, align, bias = 0;
	int err = check_segments(ph, h->phnum, (u64)file->inode->obj.size, &first, &last, &align);

	if (err)
		return err;
	if (h->type == ET_DYN)
		bias = ALIGN_UP((vaddr_t)ABI_ET_DYN_BASE, align) - ALIGN_DOWN(first, align);
	/* The page of address 0 stays empty, and the stack's part of the space free. */
	if (bias + first < PAGE_SIZE || bias + last < last || bias + last > EXEC_STACK_BOTTOM - EXEC_STACK_GAP)
		return bias + first < PAGE_SIZE ? -EPERM : -ENOMEM;
	for (unsigned i = 0; i < h->phnum; i++) {
		if (ph[i].type == PT_GNU_STACK)
			image->stack_exec = ph[i].flags & PF_X;
		if (ph[i].type != PT_LOAD || !ph[i].memsz)
			continue;
		err = map_segment(mm, file, &ph[i], bias);
		if (err)
			return err;
		note_segment(image, &ph[i], bias);
	}
	image->entry = bias + h->entry;
	image->phdr = phdr_address(h, ph, bias);
	image->phnum = h->phnum;
	return image->entry < USER_END ? 0 : -EINVAL;
}

int elf_load(struct mm *mm, struct file *file, const void *head, size_t n, struct exec_image *image)
{
	const struct abi_elf_header *h = head;
	struct abi_elf_phdr *ph;
	int err = check_header(h, n);

	if (err)
		return err;
	ph = read_phdrs(file->inode, h);
	if (IS_ERR(ph))
		return (int)PTR_ERR(ph);
	err = load(mm, file, h, ph, image);
	kfree(ph);
	return err;
}
