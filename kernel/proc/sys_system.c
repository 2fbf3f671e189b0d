/*
 * sys_system.c - the machine as a whole: names, memory totals, random bytes, the kernel's log, the end.  Layer 9.
 */
#include <arch/uaccess.h>
#include "kernel/fs/vfs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/dev/random.h"
#include "kernel/proc/syscalls.h"

static char hostname[65] = "pteron";
static char domainname[65] = "(none)";

long sys_uname(struct abi_utsname *user)
{
	struct abi_utsname u;

	memset(&u, 0, sizeof(u));
	strlcpy(u.sysname, "Linux", sizeof(u.sysname)); /* programs ask for this name */
	strlcpy(u.nodename, hostname, sizeof(u.nodename));
	strlcpy(u.release, "6.12.0-pteron", sizeof(u.release));
	strlcpy(u.version, "#1 Pteron", sizeof(u.version));
	strlcpy(u.machine, ABI_MACHINE, sizeof(u.machine));
	strlcpy(u.domainname, domainname, sizeof(u.domainname));
	return copy_to_user(user, &u, sizeof(u));
}

static long set_host(char *to, const char *user, int len)
{
	char name[65];

	if (len < 0 || len > 64)
		return -EINVAL;
	if (copy_from_user(name, user, (size_t)len))
		return -EFAULT;
	memset(name + len, 0, sizeof(name) - (size_t)len);
	memcpy(to, name, sizeof(name));
	return 0;
}

long sys_sethostname(const char *name, int len)
{
	return set_host(hostname, name, len);
}

long sys_setdomainname(const char *name, int len)
{
	return set_host(domainname, name, len);
}

static u16 count_processes(void)
{
	struct process *p;
	unsigned n = 0;

	spin_lock(&process_lock);
	list_for_each_entry(p, &process_list, all_link)
		n++;
	spin_unlock(&process_lock);
	return (u16)n;
}

/* Sizes in units of a page on 32 bits (there may be more than 4 GiB), in bytes on 64. */
long sys_sysinfo(struct abi_sysinfo *user)
{
	unsigned long unit = sizeof(long) == 8 ? 1 : PAGE_SIZE, per_page = PAGE_SIZE / unit;
	struct abi_sysinfo info;
	struct phys_stat st;

	phys_stat(&st);
	memset(&info, 0, sizeof(info));
	info.uptime = (long)(clock_ns() / NSEC_PER_SEC);
	for (unsigned i = 0; i < LOAD_AVERAGES; i++)
		info.loads[i] = sched_load(i); /* LOAD_ONE is the unit here, too */
	info.totalram = st.total * per_page;
	info.freeram = st.free * per_page;
	info.totalhigh = st.high_total * per_page;
	info.freehigh = st.high_free * per_page;
	info.procs = count_processes();
	info.mem_unit = (u32)unit;
	return copy_to_user(user, &info, sizeof(info));
}

#define GRND_NONBLOCK 1
#define GRND_RANDOM 2
#define GRND_INSECURE 4

long sys_getrandom(void *buf, size_t n, unsigned flags)
{
	u8 chunk[256];
	size_t done = 0;

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	n = min(n, (size_t)0x7ffff000);
	while (done < n) {
		size_t part = min(n - done, sizeof(chunk)), missed;

		random_bytes(chunk, part);
		missed = copy_to_user_some((u8 *)buf + done, chunk, part);
		done += part - missed;
		if (missed)
			return done ? (long)done : -EFAULT;
		if (signal_pending(current_thread()))
			break;
		cond_resched();
	}
	return (long)done;
}

#define REBOOT_MAGIC1 0xfee1dead
#define REBOOT_RESTART 0x01234567
#define REBOOT_HALT 0xcdef0123
#define REBOOT_CAD_ON 0x89abcdef
#define REBOOT_CAD_OFF 0
#define REBOOT_POWER_OFF 0x4321fedc
#define REBOOT_RESTART2 0xa1b2c3d4

static bool magic2_ok(unsigned m)
{
	return m == 672274793 || m == 85072278 || m == 369367448 || m == 537993216;
}

/* RESTART2's argument "exit:N": leave the emulator with code N (a debug-exit port must be there); else restart. */
static int exit_request(const char *user, unsigned *code)
{
	char text[32], *end;
	ssize_t n = strncpy_from_user(text, user, sizeof(text));
	bool wanted;

	if (n < 0)
		return (int)n;
	wanted = !strncmp(text, "exit:", 5);
	*code = wanted ? (unsigned)strtoul(text + 5, &end, 0) : 0;
	return wanted && (end == text + 5 || *end) ? -EINVAL : 0;
}

long sys_reboot(int magic1, int magic2, unsigned cmd, void *arg)
{
	unsigned code = 0;
	int err;

	if ((unsigned)magic1 != REBOOT_MAGIC1 || !magic2_ok((unsigned)magic2))
		return -EINVAL;
	if (cmd == REBOOT_RESTART2 && (err = exit_request(arg, &code)))
		return err;
	switch (cmd) {
	case REBOOT_CAD_ON:
	case REBOOT_CAD_OFF:
		return 0;
	case REBOOT_RESTART:
	case REBOOT_RESTART2:
		vfs_sync();
		machine_stop(MACHINE_RESTART, (int)code);
		return 0;
	case REBOOT_POWER_OFF:
		vfs_sync();
		machine_stop(MACHINE_POWEROFF, 0);
		return 0;
	case REBOOT_HALT:
		vfs_sync();
		machine_stop(MACHINE_HALT, 0);
		return 0;
	default:
		return -EINVAL;
	}
}

/* dmesg: the log's ring. */
#define SYSLOG_READ_ALL 3
#define SYSLOG_READ_CLEAR 4
#define SYSLOG_SIZE_UNREAD 9
#define SYSLOG_SIZE_BUFFER 10
#define LOG_SIZE 32768

static long log_to_user(char *user, size_t n)
{
	unsigned long pos = 0;
	char chunk[256];
	size_t done = 0, got;

	while (done < n && (got = log_read(&pos, chunk, min(sizeof(chunk), n - done)))) {
		if (copy_to_user(user + done, chunk, got))
			return -EFAULT;
		done += got;
	}
	return (long)done;
}

long sys_syslog(int type, char *buf, int len)
{
	switch (type) {
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		return !buf || len < 0 ? -EINVAL : log_to_user(buf, (size_t)len);
	case SYSLOG_SIZE_UNREAD:
		return 0;
	case SYSLOG_SIZE_BUFFER:
		return LOG_SIZE;
	default:
		return type >= 0 && type <= 8 ? 0 : -EINVAL;
	}
}
