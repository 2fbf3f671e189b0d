/*
 * disk.c - see disk.h.
 */
#define _GNU_SOURCE
#include "disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void add_diskstats(struct disk_stat *st)
{
	FILE *f = fopen("/proc/diskstats", "r");
	char line[256];
	long v[5];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %*d %*s %ld %*d %ld %*d %ld %*d %ld", &v[0], &v[1], &v[2], &v[3]) == 4) {
			st->reads += v[0];
			st->sectors_read += v[1];
			st->writes += v[2];
			st->sectors_written += v[3];
		}
	if (f)
		fclose(f);
}

static void add_blockstats(struct disk_stat *st)
{
	FILE *f = fopen("/proc/blockstats", "r");
	char line[256];
	long v[7];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %ld %*d %*d %*d %ld %*d %*d %*d %ld %ld %ld %ld %ld", &v[0], &v[1], &v[2], &v[3], &v[4],
		           &v[5], &v[6]) == 7) {
			st->small += v[0];
			st->large += v[1];
			st->copied += v[2];
			st->checked += v[3];
			st->mismatches += v[4];
			st->meta += v[5];
			st->meta_sectors += v[6];
		}
	if (f)
		fclose(f);
}

struct disk_stat disk_stat(void)
{
	struct disk_stat st = {0};

	add_diskstats(&st);
	add_blockstats(&st);
	return st;
}

struct disk_stat disk_since(struct disk_stat before)
{
	struct disk_stat now = disk_stat();
	long *to = (long *)&now, *from = (long *)&before;

	for (size_t i = 0; i < sizeof(now) / sizeof(long); i++)
		to[i] -= from[i];
	return now;
}

long data_request_kib(struct disk_stat st)
{
	long requests = st.reads + st.writes - st.meta;

	return requests ? (st.sectors_read + st.sectors_written - st.meta_sectors) / 2 / requests : 0;
}

void vm_set(const char *name, const char *text)
{
	int fd = CHECK_OK(open(path_in("/proc/sys/vm", name), O_WRONLY));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_OK(close(fd));
}

void vm_set_number(const char *name, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", value);
	vm_set(name, text);
}

long vm_number(const char *name)
{
	char text[32] = "";
	int fd = CHECK_OK(open(path_in("/proc/sys/vm", name), O_RDONLY));

	CHECK_OP(read(fd, text, sizeof(text) - 1), >, 0);
	CHECK_OK(close(fd));
	return strtol(text, NULL, 10);
}

void drop_caches(void)
{
	sync();
	if (on_pteron()) /* elsewhere it would disturb the whole machine, if it is allowed at all */
		vm_set("drop_caches", "1\n");
}

size_t cached_pages(int fd, size_t pages)
{
	unsigned char *vec = malloc(pages);
	u8 *p = CHECK_OK(mmap(NULL, pages * P, PROT_READ, MAP_SHARED, fd, 0));
	size_t n = 0;

	CHECK(vec != NULL);
	CHECK_OK(mincore(p, pages * P, vec));
	for (size_t i = 0; i < pages; i++)
		n += vec[i] & 1;
	CHECK_OK(munmap(p, pages * P));
	free(vec);
	return n;
}
