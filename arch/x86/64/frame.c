/*
 * frame.c - reading and changing the registers of an entry from ring 3.  Layer 1 (x86-64).
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

vaddr_t frame_sp(const struct trap_frame *tf)
{
	return tf->sp;
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

/* Both SYSCALL and INT n are two bytes long. */
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
	tf->ss = USER_DS;
	tf->flags = EFLAGS_IF | 2;
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
