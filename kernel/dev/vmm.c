/*
 * vmm.c - a virtual machine whose memory is a range of a program's.
 *
 * Layer 9 (kernel/dev).  Interface: vmm.h.  Lock order: the mirror's (mm/service/mirror.h); nested entries are set and cleared
 * under the subscription's lock.
 *
 * The guest's memory holds no reference on anything: its nested tables are a mirror of the range.  An access that they do
 * not allow leaves the guest and becomes mirror_fill(); an invalidation empties entries and makes the CPU that is in the
 * guest leave it.  All table pages are made at creation, for nothing may be allocated under that lock.
 */
#include "kernel/dev/vmm.h"

#include <arch/vm.h>
#include "kernel/lib/err.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/hooks.h"
#include "mm/phys/slab.h"
#include "mm/service/mirror.h"

struct guest {
	struct mirror mirror;
	vaddr_t base;
	unsigned long size;
	struct vcpu vcpu;
	void **tables;
	unsigned nr_tables;
	unsigned long entries; /* into the guest */
	bool dead;
};

static struct guest *guest_of(struct mirror *m)
{
	return container_of(m, struct guest, mirror);
}

/* -- the mirror's hardware: sub.lock held ------------------------------------------------------------------------------- */

static void nested_set(struct mirror *m, const struct spte *s)
{
	struct guest *g = guest_of(m);

	arch_npt_set(g->tables, s->va - g->base, page_to_pfn(s->page), s->write);
}

static void nested_clear(struct mirror *m, struct spte *s)
{
	struct guest *g = guest_of(m);
	bool accessed, dirty;

	arch_npt_clear(g->tables, s->va - g->base, &accessed, &dirty);
	s->young |= accessed;
	s->dirty |= dirty;
}

static bool nested_young(struct mirror *m, const struct spte *s, bool clear)
{
	struct guest *g = guest_of(m);

	return arch_npt_young(g->tables, s->va - g->base, clear);
}

static void nested_flush(struct mirror *m, vaddr_t start, vaddr_t end)
{
	arch_vcpu_flush(&guest_of(m)->vcpu);
}

static const struct mirror_ops nested = {
	.set = nested_set,
	.clear = nested_clear,
	.young = nested_young,
	.flush = nested_flush,
};

/* -- birth and death -------------------------------------------------------------------------------------------------------- */

static void *page_of_memory(void)
{
	struct page *page = page_alloc(0, GFP_KERNEL | GFP_ZERO);

	return page ? page_address(page) : NULL;
}

static void free_memory(void *p)
{
	if (p)
		page_put(virt_to_page(p));
}

bool vmm_init(void)
{
	void *pages;

	if (!arch_vm_supported())
		return false;
	pages = kzalloc(arch_vm_shared_pages() * PAGE_SIZE, GFP_KERNEL);
	if (pages)
		arch_vm_init(pages);
	return pages;
}

static void guest_free(struct guest *g)
{
	for (unsigned i = 0; g->tables && i < g->nr_tables; i++)
		free_memory(g->tables[i]);
	kfree(g->tables);
	free_memory(g->vcpu.state);
	free_memory(g->vcpu.host);
	kfree(g);
}

static bool give_tables(struct guest *g)
{
	g->nr_tables = arch_npt_pages(g->size);
	g->tables = kzalloc(g->nr_tables * sizeof(*g->tables), GFP_KERNEL);
	for (unsigned i = 0; g->tables && i < g->nr_tables; i++)
		if (!(g->tables[i] = page_of_memory()))
			return false;
	return g->tables;
}

static struct guest *guest_alloc(vaddr_t base, unsigned long size)
{
	struct guest *g = kzalloc(sizeof(*g), GFP_KERNEL);

	if (!g)
		return NULL;
	g->base = base;
	g->size = size;
	g->mirror.ops = &nested;
	g->vcpu.state = page_of_memory();
	g->vcpu.host = page_of_memory();
	if (g->vcpu.state && g->vcpu.host && give_tables(g))
		return g;
	guest_free(g);
	return NULL;
}

struct guest *guest_create(struct mm *mm, vaddr_t addr, unsigned long size)
{
	struct guest *g;
	int err;

	if (!IS_ALIGNED(addr | size, PAGE_SIZE) || !size || size > ARCH_NPT_SIZE_MAX || addr > USER_END - size)
		return ERR_PTR(-EINVAL);
	g = guest_alloc(addr, size);
	if (!g)
		return ERR_PTR(-ENOMEM);
	arch_npt_init(g->tables, size);
	g->vcpu.tables = g->tables;
	arch_vcpu_init(&g->vcpu);
	err = mirror_open(&g->mirror, mm, addr, size);
	if (!err)
		return g;
	guest_free(g);
	return ERR_PTR(err);
}

void guest_destroy(struct guest *g)
{
	mirror_close(&g->mirror);
	guest_free(g);
}

/* -- running ------------------------------------------------------------------------------------------------------------------- */

/* In and out: the registers that both sides call alike. */
static void take_registers(struct vcpu_regs *to, const struct vmm_run *from)
{
	*to = (struct vcpu_regs){.ax = from->ax,
	                         .bx = from->bx,
	                         .cx = from->cx,
	                         .dx = from->dx,
	                         .si = from->si,
	                         .di = from->di,
	                         .bp = from->bp,
	                         .sp = from->sp,
	                         .r8 = from->r8,
	                         .r9 = from->r9,
	                         .r10 = from->r10,
	                         .r11 = from->r11,
	                         .r12 = from->r12,
	                         .r13 = from->r13,
	                         .r14 = from->r14,
	                         .r15 = from->r15,
	                         .ip = from->ip};
}

static void give_registers(struct vmm_run *to, const struct vcpu_regs *from)
{
	*to = (struct vmm_run){.ax = from->ax,
	                       .bx = from->bx,
	                       .cx = from->cx,
	                       .dx = from->dx,
	                       .si = from->si,
	                       .di = from->di,
	                       .bp = from->bp,
	                       .sp = from->sp,
	                       .r8 = from->r8,
	                       .r9 = from->r9,
	                       .r10 = from->r10,
	                       .r11 = from->r11,
	                       .r12 = from->r12,
	                       .r13 = from->r13,
	                       .r14 = from->r14,
	                       .r15 = from->r15,
	                       .ip = from->ip,
	                       .flags = from->flags};
}

/* Until the guest needs more than memory. 0: @*exit; or an error. */
static int run_to_exit(struct guest *g, enum vcpu_exit *exit)
{
	struct vcpu *v = &g->vcpu;

	for (;;) {
		int err = 0;

		if (sync_signal_pending())
			return -EINTR;
		cond_resched();
		g->entries++;
		*exit = arch_vcpu_run(v);
		if (*exit == VCPU_EXIT_MEMORY && v->address < g->size)
			err = mirror_fill(&g->mirror, g->base + (vaddr_t)v->address, v->write);
		else if (*exit != VCPU_EXIT_INTERRUPTED)
			return 0;
		if (err)
			return err;
	}
}

static void tell_exit(struct vmm_run *run, const struct vcpu *v, enum vcpu_exit exit)
{
	static const u8 as[] = {
		[VCPU_EXIT_MEMORY] = VMM_EXIT_MEMORY,     [VCPU_EXIT_IO] = VMM_EXIT_IO,
		[VCPU_EXIT_HALT] = VMM_EXIT_HALT,         [VCPU_EXIT_CALL] = VMM_EXIT_CALL,
		[VCPU_EXIT_SHUTDOWN] = VMM_EXIT_SHUTDOWN, [VCPU_EXIT_OTHER] = VMM_EXIT_OTHER,
	};

	run->exit = as[exit];
	if (exit == VCPU_EXIT_MEMORY)
		run->address = v->address;
	if (exit == VCPU_EXIT_OTHER)
		run->address = v->code;
	if (exit == VCPU_EXIT_IO) {
		run->port = v->port;
		run->width = v->width;
		run->out = v->write;
	}
}

int guest_run(struct guest *g, struct vmm_run *run)
{
	enum vcpu_exit exit = VCPU_EXIT_INTERRUPTED;
	int err;

	if (g->dead)
		return -ENODEV;
	take_registers(&g->vcpu.regs, run);
	err = run_to_exit(g, &exit);
	give_registers(run, &g->vcpu.regs);
	if (!err)
		tell_exit(run, &g->vcpu, exit);
	/* The processor does not say what it has left of its state. */
	g->dead = exit == VCPU_EXIT_SHUTDOWN || exit == VCPU_EXIT_OTHER;
	return err;
}

void guest_stat(struct guest *g, struct vmm_stat *st)
{
	spin_lock(&g->mirror.sub.lock);
	*st = (struct vmm_stat){.entries = g->entries,
	                        .faults = g->mirror.stat.faults,
	                        .retries = g->mirror.stat.retries,
	                        .invalidations = g->mirror.sub.seq,
	                        .translations = g->mirror.stat.sptes};
	spin_unlock(&g->mirror.sub.lock);
}
