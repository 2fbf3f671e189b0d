/*
 * svm.c - guests by AMD's SVM with nested paging (AMD64 APM volume 2, chapter 15).  Layer 1 (x86-64).
 *
 * One control block (VMCB) for each guest processor.  Everything that reaches outside of the guest is intercepted: ports,
 * MSRs, debug registers, and what could stop or reconfigure the processor.  The TLB is flushed at every entry: a guest's
 * translations are used by one CPU at a time, and a change of nested tables only has to make that CPU leave.
 */
#include <arch/irq.h>
#include <arch/smp.h>
#include <arch/vm.h>
#include <asm/machine.h>
#include <asm/msr.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

#define MSR_EFER 0xc0000080
#define EFER_SVME BIT(12)
#define MSR_VM_HSAVE_PA 0xc0010117

#define PORT_PAGES 4 /* every port, and more; two for MSRs */
#define MSR_PAGES 2

/* The parts of the VMCB that we use: offsets of APM volume 2, appendix B. */
enum vmcb {
	DR_INTERCEPTS = 0x004,
	INTERCEPTS = 0x00c,
	INTERCEPTS_2 = 0x010,
	IOPM = 0x040,
	MSRPM = 0x048,
	ASID = 0x058,
	TLB_CONTROL = 0x05c,
	INTERRUPT_CONTROL = 0x060,
	EXIT_CODE = 0x070,
	EXIT_INFO_1 = 0x078,
	EXIT_INFO_2 = 0x080,
	NESTED = 0x090,
	NESTED_CR3 = 0x0b0,
	SEG_ES = 0x400,
	SEG_CS = 0x410,
	SEG_SS = 0x420,
	SEG_DS = 0x430,
	SEG_FS = 0x440,
	SEG_GS = 0x450,
	SEG_LDTR = 0x470,
	SEG_TR = 0x490,
	EFER = 0x4d0,
	CR0 = 0x558,
	DR7 = 0x560,
	DR6 = 0x568,
	RFLAGS = 0x570,
	RIP = 0x578,
	RSP = 0x5d8,
	RAX = 0x5f8,
	PAT = 0x668,
};

enum { /* exit codes */
	   SVM_INTR = 0x60,
	   SVM_NMI = 0x61,
	   SVM_HLT = 0x78,
	   SVM_IOIO = 0x7b,
	   SVM_SHUTDOWN = 0x7f,
	   SVM_VMMCALL = 0x81,
	   SVM_NPF = 0x400,
};

/* INTR NMI SMI INIT, RDPMC, CPUID, RSM, INVD, HLT, INVLPGA, IOIO, MSR, task switch, FERR, shutdown */
#define INTERCEPT_1                                                                                            \
	(0xfu | 1u << 15 | 1u << 18 | 1u << 19 | 1u << 22 | 1u << 24 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29 | \
	 1u << 30 | 1u << 31)
/* VMRUN VMMCALL VMLOAD VMSAVE STGI CLGI SKINIT, ICEBP, WBINVD, MONITOR, MWAIT, XSETBV */
#define INTERCEPT_2 (0x7fu | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13)

extern void svm_run(u64 vmcb_pa, struct vcpu_regs *regs, u64 host_pa);

static u8 *shared; /* port map, MSR map, then a page for each CPU */

#define FIELD(type, v, offset) (*(type *)((u8 *)(v)->state + (offset)))

bool arch_vm_supported(void)
{
	if (cpuid(0x80000000, 0).a < 0x8000000a || !(cpuid(0x80000001, 0).c & BIT(2)))
		return false;
	return cpuid(0x8000000a, 0).d & BIT(0); /* nested paging */
}

unsigned arch_vm_shared_pages(void)
{
	return PORT_PAGES + MSR_PAGES + MAX_CPUS;
}

void arch_vm_init(void *pages)
{
	memset(pages, 0xff, (PORT_PAGES + MSR_PAGES) * PAGE_SIZE);
	shared = pages;
}

static void set_segment(struct vcpu *v, unsigned at, u16 selector, u16 attributes, u32 limit)
{
	FIELD(u16, v, at) = selector;
	FIELD(u16, v, at + 2) = attributes;
	FIELD(u32, v, at + 4) = limit;
}

static void set_registers(struct vcpu *v)
{
	static const unsigned data[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};

	set_segment(v, SEG_CS, 8, 0xc9b, ~0u); /* 32-bit code, and data */
	for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
		set_segment(v, data[i], 16, 0xc93, ~0u);
	set_segment(v, SEG_LDTR, 0, 0x082, 0xffff);
	set_segment(v, SEG_TR, 0, 0x08b, 0xffff);
	FIELD(u64, v, EFER) = EFER_SVME; /* vmrun wants it; the guest cannot see it */
	FIELD(u64, v, CR0) = 0x11;       /* PE, ET */
	FIELD(u64, v, DR6) = 0xffff0ff0;
	FIELD(u64, v, DR7) = 0x400;
	FIELD(u64, v, RFLAGS) = 2;
	FIELD(u64, v, PAT) = 0x0007040600070406ull;
}

void arch_vcpu_init(struct vcpu *v)
{
	FIELD(u32, v, DR_INTERCEPTS) = ~0u;
	FIELD(u32, v, INTERCEPTS) = INTERCEPT_1;
	FIELD(u32, v, INTERCEPTS_2) = INTERCEPT_2;
	FIELD(u64, v, IOPM) = virt_to_phys(shared);
	FIELD(u64, v, MSRPM) = virt_to_phys(shared + PORT_PAGES * PAGE_SIZE);
	FIELD(u32, v, ASID) = 1;
	FIELD(u8, v, TLB_CONTROL) = 1;              /* flush all, at each entry */
	FIELD(u64, v, INTERRUPT_CONTROL) = BIT(24); /* the host's interrupts are not the guest's to mask */
	FIELD(u64, v, NESTED) = 1;
	FIELD(u64, v, NESTED_CR3) = virt_to_phys(v->tables[0]);
	set_registers(v);
	v->running_on = -1;
}

/* This CPU can run guests from here on. => interrupts off */
static void enable_here(void)
{
	u64 efer = rdmsr(MSR_EFER);

	if (efer & EFER_SVME)
		return;
	wrmsr(MSR_EFER, efer | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, virt_to_phys(shared + (PORT_PAGES + MSR_PAGES + this_cpu()->id) * PAGE_SIZE));
}

static void decode_io(struct vcpu *v)
{
	u64 info = FIELD(u64, v, EXIT_INFO_1);

	v->write = !(info & 1);
	v->port = (u16)(info >> 16);
	v->width = info & BIT(4) ? 1 : info & BIT(5) ? 2 : 4;
	v->regs.ip = FIELD(u64, v, EXIT_INFO_2);
}

/* String and repeated forms are not decoded: the guest may not use them. */
static bool plain_io(struct vcpu *v)
{
	return !(FIELD(u64, v, EXIT_INFO_1) & (BIT(2) | BIT(3)));
}

static enum vcpu_exit decode(struct vcpu *v)
{
	v->code = FIELD(u64, v, EXIT_CODE);
	switch (v->code) {
	case SVM_INTR:
	case SVM_NMI:
		return VCPU_EXIT_INTERRUPTED;
	case SVM_NPF:
		v->write = FIELD(u64, v, EXIT_INFO_1) & BIT(1);
		v->address = FIELD(u64, v, EXIT_INFO_2);
		return VCPU_EXIT_MEMORY;
	case SVM_IOIO:
		if (!plain_io(v))
			return VCPU_EXIT_OTHER;
		decode_io(v);
		return VCPU_EXIT_IO;
	case SVM_HLT:
		v->regs.ip += 1;
		return VCPU_EXIT_HALT;
	case SVM_VMMCALL:
		v->regs.ip += 3;
		return VCPU_EXIT_CALL;
	case SVM_SHUTDOWN:
		return VCPU_EXIT_SHUTDOWN;
	default:
		return VCPU_EXIT_OTHER;
	}
}

/*
 * The CPU is entered in running_on before the nested tables are walked, and whoever changes them looks there afterwards:
 * either he sees us and makes us leave, or we walk the changed entry.
 */
enum vcpu_exit arch_vcpu_run(struct vcpu *v)
{
	FIELD(u64, v, RAX) = v->regs.ax;
	FIELD(u64, v, RSP) = v->regs.sp;
	FIELD(u64, v, RIP) = v->regs.ip;
	irq_disable();
	enable_here();
	__atomic_store_n(&v->running_on, (int)this_cpu()->id, __ATOMIC_SEQ_CST);
	svm_run(virt_to_phys(v->state), &v->regs, virt_to_phys(v->host));
	__atomic_store_n(&v->running_on, -1, __ATOMIC_SEQ_CST);
	irq_enable();
	v->regs.ax = FIELD(u64, v, RAX);
	v->regs.sp = FIELD(u64, v, RSP);
	v->regs.ip = FIELD(u64, v, RIP);
	v->regs.flags = FIELD(u64, v, RFLAGS);
	return decode(v);
}

/* That it was interrupted is enough: it left the guest, and the next entry flushes. */
static void leave_guest(void *arg)
{
}

void arch_vcpu_flush(struct vcpu *v)
{
	int cpu;

	cpu_mb(); /* entries changed before the look */
	cpu = __atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST);
	if (cpu >= 0 && (unsigned)cpu != this_cpu()->id)
		ipi_call(BIT(cpu), leave_guest, NULL, true);
}
