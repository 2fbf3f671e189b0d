/*
 * util.c - what many tests need: mappings, tagged files, /proc parsing, children, directories.
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXT_MAGIC 0xEF53
#define TMPFS_MAGIC 0x01021994

const bool is64 = sizeof(long) == 8;
volatile uintptr_t bad_address = 8;

/* -- memory ------------------------------------------------------------------------------------------------ */

long rfp(void *start, size_t size, int prot, size_t pgoff, int flags)
{
	return syscall(SYS_remap_file_pages, start, size, prot, pgoff, flags);
}

u8 *map_anon(size_t pages, int prot)
{
	return CHECK_OK(mmap(NULL, pages * P, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

u8 *map_shared(int fd, size_t pages, int prot)
{
	return CHECK_OK(mmap(NULL, pages * P, prot, MAP_SHARED, fd, 0));
}

void tag_file(int fd, size_t pages)
{
	u8 page[4096] = {0};

	for (size_t i = 0; i < pages; i++) {
		u64 value = i;

		memcpy(page, &value, sizeof(value));
		CHECK_EQ(pwrite(fd, page, P, (off_t)(i * P)), P);
	}
}

int tagged_memfd(size_t pages)
{
	int fd = CHECK_OK((int)syscall(SYS_memfd_create, "tagged", 0));

	tag_file(fd, pages);
	return fd;
}

u64 file_tag(int fd, size_t page)
{
	u64 value = ~0ull;

	CHECK_EQ(pread(fd, &value, sizeof(value), (off_t)page * (off_t)P), sizeof(value));
	return value;
}

bool on_pteron(void)
{
	static int known = -1;
	int fd;
	void *p;

	if (known >= 0)
		return known;
	fd = CHECK_OK((int)syscall(SYS_memfd_create, "probe", 0));
	CHECK_OK(ftruncate(fd, P));
	p = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	known = rfp(p, P, PROT_READ, 0, MAP_CHGPROT) == 0;
	munmap(p, P);
	close(fd);
	return known;
}

bool has_nx(void)
{
	static int known = -1;
	u8 *p;

	if (known >= 0)
		return known;
	p = map_anon(1, PROT_READ | PROT_WRITE);
	memset(p, RET_INSN, P);
	known = try_exec(p).signo != 0;
	munmap(p, P);
	return known;
}

int resident(const volatile void *p)
{
	u8 vec = 0;

	if (mincore((void *)((uintptr_t)p & ~(uintptr_t)(P - 1)), P, &vec))
		return -errno;
	return vec & 1;
}

/* -- /proc --------------------------------------------------------------------------------------------------- */

/* Reads the whole file into a static buffer: stdio would allocate, and so change the maps being read. */
static char *slurp(const char *path)
{
	static char buf[512 << 10];
	size_t n = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return NULL;
	while (n < sizeof(buf) - 1 && (got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	buf[n] = 0;
	return buf;
}

int vma_count(const volatile void *p, size_t size, char line[256])
{
	ulong lo = (ulong)p, hi = lo + size;
	char *s = slurp("/proc/self/maps");
	int count = 0;

	CHECK(s != NULL);
	while (*s) {
		ulong start, end;
		char *eol = strchrnul(s, '\n');

		if (sscanf(s, "%lx-%lx", &start, &end) == 2 && start < hi && end > lo && count++ == 0 && line)
			snprintf(line, 256, "%.*s", (int)(eol - s), s);
		s = *eol ? eol + 1 : eol;
	}
	return count;
}

bool vma_at(const volatile void *p, char perms[5], u64 *offset, ulong *start, ulong *end)
{
	char line[256];
	ulong a, b;
	unsigned long long off;
	char per[8];

	if (vma_count(p, 1, line) != 1 || sscanf(line, "%lx-%lx %7s %llx", &a, &b, per, &off) != 4)
		return false;
	if (perms)
		memcpy(perms, per, 5);
	if (offset)
		*offset = off;
	if (start)
		*start = a;
	if (end)
		*end = b;
	return true;
}

static long proc_value(const char *path, const char *name)
{
	char *s = slurp(path);
	size_t n = strlen(name);

	for (; s && *s; s = *strchrnul(s, '\n') ? strchrnul(s, '\n') + 1 : s + strlen(s))
		if (!strncmp(s, name, n) && (s[n] == ':' || s[n] == ' '))
			return atol(s + n + 1);
	return -1;
}

long vmstat(const char *name)
{
	return proc_value("/proc/vmstat", name);
}

long meminfo_kb(const char *name)
{
	return proc_value("/proc/meminfo", name);
}

long status_kb(const char *name)
{
	return proc_value("/proc/self/status", name);
}

long smaps_kb(const volatile void *p, size_t size, const char *name)
{
	ulong lo = (ulong)p, hi = lo + size, start, end;
	char *s = slurp("/proc/self/smaps"), *next;
	size_t n = strlen(name);
	bool here = false;
	long sum = -1;

	CHECK(s != NULL);
	for (; *s; s = next) {
		next = strchrnul(s, '\n');
		next += *next != 0;
		if (sscanf(s, "%lx-%lx ", &start, &end) == 2)
			here = start < hi && end > lo;
		else if (here && !strncmp(s, name, n) && s[n] == ':')
			sum = (sum < 0 ? 0 : sum) + atol(s + n + 1);
	}
	return sum;
}

/* -- children ------------------------------------------------------------------------------------------------- */

static int reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			FAIL("waitpid(%d): errno %d", (int)pid, errno);
	return status;
}

void join(pid_t pid)
{
	int status;

	if (pid < 0)
		FAIL("fork: errno %d", errno);
	status = reap(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		_exit(77);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		FAIL("child ended with status 0x%x", status);
}

void join_signal(pid_t pid, int signo)
{
	int status = reap(pid);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != signo)
		FAIL("child ended with status 0x%x, expected death by signal %d", status, signo);
}

void join_exit(pid_t pid, int code)
{
	int status = reap(pid);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		FAIL("child ended with status 0x%x, expected exit %d", status, code);
}

void in_child(void (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	join(pid);
}

/* -- files ------------------------------------------------------------------------------------------------------- */

char *path_in(const char *dir, const char *name)
{
	static char ring[32][256];
	static unsigned next;
	char *p = ring[next++ % 32];

	snprintf(p, sizeof(ring[0]), "%s/%s", dir, name);
	return p;
}

/* Empties one level deep, twice, which is all that tests make. */
static void wipe(const char *dir, int depth)
{
	char cmd[600];
	u8 buf[2048];
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	bool again = true;

	while (fd >= 0 && again) {
		long n;

		again = false;
		lseek(fd, 0, SEEK_SET);
		while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
			for (long i = 0; i < n; i += *(uint16_t *)(buf + i + 16)) {
				char *name = (char *)buf + i + 19;

				if (!strcmp(name, ".") || !strcmp(name, ".."))
					continue;
				snprintf(cmd, sizeof(cmd), "%s/%s", dir, name);
				if (buf[i + 18] == 4 && depth < 6)
					wipe(cmd, depth + 1);
				if (!unlink(cmd) || !rmdir(cmd))
					again = true;
			}
	}
	if (fd >= 0)
		close(fd);
	rmdir(dir);
}

static const char *fresh_dir(const char *const *candidates, long magic, char out[64])
{
	struct statfs fs;

	for (; *candidates; candidates++) {
		if (statfs(*candidates, &fs) || (long)fs.f_type != magic)
			continue;
		snprintf(out, 64, "%s/suite.tmp", strcmp(*candidates, "/") ? *candidates : "");
		wipe(out, 0);
		if (mkdir(out, 0700) == 0)
			return out;
	}
	return NULL;
}

const char *tmp_dir(void)
{
	static const char *const where[] = {"/tmp", "/dev/shm", "/run", NULL};
	static char path[64];

	if (!path[0] && !fresh_dir(where, TMPFS_MAGIC, path))
		SKIP("no writable tmpfs");
	return path;
}

const char *disk_dir(void)
{
	static const char *where[] = {"/mnt", "/var/tmp", "/root", "/tmp", "/", NULL, NULL};
	static char path[64];

	if (getenv("SUITE_DISK"))
		where[0] = getenv("SUITE_DISK");
	if (!path[0] && !fresh_dir(where, EXT_MAGIC, path))
		SKIP("no writable ext2");
	return path;
}

int make_file(const char *dir, const char *name, int flags)
{
	return CHECK_OK(open(path_in(dir, name), O_RDWR | O_CREAT | O_TRUNC | flags, 0644));
}

void sleep_ms(unsigned ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000L};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

u64 now_ns(void)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &ts));
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

u32 rnd(u32 *state)
{
	u32 x = *state ? *state : 0x9e3779b9;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}
