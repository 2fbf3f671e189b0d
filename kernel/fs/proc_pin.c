/*
 * proc_pin.c - /proc/pinstat: pins so far, and what other rules would have said of them; and
 * /proc/sys/vm/pin_longterm: may a program pin a file's page for long, to be written?
 *
 * Layer 9 (kernel/fs).  Interface: vfs_internal.h.
 *
 *   leases         yes: the pin is a lease (mm/service/pin.h)
 *   linux-compat   no, if the file tracks dirty pages, -EFAULT; of tmpfs and private mappings, yes
 */
#include "kernel/fs/procfs.h"
#include "kernel/fs/vfs_internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/object/pin_witness.h"
#include "mm/service/pin.h"

static const char *const modes[] = {"leases", "linux-compat"};

static int longterm_show(struct proc_buf *b)
{
	proc_printf(b, "%s\n", modes[READ_ONCE(pin_linux_compat)]);
	return 0;
}

static int longterm_store(const char *text, size_t n)
{
	if (n && text[n - 1] == '\n')
		n--;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		if (n == strlen(modes[i]) && !memcmp(text, modes[i], n)) {
			WRITE_ONCE(pin_linux_compat, i == 1);
			return 0;
		}
	}
	return -EINVAL;
}

static void show_rule(struct proc_buf *b, const char *name, const struct pin_rule *rule)
{
	proc_printf(b, "%s_missed %lu\n%s_phantom %lu\n", name, READ_ONCE(rule->missed), name, READ_ONCE(rule->phantom));
}

/* Names of values, a line each.  Debug builds judge writeback's verdicts by other rules, too: mm/object/pin_witness.h. */
static int pinstat_show(struct proc_buf *b)
{
	const struct pin_witness_stat *st = &pin_witness_stat;
	unsigned long released = READ_ONCE(pin_released), acquired = READ_ONCE(pin_acquired);

	proc_printf(b, "acquired %lu\nreleased %lu\nheld %ld\n", acquired, released, (long)(acquired - released));
	if (!DEBUG)
		return 0;
	proc_printf(b, "verdicts %lu\nverdicts_pinned %lu\n", READ_ONCE(st->verdicts), READ_ONCE(st->pinned));
	show_rule(b, "one_walk", &st->one_walk);
	show_rule(b, "two_walks", &st->two_walks);
	proc_printf(b, "two_walks_again %lu\ntwo_walks_impossible %lu\ntwo_walks_unwatched %lu\n", READ_ONCE(st->rewalks),
	            READ_ONCE(st->impossible), READ_ONCE(st->unwatched));
	show_rule(b, "bias", &st->bias);
	return 0;
}

void procfs_register_pin(void)
{
	proc_register("pinstat", pinstat_show);
	proc_register_rw("sys/vm/pin_longterm", longterm_show, longterm_store);
}
