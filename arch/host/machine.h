/*
 * machine.h - between the files of the simulated machine, and for who runs threads on it (arch/host/sim).
 * Layer 1 (host).
 */
#ifndef ARCH_HOST_MACHINE_H
#define ARCH_HOST_MACHINE_H

#include <arch/cpu.h>
#include <arch/pgtable.h>
#include <arch/upcall.h>

/* -- phys.c ------------------------------------------------------------------------------------------------------ */

/* Lay out RAM and fill in boot_info: @pages with holes in between; @high_pages more from 4 GiB on. => once, first */
void host_ram_init(unsigned long pages, unsigned long high_pages);
/* The bytes of RAM at @pa, whichever window they are in; NULL: no RAM there. */
char *host_ram(paddr_t pa);

/* -- mmu.c: hardware's view ---------------------------------------------------------------------------------------- */

/* One access by the executing CPU, as one instruction: translate through its TLB, or walk and fill it, setting A and
 * D, and move @n bytes (NULL: only look).  False: a page fault, described in @cause; its stale translation is
 * forgotten.  => [va, va + n) within a page; any context */
bool mmu_access(vaddr_t va, enum fault_access access, void *bytes, size_t n, struct fault_cause *cause);
/* The same for "if *va is @old store @new"; @old becomes what was found. */
bool mmu_cmpxchg(vaddr_t va, u32 *old, u32 new, struct fault_cause *cause);
/* @cpu walks ahead of any access, as it may: sets A, fills its TLB. False: nothing is there. => no points inside */
bool mmu_prefetch(struct cpu *cpu, vaddr_t va);
/* An address that @cpu accessed lately, by @nth; ~0: none. */
vaddr_t mmu_recent(struct cpu *cpu, unsigned nth);

/* -- tlb.c ----------------------------------------------------------------------------------------------------------- */
struct tlb_entry {
	vaddr_t vpn;
	pfn_t pfn;
	unsigned long epoch; /* valid if it is the TLB's */
	bool write, exec, dirty;
};

struct tlb_entry *tlb_find(struct cpu *cpu, vaddr_t va);
void tlb_fill(struct cpu *cpu, vaddr_t va, pfn_t pfn, bool write, bool exec, bool dirty);
void tlb_drop(struct cpu *cpu, vaddr_t va);
void tlb_drop_nth(struct cpu *cpu, unsigned n); /* whatever is in that place */
void tlb_clear(struct cpu *cpu);
/* The leaf table that @cpu found last time on the way to @va: a CPU keeps that too, until any flush. NULL: none. */
void *tlb_table(struct cpu *cpu, vaddr_t va);
void tlb_fill_table(struct cpu *cpu, vaddr_t va, void *table);
void tlb_set_deaf(bool deaf);
unsigned long tlb_flush_count(void);
/* Each valid entry of @cpu. */
void tlb_for_each(struct cpu *cpu, void (*fn)(struct cpu *cpu, const struct tlb_entry *e, void *ctx), void *ctx);

/* -- cpu.c ------------------------------------------------------------------------------------------------------------ */

/* Let @n CPUs be there; the caller executes on CPU 0. More than there are: they come online, idle. */
void host_cpus_online(unsigned n, void (*arrived)(void));
/* Interrupts of the executing CPU that wait, if it has them on; and its tick when @tick. => any context */
void host_deliver(bool tick);
void host_answer(void); /* carry out what others asked of the executing CPU. => in interrupt context */
bool host_irq_pending(const struct cpu *cpu);
/* Execute @fn as @cpu, which is idle and claimed: as an interrupt there. */
void host_as_cpu(struct cpu *cpu, void (*fn)(void));

/* -- upward: arch/host/sim/sched.c -------------------------------------------------------------------------------------- */

/* Is nothing running on @cpu, and may the caller execute in its place until host_release()? => any context */
bool host_claim(struct cpu *cpu);
void host_release(struct cpu *cpu);
/* The machine is dying: nobody else runs any more. */
void host_stop(void);

#endif
