/*
 * check.c - the auditor: everything that is written down twice must agree (H.4).
 *
 * Layer 8 (mm/debug).  Interface: debug.h.
 * Lock order: (background_stop()), mm_list_lock, every mm->lock (write) from the oldest to the youngest, then as everybody.
 *
 * The world stands still as far as it must: no address space can change while its mmap lock is held for writing, and a
 * thread that holds none of these locks is not in the middle of a change to entries.  (CPUs stopped by an interrupt
 * would be: in the middle of anything.)  What still runs are other objects' users, above all writeback, truncation and
 * read(2): they make counts differ for a moment.  So a pass that finds something is repeated, and only what the last of
 * several passes finds counts.  References that nobody accounts for (leaks) can only be judged when no system call holds
 * any; the caller says so with MM_AUDIT_LEAKS.  Then the threads of the background, which hold pages, too, stand still for
 * the length of a pass: kswapd that gets rid of a big file's pages would outlast any number of passes.
 *
 * The mmap locks are taken without telling the validator: its order within one rank is "one at a time, or parent and
 * child", and it can note only so many.  Two may be held in this order because fork, the only other one to hold two,
 * locks the parent first, and a parent is older.
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/wait.h"
#include "mm/debug/audit.h"
#include "mm/object/background.h"
#include "mm/phys/slab.h"

#define PASSES 9
#define LINES_MAX 20

static struct mutex audit_lock = MUTEX_INIT(audit_lock, LOCK_NONE);

void audit_error(struct audit *a, const char *fmt, ...)
{
	char line[MM_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!a->out->errors++)
		strlcpy(a->out->first, line, sizeof(a->out->first));
	if (a->loud && a->out->errors <= LINES_MAX)
		printk("audit: %s\n", line);
}

/* -- standing still ------------------------------------------------------------------------------------------------- */

static void freeze(struct rwsem *s)
{
	if (!rwsem_write_fast(s))
		(void)rwsem_write_slow(s, false);
	s->writer = this_cpu()->current;
}

static void thaw(struct rwsem *s)
{
	int old;

	s->writer = NULL;
	old = __atomic_fetch_sub(&s->count, RWSEM_WRITER, __ATOMIC_RELEASE);
	if (rwsem_must_wake(old, RWSEM_WRITER))
		rwsem_wake(s);
}

static void freeze_all(void)
{
	struct mm *mm;

	mutex_lock(&mm_list_lock);
	list_for_each_entry(mm, &mm_list, all_link)
		freeze(&mm->lock);
}

static void thaw_all(void)
{
	struct mm *mm;

	list_for_each_entry(mm, &mm_list, all_link)
		thaw(&mm->lock);
	mutex_unlock(&mm_list_lock);
}

/* -- memory of a pass ------------------------------------------------------------------------------------------------- */

static void audit_end(struct audit *a)
{
	for (unsigned long i = 0; a->tally && i < a->chunks; i++)
		kfree(a->tally[i]);
	kfree(a->tally);
	audit_swap_end(a);
	kfree(a->seen);
}

static bool audit_begin(struct audit *a)
{
	a->chunks = DIV_ROUND_UP(max_pfn, TALLY_CHUNK);
	a->tally = kzalloc(a->chunks * sizeof(*a->tally), GFP_KERNEL);
	a->seen = kzalloc(SEEN_SIZE * sizeof(*a->seen), GFP_KERNEL);
	if (!a->tally || !a->seen || !audit_swap_begin(a))
		return false;
	for (unsigned long i = 0; i < a->chunks; i++) {
		a->tally[i] = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!a->tally[i])
			return false;
	}
	return true;
}

static void forget(struct audit *a)
{
	for (unsigned long i = 0; i < a->chunks; i++)
		memset(a->tally[i], 0, PAGE_SIZE);
	memset(a->seen, 0, SEEN_SIZE * sizeof(*a->seen));
	audit_swap_forget(a);
	a->tables = 0;
	*a->out = (struct mm_audit){.flags = a->out->flags};
}

/* -- passes -------------------------------------------------------------------------------------------------------------- */

static void audit_pass(struct audit *a)
{
	struct mm *mm;

	forget(a);
	if (a->leaks)
		background_stop();
	freeze_all();
	list_for_each_entry(mm, &mm_list, all_link) {
		a->out->processes++;
		audit_mm(a, mm);
		audit_entries(a, mm);
		audit_subscribers(a, mm);
	}
	audit_pages(a);
	audit_lists(a);
	audit_swap(a);
	audit_memory(a);
	thaw_all();
	if (a->leaks)
		background_go();
}

/* Let others finish what they are doing. */
static void wait_a_moment(unsigned ms)
{
	struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);

	(void)wait_event_timeout(&nobody, false, ms * 1000000ull);
}

void mm_audit(struct mm_audit *arg)
{
	struct audit a = {.out = arg, .leaks = arg->flags & MM_AUDIT_LEAKS};

	mutex_lock(&audit_lock);
	if (audit_begin(&a)) {
		for (unsigned i = 1; i <= PASSES; i++) {
			a.loud = i == PASSES && !(arg->flags & MM_AUDIT_SILENT);
			audit_pass(&a);
			if (!arg->errors)
				break;
			if (i < PASSES)
				wait_a_moment(10 * i * i);
		}
	} else {
		arg->errors = 0;
		audit_error(&a, "no memory to audit with");
	}
	audit_end(&a);
	mutex_unlock(&audit_lock);
}
