/*
 * frame.c - reading and changing the registers of an entry from ring 3.  Layer 1 (i386).
 */
#include <arch/context.h>
#include <arch/debug.h>
#include <arch/pgtable.h>
#include <asm/machine.h>
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

struct trap_frame *arch_user_frame(void *stack_top)
{
	return (struct trap_frame *)stack_top - 1;
}

vaddr_t frame_ip(const struct trap_frame *tf)
{
	return tf->ip;
}

/* An entry from ring 0 pushed no stack pointer: the stack went on where the frame ends. */
vaddr_t frame_sp(const struct trap_frame *tf)
{
	return tf->cs & 3 ? tf->sp : (vaddr_t)&tf->sp;
}

bool frame_from_user(const struct trap_frame *tf)
{
	return tf->cs & 3;
}

long frame_return(const struct trap_frame *tf)
{
	return (long)tf->ax;
}

void frame_set_sp(struct trap_frame *tf, vaddr_t sp)
{
	tf->sp = sp;
}

/* INT 0x80 is two bytes long. */
void frame_restart_syscall(struct trap_frame *tf, unsigned long nr)
{
	tf->ax = nr;
	tf->ip -= 2;
}

void frame_start(struct trap_frame *tf, vaddr_t ip, vaddr_t sp)
{
	memset(tf, 0, sizeof(*tf));
	tf->vector = VECTOR_MODIFIED;
	tf->error = FRAME_NOT_A_CALL;
	tf->ip = ip;
	tf->sp = sp;
	tf->cs = USER_CS;
	tf->ss = tf->ds = tf->es = USER_DS;
	tf->flags = EFLAGS_IF | 2;
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
