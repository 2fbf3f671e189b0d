/*
 * pic.c - the two 8259 interrupt controllers.  Layer 1 (x86).
 * With an APIC they are only put out of the way: remapped off the exceptions and masked.
 */
#include <asm/io.h>
#include <asm/machine.h>

#define PIC1 0x20
#define PIC2 0xa0
#define PIC_EOI 0x20
#define PIC_READ_ISR 0x0b
#define CASCADE 2

static u16 mask = 0xffff;

static void mask_write(void)
{
	outb((u8)mask, PIC1 + 1);
	outb((u8)(mask >> 8), PIC2 + 1);
}

void pic_init(void)
{
	outb(0x11, PIC1); /* initialise: edge, cascade, 4 words */
	outb(0x11, PIC2);
	outb(VECTOR_PIC, PIC1 + 1);
	outb(VECTOR_PIC + 8, PIC2 + 1);
	outb(1 << CASCADE, PIC1 + 1);
	outb(CASCADE, PIC2 + 1);
	outb(1, PIC1 + 1);
	outb(1, PIC2 + 1);
	mask_write();
}

/* => boot, or interrupts off */
void pic_unmask(unsigned line)
{
	mask &= (u16) ~(1u << line);
	if (line >= 8)
		mask &= (u16) ~(1u << CASCADE);
	mask_write();
}

/* Lines 7 and 15 also stand for "the request went away". */
bool pic_spurious(unsigned line)
{
	u16 port = line < 8 ? PIC1 : PIC2;

	if ((line & 7) != 7)
		return false;
	outb(PIC_READ_ISR, port);
	if (inb(port) & 0x80)
		return false;
	if (line == 15)
		outb(PIC_EOI, PIC1); /* the first controller did see the cascade */
	return true;
}

void pic_eoi(unsigned line)
{
	if (line >= 8)
		outb(PIC_EOI, PIC2);
	outb(PIC_EOI, PIC1);
}
