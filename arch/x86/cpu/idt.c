/*
 * idt.c - the interrupt descriptor table.  Layer 1 (x86).
 * All gates are interrupt gates: interrupts stay off until C code has saved what it needs (CR2).
 */
#include <asm/machine.h>
#include "kernel/lib/string.h"

#define GATE_INTERRUPT 0x8e
#define GATE_TASK 0x85
#define GATE_USER 0x60 /* DPL 3: INT n may be used */

struct idt_gate {
	u16 offset0;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset1;
#if BITS == 64
	u32 offset2, reserved;
#endif
} __packed;

static struct idt_gate idt[256] __aligned(16);

static void gate_set(unsigned vector, u8 type, u8 ist)
{
	vaddr_t address = (vaddr_t)vector_stubs + 16 * vector;
	struct idt_gate *gate = &idt[vector];

	memset(gate, 0, sizeof(*gate));
	gate->offset0 = (u16)address;
	gate->offset1 = (u16)(address >> 16);
#if BITS == 64
	gate->offset2 = (u32)(address >> 32);
#endif
	gate->selector = KERNEL_CS;
	gate->ist = ist;
	gate->type = type;
}

/* => segments_init() has run: it provides the IST stacks and the double-fault task */
void idt_load(void)
{
	struct {
		u16 limit;
		unsigned long base;
	} __packed pointer = {sizeof(idt) - 1, (unsigned long)idt};

	__asm__ volatile("lidt %0" ::"m"(pointer));
}

void idt_init(void)
{
	for (unsigned vector = 0; vector < 256; vector++)
		gate_set(vector, GATE_INTERRUPT, 0);
	gate_set(3, GATE_INTERRUPT | GATE_USER, 0);
	gate_set(4, GATE_INTERRUPT | GATE_USER, 0);
#if BITS == 64
	gate_set(1, GATE_INTERRUPT, 1);
	gate_set(2, GATE_INTERRUPT, 2);
	gate_set(8, GATE_INTERRUPT, 3);
	gate_set(18, GATE_INTERRUPT, 4);
#else
	gate_set(VECTOR_SYSCALL, GATE_INTERRUPT | GATE_USER, 0);
	idt[8] = (struct idt_gate){.selector = DF_TSS_SELECTOR, .type = GATE_TASK};
#endif
	idt_load();
}
