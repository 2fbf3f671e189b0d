/*
 * frame.c - what an entry's registers are on i386.  Layer 1 (i386).
 */
#include <arch/context.h>
#include <arch/debug.h>
#include <asm/machine.h>
#include "kernel/lib/printk.h"

/* An entry from ring 0 pushed no stack pointer: the stack went on where the frame ends. */
vaddr_t frame_sp(const struct trap_frame *tf)
{
	return tf->cs & 3 ? tf->sp : (vaddr_t)&tf->sp;
}

void frame_set_user_segments(struct trap_frame *tf)
{
	tf->cs = USER_CS;
	tf->ss = tf->ds = tf->es = USER_DS;
}

void arch_dump_frame(const struct trap_frame *tf)
{
	bool user = tf->cs & 3;

	printk("eip %08x cs %04x eflags %08x esp %08lx ss %04x\n", tf->ip, tf->cs & 0xffff, tf->flags, frame_sp(tf),
	       user ? tf->ss & 0xffff : KERNEL_DS);
	printk("eax %08x ebx %08x ecx %08x edx %08x\n", tf->ax, tf->bx, tf->cx, tf->dx);
	printk("esi %08x edi %08x ebp %08x thread %p\n", tf->si, tf->di, tf->bp, (void *)current_thread());
	printk("ds %04x es %04x fs %04x gs %04x\n", tf->ds & 0xffff, tf->es & 0xffff, tf->fs & 0xffff, tf->gs & 0xffff);
}
