/*
 * proc_pin.c - /proc/sys/vm/pin_longterm: may a program pin a file's page for long, to be written?
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

void procfs_register_pin(void)
{
	proc_register_rw("sys/vm/pin_longterm", longterm_show, longterm_store);
}
