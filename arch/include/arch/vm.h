/*
 * vm.h - a processor that can run a guest: nested page tables and entering the guest.  Layer 1.
 *
 * Guest-physical addresses are translated by *nested tables* that are ours: 4 KiB leaf entries from 0 up to some size.  The
 * caller gives the memory, so that nothing is allocated where entries are set (kernel/dev/vmm.c).
 */
#ifndef ARCH_VM_H
#define ARCH_VM_H

#include <arch/phys.h>
#include <asm/vm.h> /* ARCH_HAS_GUESTS: can this kind of machine have any of this? */

/* Does this processor run guests with nested tables?  Gives the memory that all of them share: @pages of
 * arch_vm_shared_pages() consecutive zeroed direct-mapped pages, for good. */
bool arch_vm_supported(void);
unsigned arch_vm_shared_pages(void);
void arch_vm_init(void *pages);

/* -- nested tables: @tables is an array of arch_npt_pages(@size) direct-mapped zeroed pages -------------------------------- */
#define ARCH_NPT_SIZE_MAX (64ul << 20)
unsigned arch_npt_pages(unsigned long size);
void arch_npt_init(void **tables, unsigned long size);
/* One entry; nobody is told. => @gpa below size */
void arch_npt_set(void **tables, unsigned long gpa, pfn_t pfn, bool write);
/* Empty it: was it used, was it stored through? */
void arch_npt_clear(void **tables, unsigned long gpa, bool *accessed, bool *dirty);
/* Was it used?  @clear: forget that. */
bool arch_npt_young(void **tables, unsigned long gpa, bool clear);

/* -- a guest's processor ---------------------------------------------------------------------------------------------------- */
struct vcpu_regs {
	u64 ax, bx, cx, dx, si, di, bp, sp, r8, r9, r10, r11, r12, r13, r14, r15, ip, flags;
};

enum vcpu_exit {
	VCPU_EXIT_INTERRUPTED, /* the host had something to do */
	VCPU_EXIT_MEMORY,      /* the nested tables do not allow @address */
	VCPU_EXIT_IO,          /* in or out; ip is behind it */
	VCPU_EXIT_HALT,        /* the same */
	VCPU_EXIT_CALL,        /* the same: the guest calls us */
	VCPU_EXIT_SHUTDOWN,    /* it has crashed, and cannot go on */
	VCPU_EXIT_OTHER,       /* something that it may not do: @code is the machine's word for it */
};

struct vcpu {
	void *state; /* one page, given before arch_vcpu_init(): the machine's */
	void *host;  /* the same, for what the host has */
	void **tables;
	int running_on;        /* number of the CPU that is in the guest, or -1; atomic */
	struct vcpu_regs regs; /* in and out of arch_vcpu_run() */
	u64 address;           /* of VCPU_EXIT_MEMORY */
	bool write;            /* it wanted to store; IO: it was out */
	u16 port;              /* of VCPU_EXIT_IO */
	u8 width;              /* of it, bytes */
	u64 code;
};

/* At the beginning it runs 32-bit code without paging, in flat segments. => state and host: zeroed, tables set up */
void arch_vcpu_init(struct vcpu *v);
/* Run the guest until something happens.  => a thread's own context, interrupts on, no spinlock */
enum vcpu_exit arch_vcpu_run(struct vcpu *v);
/* When it returns, the guest no longer uses an entry that was changed before. => may be called under spinlocks; as ipi_call() */
void arch_vcpu_flush(struct vcpu *v);

#endif
