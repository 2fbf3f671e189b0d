/*
 * entry.S - every way into the 32-bit kernel from ring 3, and back.
 *
 *   vector_stubs      256 stubs of 16 bytes: exceptions, interrupts and int 0x80
 *   return_to_user    common way out: thread work and rescheduling with interrupts off, then IRET
 *
 * FS is the per-CPU area in ring 0; all four data segments of the interrupted code are in the frame.
 */
#include <asm/extable.h>
#include <asm/offsets.h>
#include <asm/smap.h>

	.macro PUSH_REGS
	pushl %gs
	pushl %fs
	pushl %es
	pushl %ds
	pushl %eax
	pushl %ebp
	pushl %edi
	pushl %esi
	pushl %edx
	pushl %ecx
	pushl %ebx
	cld
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl $PERCPU_SELECTOR, %eax
	movl %eax, %fs
	.endm

	/* A selector that became invalid (the TLS slot was emptied, a signal frame was forged) reads as 0. */
	.macro POP_SEGMENT segment
77:	popl \segment
	.pushsection .text.fixup, "ax"
78:	movl $0, (%esp)
	jmp 77b
	.popsection
	EXTABLE(77b, 78b)
	.endm

	.macro POP_REGS
	popl %ebx
	popl %ecx
	popl %edx
	popl %esi
	popl %edi
	popl %ebp
	popl %eax
	POP_SEGMENT %ds
	POP_SEGMENT %es
	POP_SEGMENT %fs
	.endm

	.text
	.type trap_common, @function
trap_common:
	PUSH_REGS
	SMAP_CLAC
	movl %esp, %eax
	testb $3, TF_CS(%esp)
	jz 1f
	xorl %ebp, %ebp
	pushl %eax
	call trap_entry
	addl $4, %esp
	.globl return_to_user
return_to_user: /* esp: the frame */
	cli
	movl %fs:CPU_CURRENT, %eax
	movzbl %fs:CPU_NEED_RESCHED, %ecx
	orl THREAD_WORK(%eax), %ecx
	jz 2f
	pushl %esp
	call upcall_return_to_user
	addl $4, %esp
2:	POP_REGS
	POP_SEGMENT %gs
	addl $8, %esp
	iret
1:	pushl %eax
	call trap_entry
	addl $4, %esp
	POP_REGS
	addl $12, %esp /* the kernel never touches GS; what is in it may be stale and must not be loaded again */
	iret

/* int 0x80: like trap_common, without the detour through trap_entry. */
	.type syscall_entry, @function
syscall_entry:
	pushl %eax /* the call's number, as the error code */
	pushl $VECTOR_SYSCALL
	PUSH_REGS
	xorl %ebp, %ebp
	movl $-38, 24(%esp) /* ax: ENOSYS */
	movl %esp, %eax
	pushl %eax
	sti
	call upcall_syscall
	addl $4, %esp
	jmp return_to_user

/* -- first run of a thread (switch.S jumps here through the prepared stack) ------------------------------- */
	.globl user_thread_start
	.type user_thread_start, @function
user_thread_start: /* esp: the frame */
	xorl %ebp, %ebp
	call upcall_fork_return
	jmp return_to_user

	.globl kernel_thread_start
	.type kernel_thread_start, @function
kernel_thread_start: /* ebx: function, esi: its argument */
	xorl %ebp, %ebp
	pushl %esi
	call *%ebx
	ud2

	.balign 16
	.globl vector_stubs
	.type vector_stubs, @function
vector_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.set has_error, 0
	.if vector < 32
	.set has_error, (0x60227d00 >> vector) & 1
	.endif
	.if vector == VECTOR_SYSCALL
	jmp syscall_entry
	.else
	.if has_error == 0
	pushl $0
	.endif
	pushl $vector
	jmp trap_common
	.endif
	.set vector, vector + 1
	.endr

	.section .note.GNU-stack, "", @progbits
