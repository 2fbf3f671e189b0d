/*
 * svm.c - AMD's virtual machines with nested paging: running a guest, and what ended that.  Layer 1 (x86-64).
 *
 * Interface: <arch/virt.h>.  The AMD64 manual, volume 2, chapter 15.  A guest brings all that the processor wants for it
 * (host save area included), and for each run switches SVM on and hands that over: no CPU has to be prepared.
 */
#include "arch/x86/virt/cpu.h"
#include <arch/cpu.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "arch/x86/debug/internal.h"

#define LEAF_FEATURES 0x80000001
#define LEAF_SVM 0x8000000a
#define CX 1
#define DX 2

#define NESTED_PRESENT BIT(0)
#define NESTED_WRITE BIT(1)
#define NESTED_USER BIT(2) /* every access of a guest is a user's */
const u64 virt_accessed = BIT(5);

bool virt_available(void)
{
	if (cpuid(0x80000000, 0).a < LEAF_SVM || !(cpuid(LEAF_FEATURES, 0).c & BIT(2)) || !(cpuid(LEAF_SVM, 0).d & BIT(0)))
		return false;
	return !(rdmsr(MSR_VM_CR) & VM_CR_DISABLED);
}

u64 virt_table_entry(paddr_t pa)
{
	return pa | NESTED_PRESENT | NESTED_WRITE | NESTED_USER;
}

u64 virt_page_entry(paddr_t pa, bool write)
{
	return pa | NESTED_PRESENT | NESTED_USER | (write ? NESTED_WRITE : 0);
}

/* -- what ended it --------------------------------------------------------------------------------------------------------- */

static void port_exit(struct virt_cpu *v, struct virt_exit *exit)
{
	u64 info = v->vmcb->exit_info1;

	if (info & SVM_IO_STRING)
		return; /* VIRT_OTHER */
	exit->reason = VIRT_PORT;
	exit->input = info & SVM_IO_INPUT;
	exit->width = info >> 4 & 7;
	exit->port = (u16)(info >> 16);
	exit->value = (u32)v->vmcb->ax & (u32)(BIT(8 * exit->width) - 1);
	v->vmcb->ip = v->vmcb->exit_info2;
}

/* RDMSR and WRMSR of EFER, which a guest needs on its way to 64 bits. SVM itself it neither sees nor can switch off. */
static void msr_exit(struct virt_cpu *v, struct virt_exit *exit)
{
	struct vmcb *b = v->vmcb;
	u64 value = (u32)b->ax | v->gpr[DX] << 32;

	if ((u32)v->gpr[CX] != MSR_EFER || ((b->exit_info1 & 1) && !svm_safe(value, b->cr4)))
		return; /* VIRT_OTHER */
	if (b->exit_info1 & 1) {
		b->efer = (b->efer & EFER_LMA) | (value & (EFER_SCE | EFER_LME | EFER_NXE)) | EFER_SVME;
	} else {
		b->ax = (u32)b->efer & ~(u32)EFER_SVME;
		v->gpr[DX] = 0;
	}
	b->ip += 2;
	exit->reason = VIRT_AGAIN;
}

static void memory_exit(const struct vmcb *b, struct virt_exit *exit)
{
	exit->reason = VIRT_MEMORY;
	exit->address = b->exit_info2;
	exit->write = b->exit_info1 & SVM_NESTED_WRITE;
}

static void judge(struct virt_cpu *v, struct virt_exit *exit)
{
	struct vmcb *b = v->vmcb;

	*exit = (struct virt_exit){.reason = VIRT_OTHER, .code = (u32)b->exit_code};
	if (exit->code == SVM_EXIT_INTR || exit->code == SVM_EXIT_NMI || exit->code == SVM_EXIT_INIT)
		exit->reason = VIRT_AGAIN;
	else if (exit->code == SVM_EXIT_NESTED)
		memory_exit(b, exit);
	else if (exit->code == SVM_EXIT_IO)
		port_exit(v, exit);
	else if (exit->code == SVM_EXIT_MSR)
		msr_exit(v, exit);
	else if (exit->code == SVM_EXIT_SHUTDOWN)
		exit->reason = VIRT_SHUTDOWN;
	else if (exit->code == SVM_EXIT_MACHINE_CHECK)
		__asm__ volatile("int $18"); /* the host's affair */
	else if (exit->code == SVM_EXIT_HLT) {
		exit->reason = VIRT_HALT;
		b->ip++;
	}
}

/* An exception that was being delivered when the guest exited must be delivered now; software interrupts run again. */
static void inject_again(struct vmcb *b)
{
	b->event = 0;
	if ((b->exit_event & SVM_EVENT_VALID) && SVM_EVENT_TYPE(b->exit_event) == SVM_EVENT_EXCEPTION)
		b->event = b->exit_event;
}

/* -- running ---------------------------------------------------------------------------------------------------------------- */

static void fpu_exchange(void *save, const void *load)
{
	__asm__ volatile("fxsave64 (%0); fxrstor64 (%1)" ::"r"(save), "r"(load) : "memory");
}

void virt_cpu_run(struct virt_cpu *v, bool flush, struct virt_exit *exit)
{
	void *host_fpu = fpu_area(this_cpu()->ctx);

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE, v->save_pa);
	v->vmcb->intercept_cr = v->vmcb->efer & EFER_LME ? SVM_WRITE_CR4 : 0;
	v->vmcb->tlb_control = flush ? SVM_FLUSH : 0;
	fpu_exchange(host_fpu, v->fpu);
	svm_enter(v->vmcb_pa, v->gpr, v->host_pa);
	fpu_exchange(v->fpu, host_fpu);
	if (unlikely(READ_ONCE(debugger_armed)))
		watch_load(); /* #VMEXIT switches DR7 off */
	if ((u32)v->vmcb->exit_code == SVM_EXIT_INVALID) {
		/* What is in the block now may be the host's: nobody shall read it. */
		virt_cpu_reset(v);
		*exit = (struct virt_exit){.reason = VIRT_INVALID, .code = SVM_EXIT_INVALID};
		return;
	}
	judge(v, exit);
	inject_again(v->vmcb);
}
