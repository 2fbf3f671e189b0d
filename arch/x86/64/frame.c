/*
 * frame.c - what an entry's registers are on x86-64.  Layer 1 (x86-64).
 */
#include <arch/context.h>
#include <arch/debug.h>
#include <asm/machine.h>
#include "kernel/lib/printk.h"

vaddr_t frame_sp(const struct trap_frame *tf)
{
	return tf->sp;
}

void frame_set_user_segments(struct trap_frame *tf)
{
	tf->cs = USER_CS;
	tf->ss = USER_DS;
}

void arch_dump_frame(const struct trap_frame *tf)
{
	printk("rip %016llx cs %llx rflags %llx rsp %016llx ss %llx\n", (unsigned long long)tf->ip,
	       (unsigned long long)tf->cs, (unsigned long long)tf->flags, (unsigned long long)tf->sp,
	       (unsigned long long)tf->ss);
	printk("rax %016llx rbx %016llx rcx %016llx rdx %016llx\n", (unsigned long long)tf->ax, (unsigned long long)tf->bx,
	       (unsigned long long)tf->cx, (unsigned long long)tf->dx);
	printk("rsi %016llx rdi %016llx rbp %016llx r8  %016llx\n", (unsigned long long)tf->si, (unsigned long long)tf->di,
	       (unsigned long long)tf->bp, (unsigned long long)tf->r8);
	printk("r9  %016llx r10 %016llx r11 %016llx r12 %016llx\n", (unsigned long long)tf->r9, (unsigned long long)tf->r10,
	       (unsigned long long)tf->r11, (unsigned long long)tf->r12);
	printk("r13 %016llx r14 %016llx r15 %016llx thread %p\n", (unsigned long long)tf->r13, (unsigned long long)tf->r14,
	       (unsigned long long)tf->r15, (void *)current_thread());
}
