/*
 * umk_mmu.c - the emulated MMU: walks the guest's tables when the guest touches what the window does not show.
 *
 *   access ──► window shows the frame ──► done, at full speed
 *        └───► SIGSEGV ──► walk: directory, table ──► allowed: set A (and D), show the frame, resume
 *                                                └──► not: the access is over, the guest hears of it
 *
 * A page is shown without write permission until the first store, which is how D is found.
 */
#define _GNU_SOURCE
#include "user/umk.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#define FAULT_WRITE 2 /* of the CPU's error code */

struct mmu_counts mmu_counts;

static const struct window_ops *ops;
static const gpte_t *directory; /* of the loaded context; NULL: none */
static unsigned context;
static char error[160];
static struct sigaction before;

static sigjmp_buf landing;
static volatile sig_atomic_t armed;
static volatile enum guest_fault verdict;

/* -- the soft TLB: what the window shows ------------------------------------------------------------------------------ */

static struct window_change tlb[GUEST_PAGES]; /* by page; prot PROT_NONE: not shown */
static uint16_t shown[GUEST_PAGES], nshown;   /* which are, in any order */
static uint16_t place[GUEST_PAGES];           /* of a page in it */

static void tlb_set(unsigned page, unsigned frame, int prot)
{
	if (tlb[page].prot == PROT_NONE) {
		place[page] = nshown;
		shown[nshown++] = (uint16_t)page;
	}
	tlb[page] = (struct window_change){(uint16_t)page, (uint16_t)frame, prot};
}

static void tlb_forget(unsigned page)
{
	uint16_t last = shown[--nshown];

	shown[place[page]] = last;
	place[last] = place[page];
	tlb[page].prot = PROT_NONE;
}

bool mmu_cached(unsigned page, unsigned *frame, int *prot)
{
	*frame = tlb[page].frame;
	*prot = tlb[page].prot;
	return *prot != PROT_NONE;
}

/* -- errors of the host ------------------------------------------------------------------------------------------------- */

static void host_failed(const char *what, unsigned page)
{
	if (!error[0])
		snprintf(error, sizeof(error), "%s of page %u: %s", what, page, strerror(errno));
}

const char *mmu_error(void)
{
	return error[0] ? error : NULL;
}

/* -- walking the guest's tables -------------------------------------------------------------------------------------------- */

static gpte_t *frame_at(gpte_t entry)
{
	return (gpte_t *)(ram + (size_t)(entry >> GPTE_SHIFT) * GUEST_PAGE);
}

/* The entry of @page, or NULL. */
static gpte_t *walk(unsigned page)
{
	gpte_t upper = directory ? directory[page >> GPTE_INDEX_BITS] : 0;

	return upper & GPTE_V ? frame_at(upper) + page % GPTE_PER_TABLE : NULL;
}

/* What an access finds; the entry's A and D are set if it is allowed. */
static enum guest_fault look_up(unsigned page, bool write, gpte_t *found)
{
	gpte_t *entry = walk(page);

	if (!entry || !(*entry & GPTE_V))
		return GUEST_NOT_MAPPED;
	if (!(*entry & (write ? GPTE_W : GPTE_R)))
		return GUEST_FORBIDDEN;
	*entry |= write ? GPTE_A | GPTE_D : GPTE_A;
	*found = *entry;
	return GUEST_OK;
}

static int prot_of(gpte_t entry)
{
	int prot = entry & GPTE_R ? PROT_READ : PROT_NONE;

	return entry & GPTE_W && entry & GPTE_D ? prot | PROT_WRITE : prot;
}

/* -- faults --------------------------------------------------------------------------------------------------------------------- */

static enum guest_fault fill(unsigned page, gpte_t entry)
{
	unsigned frame = entry >> GPTE_SHIFT;
	bool there = tlb[page].prot != PROT_NONE && tlb[page].frame == frame;
	int prot = prot_of(entry);

	if (there && tlb[page].prot == prot) { /* it would happen again, for ever */
		errno = EFAULT;
		host_failed("what is shown faults: access", page);
		return GUEST_HOST_FAILED;
	}
	if ((there ? ops->allow : ops->show)(page, frame, prot)) {
		host_failed(there ? "allow" : "show", page);
		return GUEST_HOST_FAILED;
	}
	tlb_set(page, frame, prot);
	mmu_counts.filled++;
	return GUEST_OK;
}

static enum guest_fault resolve(unsigned page, bool write)
{
	gpte_t entry = 0;
	enum guest_fault found = look_up(page, write, &entry);

	return found == GUEST_OK ? fill(page, entry) : found;
}

static void on_fault(int sig, siginfo_t *info, void *user_context)
{
	const ucontext_t *uc = user_context;
	size_t offset = (size_t)((uint8_t *)info->si_addr - window);
	bool write = uc->uc_mcontext.gregs[REG_ERR] & FAULT_WRITE;

	if (!armed || sig != SIGSEGV || offset >= (size_t)GUEST_PAGES * GUEST_PAGE) {
		signal(sig, SIG_DFL); /* not the guest's: it happens again, and ends the program */
		return;
	}
	mmu_counts.faults++;
	verdict = resolve((unsigned)(offset / GUEST_PAGE), write);
	if (verdict != GUEST_OK)
		siglongjmp(landing, 1);
}

/* No system call per access: the handler may interrupt itself, and no mask is saved. */
enum guest_fault guest_load(uint32_t at, uint32_t *value)
{
	if (sigsetjmp(landing, 0)) {
		armed = 0;
		return verdict;
	}
	armed = 1;
	*value = *(volatile uint32_t *)(window + at);
	armed = 0;
	return GUEST_OK;
}

enum guest_fault guest_store(uint32_t at, uint32_t value)
{
	if (sigsetjmp(landing, 0)) {
		armed = 0;
		return verdict;
	}
	armed = 1;
	*(volatile uint32_t *)(window + at) = value;
	armed = 0;
	return GUEST_OK;
}

/* -- what the guest tells ------------------------------------------------------------------------------------------------------- */

void mmu_invalidate(unsigned page)
{
	if (tlb[page].prot == PROT_NONE)
		return;
	if (ops->hide(page))
		host_failed("hide", page);
	tlb_forget(page);
	mmu_counts.invalidated++;
}

/*
 * A context switch.  A window that takes many changes at once is given, with what must go, what the other context
 * last had, as far as its tables still allow it and say that it was accessed: no fault is needed to find that again.
 */
static struct {
	uint16_t pages[GUEST_PAGES], n;
} left_with[GUEST_CONTEXTS];
static struct window_change changes[2 * GUEST_PAGES];

static unsigned collect_hidden(void)
{
	unsigned n = 0;

	left_with[context].n = nshown;
	memcpy(left_with[context].pages, shown, nshown * sizeof(*shown));
	for (; nshown; n++) {
		changes[n] = (struct window_change){shown[0], shown[0], PROT_NONE};
		tlb_forget(shown[0]);
	}
	return n;
}

static unsigned collect_shown(unsigned n)
{
	for (unsigned i = 0; i < left_with[context].n; i++) {
		unsigned page = left_with[context].pages[i];
		const gpte_t *entry = walk(page);

		if (!entry || (*entry & (GPTE_V | GPTE_A)) != (GPTE_V | GPTE_A) || prot_of(*entry) == PROT_NONE)
			continue;
		tlb_set(page, *entry >> GPTE_SHIFT, prot_of(*entry));
		changes[n++] = tlb[page];
	}
	return n;
}

void mmu_load(unsigned number, unsigned frame)
{
	unsigned n = collect_hidden();

	context = number;
	directory = (const gpte_t *)(ram + (size_t)frame * GUEST_PAGE);
	if (ops->batches)
		n = collect_shown(n);
	if (n && ops->apply(changes, n))
		host_failed("apply", n);
	mmu_counts.switches++;
	mmu_counts.switched += n;
}

bool mmu_start(const struct window_ops *window_ops)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	ops = window_ops;
	directory = NULL;
	context = 0;
	error[0] = 0;
	mmu_counts = (struct mmu_counts){0};
	memset(tlb, 0, sizeof(tlb));
	memset(left_with, 0, sizeof(left_with));
	nshown = 0;
	return sigaction(SIGSEGV, &sa, &before) == 0;
}

void mmu_stop(void)
{
	sigaction(SIGSEGV, &before, NULL);
}
