/*
 * segments.c - GDT, TSS, interrupt stacks, SYSCALL set-up and the per-CPU pointer.  Layer 1 (x86-64).
 * Selector numbers are Linux's, because signal frames show them.
 */
#include <asm/machine.h>
#include <asm/msr.h>
#include "kernel/lib/string.h"

#define IST_STACKS 4
#define IST_SIZE (KASAN ? 16384 : 4096)

struct tss {
	u32 reserved0;
	u64 sp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap;
} __packed;

struct cpu_segments {
	u64 gdt[GDT_ENTRIES];
	u32 pad; /* puts tss.sp on 8 bytes */
	struct tss tss;
	u8 ist[IST_STACKS][IST_SIZE] __aligned(16);
};

struct cpu cpus[MAX_CPUS];
unsigned cpu_count = 1;

static struct cpu_segments segments[MAX_CPUS] __aligned(16);
static struct arch_context boot_contexts[MAX_CPUS]; /* until there is an idle thread */

static void gdt_fill(struct cpu_segments *s)
{
	u64 tss = (u64)&s->tss;

	s->gdt[KERNEL_CS >> 3] = 0x00af9b000000ffff;
	s->gdt[KERNEL_DS >> 3] = 0x00cf93000000ffff;
	s->gdt[USER_CS32 >> 3] = 0x00cffb000000ffff;
	s->gdt[USER_DS >> 3] = 0x00cff3000000ffff;
	s->gdt[USER_CS >> 3] = 0x00affb000000ffff;
	s->gdt[TSS_SELECTOR >> 3] =
		(sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 | (tss >> 24 & 0xff) << 56;
	s->gdt[(TSS_SELECTOR >> 3) + 1] = tss >> 32;
}

static void load(struct cpu_segments *s, struct cpu *cpu)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = {sizeof(s->gdt) - 1, (u64)s->gdt};

	__asm__ volatile("lgdt %0\n\t"
	                 "pushq %1\n\t"
	                 "leaq 1f(%%rip), %%rax\n\t"
	                 "pushq %%rax\n\t"
	                 "lretq\n"
	                 "1:\tmovl %2, %%ss\n\t"
	                 "movl %3, %%ds\n\t"
	                 "movl %3, %%es\n\t"
	                 "movl %3, %%fs\n\t"
	                 "movl %3, %%gs\n\t"
	                 "ltr %w4\n\t"
	                 "lldt %w3" /* none: after reset the LDT is 64 KiB at address 0, and ring 3 may name it */
	                 :
	                 : "m"(pointer), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0), "r"(TSS_SELECTOR)
	                 : "rax", "memory");
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, (u64)cpu);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}

static void syscall_setup(void)
{
	/* SYSRET: CS = base + 16, SS = base + 8, both with RPL 3. */
	wrmsr(MSR_STAR, (u64)USER_CS32 << 48 | (u64)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_FMASK, 0x57700); /* off in the kernel: TF IF DF IOPL NT RF AC */
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
}

void segments_init(unsigned id)
{
	struct cpu_segments *s = &segments[id];
	struct cpu *cpu = &cpus[id];

	cpu->self = cpu;
	cpu->id = id;
	cpu->ctx = &boot_contexts[id];
	for (unsigned i = 0; i < IST_STACKS; i++)
		s->tss.ist[i] = (u64)(s->ist[i] + IST_SIZE);
	s->tss.iomap = sizeof(struct tss); /* beyond the limit: no ports for ring 3 */
	gdt_fill(s);
	load(s, cpu);
	syscall_setup();
}

/* => own CPU, interrupts off */
void segments_set_stack(vaddr_t top)
{
	struct cpu *cpu = this_cpu();

	cpu->kernel_sp = top;
	segments[cpu->id].tss.sp[0] = top;
}
