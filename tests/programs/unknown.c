/* unknown.c - asks for calls that are not there: twice for ptrace, once for a number that no system has. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	int wrong = 0;

	for (int i = 0; i < 2; i++)
		wrong += syscall(SYS_ptrace, 16, 0, 0, 0) != -1 || errno != ENOSYS;
	wrong += syscall(499) != -1 || errno != ENOSYS;
	printf("unknown calls: %s\n", wrong ? "WRONG" : "ENOSYS");
	return wrong;
}
