/*
 * vmcb.h - the control block of an SVM guest (AMD64 manual, volume 2, appendix B).  Layer 1 (x86-64), private to virt/.
 */
#ifndef ARCH_X86_VIRT_VMCB_H
#define ARCH_X86_VIRT_VMCB_H

#include <arch/virt.h>
#include "kernel/lib/assert.h"

struct vmcb_segment {
	u16 selector, attributes;
	u32 limit;
	u64 base;
};

struct vmcb {
	u32 intercept_cr, intercept_dr, intercept_exceptions, intercept1, intercept2;
	u8 reserved1[0x40 - 0x14];
	u64 io_map, msr_map, tsc_offset;
	u32 asid;
	u8 tlb_control, reserved2[3];
	u64 virtual_interrupt, shadow;
	u64 exit_code, exit_info1, exit_info2, exit_event;
	u64 nested;
	u8 reserved3[0xa8 - 0x98];
	u64 event, nested_root;
	u8 reserved4[0x400 - 0xb8];

	struct vmcb_segment segment[VIRT_SEGMENTS]; /* in the order of enum virt_segment_name */
	u8 reserved5[0x4cb - 0x4a0], cpl, reserved6[4];
	u64 efer;
	u8 reserved7[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, flags, ip;
	u8 reserved8[0x5d8 - 0x580];
	u64 sp;
	u8 reserved9[0x5f8 - 0x5e0];
	u64 ax, star, lstar, cstar, fmask, kernel_gs, sysenter_cs, sysenter_sp, sysenter_ip, cr2;
	u8 reserved10[0x668 - 0x648];
	u64 pat;
	u8 reserved11[0x1000 - 0x670];
};
STATIC_ASSERT(sizeof(struct vmcb) == 0x1000);
STATIC_ASSERT(offsetof(struct vmcb, exit_code) == 0x70 && offsetof(struct vmcb, nested_root) == 0xb0);
STATIC_ASSERT(offsetof(struct vmcb, segment) == 0x400 && offsetof(struct vmcb, efer) == 0x4d0);
STATIC_ASSERT(offsetof(struct vmcb, cr4) == 0x548 && offsetof(struct vmcb, sp) == 0x5d8);
STATIC_ASSERT(offsetof(struct vmcb, ax) == 0x5f8 && offsetof(struct vmcb, cr2) == 0x640);

#define SVM_WRITE_CR4 (1u << 20) /* intercept_cr */

enum { /* intercept1 */
	   SVM_INTR = 1u << 0,
	   SVM_NMI = 1u << 1,
	   SVM_INIT = 1u << 3,
	   SVM_RDPMC = 1u << 15,
	   SVM_RSM = 1u << 19,
	   SVM_INVD = 1u << 22,
	   SVM_HLT = 1u << 24,
	   SVM_INVLPGA = 1u << 26,
	   SVM_IO = 1u << 27,
	   SVM_MSR = 1u << 28,
	   SVM_TASK = 1u << 29,
	   SVM_SHUTDOWN = 1u << 31,
};
#define SVM_INTERCEPT2 0x3e7fu /* VMRUN to SKINIT; WBINVD, MONITOR, MWAIT (both), XSETBV */
/* Exceptions whose delivery can raise themselves again and again, with no end that an interrupt could find: #DB, #AC; and
 * the host's own, #MC. */
#define SVM_EXCEPTIONS (1u << 1 | 1u << 17 | 1u << 18)

enum { /* exit_code */
	   SVM_EXIT_MACHINE_CHECK = 0x52,
	   SVM_EXIT_INTR = 0x60,
	   SVM_EXIT_NMI = 0x61,
	   SVM_EXIT_INIT = 0x63,
	   SVM_EXIT_HLT = 0x78,
	   SVM_EXIT_IO = 0x7b,
	   SVM_EXIT_MSR = 0x7c,
	   SVM_EXIT_SHUTDOWN = 0x7f,
	   SVM_EXIT_NESTED = 0x400,
};
#define SVM_EXIT_INVALID 0xffffffffu /* the low half: not every processor writes the upper one */

#define SVM_IO_INPUT BIT(0)
#define SVM_IO_STRING BIT(2)
#define SVM_NESTED_WRITE BIT(1)
#define SVM_EVENT_VALID BIT(31)
#define SVM_EVENT_TYPE(event) ((event) >> 8 & 7)
#define SVM_EVENT_EXCEPTION 3
#define SVM_MASK_INTERRUPTS BIT(24) /* virtual_interrupt: the guest's IF and TPR do not concern the host */
#define SVM_FLUSH 1                 /* tlb_control: everything */

#define EFER_LMA 0x400
#define EFER_SVME 0x1000
#define MSR_VM_CR 0xc0010114
#define VM_CR_DISABLED BIT(4)
#define MSR_VM_HSAVE 0xc0010117

#endif
