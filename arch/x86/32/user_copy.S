/*
 * user_copy.S - the instructions that touch user memory.  A fault continues at the fixup beside them.
 */
#include <asm/smap.h>

	.cfi_sections .debug_frame
	.text
/* size_t user_copy(void *dst, const void *src, size_t n): bytes NOT copied. */
	.globl user_copy
	.type user_copy, @function
user_copy:
	.cfi_startproc
	pushl %edi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %edi, 0
	pushl %esi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %esi, 0
	movl 12(%esp), %edi
	movl 16(%esp), %esi
	movl 20(%esp), %ecx
	movl %ecx, %edx
	SMAP_STAC
	andl $3, %edx
	shrl $2, %ecx
1:	rep movsl
	movl %edx, %ecx
2:	rep movsb
3:	SMAP_CLAC
	movl %ecx, %eax
	.cfi_remember_state
	popl %esi
	.cfi_adjust_cfa_offset -4
	.cfi_restore %esi
	popl %edi
	.cfi_adjust_cfa_offset -4
	.cfi_restore %edi
	ret
	.cfi_restore_state
4:	leal (%edx, %ecx, 4), %ecx /* find the exact byte */
	jmp 2b
	EXTABLE(1b, 4b)
	EXTABLE(2b, 3b)
	.cfi_endproc

/* int user_cmpxchg(u32 *user, u32 old, u32 new, u32 *found): 0, or -1 if it faults. */
	.globl user_cmpxchg
	.type user_cmpxchg, @function
user_cmpxchg:
	.cfi_startproc
	pushl %ebx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %ebx, 0
	movl 8(%esp), %ebx
	movl 12(%esp), %eax
	movl 16(%esp), %edx
	xorl %ecx, %ecx
	SMAP_STAC
1:	lock cmpxchgl %edx, (%ebx)
2:	SMAP_CLAC
	movl 20(%esp), %edx
	movl %eax, (%edx)
	movl %ecx, %eax
	.cfi_remember_state
	popl %ebx
	.cfi_adjust_cfa_offset -4
	.cfi_restore %ebx
	ret
	.cfi_restore_state
3:	movl $-1, %ecx
	jmp 2b
	EXTABLE(1b, 3b)
	.cfi_endproc

/* size_t user_clear(void *dst, size_t n): bytes NOT cleared. */
	.globl user_clear
	.type user_clear, @function
user_clear:
	.cfi_startproc
	pushl %edi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %edi, 0
	movl 8(%esp), %edi
	movl 12(%esp), %ecx
	movl %ecx, %edx
	SMAP_STAC
	xorl %eax, %eax
	andl $3, %edx
	shrl $2, %ecx
1:	rep stosl
	movl %edx, %ecx
2:	rep stosb
3:	SMAP_CLAC
	movl %ecx, %eax
	.cfi_remember_state
	popl %edi
	.cfi_adjust_cfa_offset -4
	.cfi_restore %edi
	ret
	.cfi_restore_state
4:	leal (%edx, %ecx, 4), %ecx
	jmp 2b
	EXTABLE(1b, 4b)
	EXTABLE(2b, 3b)
	.cfi_endproc

/* long user_string(char *dst, const char *src, size_t n): length before the NUL, n if there is none, -1: fault. */
	.globl user_string
	.type user_string, @function
user_string:
	.cfi_startproc
	pushl %edi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %edi, 0
	pushl %esi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %esi, 0
	movl 12(%esp), %edi
	movl 16(%esp), %esi
	movl 20(%esp), %edx
	SMAP_STAC
	xorl %eax, %eax
	testl %edx, %edx
	jz 2f
1:	movb (%esi, %eax), %cl
	movb %cl, (%edi, %eax)
	testb %cl, %cl
	jz 2f
	incl %eax
	cmpl %edx, %eax
	jb 1b
2:	SMAP_CLAC
	.cfi_remember_state
	popl %esi
	.cfi_adjust_cfa_offset -4
	.cfi_restore %esi
	popl %edi
	.cfi_adjust_cfa_offset -4
	.cfi_restore %edi
	ret
	.cfi_restore_state
3:	movl $-1, %eax
	jmp 2b
	EXTABLE(1b, 3b)
	.cfi_endproc

	.section .note.GNU-stack, "", @progbits
