/*
 * entry.S - every way into the 64-bit kernel from ring 3, and back.
 *
 *   syscall_entry     SYSCALL: lean; returns by SYSRET unless something rewrote the frame
 *   vector_stubs      256 stubs of 16 bytes: exceptions and interrupts
 *   return_to_user    common way out: thread work and rescheduling with interrupts off, then IRET
 *
 * GS base is the per-CPU area in ring 0 and the user's in ring 3.  NMI, double fault, debug and machine check
 * run on stacks of their own (IST) and may hit between SYSCALL and SWAPGS: they look at the GS base itself.
 */
#include <asm/offsets.h>
#include <asm/smap.h>

#define ENOSYS 38

	.macro PUSH_REGS ax=%rax
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq \ax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro POP_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	.endm

	.text
	.balign 16
	.globl syscall_entry
	.type syscall_entry, @function
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_SP
	movq %gs:CPU_KERNEL_SP, %rsp
	pushq $USER_DS
	pushq %gs:CPU_USER_SP
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq %rax
	pushq $VECTOR_SYSCALL
	PUSH_REGS $-ENOSYS
	xorl %ebp, %ebp
	movq %rsp, %rdi
	sti
	call upcall_syscall
	cli
	movq %gs:CPU_CURRENT, %rax
	movzbl %gs:CPU_NEED_RESCHED, %ecx
	orl THREAD_WORK(%rax), %ecx
	jnz user_slow
	cmpl $VECTOR_SYSCALL, TF_VECTOR(%rsp)
	jne user_iret
	/* Nobody rewrote the frame: ip is what SYSCALL saved, below USER_END, hence canonical. */
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	addq $8, %rsp
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	addq $8, %rsp
	popq %rdx
	popq %rsi
	popq %rdi
	movq (TF_IP - TF_VECTOR)(%rsp), %rcx
	movq (TF_FLAGS - TF_VECTOR)(%rsp), %r11
	movq (TF_SP - TF_VECTOR)(%rsp), %rsp
	swapgs
	sysretq

	.globl return_to_user
	.type return_to_user, @function
return_to_user: /* rsp: the frame */
	cli
	movq %gs:CPU_CURRENT, %rax
	movzbl %gs:CPU_NEED_RESCHED, %ecx
	orl THREAD_WORK(%rax), %ecx
	jz user_iret
user_slow:
	movq %rsp, %rdi
	call upcall_return_to_user
user_iret:
	/* IRET must not fault: an address that is not canonical becomes the unmapped page at USER_END. */
	movq TF_IP(%rsp), %rax
	movq %rax, %rcx
	shlq $16, %rcx
	sarq $16, %rcx
	cmpq %rcx, %rax
	jne 2f
1:	POP_REGS
	addq $16, %rsp
	swapgs
	iretq
2:	movabsq $0x00007ffffffff000, %rax
	movq %rax, TF_IP(%rsp)
	jmp 1b

/* -- first run of a thread (switch.S jumps here through the prepared stack) ------------------------------- */
	.globl user_thread_start
	.type user_thread_start, @function
user_thread_start: /* rsp: the frame */
	xorl %ebp, %ebp
	call upcall_fork_return
	jmp return_to_user

	.globl kernel_thread_start
	.type kernel_thread_start, @function
kernel_thread_start: /* rbx: function, r12: its argument */
	xorl %ebp, %ebp
	movq %r12, %rdi
	call *%rbx
	ud2

/* -- exceptions and interrupts ---------------------------------------------------------------------------- */
	.type trap_common, @function
trap_common:
	PUSH_REGS
	cld
	SMAP_CLAC
	movq %rsp, %rdi
	testb $3, TF_CS(%rsp)
	jz 1f
	swapgs
	xorl %ebp, %ebp
	call trap_entry
	jmp return_to_user
1:	call trap_entry
	POP_REGS
	addq $16, %rsp
	iretq

	.type trap_ist, @function
trap_ist:
	PUSH_REGS
	cld
	SMAP_CLAC
	testb $3, TF_CS(%rsp)
	jnz 3f
	movl $MSR_GS_BASE, %ecx
	rdmsr
	xorl %ebx, %ebx
	testl %edx, %edx
	js 1f
	swapgs
	incl %ebx
1:	movq %rsp, %rdi
	call trap_entry
	testl %ebx, %ebx
	jz 2f
	swapgs
2:	POP_REGS
	addq $16, %rsp
	iretq
3:	/* From ring 3: go on on the thread's own stack, where one may sleep. */
	swapgs
	movq %gs:CPU_KERNEL_SP, %rdi
	subq $TF_SIZE, %rdi
	movq %rdi, %rdx
	movq %rsp, %rsi
	movl $(TF_SIZE / 8), %ecx
	rep movsq
	movq %rdx, %rsp
	xorl %ebp, %ebp
	movq %rsp, %rdi
	call trap_entry
	jmp return_to_user

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
	.if has_error == 0
	pushq $0
	.endif
	pushq $vector
	.if vector == 1 || vector == 2 || vector == 8 || vector == 18
	jmp trap_ist
	.else
	jmp trap_common
	.endif
	.set vector, vector + 1
	.endr

	.section .note.GNU-stack, "", @progbits
