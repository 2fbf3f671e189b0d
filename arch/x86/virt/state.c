/*
 * state.c - a guest processor's registers: after reset, read, written.  Layer 1 (x86-64).  Interface: <arch/virt.h>.
 */
#include "arch/x86/virt/cpu.h"
#include <asm/machine.h>
#include <asm/phys.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define AX 0
#define SP 4
#define FLAGS_FIXED 0x2
#define FLAGS_GUEST 0x3f7fd5
#define CR0_GUEST 0xe005003fUL
#define CR4_GUEST 0x350fffUL /* all up to UMIP; FSGSBASE, OSXSAVE, SMEP, SMAP */
#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define PAT_DEFAULT 0x0007040600070406
#define FCW_DEFAULT 0x37f
#define MXCSR_DEFAULT 0x1f80

/* Every port and every model-specific register is ours to look at first: three and two pages of ones. */
static u8 all_ones[3 * PAGE_SIZE] __aligned(PAGE_SIZE);

static void reset_control(struct virt_cpu *v)
{
	struct vmcb *b = v->vmcb;

	b->intercept_dr = ~0u; /* the host's DR0 to DR3 are not switched */
	b->intercept_exceptions = SVM_EXCEPTIONS;
	b->intercept1 = SVM_INTR | SVM_NMI | SVM_INIT | SVM_RDPMC | SVM_RSM | SVM_INVD | SVM_HLT | SVM_INVLPGA | SVM_IO |
	                SVM_MSR | SVM_TASK | SVM_SHUTDOWN;
	b->intercept2 = SVM_INTERCEPT2;
	b->io_map = b->msr_map = image_to_phys(all_ones);
	b->asid = 1;
	b->virtual_interrupt = SVM_MASK_INTERRUPTS;
	b->nested = 1;
	b->nested_root = v->root;
}

static void reset_registers(struct vmcb *b)
{
	for (unsigned i = 0; i < VIRT_SEGMENTS; i++)
		b->segment[i] = (struct vmcb_segment){.limit = 0xffff, .attributes = 0x93};
	b->segment[VIRT_CS].attributes = 0x9b;
	b->segment[VIRT_LDT].attributes = 0x82;
	b->segment[VIRT_TR].attributes = 0x8b;
	b->efer = EFER_SVME;
	b->cr0 = CR0_ET;
	b->dr6 = 0xffff0ff0;
	b->dr7 = 0x400;
	b->flags = FLAGS_FIXED;
	b->pat = PAT_DEFAULT;
}

void virt_cpu_reset(struct virt_cpu *v)
{
	u16 fcw = FCW_DEFAULT;
	u32 mxcsr = MXCSR_DEFAULT;

	memset(v->vmcb, 0, sizeof(*v->vmcb));
	memset(v->gpr, 0, sizeof(v->gpr));
	memset(v->fpu, 0, sizeof(v->fpu));
	memcpy(v->fpu, &fcw, sizeof(fcw));
	memcpy(v->fpu + 24, &mxcsr, sizeof(mxcsr));
	reset_control(v);
	reset_registers(v->vmcb);
}

struct virt_cpu *virt_cpu_init(void *pages, paddr_t root)
{
	struct virt_cpu *v = pages;
	paddr_t pa = virt_to_phys(pages);

	STATIC_ASSERT(sizeof(*v) <= PAGE_SIZE);
	memset(all_ones, 0xff, sizeof(all_ones));
	v->vmcb = (struct vmcb *)((u8 *)pages + PAGE_SIZE);
	v->vmcb_pa = pa + PAGE_SIZE;
	v->host_pa = pa + 2 * PAGE_SIZE;
	v->save_pa = pa + 3 * PAGE_SIZE;
	v->root = root;
	virt_cpu_reset(v);
	return v;
}

void virt_get_regs(const struct virt_cpu *v, struct virt_regs *r)
{
	memcpy(r->gpr, v->gpr, sizeof(r->gpr));
	r->gpr[AX] = v->vmcb->ax;
	r->gpr[SP] = v->vmcb->sp;
	r->ip = v->vmcb->ip;
	r->flags = v->vmcb->flags;
}

void virt_set_regs(struct virt_cpu *v, const struct virt_regs *r)
{
	memcpy(v->gpr, r->gpr, sizeof(v->gpr));
	v->vmcb->ax = r->gpr[AX];
	v->vmcb->sp = r->gpr[SP];
	v->vmcb->ip = r->ip;
	v->vmcb->flags = (r->flags & FLAGS_GUEST) | FLAGS_FIXED;
	v->vmcb->event = v->vmcb->shadow = 0;
}

void virt_get_system(const struct virt_cpu *v, struct virt_system *s)
{
	const struct vmcb *b = v->vmcb;

	for (unsigned i = 0; i < VIRT_SEGMENTS; i++)
		s->segment[i] = (struct virt_segment){.base = b->segment[i].base,
		                                      .limit = b->segment[i].limit,
		                                      .selector = b->segment[i].selector,
		                                      .attributes = b->segment[i].attributes};
	s->cr0 = b->cr0;
	s->cr2 = b->cr2;
	s->cr3 = b->cr3;
	s->cr4 = b->cr4;
	s->efer = b->efer & ~(u64)EFER_SVME;
}

/* LMA follows from the rest, as it does in hardware. */
static u64 efer_of(const struct virt_system *s)
{
	bool active = (s->efer & EFER_LME) && (s->cr0 & CR0_PG);

	return (s->efer & ~(u64)EFER_LMA) | (active ? EFER_LMA : 0) | EFER_SVME;
}

int virt_set_system(struct virt_cpu *v, const struct virt_system *s)
{
	struct vmcb *b = v->vmcb;

	if (s->cr0 & ~CR0_GUEST || s->cr4 & ~CR4_GUEST || s->efer & ~(u64)EFER_GUEST || !svm_safe(s->efer, s->cr4))
		return -EINVAL;
	for (unsigned i = 0; i < VIRT_SEGMENTS; i++)
		b->segment[i] = (struct vmcb_segment){.base = s->segment[i].base,
		                                      .limit = s->segment[i].limit,
		                                      .selector = s->segment[i].selector,
		                                      .attributes = s->segment[i].attributes & 0xfff};
	b->cpl = s->segment[VIRT_SS].attributes >> 5 & 3;
	b->cr0 = s->cr0;
	b->cr2 = s->cr2;
	b->cr3 = s->cr3;
	b->cr4 = s->cr4;
	b->efer = efer_of(s);
	return 0;
}

void virt_cpu_input(struct virt_cpu *v, unsigned width, u32 value)
{
	u64 *ax = &v->vmcb->ax;

	if (width == 4)
		*ax = value; /* a 32-bit result clears the upper half */
	else
		memcpy(ax, &value, width);
}
