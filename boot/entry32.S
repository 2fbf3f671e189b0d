/*
 * entry32.S - the first instructions: from 32-bit protected mode without paging to C in the high half.
 *
 * Firmware leaves CR0, CR4, EFER and the segments in different states (platform.md 1.3), so all of them are
 * set absolutely.  Runs at its physical address (.boot is linked where it is loaded); everything else is
 * reached as PHYS(symbol).  EBP = protocol, EBX = its information, both kept to the end.
 */
#include <asm/layout.h>
#include <asm/offsets.h>
#include "boot/protocol.h"

#define PHYS(symbol) ((symbol) - IMAGE_BASE)
#define ENTRY_FLAGS 0x3  /* present, writable */
#define LARGE_FLAGS 0x83 /* and a large page */
#define BOOT_DS 0x08
#define BOOT_CS 0x10
#define CR0_BITS (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)

	.section .boot.text, "ax"
	.code32
	.globl pvh_entry, multiboot_entry
pvh_entry:
	movl $BOOT_MAGIC_PVH, %eax
multiboot_entry:
	cli
	cld
	movl %eax, %ebp
	movl $PHYS(bss_start), %edi
	movl $PHYS(bss_end), %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl
	movl $PHYS(boot_stack_top), %esp
	pushl $0
	popfl
	lgdt boot_gdt_pointer
	movl $BOOT_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	call cpu_check
	call tables_fill

#if BITS == 64
	movl $(CR4_PAE | CR4_PSE), %eax
#elif defined(PTE_FORMAT_pae)
	movl $(CR4_PAE | CR4_PSE), %eax
#else
	movl $CR4_PSE, %eax
#endif
	movl %eax, %cr4
	movl $PHYS(boot_pt_root), %eax
	movl %eax, %cr3

	/* EFER exists where there is long mode or NX: leaf 0x80000001. */
	xorl %edi, %edi
#if BITS == 64
	movl $(EFER_LME | EFER_SCE), %edi
#endif
	movl $0x80000000, %eax
	pushl %ebx
	cpuid
	popl %ebx
	cmpl $0x80000001, %eax
	jb 2f
	pushl %ebx
	movl $0x80000001, %eax
	cpuid
	popl %ebx
	testl $(1 << 20), %edx
	jz 1f
	orl $EFER_NXE, %edi
1:	testl %edi, %edi
	jz 2f
	movl $MSR_EFER, %ecx
	movl %edi, %eax
	xorl %edx, %edx
	wrmsr
2:	movl $CR0_BITS, %eax
	movl %eax, %cr0
	ljmp $BOOT_CS, $entry_paged

#if BITS == 64
	.code64
entry_paged:
	movabsq $entry_high, %rax
	jmp *%rax

	.text
entry_high:
	movl $BOOT_DS, %eax
	movl %eax, %ss
	leaq boot_stack_top, %rsp
	movl %ebp, %edi
	movl %ebx, %esi
	xorl %ebp, %ebp
	pushq $0
	pushq $0
	call arch_start
	ud2
#else
entry_paged:
	movl $entry_high, %eax
	jmp *%eax

	.text
entry_high:
	movl $boot_stack_top, %esp
	movl %ebp, %eax
	xorl %ebp, %ebp
	pushl $0
	pushl $0
	pushl %ebx
	pushl %eax
	call arch_start
	ud2
#endif

/* -- page tables ---------------------------------------------------------------------------------------- */
	.section .boot.text, "ax"
	.code32

/* Fill %ecx large-page entries at %edi from physical 0 on; %edx: bytes per page. Clobbers eax. */
	.macro FILL_LARGE wide
	movl $LARGE_FLAGS, %eax
9:	movl %eax, (%edi)
	addl %edx, %eax
	addl $(4 + 4 * \wide), %edi
	loop 9b
	.endm

tables_fill:
#if BITS == 64
	/* Identity and image share one directory; the direct map has its own (it becomes no-execute). */
	movl $(PHYS(boot_pdpt_low) + ENTRY_FLAGS), PHYS(boot_pt_root)
	movl $(PHYS(boot_pdpt_direct) + ENTRY_FLAGS), PHYS(boot_pt_root) + ((DIRECT_BASE >> 39) & 511) * 8
	movl $(PHYS(boot_pdpt_high) + ENTRY_FLAGS), PHYS(boot_pt_root) + 511 * 8
	movl $(PHYS(boot_pd) + ENTRY_FLAGS), PHYS(boot_pdpt_low)
	movl $(PHYS(boot_pd_direct) + ENTRY_FLAGS), PHYS(boot_pdpt_direct)
	movl $(PHYS(boot_pd) + ENTRY_FLAGS), PHYS(boot_pdpt_high) + 510 * 8
	movl $(PHYS(boot_window_table) + ENTRY_FLAGS), PHYS(boot_pdpt_high) + 511 * 8
	movl $(1 << 21), %edx
	movl $PHYS(boot_pd), %edi
	movl $512, %ecx
	FILL_LARGE 1
	movl $PHYS(boot_pd_direct), %edi
	movl $512, %ecx
	FILL_LARGE 1
#elif defined(PTE_FORMAT_pae)
	/* One directory for C0000000 up; the first top entry borrows it for the identity map. */
	movl $(PHYS(boot_pd) + 1), PHYS(boot_pt_root)
	movl $(PHYS(boot_pd) + 1), PHYS(boot_pt_root) + 3 * 8
	movl $(1 << 21), %edx
	movl $PHYS(boot_pd), %edi
	movl $(DIRECT_MAX >> 21), %ecx
	FILL_LARGE 1
#else
	movl $(1 << 22), %edx
	movl $PHYS(boot_pt_root), %edi
	movl $(DIRECT_MAX >> 22), %ecx
	FILL_LARGE 0
	movl $PHYS(boot_pt_root) + (IMAGE_BASE >> 22) * 4, %edi
	movl $(DIRECT_MAX >> 22), %ecx
	FILL_LARGE 0
#endif
	ret

/* -- does this CPU have what the build uses? ---------------------------------------------------------------- */
cpu_check:
	pushl %ebx
	pushfl
	popl %eax
	movl %eax, %ecx
	xorl $(1 << 21), %eax /* ID: can be changed iff there is CPUID */
	pushl %eax
	popfl
	pushfl
	popl %eax
	xorl %ecx, %eax
	testl $(1 << 21), %eax
	jz cpu_reject_all
	xorl %edi, %edi /* leaf 0x80000001 edx */
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb 1f
	movl $0x80000001, %eax
	cpuid
	movl %edx, %edi
1:	movl $1, %eax
	cpuid
	movl %edx, %esi
	/* esi, edi: feature words; walk the table and name what lacks. */
	xorl %ecx, %ecx
	movl $cpu_needs, %ebx
2:	movzbl (%ebx), %eax
	cmpb $0xff, %al
	je 5f
	testb $1, 1(%ebx)
	jnz 3f
	btl %eax, %esi
	jmp 7f
3:	btl %eax, %edi
7:	jc 4f
	testl %ecx, %ecx
	jnz 6f
	incl %ecx
	pushl %esi
	call serial_start
	movl $message_lacks, %esi
	call serial_print
	popl %esi
6:	pushl %esi
	leal 2(%ebx), %esi
	call serial_print
	popl %esi
4:	addl $8, %ebx
	jmp 2b
5:	testl %ecx, %ecx
	jnz cpu_reject
	popl %ebx
	ret

cpu_reject_all:
	call serial_start
	movl $message_lacks, %esi
	call serial_print
	movl $message_cpuid, %esi
	call serial_print
cpu_reject:
	movl $message_end, %esi
	call serial_print
	movb $0x15, %al /* EXIT_NOCPU */
	outb %al, $0xf4
1:	cli
	hlt
	jmp 1b

serial_start: /* 115200 8N1, FIFO on. Clobbers eax, edx */
	.macro SERIAL_SET register, value
	movw $(0x3f8 + \register), %dx
	movb $\value, %al
	outb %al, %dx
	.endm
	SERIAL_SET 3, 0x80
	SERIAL_SET 0, 1
	SERIAL_SET 1, 0
	SERIAL_SET 3, 0x03
	SERIAL_SET 2, 0x07
	ret

serial_print: /* esi: text. Clobbers eax, edx, esi */
	pushl %ecx
1:	movb (%esi), %ah
	testb %ah, %ah
	jz 4f
	movl $100000, %ecx
	movw $0x3fd, %dx
2:	inb %dx, %al
	testb $0x20, %al
	jnz 3f
	loop 2b
3:	movw $0x3f8, %dx
	movb %ah, %al
	outb %al, %dx
	incl %esi
	jmp 1b
4:	popl %ecx
	ret

	.section .boot.data, "aw"
	.macro NEED bit, word, name
	.balign 8
	.byte \bit, \word
	.asciz " \name"
	.endm
	.balign 8
cpu_needs: /* bit; 0: leaf 1 edx, 1: leaf 0x80000001 edx; name: eight bytes a line */
	NEED 0, 0, FPU
	NEED 8, 0, CX8
	NEED 15, 0, CMOV
	NEED 24, 0, FXSR
#if BITS == 64
	NEED 6, 0, PAE
	NEED 26, 0, SSE2
	NEED 29, 1, LM
#elif defined(PTE_FORMAT_pae)
	NEED 6, 0, PAE
#else
	NEED 3, 0, PSE
#endif
	.balign 8
	.byte 0xff

#if BITS == 64
#define BUILD_NAME "x86_64"
#elif defined(PTE_FORMAT_pae)
#define BUILD_NAME "i386 PAE"
#else
#define BUILD_NAME "i386 2-level"
#endif
message_lacks:
	.asciz "Pteron: this processor cannot run the " BUILD_NAME " kernel: it lacks"
message_cpuid:
	.asciz " CPUID"
message_end:
	.asciz ".\r\n"

	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00cf93000000ffff
#if BITS == 64
	.quad 0x00af9b000000ffff
#else
	.quad 0x00cf9b000000ffff
#endif
boot_gdt_pointer:
	.short . - boot_gdt - 1
	.long boot_gdt, 0

/* -- memory ------------------------------------------------------------------------------------------------ */
	.section .bss.pages, "aw", @nobits
	.balign 4096
	.globl boot_pt_root, boot_window_table, boot_stack, boot_stack_top
boot_stack:
	.skip BOOT_STACK_SIZE
boot_stack_top:
boot_pt_root:
	.skip 4096
#if BITS == 64
boot_pdpt_low:
	.skip 4096
boot_pdpt_direct:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_pd:
	.skip 4096
boot_pd_direct:
	.skip 4096
boot_window_table:
	.skip 4096
#elif defined(PTE_FORMAT_pae)
boot_window_table:
boot_pd:
	.skip 4096
#else
	.set boot_window_table, boot_pt_root
#endif

	.section .note.GNU-stack, "", @progbits
