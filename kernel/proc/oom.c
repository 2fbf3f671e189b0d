/*
 * oom.c - memory is out: who is killed, and what is said about it.  Layer 10.
 *
 * Lock order: process_lock, then siglock.  One victim at a time: until it has left its address space nobody else is
 * chosen, unless it takes longer than VICTIM_NS.
 *
 * The score is Linux's: pages in memory, in swap and of tables, plus oom_score_adj thousandths of all memory; process 1,
 * those with -1000 and those that are dying are never chosen.  A thread of the victim may use the reserve, so that it
 * can leave.
 */
#include "kernel/proc/oom.h"

#include <arch/irq.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/printk.h"
#include "kernel/proc/process.h"
#include "kernel/sync/wait.h"
#include "mm/object/swap.h"
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/service/reclaim.h"

#define VICTIM_NS 5000000000ull
#define PAUSE_NS 10000000ull
#define TASKS_SHOWN 24
#define KIB(pages) ((unsigned long)(pages) * (PAGE_SIZE / 1024))

/* process_lock */
static struct process *victim; /* reference */
static u64 victim_since;

static unsigned long total_pages(void)
{
	struct phys_stat phys;
	struct swap_stat swap;

	phys_stat(&phys);
	swap_stat(&swap);
	return phys.total + swap.total;
}

/* -- who ------------------------------------------------------------------------------------------------------------------ */

/* => process_lock. A process's mm goes under its fs_lock */
static unsigned long pages_of(struct process *p, unsigned long *rss, unsigned long *swap, unsigned long *tables)
{
	*rss = *swap = *tables = 0;
	spin_lock(&p->fs_lock);
	if (p->mm) {
		*rss = READ_ONCE(p->mm->pt.nr_pages);
		*swap = READ_ONCE(p->mm->pt.nr_swap);
		*tables = READ_ONCE(p->mm->pt.nr_tables);
	}
	spin_unlock(&p->fs_lock);
	return *rss + *swap + *tables;
}

/* Pages, adjusted; 0: not to be chosen. => process_lock */
static unsigned long badness(struct process *p, unsigned long total)
{
	unsigned long rss, swap, tables;
	long points = (long)pages_of(p, &rss, &swap, &tables);
	long adjustment = READ_ONCE(p->oom_score_adj);

	if (!points || p->is_init || p->state != PROCESS_ALIVE || READ_ONCE(p->group_exit) || adjustment == -1000)
		return 0;
	points += adjustment * (long)(total / 1000);
	return points > 0 ? (unsigned long)points : 1;
}

unsigned oom_score(struct process *p)
{
	unsigned long total = total_pages(), points;

	spin_lock(&process_lock);
	points = badness(p, total);
	spin_unlock(&process_lock);
	return (unsigned)min(points * 1000ull / total, 2000ull);
}

/* => process_lock */
static struct process *choose(unsigned long total)
{
	struct process *p, *worst = NULL;
	unsigned long most = 0;

	list_for_each_entry(p, &process_list, all_link) {
		unsigned long points = badness(p, total);

		if (points > most) {
			most = points;
			worst = p;
		}
	}
	return worst;
}

/* -- the report ------------------------------------------------------------------------------------------------------------ */

static void report_totals(void)
{
	struct phys_stat phys;
	struct swap_stat swap;

	phys_stat(&phys);
	swap_stat(&swap);
	printk("oom: memory %lu KiB, free %lu, slab %lu, tables %lu; swap %lu KiB, free %lu\n", KIB(phys.total),
	       KIB(phys.free), KIB(phys.slab), KIB(phys.tables), KIB(swap.total), KIB(swap.free));
	printk("oom: active anon %lu KiB, inactive anon %lu, active file %lu, inactive file %lu, unevictable %lu\n",
	       KIB(lru_count(LRU_ACTIVE_ANON)), KIB(lru_count(LRU_INACTIVE_ANON)), KIB(lru_count(LRU_ACTIVE_FILE)),
	       KIB(lru_count(LRU_INACTIVE_FILE)), KIB(lru_count(LRU_UNEVICTABLE)));
}

/* => process_lock */
static void report_tasks(void)
{
	unsigned shown = 0, left = 0;
	struct process *p;

	printk("oom:     pid      rss KiB     swap KiB   tables KiB    adj  name\n");
	list_for_each_entry(p, &process_list, all_link) {
		unsigned long rss, swap, tables;

		if (!pages_of(p, &rss, &swap, &tables))
			continue;
		if (shown++ < TASKS_SHOWN)
			printk("oom: %7d %12lu %12lu %12lu %6d  %s%s\n", p->pid, KIB(rss), KIB(swap), KIB(tables), p->oom_score_adj,
			       p->comm, p->group_exit ? " (dying)" : "");
		else
			left++;
	}
	if (left)
		printk("oom: and %u more\n", left);
}

/* -- the deed ---------------------------------------------------------------------------------------------------------------- */

static void grant_reserve(struct process *p)
{
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	struct thread *t;

	list_for_each_entry(t, &p->threads, process_link)
		__atomic_fetch_or(&t->memory_rights, SYNC_MEMORY_DYING, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* Is the last victim still on its way out, and not for too long? => process_lock */
static bool victim_is_leaving(void)
{
	struct process *old = victim;
	bool gone;

	if (!old)
		return false;
	spin_lock(&old->fs_lock);
	gone = !old->mm;
	spin_unlock(&old->fs_lock);
	return !gone && arch_clock_ns() - victim_since < VICTIM_NS;
}

static void report(const struct process *asks, vaddr_t addr)
{
	printk("oom: %s (pid %d) got no memory for %lx\n", asks->comm, asks->pid, (unsigned long)addr);
	report_totals();
	report_tasks();
}

/* => process_lock. Returns the victim before this one, whose reference is the caller's to drop, or NULL */
static struct process *kill(struct process *p)
{
	struct process *old = victim;

	printk("oom: killed %s (pid %d)\n", p->comm, p->pid);
	process_get(p);
	victim = p;
	victim_since = arch_clock_ns();
	grant_reserve(p);
	process_group_exit(p, SIGKILL);
	vm_count(VM_OOM_KILL, 1);
	return old;
}

/* Choose and kill, unless somebody is leaving. Where nobody may be chosen, who asks goes. */
static struct process *kill_one(vaddr_t addr)
{
	struct process *asks = current_process(), *old = NULL, *p;
	unsigned long total = total_pages();

	spin_lock(&process_lock);
	if (!victim_is_leaving()) {
		report(asks, addr);
		p = choose(total);
		if (!p && asks->is_init)
			panic("out of memory, and nobody left to kill\n");
		old = kill(p ? p : asks);
	}
	spin_unlock(&process_lock);
	return old;
}

static void pause(void)
{
	struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);

	(void)wait_event_timeout(&nobody, false, PAUSE_NS);
}

bool oom_resolve(vaddr_t addr)
{
	struct process *old;

	if (sync_fatal_pending())
		return false;
	if (!reclaim_hopeless())
		return true; /* there is some again */
	old = kill_one(addr);
	if (old)
		process_put(old);
	if (sync_fatal_pending())
		return false;
	pause();
	return true;
}
