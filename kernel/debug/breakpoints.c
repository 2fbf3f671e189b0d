/*
 * breakpoints.c - breakpoint instructions in memory.  Interface: internal.h.
 *
 * They are in memory only while the machine runs: the debugger takes them out when it stops and puts them in when it
 * lets go, so that neither gdb nor the debugger's own way through the kernel ever meets one.
 *
 *   in the kernel       only in its code, and not on the way to the debugger
 *   in a program        in the frame that is mapped there: whoever shares it stops too.  The frame is kept until a while
 *                       after the breakpoint has gone, so that what is put back goes where it came from
 *   no frame there yet,
 *   or only by a
 *   debug register      one of the four debug registers takes the breakpoint, as long as there are any
 */
#include <arch/pgtable.h>
#include "kernel/debug/internal.h"
#include "kernel/lib/errno.h"
#include "mm/pgtable/pgtable.h"

#define POINTS_MAX 64

static unsigned next_free; /* slots are used in turn, so that what was cleared is remembered for long */

static struct point {
	bool used, planted;
	vaddr_t va;        /* also of one that was cleared: a CPU may be on its way from there */
	struct page *page; /* NULL: in the kernel */
	u8 original;
} points[POINTS_MAX];

static struct page *unused_pages[POINTS_MAX]; /* ours for nothing; w: settle and the debugger, never at once */

/* The frame that a program has at @va, if it is ordinary memory. */
static struct page *frame_at(struct pgtable *space, vaddr_t va)
{
	struct hw_pte *hw = space ? pt_peek(space, va) : NULL;
	pte_t pte = hw ? hw_pte_get_lockless(hw) : pte_none();

	return pte_has_page(pte) && !pte_special(pte) ? pfn_to_page(pte_pfn(pte)) : NULL;
}

static u8 frame_byte(struct page *page, vaddr_t va)
{
	u8 *mapped = page_kmap(page), byte = mapped[va & ~PAGE_MASK];

	page_kunmap(mapped);
	return byte;
}

static void frame_set(struct page *page, vaddr_t va, u8 byte)
{
	u8 *mapped = page_kmap(page);

	mapped[va & ~PAGE_MASK] = byte;
	page_kunmap(mapped);
}

static u8 get_byte(const struct point *p)
{
	return p->page ? frame_byte(p->page, p->va) : arch_debug_code(p->va);
}

static void set_byte(const struct point *p, u8 byte)
{
	if (p->page)
		frame_set(p->page, p->va, byte);
	else
		arch_debug_set_code(p->va, byte);
}

void breakpoints_plant(void)
{
	for (struct point *p = points; p < points + POINTS_MAX; p++)
		if (p->used) {
			p->original = get_byte(p);
			p->planted = true;
			set_byte(p, DEBUG_BREAKPOINT_INSN);
		}
}

/* Last planted first, as two may be at one place. A byte that has become another one meanwhile is let alone. */
static void lift(bool in_frames)
{
	for (struct point *p = points + POINTS_MAX; p-- > points;)
		if (p->planted && in_frames == (p->page != NULL)) {
			p->planted = false;
			if (get_byte(p) == DEBUG_BREAKPOINT_INSN)
				set_byte(p, p->original);
		}
}

void upcall_debugger_lift(void)
{
	lift(false);
}

/* The kernel's first: others may be met on the way to frames. */
void breakpoints_lift(void)
{
	lift(false);
	lift(true);
}

enum debug_planted upcall_debugger_planted(vaddr_t ip)
{
	struct page *page = ip < USER_END ? frame_at(this_cpu()->loaded, ip) : NULL;
	bool once = false;

	if (ip < USER_END && !page)
		return DEBUG_NOT_PLANTED;
	for (const struct point *p = points; p < points + POINTS_MAX; p++)
		if (p->va && p->page == page && (page ? !((p->va ^ ip) & ~PAGE_MASK) : p->va == ip)) {
			if (p->planted)
				return DEBUG_PLANTED;
			once = true;
		}
	return once && get_byte(&(struct point){.va = ip, .page = page}) != DEBUG_BREAKPOINT_INSN ? DEBUG_NO_LONGER
	                                                                                          : DEBUG_NOT_PLANTED;
}

/* -- frames that are kept ------------------------------------------------------------------------------------------- */
/* Not here: the last reference frees the page, and that takes locks. */
static void keep_for_later(struct page *page)
{
	for (unsigned i = 0; i < POINTS_MAX; i++)
		if (!READ_ONCE(unused_pages[i])) {
			WRITE_ONCE(unused_pages[i], page);
			return;
		}
}

void breakpoints_settle(void)
{
	for (unsigned i = 0; i < POINTS_MAX; i++) {
		struct page *page = __atomic_exchange_n(&unused_pages[i], NULL, __ATOMIC_SEQ_CST);

		if (page)
			page_put(page);
	}
}

/* -- setting and clearing --------------------------------------------------------------------------------------------- */
static struct point *find(vaddr_t va)
{
	for (struct point *p = points; p < points + POINTS_MAX; p++)
		if (p->used && p->va == va)
			return p;
	return NULL;
}

static struct point *find_free(void)
{
	for (unsigned i = 0; i < POINTS_MAX; i++) {
		struct point *p = &points[next_free++ % POINTS_MAX];

		if (!p->used)
			return p;
	}
	return NULL;
}

static void clear(struct point *p)
{
	if (p->page)
		keep_for_later(p->page);
	p->used = false;
}

int breakpoint_set(const struct target *t, vaddr_t va)
{
	bool program = va < USER_END;
	enum debug_place place = program ? DEBUG_PLACE_ANY : arch_debug_place(va);
	struct page *page = program ? frame_at(target_space(t), va) : NULL;
	struct point *p = find(va) ?: find_free();

	if (place == DEBUG_PLACE_NEVER)
		return -EFAULT;
	if (place == DEBUG_PLACE_REGISTER || (program && !page))
		return arch_debug_watch(DEBUG_ON_EXECUTE, va, 1);
	if (!p)
		return -ENOSPC;
	if (p->used)
		return 0;
	if (page)
		page_get(page);
	*p = (struct point){.used = true, .va = va, .page = page};
	return 0;
}

int breakpoint_clear(const struct target *t, vaddr_t va)
{
	struct point *p = find(va);

	if (!p)
		return arch_debug_unwatch(DEBUG_ON_EXECUTE, va, 1);
	clear(p);
	return 0;
}

void breakpoints_forget(void)
{
	for (struct point *p = points; p < points + POINTS_MAX; p++)
		if (p->used)
			clear(p);
	arch_debug_unwatch_all();
}

/* -- packets: Z TYPE,ADDR,KIND  z TYPE,ADDR,KIND ---------------------------------------------------------------------- */
enum type { SOFTWARE, HARDWARE, WRITE, READ, ACCESS };

/* Reading alone cannot be watched for. */
static int set_hardware(u64 type, vaddr_t va, size_t n, bool set)
{
	enum debug_watch on = type == HARDWARE ? DEBUG_ON_EXECUTE : type == WRITE ? DEBUG_ON_WRITE : DEBUG_ON_ACCESS;

	if (set && type == HARDWARE && va >= USER_END && arch_debug_place(va) == DEBUG_PLACE_NEVER)
		return -EFAULT;
	return set ? arch_debug_watch(on, va, n) : arch_debug_unwatch(on, va, n);
}

void breakpoint_packet(struct reader *r, struct writer *w, bool set)
{
	u64 type, va, kind;
	int err;

	if (!read_hex(r, &type) || !read_char(r, ',') || !read_hex(r, &va) || !read_char(r, ',') || !read_hex(r, &kind) ||
	    reader_left(r) || va > (vaddr_t)~0UL) {
		write_error(w, EINVAL);
		return;
	}
	if (type > ACCESS)
		return;
	if (type == SOFTWARE)
		err = set ? breakpoint_set(&session.chosen, (vaddr_t)va) : breakpoint_clear(&session.chosen, (vaddr_t)va);
	else
		err = set_hardware(type, (vaddr_t)va, (size_t)kind, set);
	if (err)
		write_error(w, (unsigned)-err);
	else
		write_text(w, "OK");
}
