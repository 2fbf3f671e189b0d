/*
 * vmm.c - a virtual machine whose nested tables are a subscriber of its owner's address space.
 *
 * Layer 9 (kernel/dev).  Interface: vmm.h.  docs/secondary.md tells how it works.
 * Lock order: vm->lock (an unranked mutex: the processor, which slots there are; held while the guest runs), then all that a
 * fault takes; a slot's mirror.sub.lock: its leaves of the nested tables.
 *
 *   guest's access --> nested tables --miss--> exit --> mirror_fill() --> leaf written, guest entered again
 *   notifier       --> leaves cleared, flush_seq counted, the guest stopped wherever it runs --> returns
 *
 * Why nothing stale survives: a CPU says that it runs the guest (running) before it looks at flush_seq, with interrupts off;
 * who flushes counts flush_seq before he looks at running.  So either the one sees the new number, and enters with an empty TLB,
 * or the other sees the CPU, and waits until it has left the guest.
 */
#include "kernel/dev/vmm.h"

#include <arch/cpu.h>
#include <arch/smp.h>
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/mutex.h"
#include "mm/phys/slab.h"
#include "mm/service/mirror.h"
#include "mm/service/outer_table.h"

struct slot {
	struct mirror mirror;
	struct vmm *vm;
	u64 gpa, length;
	vaddr_t va;
	bool read_only;
	bool changed; /* leaves were taken away or aged since the last flush; mirror.sub.lock */
};

struct vmm {
	struct mutex lock;
	unsigned long id; /* never used again */
	struct page *pages;
	struct virt_cpu *cpu;
	struct outer_table tables;
	struct slot *slots[VMM_SLOTS];
	unsigned input;          /* bytes that the guest's input instruction waits for */
	unsigned long flush_seq; /* atomic */
	unsigned long flushed;   /* flush_seq of the last entry into the guest */
	unsigned running;        /* CPU + 1, or 0; atomic */
	unsigned long runs, interrupts, kicks;
};

static unsigned long last_id;                 /* atomic */
static unsigned long last_guest_on[MAX_CPUS]; /* its own CPU's: whose translations the TLB may have */

/* -- the nested tables: what the notifiers call, under a slot's sub.lock --------------------------------------------------- */

static struct slot *slot_of(struct mirror *m)
{
	return container_of(m, struct slot, mirror);
}

static u64 *leaf_of(struct slot *s, const struct spte *spte)
{
	return outer_table_entry(&s->vm->tables, s->gpa + (spte->va - s->va));
}

static void on_set(struct mirror *m, const struct spte *spte)
{
	struct slot *s = slot_of(m);

	WRITE_ONCE(*leaf_of(s, spte), virt_page_entry(page_to_phys(spte->page), spte->write && !s->read_only));
}

static void on_clear(struct mirror *m, struct spte *spte)
{
	u64 *leaf = leaf_of(slot_of(m), spte);

	spte->young |= (READ_ONCE(*leaf) & virt_accessed) != 0;
	WRITE_ONCE(*leaf, 0);
	slot_of(m)->changed = true;
}

/* The processor's accessed bit.  Its dirty bit is of no interest, so nothing is lost if it sets that one meanwhile. */
static bool on_young(struct mirror *m, const struct spte *spte, bool clear)
{
	u64 *leaf = leaf_of(slot_of(m), spte), entry = READ_ONCE(*leaf);

	if (clear && (entry & virt_accessed)) {
		WRITE_ONCE(*leaf, entry & ~virt_accessed);
		slot_of(m)->changed = true;
	}
	return entry & virt_accessed;
}

static void nothing(void *arg)
{
}

/* When this returns the guest uses no translation that was there before. */
static void flush_guest(struct vmm *vm)
{
	unsigned running;

	__atomic_fetch_add(&vm->flush_seq, 1, __ATOMIC_SEQ_CST);
	running = __atomic_load_n(&vm->running, __ATOMIC_SEQ_CST);
	if (!running)
		return;
	ipi_call(BIT(running - 1), nothing, NULL, true);
	vm->kicks++;
}

static void on_flush(struct mirror *m, vaddr_t start, vaddr_t end)
{
	struct slot *s = slot_of(m);

	if (s->changed && !MUTATION(133)) /* M133: the guest's TLB is forgotten */
		flush_guest(s->vm);
	s->changed = false;
}

static const struct mirror_ops nested_mirror = {
	.flush = on_flush,
	.set = on_set,
	.clear = on_clear,
	.young = on_young,
};

/* -- slots: vm->lock held ---------------------------------------------------------------------------------------------------- */

static struct slot **slot_at(struct vmm *vm, u64 gpa)
{
	for (struct slot **p = vm->slots; p < vm->slots + VMM_SLOTS; p++)
		if (*p && gpa - (*p)->gpa < (*p)->length)
			return p;
	return NULL;
}

static int check_map(const struct vmm_map *arg)
{
	if (((arg->gpa | arg->addr | arg->len) & ~PAGE_MASK) || !arg->len || arg->flags & ~(u64)VMM_READ_ONLY)
		return -EINVAL;
	if (arg->gpa > VMM_ADDRESS_MAX || arg->len > VMM_ADDRESS_MAX - arg->gpa)
		return -EINVAL;
	return arg->addr >= USER_END || arg->len > USER_END - arg->addr ? -EOVERFLOW : 0;
}

/* A free place for it: -EEXIST, -ENOSPC. */
static struct slot **place_for(struct vmm *vm, const struct vmm_map *arg)
{
	struct slot **place = NULL;

	for (struct slot **p = vm->slots; p < vm->slots + VMM_SLOTS; p++) {
		if (!*p)
			place = p;
		else if (arg->gpa < (*p)->gpa + (*p)->length && (*p)->gpa < arg->gpa + arg->len)
			return ERR_PTR(-EEXIST);
	}
	return place ? place : ERR_PTR(-ENOSPC);
}

static int map_slot(struct vmm *vm, struct mm *mm, const struct vmm_map *arg)
{
	struct slot **place = place_for(vm, arg), *s;
	int err;

	if (IS_ERR(place))
		return (int)PTR_ERR(place);
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->mirror.ops = &nested_mirror;
	s->vm = vm;
	s->gpa = arg->gpa;
	s->va = (vaddr_t)arg->addr;
	s->length = arg->len;
	s->read_only = arg->flags & VMM_READ_ONLY;
	err = mirror_open(&s->mirror, mm, s->va, (size_t)s->length);
	if (err)
		kfree(s);
	else
		*place = s;
	return err;
}

static void unmap_slot(struct slot **place)
{
	mirror_close(&(*place)->mirror);
	kfree(*place);
	*place = NULL;
}

int vmm_map(struct vmm *vm, struct mm *mm, const struct vmm_map *arg)
{
	int err = check_map(arg);

	if (!err)
		err = mutex_lock_killable(&vm->lock);
	if (err)
		return err;
	err = map_slot(vm, mm, arg);
	mutex_unlock(&vm->lock);
	return err;
}

int vmm_unmap(struct vmm *vm, u64 gpa)
{
	struct slot **place;
	int err = mutex_lock_killable(&vm->lock);

	if (err)
		return err;
	place = slot_at(vm, gpa);
	if (place && (*place)->gpa == gpa)
		unmap_slot(place);
	else
		err = -ENOENT;
	mutex_unlock(&vm->lock);
	return err;
}

/* -- running: vm->lock held ------------------------------------------------------------------------------------------------------ */

/* The guest runs on this CPU until it exits. */
static void enter(struct vmm *vm, struct virt_exit *exit)
{
	unsigned long flags = irq_save(), seq;
	unsigned cpu = this_cpu()->id;
	bool flush;

	__atomic_store_n(&vm->running, cpu + 1, __ATOMIC_SEQ_CST);
	seq = __atomic_load_n(&vm->flush_seq, __ATOMIC_SEQ_CST);
	flush = seq != vm->flushed || last_guest_on[cpu] != vm->id;
	vm->flushed = seq;
	last_guest_on[cpu] = vm->id;
	virt_cpu_run(vm->cpu, flush, exit);
	__atomic_store_n(&vm->running, 0, __ATOMIC_SEQ_CST);
	irq_restore(flags);
	vm->runs++;
}

/* 0: it can go on. -ENXIO, -EFAULT: the guest's affair; -ENOMEM, -EINTR: the caller's */
static int fill(struct vmm *vm, const struct virt_exit *exit)
{
	struct slot **place = slot_at(vm, exit->address), *s;
	int err;

	if (!place)
		return -ENXIO;
	s = *place;
	if (exit->write && s->read_only)
		return -EFAULT;
	err = outer_table_prepare(&vm->tables, exit->address);
	return err ? err : mirror_fill(&s->mirror, s->va + (vaddr_t)(exit->address - s->gpa), exit->write);
}

static void report_port(struct vmm *vm, const struct virt_exit *exit, struct vmm_run *run)
{
	run->reason = exit->input ? VMM_EXIT_IN : VMM_EXIT_OUT;
	run->port = exit->port;
	run->width = exit->width;
	run->value = exit->input ? 0 : exit->value;
	vm->input = exit->input ? exit->width : 0;
}

/* True: told in @run; false: the guest shall run again, or *@err. */
static bool memory_exit(struct vmm *vm, const struct virt_exit *exit, struct vmm_run *run, int *err)
{
	*err = fill(vm, exit);
	if (*err != -ENXIO && *err != -EFAULT)
		return false;
	run->reason = VMM_EXIT_MEMORY;
	run->address = exit->address;
	run->write = exit->write;
	run->error = (u64) - *err;
	*err = 0;
	return true;
}

/* The same. */
static bool handle(struct vmm *vm, const struct virt_exit *exit, struct vmm_run *run, int *err)
{
	static const u8 simple[] = {
		[VIRT_HALT] = VMM_EXIT_HALT, [VIRT_SHUTDOWN] = VMM_EXIT_SHUTDOWN, [VIRT_OTHER] = VMM_EXIT_OTHER};

	*err = 0;
	switch (exit->reason) {
	case VIRT_AGAIN:
		vm->interrupts++;
		return false;
	case VIRT_MEMORY:
		return memory_exit(vm, exit, run, err);
	case VIRT_PORT:
		report_port(vm, exit, run);
		return true;
	case VIRT_INVALID:
		*err = -EINVAL;
		return false;
	default:
		run->reason = simple[exit->reason];
		run->code = exit->code;
		return true;
	}
}

static int run_locked(struct vmm *vm, struct vmm_run *run)
{
	struct virt_exit exit;
	int err = 0;

	if (vm->input)
		virt_cpu_input(vm->cpu, vm->input, (u32)run->value);
	vm->input = 0;
	*run = (struct vmm_run){.reason = 0};
	do {
		cond_resched();
		if (sync_signal_pending())
			return -EINTR;
		enter(vm, &exit);
	} while (!handle(vm, &exit, run, &err) && !err);
	return err;
}

int vmm_run(struct vmm *vm, struct vmm_run *run)
{
	int err = mutex_lock_killable(&vm->lock);

	if (err)
		return err;
	err = run_locked(vm, run);
	mutex_unlock(&vm->lock);
	return err;
}

int vmm_with_cpu(struct vmm *vm, int (*fn)(struct virt_cpu *cpu, void *arg), void *arg)
{
	int err = mutex_lock_killable(&vm->lock);

	if (err)
		return err;
	err = fn(vm->cpu, arg);
	mutex_unlock(&vm->lock);
	return err;
}

/* Numbers of a guest that may run. Slots come and go under the lock; so they are counted only if it can be had. */
void vmm_stat(struct vmm *vm, struct vmm_stat *st)
{
	*st = (struct vmm_stat){
		.runs = READ_ONCE(vm->runs),
		.interrupts = READ_ONCE(vm->interrupts),
		.flushes = __atomic_load_n(&vm->flush_seq, __ATOMIC_RELAXED),
		.kicks = READ_ONCE(vm->kicks),
		.tables = READ_ONCE(vm->tables.tables),
	};
	if (mutex_lock_killable(&vm->lock))
		return;
	for (unsigned i = 0; i < VMM_SLOTS; i++) {
		struct slot *s = vm->slots[i];

		if (!s)
			continue;
		st->faults += READ_ONCE(s->mirror.stat.faults);
		st->retries += READ_ONCE(s->mirror.stat.retries);
		st->sptes += READ_ONCE(s->mirror.stat.sptes);
		st->invalidations += READ_ONCE(s->mirror.sub.seq);
	}
	mutex_unlock(&vm->lock);
}

/* -- the machine ------------------------------------------------------------------------------------------------------------------- */

static int make_parts(struct vmm *vm)
{
	int err = outer_table_init(&vm->tables, VIRT_LEVELS, virt_table_entry);

	if (err)
		return err;
	vm->pages = page_alloc(VIRT_CPU_ORDER, GFP_KERNEL | GFP_ZERO);
	if (!vm->pages) {
		outer_table_free(&vm->tables);
		return -ENOMEM;
	}
	vm->cpu = virt_cpu_init(page_address(vm->pages), virt_to_phys(vm->tables.root));
	return 0;
}

struct vmm *vmm_create(void)
{
	struct vmm *vm = virt_available() ? kzalloc(sizeof(*vm), GFP_KERNEL) : ERR_PTR(-ENODEV);
	int err;

	if (IS_ERR(vm) || !vm)
		return vm ? vm : ERR_PTR(-ENOMEM);
	mutex_init(&vm->lock, LOCK_NONE);
	vm->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	err = make_parts(vm);
	if (!err)
		return vm;
	kfree(vm);
	return ERR_PTR(err);
}

void vmm_destroy(struct vmm *vm)
{
	for (unsigned i = 0; i < VMM_SLOTS; i++)
		if (vm->slots[i])
			unmap_slot(&vm->slots[i]);
	outer_table_free(&vm->tables);
	page_free(vm->pages, VIRT_CPU_ORDER);
	kfree(vm);
}
