/*
 * disk_work.c - the ring-3 side of test_disks.py: mounts the disks that it is told, uses them, says what happened.
 *
 *   mounts DISK...       mount each read-write, try to create a file, unmount: one line each
 *   fuzz SEED DISK...    mount, walk, change at random, sync, unmount: whatever the errors, it must come back
 *   crafted DISK         directories that form loops, an inode with two owners, blocks with a million (KTAP)
 *   full DISK            fill it up; nothing that was accepted may be lost
 *   exec DISK            run the damaged programs on it
 *   silent DISK          writes to it take longer than anybody waits (KTAP)
 *   errors R O P I F A T D S   disks whose reads and writes fail in ways that the host has arranged (KTAP)
 *
 * A static Linux program; it is on the second disk (init's exec=vdb).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOP "/mnt"
#define PAGE 4096
#define PATHS 256

static int number, failures;

static void check(int good, const char *what)
{
	int err = errno;

	printf("%sok %d %s\n", good ? "" : "not ", ++number, what);
	if (!good)
		printf("# errno %d\n", err);
	failures += !good;
}

static int mount_at(const char *disk, unsigned long flags)
{
	char device[64];

	snprintf(device, sizeof(device), "/dev/%s", disk);
	return mount(device, TOP, "ext2", flags, NULL) ? errno : 0;
}

/* -- faults that a mapping may bring ------------------------------------------------------------------------- */

static sigjmp_buf escape;
static volatile int caught;
static void *volatile fault_address;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	(void)context;
	caught = sig;
	fault_address = si->si_addr;
	siglongjmp(escape, 1);
}

static void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}

/* The signal that touching @p brings, or 0. */
static int touch(volatile char *p, int write)
{
	caught = 0;
	if (sigsetjmp(escape, 1) == 0) {
		if (write)
			*p = 'm';
		else
			(void)*p;
	}
	return caught;
}

/* -- mounts ---------------------------------------------------------------------------------------------------- */

static void try_mount(const char *disk)
{
	int err = mount_at(disk, 0), fd, create = 0;
	struct statvfs st;

	if (err) {
		printf("disk %s: mount %d\n", disk, err);
		return;
	}
	memset(&st, 0, sizeof(st));
	statvfs(TOP, &st);
	fd = open(TOP "/new", O_CREAT | O_RDWR, 0644);
	if (fd < 0)
		create = errno;
	else
		close(fd);
	printf("disk %s: mount 0 create %d", disk, create);
	printf(" umount %d\n", umount(TOP) ? errno : 0);
}

/* -- fuzz ------------------------------------------------------------------------------------------------------ */

static char paths[PATHS][PATH_MAX];
static mode_t modes[PATHS];
static int nr_paths;
static unsigned long long state;
static char bytes[65536];

static unsigned random_below(unsigned n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(state >> 33) % n;
}

static void read_all(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	ssize_t n;

	for (int i = 0; fd >= 0 && i < 64 && (n = read(fd, bytes, sizeof(bytes))) > 0; i++)
		;
	if (fd >= 0)
		close(fd);
}

static void walk(const char *dir, int depth)
{
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(dir);
	char target[PATH_MAX];

	for (int i = 0; d && i < 1000 && (e = readdir(d)); i++) {
		char *path = paths[nr_paths];

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || nr_paths == PATHS - 1)
			continue;
		if (snprintf(path, PATH_MAX, "%s/%s", dir, e->d_name) >= PATH_MAX || lstat(path, &st))
			continue;
		modes[nr_paths++] = st.st_mode;
		if (S_ISREG(st.st_mode))
			read_all(path);
		else if (S_ISLNK(st.st_mode))
			(void)!readlink(path, target, sizeof(target));
		else if (S_ISDIR(st.st_mode) && depth < 12)
			walk(path, depth + 1);
	}
	if (d)
		closedir(d);
}

static void map_and_store(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK);
	char *p = fd < 0 ? MAP_FAILED : mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p != MAP_FAILED) {
		for (int i = 0; i < 8; i++)
			touch(p + i * PAGE + random_below(PAGE), random_below(3));
		msync(p, 8 * PAGE, random_below(2) ? MS_SYNC : MS_ASYNC);
		munmap(p, 8 * PAGE);
	}
	if (fd >= 0)
		close(fd);
}

static void write_somewhere(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0644);

	if (fd < 0)
		return;
	(void)!pwrite(fd, bytes, random_below(sizeof(bytes)),
	              random_below(4) ? random_below(400000) : random_below(1u << 30));
	if (random_below(3) == 0)
		fsync(fd);
	close(fd);
}

static void change_once(int i)
{
	int a = (int)random_below((unsigned)nr_paths), b = (int)random_below((unsigned)nr_paths);
	char fresh[PATH_MAX + 16];
	struct stat st;

	snprintf(fresh, sizeof(fresh), "%s/n%d", S_ISDIR(modes[b]) ? paths[b] : TOP, i);
	switch (random_below(12)) {
	case 0:
		unlink(paths[a]);
		break;
	case 1:
		rmdir(paths[a]);
		break;
	case 2:
		rename(paths[a], random_below(2) ? fresh : paths[b]);
		break;
	case 3:
		link(paths[a], fresh);
		break;
	case 4:
		(void)!symlink("a target that is long enough not to fit into the sixty bytes of an inode", fresh);
		break;
	case 5:
		mkdir(fresh, 0755);
		break;
	case 6:
		(void)!truncate(paths[a], random_below(3) ? random_below(500000) : 0);
		break;
	case 7:
		write_somewhere(fresh);
		break;
	case 8:
		sync();
		break;
	default: /* devices and pipes would wait for ever, rightly */
		if (stat(paths[a], &st) || !S_ISREG(st.st_mode))
			break;
		if (random_below(2))
			write_somewhere(paths[a]);
		else
			map_and_store(paths[a]);
	}
}

static void fuzz(const char *disk)
{
	int err = mount_at(disk, 0);

	printf("disk %s: mount %d\n", disk, err);
	if (err)
		return;
	nr_paths = 0;
	walk(TOP, 0);
	if (!nr_paths)
		snprintf(paths[nr_paths++], PATH_MAX, "%s/x", TOP);
	for (int i = 0; i < 120; i++)
		change_once(i);
	sync();
	nr_paths = 0;
	walk(TOP, 0);
	err = umount(TOP) ? errno : 0;
	printf("disk %s: umount %d\n", disk, err);
}

/* -- damage with a purpose --------------------------------------------------------------------------------------- */

static int errno_of(int result)
{
	return result ? errno : 0;
}

static void crafted(const char *disk)
{
	struct stat st, other;
	int fd, err;

	check(mount_at(disk, 0) == 0, "mount");
	check(errno_of(stat(TOP "/p/self", &st)) == EIO, "a directory inside itself: EIO");
	check(errno_of(rmdir(TOP "/p/self")) == EIO, "and it is not removed");
	check(errno_of(stat(TOP "/p/root", &st)) == EIO, "the root inside a directory: EIO");
	check(errno_of(stat(TOP "/a/b/up", &st)) == EIO, "a parent inside its child: EIO");
	check(errno_of(rename(TOP "/a/b/up", TOP "/p/up")) == EIO, "and it does not move");
	check(stat(TOP "/p/twin1/x", &st) == 0 && stat(TOP "/p/twin2/x", &st) == 0, "a directory with two names");
	check(rename(TOP "/p/twin1/x", TOP "/p/twin2") != 0, "does not take the place of itself");
	check(rename(TOP "/p/x", TOP "/p/twin1") != 0, "nor is it replaced while it is not empty");
	check(rename(TOP "/p/twin1", TOP "/p/twin2/y") != 0, "nor does it move into itself");
	fd = open(TOP "/kept", O_RDWR);
	check(fd >= 0 && pread(fd, bytes, 4, 0) == 4, "open a file whose inode is marked free");
	err = errno_of(open(TOP "/fresh", O_CREAT | O_RDWR, 0644) < 0);
	fstat(fd, &st);
	check(err == EIO || (!err && stat(TOP "/fresh", &other) == 0 && other.st_ino != st.st_ino),
	      "a new file does not get the same one");
	check(pread(fd, bytes, 4, 0) == 4 && !memcmp(bytes, "kept", 4), "the old one is whole");
	close(fd);
	alarm(10); /* the default action ends this program: a failure, not a hang */
	check(unlink(TOP "/bomb") == 0, "remove a file with a thousand million blocks, all the same");
	alarm(0);
	sync();
	check(umount(TOP) == 0, "unmount");
}

/* -- a full disk ------------------------------------------------------------------------------------------------ */

/* Write until it is full; how many bytes were accepted. */
static long fill(int fd)
{
	long total = 0;
	ssize_t n;

	memset(bytes, 'f', sizeof(bytes));
	while ((n = write(fd, bytes, sizeof(bytes))) > 0)
		total += n;
	return total;
}

static void full(const char *disk)
{
	struct stat st;
	char *p;
	int fd, err;
	long n;

	check(mount_at(disk, 0) == 0, "full: mount");
	fd = open(TOP "/fill", O_CREAT | O_RDWR, 0644);
	n = fill(fd);
	check(n > 0 && errno == ENOSPC, "full: write ends with ENOSPC");
	check(fsync(fd) == 0 && !fstat(fd, &st) && st.st_size == n, "full: what was accepted is the file");
	check(ftruncate(fd, n + 64 * PAGE) == 0, "full: a hole needs no space");
	p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (n + PAGE - 1) & -PAGE);
	check(touch(p + 32 * PAGE, 1) == SIGBUS, "full: a store to a hole is SIGBUS");
	munmap(p, 64 * PAGE);
	for (err = 0, n = 0; n < 5000 && !err; n++) {
		char path[64];

		snprintf(path, sizeof(path), TOP "/d%ld", n);
		err = mkdir(path, 0755) ? errno : 0;
	}
	check(err == ENOSPC, "full: mkdir ends with ENOSPC");
	check(unlink(TOP "/fill") == 0 && close(fd) == 0, "full: remove the file");
	fd = open(TOP "/again", O_CREAT | O_RDWR, 0644);
	check(write(fd, bytes, sizeof(bytes)) == sizeof(bytes) && fsync(fd) == 0, "full: its space is free again");
	close(fd);
	check(umount(TOP) == 0, "full: unmount");
}

/* -- damaged programs -------------------------------------------------------------------------------------------- */

static void run_all(const char *disk)
{
	struct dirent *e;
	DIR *d;
	int runs = 0;

	check(mount_at(disk, MS_RDONLY) == 0, "exec: mount");
	d = opendir(TOP);
	while (d && (e = readdir(d))) {
		char path[PATH_MAX];
		int status = -1;
		pid_t pid;

		if (strncmp(e->d_name, "elf", 3))
			continue;
		snprintf(path, sizeof(path), TOP "/%s", e->d_name);
		fflush(stdout);
		pid = fork();
		if (!pid) {
			alarm(5); /* kept by exec: a program cut in the right place may loop */
			execl(path, path, (char *)NULL);
			_exit(errno);
		}
		waitpid(pid, &status, 0);
		printf("# %s: wait status 0x%x\n", e->d_name, (unsigned)status);
		runs++;
		if (strcmp(e->d_name, "elf-whole") == 0)
			check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "exec: the whole program runs");
		else
			check((WIFEXITED(status) && (WEXITSTATUS(status) == ENOEXEC || WEXITSTATUS(status) == EINVAL ||
			                             WEXITSTATUS(status) == EIO || WEXITSTATUS(status) == ENOMEM)) ||
			          (WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM),
			      e->d_name);
	}
	if (d)
		closedir(d);
	check(runs > 5, "exec: all were there");
	check(umount(TOP) == 0, "exec: unmount");
}

/* -- I/O errors --------------------------------------------------------------------------------------------------- */

/* Page 1, which cannot be read, behind entry 3; and other pages behind the same entry. */
static void read_error_nonlinear(void)
{
	int fd = open(TOP "/file", O_RDWR);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	check(!syscall(SYS_remap_file_pages, p + 3 * PAGE, PAGE, 0, 1, 0), "read error: remap to the page");
	check(touch(p + 3 * PAGE + 9, 0) == SIGBUS && fault_address == p + 3 * PAGE + 9,
	      "read error: SIGBUS through a remapped entry");
	check(touch(p + 3 * PAGE, 1) == SIGBUS, "read error: and for a store through it");
	check(touch(p + PAGE, 0) == SIGBUS, "read error: and at its own place");
	check(!syscall(SYS_remap_file_pages, p + 3 * PAGE, PAGE, 0, 2, 0) && touch(p + 3 * PAGE, 0) == 0,
	      "read error: the entry can show another page afterwards");
	munmap(p, 4 * PAGE);
	close(fd);
}

/* Page 1 of "file" cannot be read. */
static void read_error(const char *disk)
{
	char *p;
	int fd;

	check(mount_at(disk, 0) == 0, "read error: mount");
	fd = open(TOP "/file", O_RDONLY);
	errno = 0;
	check(pread(fd, bytes, PAGE, PAGE) == -1 && errno == EIO, "read error: pread gives EIO");
	check(pread(fd, bytes, 4 * PAGE, 0) == PAGE, "read error: a read stops before it");
	check(pread(fd, bytes, PAGE, 2 * PAGE) == PAGE, "read error: the page behind it can be read");
	p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	check(touch(p, 0) == 0 && touch(p + 2 * PAGE, 0) == 0, "read error: the others in a mapping");
	check(touch(p + PAGE + 5, 0) == SIGBUS && fault_address == p + PAGE + 5, "read error: SIGBUS at its address");
	check(touch(p + PAGE, 0) == SIGBUS, "read error: and again");
	munmap(p, 4 * PAGE);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	check(touch(p + PAGE, 1) == SIGBUS, "read error: SIGBUS for a private store");
	munmap(p, 4 * PAGE);
	read_error_nonlinear();
	close(fd);
	check(umount(TOP) == 0, "read error: unmount");
}

static void write_page(int fd, int c)
{
	memset(bytes, c, PAGE);
	check(pwrite(fd, bytes, PAGE, PAGE) == PAGE, "write error: write is accepted");
}

/* The first write of page 1 of "file" fails, and the first of page 1 of "second". */
static void write_error_once(const char *disk)
{
	char *p;
	int a, b;

	check(mount_at(disk, 0) == 0, "write error: mount");
	a = open(TOP "/file", O_RDWR);
	b = open(TOP "/file", O_RDWR);
	write_page(a, 'A');
	check(fsync(a) == -1 && errno == EIO, "write error: fsync gives EIO");
	check(fsync(a) == 0, "write error: once; the page was still dirty");
	check(fsync(b) == -1 && errno == EIO, "write error: the other descriptor hears of it");
	check(fsync(b) == 0, "write error: once");
	close(a);
	close(b);
	a = open(TOP "/second", O_RDWR);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, a, 0);
	check(touch(p + PAGE, 1) == 0, "write error: store");
	check(msync(p, 4 * PAGE, MS_SYNC) == -1 && errno == EIO, "write error: msync gives EIO");
	check(msync(p, 4 * PAGE, MS_SYNC) == 0, "write error: msync, once");
	check(fsync(a) == 0, "write error: it was reported for this descriptor");
	munmap(p, 4 * PAGE);
	close(a);
	/* The write that fails is not the caller's own: sync(2) has nobody to tell. */
	a = open(TOP "/third", O_RDWR);
	b = open(TOP "/third", O_RDWR);
	write_page(a, 'T');
	sync();
	check(fsync(a) == -1 && errno == EIO, "earlier write error: fsync tells of it");
	check(fsync(a) == 0, "earlier write error: once");
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, b, 0);
	check(msync(p, 4 * PAGE, MS_SYNC) == -1 && errno == EIO, "earlier write error: so does msync");
	check(msync(p, 4 * PAGE, MS_SYNC) == 0, "earlier write error: msync, once");
	munmap(p, 4 * PAGE);
	close(a);
	close(b);
	check(umount(TOP) == 0, "write error: unmount");
}

/* Page 1 of "file" can never be written. */
static void write_error_for_good(const char *disk)
{
	int fd;

	check(mount_at(disk, 0) == 0, "lasting write error: mount");
	fd = open(TOP "/file", O_RDWR);
	write_page(fd, 'P');
	check(fsync(fd) == -1 && errno == EIO, "lasting write error: fsync gives EIO");
	check(fsync(fd) == -1 && errno == EIO, "lasting write error: the next attempt too");
	check(pread(fd, bytes, 1, PAGE) == 1 && bytes[0] == 'P', "lasting write error: the page is as it was written");
	sync();
	close(fd);
	check(umount(TOP) == 0, "lasting write error: unmount");
}

/* The inode table block of "file" cannot be read. */
static void metadata_error(const char *disk)
{
	struct stat st;

	check(mount_at(disk, 0) == 0, "metadata error: mount");
	errno = 0;
	check(stat(TOP "/file", &st) == -1 && errno == EIO, "metadata error: stat gives EIO");
	check(umount(TOP) == 0, "metadata error: unmount");
}

/* The first reading of page 1 of "file" fails, also if it is ahead of time. */
static void read_error_once(const char *disk)
{
	static char good[4 * PAGE];
	int fd, signal;
	char *p;

	check(mount_at(disk, 0) == 0, "passing read error: mount");
	fd = open(TOP "/file", O_RDONLY);
	p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	signal = touch(p + PAGE, 0);
	check(signal == 0 || (signal == SIGBUS && fault_address == p + PAGE), "passing read error: SIGBUS, or read again");
	check(touch(p + PAGE, 0) == 0, "passing read error: the next access succeeds");
	check(pread(fd, good, sizeof(good), 0) == sizeof(good) && !memcmp(p, good, sizeof(good)),
	      "passing read error: read and mapping agree");
	printf("page 1 begins with %02x%02x%02x%02x\n", (unsigned char)p[PAGE], (unsigned char)p[PAGE + 1],
	       (unsigned char)p[PAGE + 2], (unsigned char)p[PAGE + 3]);
	munmap(p, 4 * PAGE);
	close(fd);
	check(umount(TOP) == 0, "passing read error: unmount");
}

/* The first writing of the inode table's block with "file" fails: a change of its size is not durable then. */
static void metadata_write_error(const char *disk)
{
	int fd, other;

	check(mount_at(disk, 0) == 0, "metadata write error: mount");
	fd = open(TOP "/file", O_RDWR);
	other = open(TOP "/second", O_RDONLY);
	memset(bytes, 'G', PAGE);
	check(pwrite(fd, bytes, PAGE, 8 * PAGE) == PAGE, "metadata write error: the file grows");
	check(fsync(fd) == -1 && errno == EIO, "metadata write error: fsync gives EIO");
	check(fsync(fd) == 0, "metadata write error: the next one succeeds");
	check(fsync(other) == 0, "metadata write error: another file has nothing to report");
	close(fd);
	close(other);
	check(umount(TOP) == 0, "metadata write error: unmount");
}

/* From some write on, whatever is asked of the disk fails. Says which round was the last to be durable. */
static void dying_disk(const char *disk)
{
	int fd, late, round = 0;
	char *p;

	check(mount_at(disk, 0) == 0, "dying disk: mount");
	fd = open(TOP "/file", O_RDWR);
	late = open(TOP "/third", O_RDWR);
	do {
		memset(bytes, ++round, PAGE);
		check(pwrite(fd, bytes, PAGE, round % 4 * PAGE) == PAGE, "dying disk: write is accepted");
	} while (round < 60 && fsync(fd) == 0);
	check(round > 1 && round < 60 && errno == EIO, "dying disk: then fsync gives EIO");
	printf("durable %d\n", round - 1);
	check(pread(fd, bytes, PAGE, round % 4 * PAGE) == PAGE && bytes[0] == round,
	      "dying disk: what is cached can be read");
	check(pwrite(fd, bytes, PAGE, 0) == PAGE && fsync(fd) == -1 && errno == EIO, "dying disk: every fsync says so");
	check(pread(late, bytes, PAGE, 0) == -1 && errno == EIO, "dying disk: what is not cached cannot");
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, late, 0);
	check(touch(p, 1) == SIGBUS, "dying disk: SIGBUS through a mapping");
	munmap(p, PAGE);
	close(late);
	close(fd);
	umount(TOP);
	check(access(TOP "/file", F_OK) == -1, "dying disk: it can be unmounted");
}

/* Every flush fails. */
static void flush_error(const char *disk)
{
	int fd;

	check(mount_at(disk, 0) == 0, "flush error: mount");
	fd = open(TOP "/file", O_RDWR);
	write_page(fd, 'F');
	check(fsync(fd) == -1 && errno == EIO, "flush error: fsync gives EIO");
	close(fd);
	check(umount(TOP) == 0, "flush error: unmount");
}

/* -- a disk that does not answer ---------------------------------------------------------------------------------- */

static void silent(const char *disk)
{
	time_t began = time(NULL);
	int fd;

	check(mount_at(disk, 0) == 0, "silent: mount");
	fd = open(TOP "/file", O_CREAT | O_RDWR, 0644);
	for (int i = 0; i < 16; i++)
		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes))
			break;
	errno = 0;
	check(fsync(fd) == -1 && errno == EIO, "silent: fsync gives EIO");
	check(time(NULL) - began < 20, "silent: after a while");
	check(pread(fd, bytes, PAGE, 0) == PAGE, "silent: what is in memory can be read");
	errno = 0;
	check(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 && fsync(fd) == -1, "silent: and it stays like that");
	close(fd);
	umount(TOP);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 4096);
	catch_faults();
	if (argc > 2 && !strcmp(argv[1], "mounts")) {
		for (int i = 2; i < argc; i++)
			try_mount(argv[i]);
	} else if (argc > 3 && !strcmp(argv[1], "fuzz")) {
		for (int i = 3; i < argc; i++) {
			state = strtoull(argv[2], NULL, 0) + (unsigned)i;
			fuzz(argv[i]);
		}
	} else if (argc == 3 && !strcmp(argv[1], "crafted")) {
		crafted(argv[2]);
	} else if (argc == 3 && !strcmp(argv[1], "full")) {
		full(argv[2]);
	} else if (argc == 3 && !strcmp(argv[1], "exec")) {
		run_all(argv[2]);
	} else if (argc == 3 && !strcmp(argv[1], "silent")) {
		silent(argv[2]);
	} else if (argc == 11 && !strcmp(argv[1], "errors")) {
		read_error(argv[2]);
		write_error_once(argv[3]);
		write_error_for_good(argv[4]);
		metadata_error(argv[5]);
		flush_error(argv[6]);
		read_error_once(argv[7]);
		metadata_write_error(argv[8]);
		dying_disk(argv[9]);
		check(mount_at(argv[10], 0) == EIO, "the super block cannot be read: mount gives EIO");
	} else {
		return 2;
	}
	printf("done\n");
	return failures != 0;
}
