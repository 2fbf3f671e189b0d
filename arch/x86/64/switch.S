/*
 * switch.S - from one kernel stack to another.
 */
	.text
/* void stack_switch(void **save, void *next): callee-saved registers on the stack, its pointer into *save. */
	.globl stack_switch
	.type stack_switch, @function
stack_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
