/*
 * entry.S - every way into the 32-bit kernel from ring 3, and back.
 *
 *   vector_stubs      256 stubs of 16 bytes: exceptions, interrupts and int 0x80
 *   return_to_user    common way out: thread work and rescheduling with interrupts off, then IRET
 *
 * FS is the per-CPU area in ring 0; all four data segments of the interrupted code are in the frame.
 * The .cfi lines tell a debugger where the interrupted registers are, so that it sees through the frame.
 */
#include <asm/extable.h>
#include <asm/offsets.h>
#include <asm/smap.h>

	.cfi_sections .debug_frame

/* DWARF's number of the instruction pointer. */
#define CFI_EIP 8

	.macro PUSH reg
	pushl \reg
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset \reg, 0
	.endm

	.macro POP reg
	popl \reg
	.cfi_adjust_cfa_offset -4
	.cfi_restore \reg
	.endm

	.macro DROP words
	addl $(4 * \words), %esp
	.cfi_adjust_cfa_offset -4 * \words
	.endm

	/* A function whose caller is what was interrupted.  At its beginning @size bytes of the frame's end are on the stack; the
	 * frame of an entry from ring 0 ends before sp, and so does everything said here until CFI_FROM_USER. */
	.macro CFI_START size
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %esp, \size
	.cfi_offset CFI_EIP, TF_IP - TF_SP
	.endm

	.macro CFI_FROM_USER
	.cfi_offset %esp, 0
	.endm

	.macro CFI_START_USER_FRAME
	CFI_START TF_SP
	CFI_FROM_USER
	.cfi_offset %ebx, 0 - TF_SP
	.cfi_offset %ecx, 4 - TF_SP
	.cfi_offset %edx, 8 - TF_SP
	.cfi_offset %esi, 12 - TF_SP
	.cfi_offset %edi, 16 - TF_SP
	.cfi_offset %ebp, 20 - TF_SP
	.cfi_offset %eax, 24 - TF_SP
	.endm

	.macro PUSH_REGS
	pushl %gs
	pushl %fs
	pushl %es
	pushl %ds
	.cfi_adjust_cfa_offset 16
	PUSH %eax
	PUSH %ebp
	PUSH %edi
	PUSH %esi
	PUSH %edx
	PUSH %ecx
	PUSH %ebx
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
	.cfi_adjust_cfa_offset -4
	.pushsection .text.fixup, "ax"
78:	movl $0, (%esp)
	jmp 77b
	.popsection
	EXTABLE(77b, 78b)
	.endm

	.macro POP_REGS
	POP %ebx
	POP %ecx
	POP %edx
	POP %esi
	POP %edi
	POP %ebp
	POP %eax
	POP_SEGMENT %ds
	POP_SEGMENT %es
	POP_SEGMENT %fs
	.endm

	.text
	.globl entry_trap_start, entry_trap_end
entry_trap_start: /* how any exception comes in */
	.type trap_common, @function
trap_common:
	CFI_START (TF_SP - TF_VECTOR)
	PUSH_REGS
	SMAP_CLAC
	movl %esp, %eax
	testb $3, TF_CS(%esp)
	jnz 1f
	.cfi_remember_state
	pushl %eax
	.cfi_adjust_cfa_offset 4
	call trap_entry
	DROP 1
	POP_REGS
	DROP 3 /* the kernel never touches GS; what is in it may be stale and must not be loaded again */
	iret
	.cfi_restore_state
1:	CFI_FROM_USER
	xorl %ebp, %ebp
	pushl %eax
	.cfi_adjust_cfa_offset 4
	call trap_entry
entry_trap_end:
	DROP 1
	.cfi_endproc
	.globl return_to_user
return_to_user: /* esp: the frame */
	CFI_START_USER_FRAME
	cli
	movl %fs:CPU_CURRENT, %eax
	movzbl %fs:CPU_NEED_RESCHED, %ecx
	orl THREAD_WORK(%eax), %ecx
	jz 2f
	pushl %esp
	.cfi_adjust_cfa_offset 4
	call upcall_return_to_user
	DROP 1
2:	POP_REGS
	POP_SEGMENT %gs
	DROP 2
	iret
	.cfi_endproc

/* int 0x80: like trap_common, without the detour through trap_entry. */
	.type syscall_entry, @function
syscall_entry:
	CFI_START (TF_SP - TF_IP)
	CFI_FROM_USER
	pushl %eax /* the call's number, as the error code */
	pushl $VECTOR_SYSCALL
	.cfi_adjust_cfa_offset 8
	PUSH_REGS
	xorl %ebp, %ebp
	movl $-38, 24(%esp) /* ax: ENOSYS */
	movl %esp, %eax
	pushl %eax
	.cfi_adjust_cfa_offset 4
	sti
	call upcall_syscall
	DROP 1
	jmp return_to_user
	.cfi_endproc

/* -- first run of a thread (switch.S jumps here through the prepared stack) ------------------------------- */
	.globl user_thread_start
	.type user_thread_start, @function
user_thread_start: /* esp: the frame */
	CFI_START_USER_FRAME
	xorl %ebp, %ebp
	call upcall_fork_return
	jmp return_to_user
	.cfi_endproc

	.globl kernel_thread_start
	.type kernel_thread_start, @function
kernel_thread_start: /* ebx: function, esi: its argument */
	.cfi_startproc
	.cfi_undefined CFI_EIP
	xorl %ebp, %ebp
	pushl %esi
	.cfi_adjust_cfa_offset 4
	call *%ebx
	ud2
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
