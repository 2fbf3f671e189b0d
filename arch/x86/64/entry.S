/*
 * entry.S - every way into the 64-bit kernel from ring 3, and back.
 *
 *   syscall_entry     SYSCALL: lean; returns by SYSRET unless something rewrote the frame
 *   vector_stubs      256 stubs of 16 bytes: exceptions and interrupts
 *   return_to_user    common way out: thread work and rescheduling with interrupts off, then IRET
 *
 * GS base is the per-CPU area in ring 0 and the user's in ring 3.  NMI, double fault, debug and machine check
 * run on stacks of their own (IST) and may hit between SYSCALL and SWAPGS: they look at the GS base itself.
 *
 * The .cfi lines tell a debugger where the interrupted registers are, so that it sees through the frame.
 */
#include <asm/offsets.h>
#include <asm/smap.h>

#define ENOSYS 38

	.cfi_sections .debug_frame

/* DWARF's numbers of registers that the assembler has no name for here. */
#define CFI_RIP 16

	.macro PUSH reg
	pushq \reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \reg, 0
	.endm

	.macro POP reg
	popq \reg
	.cfi_adjust_cfa_offset -8
	.cfi_restore \reg
	.endm

	.macro DROP words
	addq $(8 * \words), %rsp
	.cfi_adjust_cfa_offset -8 * \words
	.endm

	/* A function whose caller is what was interrupted.  At its beginning @size bytes of the frame's end are on the stack. */
	.macro CFI_START size
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %rsp, \size
	.cfi_offset CFI_RIP, TF_IP - TF_SIZE
	.cfi_offset %rsp, TF_SP - TF_SIZE
	.endm

	/* The same with a whole frame on the stack. */
	.macro CFI_START_FRAME
	CFI_START TF_SIZE
	.cfi_offset %r15, 0 - TF_SIZE
	.cfi_offset %r14, 8 - TF_SIZE
	.cfi_offset %r13, 16 - TF_SIZE
	.cfi_offset %r12, 24 - TF_SIZE
	.cfi_offset %rbp, 32 - TF_SIZE
	.cfi_offset %rbx, 40 - TF_SIZE
	.cfi_offset %r11, 48 - TF_SIZE
	.cfi_offset %r10, 56 - TF_SIZE
	.cfi_offset %r9, 64 - TF_SIZE
	.cfi_offset %r8, 72 - TF_SIZE
	.cfi_offset %rax, 80 - TF_SIZE
	.cfi_offset %rcx, 88 - TF_SIZE
	.cfi_offset %rdx, 96 - TF_SIZE
	.cfi_offset %rsi, 104 - TF_SIZE
	.cfi_offset %rdi, 112 - TF_SIZE
	.endm

	.macro PUSH_REGS ax=%rax
	PUSH %rdi
	PUSH %rsi
	PUSH %rdx
	PUSH %rcx
	pushq \ax
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rax, 0
	PUSH %r8
	PUSH %r9
	PUSH %r10
	PUSH %r11
	PUSH %rbx
	PUSH %rbp
	PUSH %r12
	PUSH %r13
	PUSH %r14
	PUSH %r15
	.endm

	.macro POP_REGS
	POP %r15
	POP %r14
	POP %r13
	POP %r12
	POP %rbp
	POP %rbx
	POP %r11
	POP %r10
	POP %r9
	POP %r8
	POP %rax
	POP %rcx
	POP %rdx
	POP %rsi
	POP %rdi
	.endm

	.text
	.balign 16
	.globl syscall_entry
	.type syscall_entry, @function
syscall_entry:
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %rsp, 0
	.cfi_register CFI_RIP, %rcx
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
	.cfi_def_cfa %rsp, TF_SIZE - TF_VECTOR
	.cfi_offset CFI_RIP, TF_IP - TF_SIZE
	.cfi_offset %rsp, TF_SP - TF_SIZE
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
	POP %r15
	POP %r14
	POP %r13
	POP %r12
	POP %rbp
	POP %rbx
	DROP 1
	POP %r10
	POP %r9
	POP %r8
	POP %rax
	DROP 1
	POP %rdx
	POP %rsi
	POP %rdi
	movq (TF_IP - TF_VECTOR)(%rsp), %rcx
	movq (TF_FLAGS - TF_VECTOR)(%rsp), %r11
	movq (TF_SP - TF_VECTOR)(%rsp), %rsp
	.cfi_def_cfa %rsp, 0
	.cfi_restore %rsp
	.cfi_register CFI_RIP, %rcx
	swapgs
	sysretq
	.cfi_endproc

	.globl return_to_user
	.type return_to_user, @function
return_to_user: /* rsp: the frame */
	CFI_START_FRAME
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
1:	.cfi_remember_state
	POP_REGS
	DROP 2
	swapgs
	iretq
	.cfi_restore_state
2:	movabsq $0x00007ffffffff000, %rax
	movq %rax, TF_IP(%rsp)
	jmp 1b
	.cfi_endproc

/* -- first run of a thread (switch.S jumps here through the prepared stack) ------------------------------- */
	.globl user_thread_start
	.type user_thread_start, @function
user_thread_start: /* rsp: the frame */
	CFI_START_FRAME
	xorl %ebp, %ebp
	call upcall_fork_return
	jmp return_to_user
	.cfi_endproc

	.globl kernel_thread_start
	.type kernel_thread_start, @function
kernel_thread_start: /* rbx: function, r12: its argument */
	.cfi_startproc
	.cfi_undefined CFI_RIP
	xorl %ebp, %ebp
	movq %r12, %rdi
	call *%rbx
	ud2
	.cfi_endproc

/* -- exceptions and interrupts ---------------------------------------------------------------------------- */
	.type trap_common, @function
trap_common:
	CFI_START (TF_SIZE - TF_VECTOR)
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
	DROP 2
	iretq
	.cfi_endproc

	.globl entry_trap_start, entry_trap_end
entry_trap_start: /* to the end of the stubs: how a debug exception comes in */
	.type trap_ist, @function
trap_ist:
	CFI_START (TF_SIZE - TF_VECTOR)
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
2:	.cfi_remember_state
	POP_REGS
	DROP 2
	iretq
	.cfi_restore_state
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
	.cfi_endproc

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
entry_trap_end:

	.section .note.GNU-stack, "", @progbits
