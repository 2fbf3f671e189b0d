/*
 * tlb.c - translations that a simulated CPU keeps until it is told to forget them.  Layer 1 (host).
 *
 * That is the point of it: whoever changes an entry and does not flush leaves an old translation in use, and the
 * access through it goes to the wrong frame, or through to a frame that was freed.  Also kept are pointers to leaf
 * tables (the paging-structure caches), which any flush drops.  Nothing is ever flushed beyond what was asked.
 *
 * A TLB belongs to its CPU: no locks.  Epochs make "forget all" cheap.
 */
#include "arch/host/machine.h"
#include <arch/tlb.h>

#define ENTRIES 256
#define TABLES 8

struct tlb {
	unsigned long epoch;
	struct tlb_entry entries[ENTRIES];
	struct {
		vaddr_t span; /* va >> shift of level 1 */
		unsigned long epoch;
		void *table;
	} tables[TABLES];
	unsigned long table_epoch;
	unsigned long flushes;
};

static struct tlb tlbs[MAX_CPUS] = {[0 ... MAX_CPUS - 1] = {.epoch = 1, .table_epoch = 1}};
static bool deaf;

static struct tlb *tlb_of(const struct cpu *cpu)
{
	return &tlbs[cpu->id];
}

static struct tlb_entry *place_of(struct tlb *t, vaddr_t va)
{
	vaddr_t vpn = va >> PAGE_SHIFT;

	return &t->entries[(vpn ^ vpn >> 8 ^ vpn >> 16) % ENTRIES];
}

struct tlb_entry *tlb_find(struct cpu *cpu, vaddr_t va)
{
	struct tlb *t = tlb_of(cpu);
	struct tlb_entry *e = place_of(t, va);

	return e->epoch == t->epoch && e->vpn == va >> PAGE_SHIFT ? e : NULL;
}

void tlb_fill(struct cpu *cpu, vaddr_t va, pfn_t pfn, bool write, bool exec, bool dirty)
{
	struct tlb *t = tlb_of(cpu);

	*place_of(t, va) = (struct tlb_entry){
		.vpn = va >> PAGE_SHIFT, .pfn = pfn, .epoch = t->epoch, .write = write, .exec = exec, .dirty = dirty};
}

void tlb_drop(struct cpu *cpu, vaddr_t va)
{
	struct tlb_entry *e = tlb_find(cpu, va);

	if (e)
		e->epoch = 0;
}

void tlb_drop_nth(struct cpu *cpu, unsigned n)
{
	tlb_of(cpu)->entries[n % ENTRIES].epoch = 0;
}

void tlb_clear(struct cpu *cpu)
{
	tlb_of(cpu)->epoch++;
	tlb_of(cpu)->table_epoch++;
}

void *tlb_table(struct cpu *cpu, vaddr_t va)
{
	struct tlb *t = tlb_of(cpu);
	vaddr_t span = va >> pt_geometry[1].shift;

	return t->tables[span % TABLES].epoch == t->table_epoch && t->tables[span % TABLES].span == span
	           ? t->tables[span % TABLES].table
	           : NULL;
}

void tlb_fill_table(struct cpu *cpu, vaddr_t va, void *table)
{
	struct tlb *t = tlb_of(cpu);
	vaddr_t span = va >> pt_geometry[1].shift;

	t->tables[span % TABLES].span = span;
	t->tables[span % TABLES].epoch = t->table_epoch;
	t->tables[span % TABLES].table = table;
}

void tlb_set_deaf(bool now)
{
	deaf = now;
}

unsigned long tlb_flush_count(void)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		n += READ_ONCE(tlbs[i].flushes);
	return n;
}

void tlb_for_each(struct cpu *cpu, void (*fn)(struct cpu *cpu, const struct tlb_entry *e, void *ctx), void *ctx)
{
	struct tlb *t = tlb_of(cpu);

	for (unsigned i = 0; i < ENTRIES; i++)
		if (t->entries[i].epoch == t->epoch)
			fn(cpu, &t->entries[i], ctx);
}

/* -- <arch/tlb.h> ------------------------------------------------------------------------------------------------ */

/* A flush of anything: the pointers to tables go, whatever the address. */
static bool flush_begins(struct tlb *t)
{
	t->flushes++;
	if (deaf)
		return false;
	t->table_epoch++;
	return true;
}

void tlb_flush_local_page(vaddr_t va)
{
	if (flush_begins(tlb_of(this_cpu())))
		tlb_drop(this_cpu(), va);
}

void tlb_flush_local_range(vaddr_t start, vaddr_t end)
{
	struct tlb *t = tlb_of(this_cpu());

	if (!flush_begins(t))
		return;
	for (unsigned i = 0; i < ENTRIES; i++)
		if (t->entries[i].vpn >= start >> PAGE_SHIFT && t->entries[i].vpn < (end + PAGE_SIZE - 1) >> PAGE_SHIFT)
			t->entries[i].epoch = 0;
}

void tlb_flush_local_all(void)
{
	if (flush_begins(tlb_of(this_cpu())))
		tlb_clear(this_cpu());
}

void tlb_flush_local_kernel(void)
{
	tlb_flush_local_all();
}
