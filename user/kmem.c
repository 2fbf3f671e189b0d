/*
 * kmem.c - see kmem.h.  Reads with plain system calls into static memory: nothing is allocated between two
 * readings.
 */
#include "user/kmem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char buf[1 << 20];

static char *slurp(const char *path)
{
	size_t n = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY);

	buf[0] = 0;
	if (fd < 0)
		return buf;
	while (n < sizeof(buf) - 1 && (got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	buf[n] = 0;
	return buf;
}

/* "Name:   123 kB" in bytes, or -1. */
static long meminfo(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = text; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL)
		if (!strncmp(s, name, n) && s[n] == ':')
			return atol(s + n + 1) * 1024;
	return -1;
}

/* name active num objsize objperslab pagesperslab : tunables a b c : slabdata active num shared */
static long slabinfo(const char *text)
{
	long sum = 0;
	bool any = false;

	for (const char *s = text; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL) {
		const char *data = strstr(s, ": slabdata");
		unsigned long size, per, pages, active, slabs;

		if (sscanf(s, "%*s %*u %*u %lu %lu %lu", &size, &per, &pages) != 3 || !data ||
		    sscanf(data, ": slabdata %lu %lu", &active, &slabs) != 2)
			continue;
		sum += (long)(slabs * pages * 4096);
		any = true;
	}
	return any ? sum : -1;
}

struct kmem kmem_read(void)
{
	struct kmem k;
	const char *text = slurp("/proc/meminfo");

	k.table_bytes = meminfo(text, "PageTables");
	k.free_bytes = meminfo(text, "MemFree");
	k.slab_bytes = meminfo(text, "Slab");
	if (k.slab_bytes < 0)
		k.slab_bytes = slabinfo(slurp("/proc/slabinfo"));
	return k;
}

unsigned kmem_maps_lines(const void *p, unsigned long size)
{
	static char chunk[65536];
	unsigned long lo = (unsigned long)p, hi = lo + size, start, end;
	unsigned lines = 0;
	size_t have = 0;
	ssize_t got;
	int fd = open("/proc/self/maps", O_RDONLY);

	while (fd >= 0 && (got = read(fd, chunk + have, sizeof(chunk) - 1 - have)) > 0) {
		char *s = chunk, *eol;

		have += (size_t)got;
		chunk[have] = 0;
		for (; (eol = strchr(s, '\n')) != NULL; s = eol + 1)
			if (sscanf(s, "%lx-%lx", &start, &end) == 2 && start < hi && end > lo)
				lines++;
		have -= (size_t)(s - chunk);
		memmove(chunk, s, have);
	}
	if (fd >= 0)
		close(fd);
	return lines;
}
