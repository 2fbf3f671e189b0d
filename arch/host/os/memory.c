/*
 * memory.c - memory of the process.  arch/host/os.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "arch/host/os/os.h"

static void *checked(void *p, const char *what)
{
	if (p && p != MAP_FAILED)
		return p;
	perror(what);
	_Exit(99);
}

void *os_memory_reserve(uint64_t size)
{
	return checked(mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
	               "os_memory_reserve");
}

void os_memory_open(void *start, uint64_t size)
{
	if (mprotect(start, size, PROT_READ | PROT_WRITE))
		checked(NULL, "os_memory_open");
}

void *os_shared(size_t size)
{
	return checked(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), "os_shared");
}

void *os_alloc(size_t size)
{
	return checked(calloc(1, size), "os_alloc");
}

void os_free(void *p)
{
	free(p);
}
