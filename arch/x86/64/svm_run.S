/*
 * svm_run.S - into a guest and back (AMD64 APM volume 2, 15.5).
 *
 * void svm_run(u64 vmcb_pa, struct vcpu_regs *regs, u64 host_pa)
 *
 * => interrupts off; off again on return.  vmrun switches what the VMCB's first half and CS, SS, DS, ES, RAX, RSP, RIP,
 *    RFLAGS and the control registers say; vmsave and vmload FS, GS, TR, LDTR and the MSRs that go with them; the rest is ours.
 *    From clgi to stgi nothing interrupts, for GS is not this CPU's.
 */
	.text
	.globl svm_run
	.type svm_run, @function
svm_run:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rsi
	pushq %rdx
	pushq %rdi

	clgi
	movq %rdx, %rax
	vmsave
	movq %rdi, %rax
	vmload
	movq 8(%rsi), %rbx
	movq 16(%rsi), %rcx
	movq 24(%rsi), %rdx
	movq 40(%rsi), %rdi
	movq 48(%rsi), %rbp
	movq 64(%rsi), %r8
	movq 72(%rsi), %r9
	movq 80(%rsi), %r10
	movq 88(%rsi), %r11
	movq 96(%rsi), %r12
	movq 104(%rsi), %r13
	movq 112(%rsi), %r14
	movq 120(%rsi), %r15
	movq 32(%rsi), %rsi
	sti
	vmrun
	cli
	vmsave

	movq 16(%rsp), %rax
	movq %rbx, 8(%rax)
	movq %rcx, 16(%rax)
	movq %rdx, 24(%rax)
	movq %rsi, 32(%rax)
	movq %rdi, 40(%rax)
	movq %rbp, 48(%rax)
	movq %r8, 64(%rax)
	movq %r9, 72(%rax)
	movq %r10, 80(%rax)
	movq %r11, 88(%rax)
	movq %r12, 96(%rax)
	movq %r13, 104(%rax)
	movq %r14, 112(%rax)
	movq %r15, 120(%rax)
	movq 8(%rsp), %rax
	vmload
	stgi

	addq $24, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
