/*
 * access.c - what simulated user programs do to memory, and the page fault in between.
 *
 * Beside the layers, in the place of kernel/proc/trap.c.
 */
#include <arch/smp.h>
#include <arch/uaccess.h>

#include "arch/host/sim/sched.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sync/rcu.h"
#include "mm/pgtable/huge.h"

#define TRIES 10000 /* the fault handler says "try again": so often at most */

/* From the kernel, in a copy. */
bool upcall_page_fault(struct trap_frame *tf, const struct fault_cause *cause)
{
	struct mm *mm = current_sim() ? sim_mm() : NULL;

	if (cause->addr >= USER_END || !mm)
		return false;
	if (pagefault_disabled() || this_cpu()->preempt_count || !irqs_enabled())
		return false;
	return mm_fault(mm, cause->addr, cause->access) == FAULT_OK;
}

/* From ring 3. */
static enum fault_result user_fault(const struct fault_cause *cause)
{
	struct mm *mm = sim_mm();
	enum fault_result result;

	if (cause->addr >= USER_END || !mm)
		return FAULT_MAPERR;
	result = mm_fault(mm, cause->addr, cause->access);
	lock_assert_none_held("the way back to a user program");
	return result == FAULT_OK && sync_fatal_pending() ? FAULT_KILLED : result;
}

/* Within a page. */
static enum fault_result access_page(vaddr_t va, enum fault_access access, void *bytes, size_t n)
{
	struct fault_cause cause;

	sim_yield();
	for (unsigned tries = 0; !mmu_access(va, access, bytes, n, &cause); tries++) {
		enum fault_result result = user_fault(&cause);

		if (result != FAULT_OK)
			return result;
		if (tries > TRIES)
			panic("access %d to %lx faults for ever\n", access, va);
	}
	return FAULT_OK;
}

static enum fault_result access_user(vaddr_t va, enum fault_access access, char *bytes, size_t n)
{
	enum fault_result result = FAULT_OK;

	while (n && result == FAULT_OK) {
		size_t chunk = min(n, (size_t)(PAGE_SIZE - (va & ~PAGE_MASK)));

		result = access_page(va, access, bytes, chunk);
		sched_trace(va, (u64)access << 8 | (unsigned)result);
		va += chunk;
		bytes += chunk;
		n -= chunk;
	}
	return result;
}

enum fault_result sim_load(vaddr_t va, void *to, size_t n)
{
	return access_user(va, FAULT_READ, to, n);
}

enum fault_result sim_store(vaddr_t va, const void *from, size_t n)
{
	return access_user(va, FAULT_WRITE, (char *)from, n);
}

enum fault_result sim_exec(vaddr_t va)
{
	char code;

	return access_user(va, FAULT_EXEC, &code, 1);
}

/* A store keeps what is there: it writes back the byte that it reads, in two instructions. */
enum fault_result sim_touch(vaddr_t va, enum fault_access access)
{
	u8 byte = 0;
	enum fault_result result;

	if (access == FAULT_EXEC)
		return sim_exec(va);
	result = sim_load(va, &byte, 1);
	return access == FAULT_WRITE && result == FAULT_OK ? sim_store(va, &byte, 1) : result;
}

bool sim_try(vaddr_t va, enum fault_access access, void *bytes, size_t n)
{
	struct fault_cause cause;

	ASSERT((va & ~PAGE_MASK) + n <= PAGE_SIZE);
	host_point();
	return mmu_access(va, access, bytes, n, &cause);
}

enum fault_result sim_cmpxchg(vaddr_t va, u32 *old, u32 new)
{
	struct fault_cause cause;

	sim_yield();
	while (!mmu_cmpxchg(va, old, new, &cause)) {
		enum fault_result result = user_fault(&cause);

		if (result != FAULT_OK)
			return result;
	}
	return FAULT_OK;
}

/* -- TLBs: each is its CPU's own, so it is looked at there ---------------------------------------------------------- */
static void on_cpu(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	unsigned long flags;

	if (cpu != this_cpu()->id) {
		ipi_call(BIT(cpu), fn, arg, true);
		return;
	}
	flags = irq_save();
	fn(arg);
	irq_restore(flags);
}

struct lookup {
	vaddr_t va;
	bool found;
};

static void look_up(void *arg)
{
	struct lookup *l = arg;

	l->found = tlb_find(this_cpu(), l->va);
}

bool sim_tlb_has(unsigned cpu, vaddr_t va)
{
	struct lookup l = {.va = va};

	on_cpu(cpu, look_up, &l);
	return l.found;
}

static void prefetch(void *arg)
{
	struct lookup *l = arg;

	l->found = mmu_prefetch(this_cpu(), l->va);
}

bool sim_tlb_prefetch(unsigned cpu, vaddr_t va)
{
	struct lookup l = {.va = va};

	on_cpu(cpu, prefetch, &l);
	return l.found;
}

void sim_tlb_deaf(bool deaf)
{
	tlb_set_deaf(deaf);
}

unsigned long sim_tlb_flushes(void)
{
	return tlb_flush_count();
}

struct stale {
	bool loud;
	unsigned n;
};

static pte_t entry_of(struct pgtable *pt, vaddr_t va)
{
	return pt_peek_hardware(pt, va);
}

/* Does the table still say what the TLB remembers?  It may have come to allow more. */
static void check_translation(struct cpu *cpu, const struct tlb_entry *e, void *ctx)
{
	struct stale *s = ctx;
	vaddr_t va = e->vpn << PAGE_SHIFT;
	pte_t pte = cpu->loaded ? entry_of(cpu->loaded, va) : pte_none();

	if (pte_accessible(pte) && pte_pfn(pte) == e->pfn && (!e->write || pte_hw_write(pte)) &&
	    (!e->exec || pte_grant(pte) & GRANT_X) && (!e->dirty || pte_dirty(pte)))
		return;
	s->n++;
	if (s->loud)
		sim_fail("cpu %u has a stale translation of %lx to frame %lx%s%s", cpu->id, va, e->pfn,
		         e->write ? ", writable" : "", e->dirty ? ", dirty" : "");
}

static void check_tlb(void *arg)
{
	tlb_for_each(this_cpu(), check_translation, arg);
}

unsigned sim_tlb_stale(bool loud)
{
	struct stale s = {.loud = loud};

	for (unsigned i = 0; i < cpu_count; i++)
		on_cpu(i, check_tlb, &s);
	return s.n;
}

struct pte_view sim_entry(struct mm *mm, vaddr_t va)
{
	struct pte_view v = pte_decode(pte_none(), 0);
	struct pt_reading r;

	rwsem_read_lock(&mm->lock);
	if (pt_read_lock(&mm->pt, va & PAGE_MASK, &r)) {
		v = pte_decode(r.pte, 0);
		pt_read_unlock(&r);
	}
	rwsem_read_unlock(&mm->lock);
	return v;
}

static long map_file(struct mm *mm, struct mmap_request *req, struct sim_file *file)
{
	req->object = sim_file_object(file);
	req->file = sim_file_handle(file);
	return mm_mmap(mm, req);
}

/* Shared anonymous memory is a file without a name. */
static long map_shared_anonymous(struct mm *mm, struct mmap_request *req)
{
	struct sim_file *file = sim_file_create(SIM_FILE_TMPFS, (loff_t)ALIGN_UP(req->length, PAGE_SIZE), false);
	long addr = map_file(mm, req, file);

	sim_file_put(file);
	return addr;
}

long sim_mmap(struct mm *mm, vaddr_t addr, size_t length, unsigned prot, unsigned flags, struct sim_file *file,
              pgoff_t pgoff)
{
	struct mmap_request req = {
		.addr = addr,
		.length = length,
		.prot = prot,
		.flags = flags,
		.pgoff = pgoff,
		.may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_SHARED,
	};

	if (file)
		return map_file(mm, &req, file);
	req.flags |= MAP_ANONYMOUS;
	req.pgoff = 0;
	return (flags & MAP_TYPE) == MAP_SHARED ? map_shared_anonymous(mm, &req) : mm_mmap(mm, &req);
}
