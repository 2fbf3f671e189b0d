/*
 * segments.c - GDT with the per-thread TLS slots, TSS, the double-fault task, the per-CPU pointer.  Layer 1
 * (i386).  Selector numbers are Linux's, because programs see them.
 */
#include <arch/phys.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <asm/segments.h>
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define DF_STACK_SIZE 8192

struct tss {
	u32 link, sp0, ss0, sp1, ss1, sp2, ss2, cr3;
	u32 ip, flags, ax, cx, dx, bx, sp, bp, si, di;
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, iomap;
} __packed;

struct cpu_segments {
	u64 gdt[GDT_ENTRIES];
	struct tss tss __aligned(16);
	struct tss df_tss __aligned(16);
	u8 df_stack[DF_STACK_SIZE] __aligned(16);
};

struct cpu cpus[MAX_CPUS];
unsigned cpu_count = 1;

static struct cpu_segments segments[MAX_CPUS] __aligned(16);
static struct arch_context boot_contexts[MAX_CPUS]; /* until there is an idle thread */

/* @access and @flags as in the descriptor; @limit in bytes - 1, or in pages - 1 with the G flag. */
static u64 descriptor(u32 base, u32 limit, u8 access, u8 flags)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 0xf) << 48 |
	       (u64)flags << 52 | (u64)(base >> 24) << 56;
}

/* The double-fault task: a stack of its own, whatever happened to the other. => interrupts off */
static __noreturn void double_fault(void)
{
	const struct tss *t = &segments[this_cpu()->id].tss; /* the hardware saved the dying context here */
	struct trap_frame tf = {.ax = t->ax,
	                        .bx = t->bx,
	                        .cx = t->cx,
	                        .dx = t->dx,
	                        .si = t->si,
	                        .di = t->di,
	                        .bp = t->bp,
	                        .ds = t->ds,
	                        .es = t->es,
	                        .fs = t->fs,
	                        .gs = t->gs,
	                        .vector = 8,
	                        .ip = t->ip,
	                        .cs = t->cs,
	                        .flags = t->flags,
	                        .sp = t->sp,
	                        .ss = t->ss};

	exception_die(&tf, read_cr2(), "double fault");
}

static void df_task_fill(struct cpu_segments *s)
{
	struct tss *t = &s->df_tss;

	t->cr3 = (u32)image_to_phys(boot_pt_root);
	t->ip = (u32)double_fault;
	t->flags = 2;
	t->sp = (u32)(s->df_stack + DF_STACK_SIZE - 4);
	t->cs = KERNEL_CS;
	t->ss = t->ds = t->es = KERNEL_DS;
	t->fs = PERCPU_SELECTOR;
	t->iomap = sizeof(*t);
}

static void gdt_fill(struct cpu_segments *s, struct cpu *cpu)
{
	s->gdt[KERNEL_CS >> 3] = descriptor(0, 0xfffff, 0x9b, 0xc);
	s->gdt[KERNEL_DS >> 3] = descriptor(0, 0xfffff, 0x93, 0xc);
	s->gdt[USER_CS >> 3] = descriptor(0, 0xfffff, 0xfb, 0xc);
	s->gdt[USER_DS >> 3] = descriptor(0, 0xfffff, 0xf3, 0xc);
	s->gdt[PERCPU_SELECTOR >> 3] = descriptor((u32)cpu, sizeof(*cpu) - 1, 0x93, 0x4);
	s->gdt[TSS_SELECTOR >> 3] = descriptor((u32)&s->tss, sizeof(s->tss) - 1, 0x89, 0);
	s->gdt[DF_TSS_SELECTOR >> 3] = descriptor((u32)&s->df_tss, sizeof(s->df_tss) - 1, 0x89, 0);
}

static void load(struct cpu_segments *s)
{
	struct {
		u16 limit;
		u32 base;
	} __packed pointer = {sizeof(s->gdt) - 1, (u32)s->gdt};

	__asm__ volatile("lgdt %0\n\t"
	                 "ljmp %1, $1f\n"
	                 "1:\tmovl %2, %%ss\n\t"
	                 "movl %2, %%ds\n\t"
	                 "movl %2, %%es\n\t"
	                 "movl %3, %%fs\n\t"
	                 "movl %4, %%gs\n\t"
	                 "ltr %w5\n\t"
	                 "lldt %w4" /* none: after reset the LDT is 64 KiB at address 0, and ring 3 may name it */
	                 :
	                 : "m"(pointer), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(PERCPU_SELECTOR), "r"(0), "r"(TSS_SELECTOR)
	                 : "memory");
}

void segments_init(unsigned id)
{
	struct cpu_segments *s = &segments[id];
	struct cpu *cpu = &cpus[id];

	cpu->self = cpu;
	cpu->id = id;
	cpu->ctx = &boot_contexts[id];
	s->tss.ss0 = KERNEL_DS;
	s->tss.iomap = sizeof(struct tss); /* beyond the limit: no ports for ring 3 */
	df_task_fill(s);
	gdt_fill(s, cpu);
	load(s);
}

/* => own CPU, interrupts off */
void segments_set_stack(vaddr_t top)
{
	struct cpu *cpu = this_cpu();

	cpu->kernel_sp = top;
	segments[cpu->id].tss.sp0 = top;
}

void segments_load_tls(const u64 tls[GDT_TLS_COUNT])
{
	u64 *gdt = segments[this_cpu()->id].gdt;

	for (unsigned i = 0; i < GDT_TLS_COUNT; i++)
		gdt[GDT_TLS_FIRST + i] = tls[i];
}

u64 segments_tls_descriptor(u32 base, u32 limit, u8 access, u8 flags)
{
	return descriptor(base, limit, access, flags);
}
