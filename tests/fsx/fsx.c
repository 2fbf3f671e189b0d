/*
 * fsx.c - random operations on one file by several threads, against a copy of it in memory.
 *
 *   fsx [-s SEED] [-n OPERATIONS] [-t THREADS] [-m DISK] FILE
 *
 * After the idea of the "file system exerciser" (A. Jacobson, Apple, 1991): whatever way the file is changed or
 * looked at (read, write, loads and stores through linear and nonlinear mappings, truncate, punched holes, msync,
 * fsync, remap_file_pages, O_DIRECT), it must be what the copy says.  -m mounts the ext2 file system of /dev/DISK at /mnt
 * first.  A static program that runs on Linux and on Pteron.
 *
 * Two threads never work on the same bytes at once, but often on the same page: the file is divided into chunks of
 * CHUNK bytes, each with a lock, and an operation takes those of its range.  What changes the size has the file for
 * itself.  An O_DIRECT operation has its sectors; where the system does not promise that the rest of a page is safe
 * meanwhile (Linux), its pages.  A thread's operations follow from the seed; with -t 1 so does all that happens.  On a mismatch the last
 * operations on that place are printed, in the order in which they had its lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES 128u
#define FILE_MAX (PAGES * PAGE)
#define CHUNK 1500u /* so that most pages have parts of several */
#define CHUNKS (FILE_MAX / CHUNK + 1)
#define LENGTH_MAX 16000u
#define THREADS_MAX 16
#define HISTORY 65536u

enum kind {
	READ,
	WRITE,
	LOAD,
	STORE,
	WINDOW_LOAD,
	WINDOW_STORE,
	TRUNCATE,
	PUNCH,
	MSYNC,
	FSYNC,
	REMAP,
	DREAD,
	DWRITE,
	KINDS
};

static const char *const kind_names[KINDS] = {"read",         "write",       "load",        "store", "window load",
                                              "window store", "truncate",    "punch",       "msync", "fsync",
                                              "remap",        "direct read", "direct write"};

struct done {
	enum kind kind;
	int thread;
	uint32_t offset, length;
};

struct thread {
	pthread_t id;
	int number, fd, direct; /* direct: with O_DIRECT, or fd again where there is no such thing */
	uint64_t random;
	uint8_t *map;            /* the whole file */
	uint8_t *window;         /* the same, its pages in any order */
	unsigned showing[PAGES]; /* entry of the window -> page of the file */
	uint8_t bytes[LENGTH_MAX];
	uint8_t aligned[LENGTH_MAX] __attribute__((aligned(4096)));
};

static const char *path;
static uint8_t copy[FILE_MAX];
static uint32_t size; /* w: alone; r: chunk locks' gate */
static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t chunks[CHUNKS];
static pthread_mutex_t failing = PTHREAD_MUTEX_INITIALIZER;
static struct done history[HISTORY];
static atomic_uint performed;
static unsigned wanted = 20000;
static uint64_t seed;
static atomic_ulong count[KINDS];
static uint32_t sector = 512; /* what O_DIRECT moves */
static uint32_t safe = 512;   /* and what has to be left alone meanwhile */

static uint32_t below(struct thread *t, uint32_t n)
{
	t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((t->random >> 32) * n >> 32);
}

/* -- failing ------------------------------------------------------------------------------------------------------ */

static void print_history(uint32_t offset)
{
	unsigned end = performed, begin = end > HISTORY ? end - HISTORY : 0, shown = 0;

	for (unsigned i = end; i > begin && shown < 40; i--) {
		const struct done *d = &history[(i - 1) % HISTORY];
		bool whole = d->kind == TRUNCATE;

		if (!whole && (offset < d->offset || offset - d->offset >= d->length))
			continue;
		printf("# %u: thread %d %s [%u, %u)\n", i - 1, d->thread, kind_names[d->kind], d->offset,
		       d->offset + d->length);
		shown++;
	}
}

static void __attribute__((noreturn, format(printf, 3, 4)))
fail(struct thread *t, uint32_t offset, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	pthread_mutex_lock(&failing); /* kept: the first one ends us all */
	printf("fsx: thread %d: ", t->number);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (errno %d, size %u, page %u)\n", err, size, offset / PAGE);
	print_history(offset);
	printf("fsx: repeat: fsx -s %llu\n", (unsigned long long)seed);
	exit(1);
}

static void compare(struct thread *t, enum kind kind, const volatile uint8_t *got, uint32_t offset, uint32_t length)
{
	if (!memcmp((const void *)got, copy + offset, length))
		return;
	for (uint32_t i = 0; i < length; i++)
		if (got[i] != copy[offset + i])
			fail(t, offset + i, "%s: byte %u is %02x, not %02x", kind_names[kind], offset + i, got[i],
			     copy[offset + i]);
	fail(t, offset, "%s: [%u, +%u) was wrong, and is right when it is looked at again", kind_names[kind], offset,
	     length);
}

/* -- locks --------------------------------------------------------------------------------------------------------- */

static void note(struct thread *t, enum kind kind, uint32_t offset, uint32_t length)
{
	history[atomic_fetch_add(&performed, 1) % HISTORY] = (struct done){kind, t->number, offset, length};
	count[kind]++;
}

static void lock_range(uint32_t offset, uint32_t length)
{
	for (uint32_t c = offset / CHUNK; length && c <= (offset + length - 1) / CHUNK; c++)
		pthread_mutex_lock(&chunks[c]);
}

static void unlock_range(uint32_t offset, uint32_t length)
{
	for (uint32_t c = offset / CHUNK; length && c <= (offset + length - 1) / CHUNK; c++)
		pthread_mutex_unlock(&chunks[c]);
	pthread_rwlock_unlock(&gate);
}

/* Choose a range of the file and lock it; false: the file is empty. */
static bool take_range(struct thread *t, enum kind kind, uint32_t *offset, uint32_t *length)
{
	pthread_rwlock_rdlock(&gate);
	if (!size) {
		pthread_rwlock_unlock(&gate);
		return false;
	}
	*offset = below(t, size);
	*length = 1 + below(t, below(t, LENGTH_MAX) + 1);
	if (below(t, 8) == 0)
		*offset &= ~(PAGE - 1);
	if (*length > size - *offset)
		*length = size - *offset;
	lock_range(*offset, *length);
	note(t, kind, *offset, *length);
	return true;
}

static void invent(struct thread *t, uint8_t *bytes, uint32_t length)
{
	uint64_t x = t->random | 1;

	for (uint32_t i = 0; i < length; i += 8) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		memcpy(bytes + i, &x, length - i < 8 ? length - i : 8);
	}
	t->random += x;
}

/* -- operations ------------------------------------------------------------------------------------------------------ */

static void do_read(struct thread *t)
{
	uint32_t offset, length;

	if (!take_range(t, READ, &offset, &length))
		return;
	if (pread(t->fd, t->bytes, length, offset) != (ssize_t)length)
		fail(t, offset, "read of [%u, +%u)", offset, length);
	compare(t, READ, t->bytes, offset, length);
	unlock_range(offset, length);
}

static void do_write(struct thread *t)
{
	uint32_t offset, length;

	if (!take_range(t, WRITE, &offset, &length))
		return;
	invent(t, copy + offset, length);
	memcpy(t->bytes, copy + offset, length);
	if (pwrite(t->fd, t->bytes, length, offset) != (ssize_t)length)
		fail(t, offset, "write of [%u, +%u)", offset, length);
	unlock_range(offset, length);
}

/*
 * Whole sectors of the file, locked; what is beyond the end counts too if @beyond.  What is locked is [*from, *to): whole
 * units of what is safe, as far as the file goes.
 */
static bool take_sectors(struct thread *t, enum kind kind, bool beyond, uint32_t *offset, uint32_t *length,
                         uint32_t *from, uint32_t *to)
{
	pthread_rwlock_rdlock(&gate);
	if (size < sector) {
		pthread_rwlock_unlock(&gate);
		return false;
	}
	*offset = below(t, size / sector) * sector;
	*length = (1 + below(t, below(t, LENGTH_MAX / sector) + 1)) * sector;
	while (!beyond && *length > size - *offset)
		*length -= sector;
	*from = *offset / safe * safe;
	*to = (*offset + *length + safe - 1) / safe * safe;
	if (*to > size)
		*to = size;
	lock_range(*from, *to - *from);
	note(t, kind, *offset, *length);
	return true;
}

static void do_direct_read(struct thread *t)
{
	uint32_t offset, length, from, to, end;

	if (!take_sectors(t, DREAD, true, &offset, &length, &from, &to))
		return;
	end = offset + length < size ? offset + length : size;
	if (pread(t->direct, t->aligned, length, offset) != (ssize_t)(end - offset))
		fail(t, offset, "direct read of [%u, +%u)", offset, length);
	compare(t, DREAD, t->aligned, offset, end - offset);
	unlock_range(from, to - from);
}

static void do_direct_write(struct thread *t)
{
	uint32_t offset, length, from, to;

	if (!take_sectors(t, DWRITE, false, &offset, &length, &from, &to))
		return;
	invent(t, copy + offset, length);
	memcpy(t->aligned, copy + offset, length);
	if (pwrite(t->direct, t->aligned, length, offset) != (ssize_t)length)
		fail(t, offset, "direct write of [%u, +%u)", offset, length);
	unlock_range(from, to - from);
}

static void do_map(struct thread *t, enum kind kind)
{
	uint32_t offset, length;

	if (!take_range(t, kind, &offset, &length))
		return;
	if (kind == LOAD) {
		compare(t, kind, t->map + offset, offset, length);
	} else {
		invent(t, copy + offset, length);
		memcpy(t->map + offset, copy + offset, length);
	}
	unlock_range(offset, length);
}

/* A range within one page, through an entry of the window that shows it. */
static void do_window(struct thread *t, enum kind kind)
{
	unsigned entry = below(t, PAGES), page = t->showing[entry];
	uint32_t in = below(t, PAGE), length = 1 + below(t, PAGE - in), offset = page * PAGE + in;

	pthread_rwlock_rdlock(&gate);
	if (offset >= size) {
		pthread_rwlock_unlock(&gate);
		return;
	}
	if (length > size - offset)
		length = size - offset;
	lock_range(offset, length);
	note(t, kind, offset, length);
	if (kind == WINDOW_LOAD) {
		compare(t, kind, t->window + entry * PAGE + in, offset, length);
	} else {
		invent(t, copy + offset, length);
		memcpy(t->window + entry * PAGE + in, copy + offset, length);
	}
	unlock_range(offset, length);
}

static void do_remap(struct thread *t)
{
	unsigned n = 1 + below(t, 4), entry = below(t, PAGES - n), page = below(t, PAGES - n);

	note(t, REMAP, page * PAGE, n * PAGE);
	if (syscall(SYS_remap_file_pages, t->window + entry * PAGE, (size_t)n * PAGE, 0, (size_t)page, 0))
		fail(t, page * PAGE, "remap of %u pages at entry %u to page %u", n, entry, page);
	for (unsigned i = 0; i < n; i++)
		t->showing[entry + i] = page + i;
}

/* Another size: by truncate, or by a write that may begin beyond the end. */
static void do_resize(struct thread *t)
{
	uint32_t old, new = below(t, FILE_MAX + 1);

	pthread_rwlock_wrlock(&gate);
	old = size;
	if (below(t, 2)) {
		note(t, TRUNCATE, new, 0);
		if (ftruncate(t->fd, new))
			fail(t, new, "truncate to %u", new);
		size = new;
	} else {
		uint32_t length = 1 + below(t, LENGTH_MAX - 1), offset = below(t, FILE_MAX - length);

		note(t, WRITE, offset, length);
		invent(t, t->bytes, length);
		if (pwrite(t->fd, t->bytes, length, offset) != (ssize_t)length)
			fail(t, offset, "write of [%u, +%u), size %u", offset, length, old);
		memcpy(copy + offset, t->bytes, length);
		if (offset + length > size)
			size = offset + length;
	}
	if (size < old)
		memset(copy + size, 0, old - size);
	pthread_rwlock_unlock(&gate);
}

static void do_punch(struct thread *t)
{
	uint32_t offset, length;

	if (!take_range(t, PUNCH, &offset, &length))
		return;
	if (fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length))
		fail(t, offset, "punch of [%u, +%u)", offset, length);
	memset(copy + offset, 0, length);
	unlock_range(offset, length);
}

static void do_sync(struct thread *t, enum kind kind)
{
	unsigned page = below(t, PAGES), n = 1 + below(t, PAGES - page);
	uint8_t *from = (below(t, 2) ? t->map : t->window) + page * PAGE;
	int err;

	note(t, kind, 0, 0);
	if (kind == FSYNC)
		err = below(t, 2) ? fsync(t->fd) : fdatasync(t->fd);
	else
		err = msync(from, (size_t)n * PAGE, below(t, 4) ? MS_SYNC : MS_ASYNC);
	if (err)
		fail(t, 0, "%s", kind_names[kind]);
}

static void do_one(struct thread *t)
{
	unsigned what = below(t, 1000);

	if (what < 170)
		do_read(t);
	else if (what < 200)
		do_direct_read(t);
	else if (what < 340)
		do_write(t);
	else if (what < 380)
		do_direct_write(t);
	else if (what < 500)
		do_map(t, LOAD);
	else if (what < 640)
		do_map(t, STORE);
	else if (what < 720)
		do_window(t, WINDOW_LOAD);
	else if (what < 800)
		do_window(t, WINDOW_STORE);
	else if (what < 880)
		do_remap(t);
	else if (what < 920)
		do_resize(t);
	else if (what < 970)
		do_punch(t);
	else
		do_sync(t, what < 990 ? MSYNC : FSYNC);
}

/* -- threads ------------------------------------------------------------------------------------------------------------- */

static uint8_t *map_file(struct thread *t)
{
	uint8_t *p = mmap(NULL, FILE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);

	if (p == MAP_FAILED)
		fail(t, 0, "mmap");
	return p;
}

static void *work(void *arg)
{
	struct thread *t = arg;

	while (performed < wanted)
		do_one(t);
	return NULL;
}

static void start(struct thread *t, int number)
{
	t->number = number;
	t->random = seed * 1000003 + (uint64_t)number;
	t->fd = open(path, O_RDWR | O_CREAT, 0644);
	if (t->fd < 0)
		fail(t, 0, "open of %s", path);
	t->direct = open(path, O_RDWR | O_DIRECT);
	if (t->direct < 0)
		t->direct = t->fd;
	t->map = map_file(t);
	t->window = map_file(t);
	for (unsigned i = 0; i < PAGES; i++)
		t->showing[i] = i;
	for (int i = 0; i < 8; i++)
		below(t, 2);
	if (number)
		pthread_create(&t->id, NULL, work, t);
}

/* What this system and this file system ask of O_DIRECT. */
static void learn_direct(void)
{
	static uint8_t bytes[512] __attribute__((aligned(4096)));
	struct utsname name;
	int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0644);

	if (fd < 0)
		printf("# no O_DIRECT here: its operations go through the cache\n");
	else if (pwrite(fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
		sector = 4096;
	if (uname(&name) || !strstr(name.release, "pteron"))
		safe = 4096;
	if (fd >= 0 && (ftruncate(fd, 0) || close(fd)))
		perror(path);
}

/* At the end, through a fresh descriptor, the file is the copy. */
static void check_all(struct thread *t)
{
	uint8_t *whole = malloc(FILE_MAX + 1);
	int fd = open(path, O_RDONLY);
	struct stat st;

	if (fsync(t->fd) || fstat(fd, &st) || (uint32_t)st.st_size != size)
		fail(t, 0, "the size at the end is %lld", (long long)st.st_size);
	if (pread(fd, whole, FILE_MAX + 1, 0) != (ssize_t)size)
		fail(t, 0, "read of everything");
	compare(t, READ, whole, 0, size);
	free(whole);
	close(fd);
}

int main(int argc, char **argv)
{
	static struct thread threads[THREADS_MAX];
	int n = 4, c;
	const char *disk = NULL;
	char device[64];

	setvbuf(stdout, NULL, _IOLBF, 4096);
	while ((c = getopt(argc, argv, "s:n:t:m:")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'n')
			wanted = (unsigned)strtoul(optarg, NULL, 0);
		else if (c == 't')
			n = atoi(optarg);
		else if (c == 'm')
			disk = optarg;
	}
	if (optind != argc - 1 || n < 1 || n > THREADS_MAX)
		return 2;
	path = argv[optind];
	snprintf(device, sizeof(device), "/dev/%s", disk ? disk : "");
	if (disk && mount(device, "/mnt", "ext2", 0, NULL)) {
		perror(device);
		return 2;
	}
	printf("fsx: seed %llu, %u operations, %d threads\n", (unsigned long long)seed, wanted, n);
	for (uint32_t i = 0; i < CHUNKS; i++)
		pthread_mutex_init(&chunks[i], NULL);
	learn_direct();
	for (int i = n - 1; i >= 0; i--)
		start(&threads[i], i);
	work(&threads[0]);
	for (int i = 1; i < n; i++)
		pthread_join(threads[i].id, NULL);
	check_all(&threads[0]);
	for (int k = 0; k < KINDS; k++)
		printf("# %lu %s\n", count[k], kind_names[k]);
	for (int i = 0; i < n; i++) {
		munmap(threads[i].map, FILE_MAX);
		munmap(threads[i].window, FILE_MAX);
		if (threads[i].direct != threads[i].fd)
			close(threads[i].direct);
		close(threads[i].fd);
	}
	if (disk && umount("/mnt")) {
		perror("umount");
		return 1;
	}
	printf("fsx: done\n");
	return 0;
}
