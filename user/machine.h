/*
 * machine.h - how ring 3 ends the machine.  Shared by init and poweroff.
 *
 * The agreement with kernel/proc (reboot(2)): besides Linux's commands,
 *
 *	reboot(LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART2, "exit:N")
 *
 * with a decimal N leaves the emulator through the isa-debug-exit device with code N (cpu_exit(N); QEMU's own
 * status is then 2 N + 1).  Codes: <arch/cpu.h>, enum exit_code.  Only process 1 uses it.
 */
#ifndef USER_MACHINE_H
#define USER_MACHINE_H

#include <linux/reboot.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	MACHINE_PASS = 0x10,
	MACHINE_FAIL = 0x11,
	MACHINE_EXEC = 0x40,    /* + the low six bits of a program's exit status */
	MACHINE_SIGNALLED = 63, /* in those six bits: it was killed */
};

static inline void machine_reboot(unsigned command, const char *arg)
{
	sync();
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, arg);
	perror("reboot");
}

static inline void machine_exit(unsigned code)
{
	char arg[32];

	snprintf(arg, sizeof(arg), "exit:%u", code);
	machine_reboot(LINUX_REBOOT_CMD_RESTART2, arg);
}

static inline void machine_poweroff(void)
{
	machine_reboot(LINUX_REBOOT_CMD_POWER_OFF, NULL);
}

#endif
