/*
 * poweroff.c - end the machine; called `reboot`, start it again.
 */
#include "user/machine.h"

#include <string.h>

int main(int argc, char **argv)
{
	const char *name = argc && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

	if (argc && !strcmp(name, "reboot"))
		machine_reboot(LINUX_REBOOT_CMD_RESTART, NULL);
	else
		machine_poweroff();
	return 1;
}
