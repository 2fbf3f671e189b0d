/*
 * exec_interp.c - programs that ask for an interpreter (PT_INTERP), with hand-made files of one page each.
 */
#define _GNU_SOURCE
#include "test.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr Ehdr;
typedef Elf64_Phdr Phdr;
#else
typedef Elf32_Ehdr Ehdr;
typedef Elf32_Phdr Phdr;
#endif

#define FILE_END 0x600 /* of the segment's part in the file */
#define MEM_END 0x700
#define TAIL 0x800 /* behind the segment, in its last page */

/*
 * What the interpreter does: exit(42 + the byte at TAIL of its own page), or exit(2) if AT_BASE is not that page.
 * What the program does if it is begun with: exit(1).
 */
#if __SIZEOF_POINTER__ == 8
asm(".pushsection .text\n"
    "interpreter_code:\n"
    "	mov (%rsp), %rax\n"
    "	lea 16(%rsp,%rax,8), %rsi\n"
    "1:	lodsq\n"
    "	test %rax, %rax\n"
    "	jnz 1b\n"
    "2:	lodsq\n"
    "	mov %rax, %rdx\n"
    "	lodsq\n"
    "	cmp $7, %rdx\n"
    "	jne 2b\n"
    "	lea interpreter_code(%rip), %rbx\n"
    "	and $-4096, %rbx\n"
    "	mov $2, %edi\n"
    "	cmp %rbx, %rax\n"
    "	jne 3f\n"
    "	movzbl 0x800(%rbx), %edi\n"
    "	add $42, %edi\n"
    "3:	mov $60, %eax\n"
    "	syscall\n"
    "program_code:\n"
    "	mov $1, %edi\n"
    "	jmp 3b\n"
    "code_end:\n"
    ".popsection");
#else
asm(".pushsection .text\n"
    "interpreter_code:\n"
    "	mov (%esp), %eax\n"
    "	lea 8(%esp,%eax,4), %esi\n"
    "1:	lodsl\n"
    "	test %eax, %eax\n"
    "	jnz 1b\n"
    "2:	lodsl\n"
    "	mov %eax, %edx\n"
    "	lodsl\n"
    "	cmp $7, %edx\n"
    "	jne 2b\n"
    "	call 4f\n"
    "4:	pop %ecx\n"
    "	and $-4096, %ecx\n"
    "	mov $2, %ebx\n"
    "	cmp %ecx, %eax\n"
    "	jne 3f\n"
    "	movzbl 0x800(%ecx), %ebx\n"
    "	add $42, %ebx\n"
    "3:	mov $1, %eax\n"
    "	int $0x80\n"
    "program_code:\n"
    "	mov $1, %ebx\n"
    "	jmp 3b\n"
    "code_end:\n"
    ".popsection");
#endif
extern const u8 interpreter_code[], program_code[], code_end[];

struct page_elf {
	Ehdr eh;
	Phdr ph[2];
	char interp[128];
	u8 code[256];
};

/* A file of one page, the rest of it not zero. @interp: or NULL. */
static void page_elf_init(u8 page[4096], const char *interp)
{
	struct page_elf *e = (struct page_elf *)page;
	const u8 *entry = interp ? program_code : interpreter_code;

	memset(page, 0xee, P);
	memset(e, 0, sizeof(*e));
	memcpy(e->eh.e_ident, ELFMAG, 4);
	e->eh.e_ident[EI_CLASS] = is64 ? ELFCLASS64 : ELFCLASS32;
	e->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	e->eh.e_ident[EI_VERSION] = 1;
	e->eh.e_type = ET_DYN;
	e->eh.e_machine = is64 ? EM_X86_64 : EM_386;
	e->eh.e_version = 1;
	e->eh.e_phoff = offsetof(struct page_elf, ph);
	e->eh.e_ehsize = sizeof(Ehdr);
	e->eh.e_phentsize = sizeof(Phdr);
	e->eh.e_phnum = interp ? 2 : 1;
	e->eh.e_entry = (ulong)(offsetof(struct page_elf, code) + (size_t)(entry - interpreter_code));
	e->ph[0].p_type = PT_LOAD;
	e->ph[0].p_flags = PF_R | PF_W | PF_X;
	e->ph[0].p_filesz = FILE_END;
	e->ph[0].p_memsz = MEM_END;
	e->ph[0].p_align = P;
	e->ph[1].p_type = PT_INTERP;
	e->ph[1].p_offset = offsetof(struct page_elf, interp);
	if (interp) {
		strcpy(e->interp, interp);
		e->ph[1].p_filesz = strlen(interp) + 1;
	}
	memcpy(e->code, interpreter_code, (size_t)(code_end - interpreter_code));
}

static char *executable(const char *name, const u8 page[4096], size_t size)
{
	int fd = make_file(tmp_dir(), name, 0);

	CHECK_EQ(write(fd, page, size), size);
	CHECK_OK(fchmod(fd, 0755));
	CHECK_OK(close(fd));
	return path_in(tmp_dir(), name);
}

static void run(const char *path, int status)
{
	char *argv[] = {"program", "argument", NULL}, *envp[] = {"A=1", NULL};
	pid_t pid = CHECK_OK(fork());

	if (pid == 0) {
		execve(path, argv, envp);
		_exit(100 + errno);
	}
	join_exit(pid, status);
}

TEST(exec_interp, "exec.interpreter is mapped, begun with, and told of the program")
{
	u8 page[4096];
	const char *interpreter, *program;

	page_elf_init(page, NULL);
	interpreter = executable("interpreter", page, P);
	page_elf_init(page, interpreter);
	program = executable("program", page, P);
	run(program, 42); /* the byte behind the segment is zero, whatever the file holds there */
	((struct page_elf *)page)->ph[1].p_filesz--;
	run(executable("unended", page, P), 100 + ENOEXEC);
	CHECK_OK(chmod(interpreter, 0644));
	run(program, 100 + EACCES);
	CHECK_OK(unlink(interpreter));
	run(program, 100 + ENOENT);
}

TEST(exec_interp_bad, "exec.interpreter that is no program")
{
	u8 page[4096], garbage[4096];
	const char *interpreter = path_in(tmp_dir(), "interpreter"), *program;

	page_elf_init(page, interpreter);
	program = executable("program", page, P);
	memset(garbage, 'x', sizeof(garbage));
	executable("interpreter", garbage, P);
	run(program, 100 + ELIBBAD);
	page_elf_init(garbage, NULL);
	((struct page_elf *)garbage)->eh.e_machine = EM_ARM;
	executable("interpreter", garbage, P);
	run(program, 100 + ELIBBAD);
}
