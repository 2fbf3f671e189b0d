/*
 * frame.c - reading and changing the registers of an entry from ring 3.  Layer 1 (x86).
 * What word size doubles is in arch/x86/{32,64}/frame.c.
 */
#include <arch/context.h>
#include <asm/machine.h>
#include "kernel/lib/string.h"

struct trap_frame *arch_user_frame(void *stack_top)
{
	return (struct trap_frame *)stack_top - 1;
}

vaddr_t frame_ip(const struct trap_frame *tf)
{
	return tf->ip;
}

long frame_return(const struct trap_frame *tf)
{
	return (long)tf->ax;
}

void frame_set_sp(struct trap_frame *tf, vaddr_t sp)
{
	tf->sp = sp;
}

/* SYSCALL and INT n are both two bytes long. */
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
	tf->flags = EFLAGS_IF | 2;
	frame_set_user_segments(tf);
}
