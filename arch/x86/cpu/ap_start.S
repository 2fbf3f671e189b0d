/*
 * ap_start.S - where another CPU starts: from real mode to C in the high half.
 *
 * smp.c copies ap_trampoline .. ap_trampoline_end to a page below 1 MiB, fills in the parameters (struct
 * ap_parameters) and sends that page's number.  All addresses in here are therefore offsets, to which the page's
 * own address is added at run time; the page can be written, so far pointers are made in place.
 *
 * A CPU that comes late, when smp.c has given it up, finds that it is not wanted and halts.
 */
#include <asm/offsets.h>

#define OFFSET(symbol) ((symbol) - ap_trampoline)
#define AP_CLAIMED 0x100 /* struct ap_parameters in <asm/machine.h> */
#define AP_DS 0x08
#define AP_CS 0x10
#define AP_CS64 0x18
#define CR0_BITS (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)

	.section .rodata.trampoline, "a"
	.balign 16
	.globl ap_trampoline, ap_trampoline_parameters, ap_trampoline_end
ap_trampoline:
	.code16
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	xorl %ebx, %ebx
	movw %ax, %bx
	shll $4, %ebx
	leal OFFSET(gdt)(%ebx), %eax
	movl %eax, OFFSET(gdt_pointer) + 2
	leal OFFSET(protected)(%ebx), %eax
	movl %eax, OFFSET(far_pointer)
	movw $AP_CS, OFFSET(far_pointer) + 4 /* the last CPU left another one */
	lgdtl OFFSET(gdt_pointer)
	movl $(CR0_ET | CR0_PE), %eax
	movl %eax, %cr0
	ljmpl *OFFSET(far_pointer)

	.code32
protected: /* ebx: address of the page */
	movl $AP_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %ebx, %edi
	movl $1, %eax
	cpuid
	movl %ebx, %eax
	shrl $24, %eax /* its APIC id */
	movl $AP_CLAIMED, %ecx
	lock cmpxchgl %ecx, OFFSET(wanted)(%edi)
	jne 9f
	movl OFFSET(cr4)(%edi), %eax
	movl %eax, %cr4
	movl OFFSET(cr3)(%edi), %eax
	movl %eax, %cr3
	movl OFFSET(efer)(%edi), %eax
	testl %eax, %eax
	jz 1f
	movl $MSR_EFER, %ecx
	xorl %edx, %edx
	wrmsr
1:	movl $CR0_BITS, %eax
	movl %eax, %cr0
#if BITS == 64
	leal OFFSET(long_mode)(%edi), %eax
	movl %eax, OFFSET(far_pointer)(%edi)
	movw $AP_CS64, OFFSET(far_pointer) + 4(%edi)
	ljmpl *OFFSET(far_pointer)(%edi)

	.code64
long_mode:
	movl %edi, %edx
	movq OFFSET(stack)(%rdx), %rsp
	movq OFFSET(entry)(%rdx), %rax
	movl OFFSET(id)(%rdx), %edi
	xorl %ebp, %ebp
	pushq $0 /* the end of every backtrace */
	jmp *%rax
	.code32
#else
	movl OFFSET(stack)(%edi), %esp
	movl OFFSET(entry)(%edi), %eax
	xorl %ebp, %ebp
	pushl OFFSET(id)(%edi)
	pushl $0
	jmp *%eax
#endif
9:	cli
	hlt
	jmp 9b

	.balign 8
gdt:
	.quad 0
	.quad 0x00cf93000000ffff
	.quad 0x00cf9b000000ffff
	.quad 0x00af9b000000ffff
gdt_pointer:
	.short . - gdt - 1
	.long 0
	.balign 4
far_pointer:
	.long 0
	.short 0
	.balign 8
ap_trampoline_parameters:
wanted:
	.long 0
cr3:
	.long 0
cr4:
	.long 0
efer:
	.long 0
id:
	.long 0
stack:
	.skip BITS / 8
entry:
	.skip BITS / 8
ap_trampoline_end:

	.section .note.GNU-stack, "", @progbits
