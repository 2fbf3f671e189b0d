/*
 * ops_access.c - user programs, the kernel and devices touch memory.
 */
#include "tests/model/ops.h"

#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/service/pin.h"

/* A value nobody stored before. */
u64 stamp(const struct drive *d, const struct op *op)
{
	return (u64)(d->at + 1) << 16 | op->value;
}

static void touch(struct drive *d, const struct op *op, unsigned space, enum fault_access access)
{
	vaddr_t va = MODEL_BASE + op->page * PAGE_SIZE + cell_offset(op->cell);
	enum fault_result got, want;
	u64 value = stamp(d, op);
	int content = NONE;

	drive_enter(d, space, op->cpu);
	drive_acting(d);
	if (access == FAULT_EXEC)
		got = sim_exec(va);
	else
		got = access == FAULT_WRITE ? sim_store(va, &value, sizeof(value)) : sim_load(va, &value, sizeof(value));
	drive_acted(d);
	want = oracle_touch(&d->o, space, op->page, access, &content);
	drive_expect(d, got == FAULT_OOM ? -ENOMEM : (int)got, want);
	if (got != FAULT_OK || want != FAULT_OK)
		return;
	if (access == FAULT_WRITE)
		d->o.content[content].cell[op->cell] = value;
	else if (access == FAULT_READ && value != d->o.content[content].cell[op->cell])
		drive_fail(d, "value %llx, should be %llx", (unsigned long long)value,
		           (unsigned long long)d->o.content[content].cell[op->cell]);
}

void do_read(struct drive *d, const struct op *op, unsigned space)
{
	touch(d, op, space, FAULT_READ);
}

void do_write(struct drive *d, const struct op *op, unsigned space)
{
	touch(d, op, space, FAULT_WRITE);
}

void do_exec(struct drive *d, const struct op *op, unsigned space)
{
	touch(d, op, space, FAULT_EXEC);
}

void do_access(struct drive *d, const struct op *op, unsigned space)
{
	vaddr_t va = MODEL_BASE + op->page * PAGE_SIZE + cell_offset(op->cell);
	bool store = op->flags & OPF_STORE;
	u64 value = stamp(d, op);
	int content = NONE;
	ssize_t got, want;

	drive_acting(d);
	got = mm_access(d->mm[space], va, &value, sizeof(value), store);
	drive_acted(d);
	want = oracle_touch(&d->o, space, op->page, store ? FAULT_WRITE : FAULT_READ, &content) == FAULT_OK
	           ? (ssize_t)sizeof(value)
	           : -EFAULT;
	drive_expect(d, got, want);
	if (got != want || got < 0)
		return;
	if (store)
		d->o.content[content].cell[op->cell] = value;
	else if (value != d->o.content[content].cell[op->cell])
		drive_fail(d, "value %llx, should be %llx", (unsigned long long)value,
		           (unsigned long long)d->o.content[content].cell[op->cell]);
}

/* -- pins ------------------------------------------------------------------------------------------------------------------------- */
static unsigned free_pins(struct drive *d, struct model_pin **slots)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MODEL_PINS; i++)
		if (!d->pin[i].page)
			slots[n++] = &d->pin[i];
	return n;
}

void do_pin(struct drive *d, const struct op *op, unsigned space)
{
	bool store = op->flags & OPF_PIN_WRITE, longterm = (op->flags & OPF_PIN_LONGTERM) || d->touch.on || d->inject;
	unsigned flags = (store ? FOLL_WRITE : 0) | (longterm ? FOLL_LONGTERM : 0);
	struct model_pin *slots[MODEL_PINS];
	struct page *pages[MODEL_PINS];
	unsigned nr = min(op->pages, free_pins(d, slots)), want = 0;
	long got;

	if (!nr)
		return;
	drive_acting(d);
	got = pin_user_pages(d->mm[space], MODEL_BASE + op->page * PAGE_SIZE, nr, flags, pages);
	drive_acted(d);
	for (; want < nr; want++) {
		int content;

		if (oracle_pin(&d->o, space, op->page + want, store, longterm, &content) != FAULT_OK)
			break;
		if ((long)want < got)
			*slots[want] = (struct model_pin){pages[want], content, flags};
	}
	if (!(d->inject && got > 0 && got < (long)want))
		drive_expect(d, got, want ? (long)want : -EFAULT);
}

void drive_unpin(struct drive *d, struct model_pin *pin, bool dirty)
{
	unpin_user_pages(&pin->page, 1, pin->flags, dirty);
	pin->page = NULL;
}

void do_unpin(struct drive *d, const struct op *op, unsigned space)
{
	struct model_pin *pin = &d->pin[op->to % MODEL_PINS];

	if (!pin->page)
		return;
	drive_acting(d);
	drive_unpin(d, pin, op->flags & OPF_STORE);
	drive_acted(d);
}

void do_device(struct drive *d, const struct op *op, unsigned space)
{
	struct model_pin *pin = &d->pin[op->to % MODEL_PINS];
	u64 value = stamp(d, op), *cell;
	char *va;

	if (!pin->page)
		return;
	cell = &d->o.content[pin->content].cell[op->cell];
	va = page_kmap(pin->page);
	if ((pin->flags & FOLL_WRITE) && (op->flags & OPF_STORE)) {
		memcpy(va + cell_offset(op->cell), &value, sizeof(value));
		*cell = value;
	}
	memcpy(&value, va + cell_offset(op->cell), sizeof(value));
	page_kunmap(va);
	if (value != *cell)
		drive_fail(d, "the device sees %llx, should see %llx", (unsigned long long)value, (unsigned long long)*cell);
}
