/*
 * enter.S - into a guest and back: the registers that VMRUN does not switch.  Layer 1 (x86-64).
 *
 * CLGI holds every interrupt, NMIs too, from before the first register is the guest's until the last is ours again; the
 * flag IF, set beneath it, lets a physical interrupt end the guest's run.  VMSAVE and VMLOAD switch FS, GS, TR, LDTR and
 * the system-call registers: until the second VMLOAD there is no per-CPU area.
 */
	.text
/* void svm_enter(paddr_t vmcb, u64 *gpr, paddr_t host) */
	.globl svm_enter
	.type svm_enter, @function
svm_enter:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdx
	pushq %rsi
	clgi
	sti
	movq %rdx, %rax
	vmsave %rax
	movq %rdi, %rax
	vmload %rax
	movq 0x08(%rsi), %rcx
	movq 0x10(%rsi), %rdx
	movq 0x18(%rsi), %rbx
	movq 0x28(%rsi), %rbp
	movq 0x38(%rsi), %rdi
	movq 0x40(%rsi), %r8
	movq 0x48(%rsi), %r9
	movq 0x50(%rsi), %r10
	movq 0x58(%rsi), %r11
	movq 0x60(%rsi), %r12
	movq 0x68(%rsi), %r13
	movq 0x70(%rsi), %r14
	movq 0x78(%rsi), %r15
	movq 0x30(%rsi), %rsi
	vmrun %rax
	vmsave %rax
	xchgq %rsi, (%rsp)
	movq %rcx, 0x08(%rsi)
	movq %rdx, 0x10(%rsi)
	movq %rbx, 0x18(%rsi)
	movq %rbp, 0x28(%rsi)
	movq %rdi, 0x38(%rsi)
	movq %r8, 0x40(%rsi)
	movq %r9, 0x48(%rsi)
	movq %r10, 0x50(%rsi)
	movq %r11, 0x58(%rsi)
	movq %r12, 0x60(%rsi)
	movq %r13, 0x68(%rsi)
	movq %r14, 0x70(%rsi)
	movq %r15, 0x78(%rsi)
	popq 0x30(%rsi)
	popq %rax
	vmload %rax
	cli
	stgi
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	cld
	ret

	.section .note.GNU-stack, "", @progbits
