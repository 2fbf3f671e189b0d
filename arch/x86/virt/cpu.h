/*
 * cpu.h - what a guest's processor is made of.  Layer 1 (x86-64), private to virt/.
 */
#ifndef ARCH_X86_VIRT_CPU_H
#define ARCH_X86_VIRT_CPU_H

#include "arch/x86/virt/vmcb.h"
#include <asm/context.h>

struct virt_cpu {
	u64 gpr[16]; /* first: enter.S has the offsets; ax and sp are in the vmcb */
	u8 fpu[FPU_STATE_SIZE] __aligned(16);
	struct vmcb *vmcb;
	paddr_t vmcb_pa;
	paddr_t host_pa; /* the host's segment state, while it runs */
	paddr_t save_pa; /* the processor's own notes of the host, while it runs */
	paddr_t root;
};

/*
 * May a guest be in this state at an exit?  QEMU's #VMEXIT loads CR0 before CR4 and EFER, and refuses the host's PG where the guest
 * had LME without PAE: the host goes on without paging.  So LME wants PAE first, and keeps CR4 as it is from then on.
 */
static inline bool svm_safe(u64 efer, u64 cr4)
{
	return !(efer & EFER_LME) || (cr4 & CR4_PAE);
}

void virt_cpu_reset(struct virt_cpu *v);
/* Run the guest until it exits.  Interrupts are held off but while it runs. => interrupts off */
void svm_enter(paddr_t vmcb, u64 *gpr, paddr_t host);

#endif
