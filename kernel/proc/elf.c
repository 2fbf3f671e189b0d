/*
 * elf.c - map an ELF executable (ET_EXEC or ET_DYN) and the interpreter it asks for into a fresh address space.  Layer 10.
 *
 * A bad file gives -ENOEXEC (not a sane ELF file; of the interpreter: -ELIBBAD) or -EINVAL, -ENOMEM (addresses that cannot be
 * had).  Nothing outside the new mm changes.
 *
 *	     offset                          a segment
 *	     |<------ filesz ------>|
 *	+----+----------------------+--------+--------------------+
 *	|    |  private file map    | zeroed |  anonymous         |
 *	+----+----------------------+--------+--------------------+
 *	     vaddr                  (if W)   page               vaddr + memsz, rounded up
 *
 * Zeroed to the end of the page, even if the segment ends before: C libraries allocate from there.
 */
#include "kernel/proc/elf.h"

#include <arch/pgtable.h>
#include "kernel/lib/err.h"
#include "kernel/proc/exec.h"
#include "mm/phys/slab.h"

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
		err = zero_tail(mm, file_end, file_top - file_end);
	return err;
}

static int map_segments(struct mm *mm, const struct elf *e, vaddr_t bias)
{
	int err = 0;

	for (const struct abi_elf_phdr *ph = e->ph; ph < e->ph + e->h.phnum && !err; ph++)
		if (ph->type == PT_LOAD && ph->memsz)
			err = map_segment(mm, e->file, ph, bias);
	return err;
}

/* -- the program ---------------------------------------------------------------------------------------------- */

/* Where the program headers lie in memory, or 0. */
static vaddr_t phdr_address(const struct elf *e, vaddr_t bias)
{
	u64 at = e->h.phoff;

	for (const struct abi_elf_phdr *ph = e->ph; ph < e->ph + e->h.phnum; ph++)
		if (ph->type == PT_LOAD && at >= ph->offset && at - ph->offset < ph->filesz)
			return bias + ph->vaddr + (vaddr_t)(at - ph->offset);
	return 0;
}

/* What the rest of the kernel knows of the program from its segments. */
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

static int load_program(struct mm *mm, const struct elf *e, struct exec_image *image)
{
	vaddr_t bias = 0;
	int err;

	if (e->h.type == ET_DYN)
		bias = ALIGN_UP((vaddr_t)ABI_ET_DYN_BASE, e->align) - ALIGN_DOWN(e->first, e->align);
	/* The page of address 0 stays empty, and the stack's part of the space free. */
	if (bias + e->first < PAGE_SIZE)
		return -EPERM;
	if (bias + e->last < e->last || bias + e->last > EXEC_STACK_BOTTOM - EXEC_STACK_GAP)
		return -ENOMEM;
	err = map_segments(mm, e, bias);
	if (err)
		return err;
	for (const struct abi_elf_phdr *ph = e->ph; ph < e->ph + e->h.phnum; ph++) {
		if (ph->type == PT_GNU_STACK)
			image->stack_exec = ph->flags & PF_X;
		else if (ph->type == PT_LOAD && ph->memsz)
			note_segment(image, ph, bias);
	}
	image->start = image->entry = bias + e->h.entry;
	image->phdr = phdr_address(e, bias);
	image->phnum = e->h.phnum;
	return image->entry < USER_END ? 0 : -EINVAL;
}

/* -- its interpreter ------------------------------------------------------------------------------------------- */

/* What is to be added to the addresses of @e so that they are free ones (below the stack, which comes later), or an errno. */
static long find_bias(struct mm *mm, const struct elf *e)
{
	struct mmap_request req = {
		.length = ALIGN_UP(e->last, PAGE_SIZE) - e->first + e->align,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	};
	long at;
	int err;

	if (e->h.type == ET_EXEC)
		return 0;
	req.addr = EXEC_STACK_BOTTOM - EXEC_STACK_GAP - req.length;
	at = mm_mmap(mm, &req);
	if (IS_ERR_VALUE(at))
		return at;
	err = mm_munmap(mm, (vaddr_t)at, req.length);
	return err ? err : (long)(ALIGN_UP((vaddr_t)at, e->align) - ALIGN_DOWN(e->first, e->align));
}

static int map_interpreter(struct mm *mm, const struct elf *e, struct exec_image *image)
{
	long bias = find_bias(mm, e);
	int err;

	if (IS_ERR_VALUE(bias))
		return (int)bias;
	if ((vaddr_t)bias + e->first < PAGE_SIZE || (vaddr_t)bias + e->last > EXEC_STACK_BOTTOM - EXEC_STACK_GAP)
		return -ENOMEM;
	err = map_segments(mm, e, (vaddr_t)bias);
	image->base = (vaddr_t)bias;
	image->start = (vaddr_t)bias + e->h.entry;
	return err ? err : image->start < USER_END ? 0 : -EINVAL;
}

static int load_interpreter(struct mm *mm, const char *path, struct exec_image *image)
{
	struct abi_elf_header head;
	struct file *file = exec_open(path);
	struct elf e;
	ssize_t n;
	int err;

	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	n = object_read(&file->inode->obj, 0, &head, sizeof(head));
	err = n < 0 ? (int)n : elf_open(&e, file, &head, (size_t)n);
	if (!err) {
		err = map_interpreter(mm, &e, image);
		elf_close(&e);
	}
	file_put(file);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

int elf_load(struct mm *mm, struct file *file, const void *head, size_t n, struct exec_image *image)
{
	char *interpreter;
	struct elf e;
	int err = elf_open(&e, file, head, n);

	if (err)
		return err;
	interpreter = elf_interpreter(&e);
	err = IS_ERR(interpreter) ? (int)PTR_ERR(interpreter) : load_program(mm, &e, image);
	if (!err && interpreter)
		err = load_interpreter(mm, interpreter, image);
	if (!IS_ERR(interpreter))
		kfree(interpreter);
	elf_close(&e);
	return err;
}
