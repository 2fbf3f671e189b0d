/*
 * switch.S - from one kernel stack to another.
 */
	.text
/* void stack_switch(void **save, void *next): callee-saved registers on the stack, its pointer into *save. */
	.globl stack_switch
	.type stack_switch, @function
stack_switch:
	movl 4(%esp), %eax
	movl 8(%esp), %edx
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl %esp, (%eax)
	movl %edx, %esp
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

	.section .note.GNU-stack, "", @progbits
