/*
 * guest_code.S - a tiny system of ours for a virtual machine: from real mode to 64 bits, then commands from a mailbox.
 *
 * It is copied to guest-physical GUEST_CODE and started there in real mode, its processor as after reset.  It makes page tables
 * of its own (the first GiB, in large pages), and then halts whenever a command is done; user/guest.h has the commands.
 */
#include "user/guest.h"

	.section .rodata
	.balign 16
	.globl guest_code, guest_code_end
guest_code:
#ifdef __x86_64__
#define AT(label) ((label) - guest_code + GUEST_CODE)
	.code16
	cli
	lgdtl AT(gdt_pointer)
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $8, $AT(protected)

	.code32
protected:
	movw $16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $GUEST_STACK, %esp
	movl $(GUEST_TABLES + 0x1000 + 7), GUEST_TABLES
	movl $(GUEST_TABLES + 0x2000 + 7), GUEST_TABLES + 0x1000
	movl $(GUEST_TABLES + 0x2000), %edi
	movl $0x87, %eax
	movl $512, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b
	movl $GUEST_TABLES, %eax
	movl %eax, %cr3
	movl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80000002, %eax
	movl %eax, %cr0
	ljmpl $24, $AT(long_mode)

	.code64
long_mode:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $GUEST_MAIL, %ebx
command:
	hlt
	movq MAIL_A(%rbx), %rdi
	movq MAIL_B(%rbx), %rsi
	movq MAIL_C(%rbx), %rdx
	xorl %eax, %eax
	movl MAIL_COMMAND(%rbx), %ecx
	cmpl $((table_end - table) / 4), %ecx
	jae done
	movslq AT(table)(, %rcx, 4), %rcx
	addq $AT(table), %rcx
	jmp *%rcx
done:
	movq %rax, MAIL_RESULT(%rbx)
	jmp command

	.balign 4
table: /* in the order of enum guest_command */
	.long hello - table, sum - table, fill - table, spin - table, watch - table, count - table, load - table
	.long store - table, triple - table, ask - table, odd - table, keep - table
table_end:

hello:
	movl $AT(text), %esi
	movl $(text_end - text), %ecx
	movl $GUEST_PORT, %edx
1:	lodsb
	outb %al, %dx
	loop 1b
	jmp done

sum: /* of b words of 64 bits from a on */
	testq %rsi, %rsi
	jz done
	addq (%rdi), %rax
	addq $8, %rdi
	decq %rsi
	jmp sum

fill: /* those with c, c + 1, ... */
	testq %rsi, %rsi
	jz done
	movq %rdx, (%rdi)
	incq %rdx
	addq $8, %rdi
	decq %rsi
	jmp fill

spin: /* for ever */
	jmp spin

watch: /* *a never is ahead of *b, but that *b may be 0 for a moment, and *b is small; until told to stop. Result: 0, or both */
	incq MAIL_COUNT(%rbx)
	movl (%rdi), %ecx
	movl (%rsi), %edx
	testl %edx, %edx
	jz 1f
	cmpl %ecx, %edx
	jb 2f
	cmpl $GUEST_WATCH_END, %edx
	jae 2f
1:	cmpq $0, MAIL_STOP(%rbx)
	je watch
	jmp done
2:	movl %ecx, %eax
	shlq $32, %rax
	orq %rdx, %rax
	jmp done

count: /* up at a, until told to stop */
	incq (%rdi)
	incq MAIL_COUNT(%rbx)
	cmpq $0, MAIL_STOP(%rbx)
	je count
	jmp done

load:
	movq (%rdi), %rax
	jmp done

store:
	movq %rsi, (%rdi)
	jmp done

triple: /* an exception, and no table to find its handler in */
	lidt AT(no_idt)
	ud2

ask: /* port a */
	movl %edi, %edx
	inl %dx, %eax
	jmp done

odd: /* a register that nobody keeps for us */
	movl $0x10, %ecx
	rdmsr
	jmp done

keep: /* a in a vector register, while the time passes; then see whether it still is there */
	movq %rdi, %xmm0
	movq %rsi, %xmm15
1:	decq %rdx
	jnz 1b
	movq %xmm0, %rax
	movq %xmm15, %rcx
	addq %rcx, %rax
	jmp done

	.balign 8
gdt:
	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long AT(gdt)
no_idt:
	.word 0
	.quad 0
text:
	.ascii "guest: 64 bits, page tables of my own\n"
text_end:
#endif
guest_code_end:

	.section .note.GNU-stack, "", @progbits
