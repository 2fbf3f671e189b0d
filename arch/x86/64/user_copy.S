/*
 * user_copy.S - the instructions that touch user memory.  A fault continues at the fixup beside them.
 */
#include <asm/smap.h>

	.cfi_sections .debug_frame
	.text
/* size_t user_copy(void *dst, const void *src, size_t n): bytes NOT copied.  Four bytes go in one access: other threads
 * may look at the word (thread ids, futexes). */
	.globl user_copy
	.type user_copy, @function
user_copy:
	.cfi_startproc
	SMAP_STAC
	movl %edx, %r8d
	movq %rdx, %rcx
	andl $7, %r8d
	shrq $3, %rcx
1:	rep movsq
	movl %r8d, %ecx
	testl $4, %r8d
	jz 2f
5:	movsl
	subl $4, %ecx
2:	rep movsb
3:	SMAP_CLAC
	movq %rcx, %rax
	ret
4:	leaq (%r8, %rcx, 8), %rcx /* find the exact byte */
	jmp 2b
	EXTABLE(1b, 4b)
	EXTABLE(5b, 2b)
	EXTABLE(2b, 3b)
	.cfi_endproc

/* int user_cmpxchg(u32 *user, u32 old, u32 new, u32 *found): 0, or -1 if it faults. */
	.globl user_cmpxchg
	.type user_cmpxchg, @function
user_cmpxchg:
	.cfi_startproc
	movl %esi, %eax
	xorl %r8d, %r8d
	SMAP_STAC
1:	lock cmpxchgl %edx, (%rdi)
2:	SMAP_CLAC
	movl %eax, (%rcx)
	movl %r8d, %eax
	ret
3:	movl $-1, %r8d
	jmp 2b
	EXTABLE(1b, 3b)
	.cfi_endproc

/* size_t user_clear(void *dst, size_t n): bytes NOT cleared. */
	.globl user_clear
	.type user_clear, @function
user_clear:
	.cfi_startproc
	SMAP_STAC
	movl %esi, %edx
	movq %rsi, %rcx
	xorl %eax, %eax
	andl $7, %edx
	shrq $3, %rcx
1:	rep stosq
	movl %edx, %ecx
2:	rep stosb
3:	SMAP_CLAC
	movq %rcx, %rax
	ret
4:	leaq (%rdx, %rcx, 8), %rcx
	jmp 2b
	EXTABLE(1b, 4b)
	EXTABLE(2b, 3b)
	.cfi_endproc

/* long user_string(char *dst, const char *src, size_t n): length before the NUL, n if there is none, -1: fault. */
	.globl user_string
	.type user_string, @function
user_string:
	.cfi_startproc
	SMAP_STAC
	xorl %eax, %eax
	testq %rdx, %rdx
	jz 2f
1:	movb (%rsi, %rax), %cl
	movb %cl, (%rdi, %rax)
	testb %cl, %cl
	jz 2f
	incq %rax
	cmpq %rdx, %rax
	jb 1b
2:	SMAP_CLAC
	ret
3:	movq $-1, %rax
	jmp 2b
	EXTABLE(1b, 3b)
	.cfi_endproc

	.section .note.GNU-stack, "", @progbits
