/*
 * run.c - a sequence: fresh files, an empty window, the steps, and at the end everything that can be seen.
 */
#define _GNU_SOURCE
#include "tests/oracle/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 30    /* more than any sequence takes */
#define MAX_DEPTH 2   /* of forks */
#define CHILD_STEPS 5 /* that a forked child runs before it ends */
#define FILE_PAGES 8  /* at first */

struct said *said;
uintptr_t heap_start;
int files[NR_FILES];

/* The sequence that this process runs. */
static struct step steps[MAX_STEPS];
static const bool *chosen_steps;
static unsigned nr_steps, now, depth;

void test_fail(const char *file, int line, const char *fmt, ...)
{
	say("died at %s:%d: %s\n", file, line, fmt);
	_exit(1);
}

/* -- its files ----------------------------------------------------------------------------------------------------- */

static void fill(int fd, unsigned letter)
{
	u8 page[P];

	for (unsigned i = 0; i < FILE_PAGES; i++) {
		memset(page, (int)(letter + i), sizeof(page));
		if (pwrite(fd, page, P, (off_t)i * (off_t)P) != (ssize_t)P)
			test_fail(__FILE__, __LINE__, "a file cannot be written");
	}
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

static void make_files(void)
{
	int fds[2];

	files[FILE_MEMFD] = (int)syscall(SYS_memfd_create, "oracle", 0);
	files[FILE_SEALABLE] = (int)syscall(SYS_memfd_create, "sealed", 2 /* MFD_ALLOW_SEALING */);
	files[FILE_TMP] = open("/tmp/oracle", O_RDWR | O_CREAT | O_TRUNC, 0600);
	unlink("/tmp/oracle");
	for (int i = FILE_MEMFD; i <= FILE_TMP; i++)
		fill(files[i], 'A' + (unsigned)i * 8);
	files[FILE_READONLY] = reopen(files[FILE_MEMFD], O_RDONLY);
	files[FILE_WRITEONLY] = reopen(files[FILE_MEMFD], O_WRONLY);
	if (pipe(fds))
		test_fail(__FILE__, __LINE__, "no pipe");
	files[FILE_PIPE] = fds[0];
	files[FILE_CLOSED] = 99;
}

/* -- its steps ------------------------------------------------------------------------------------------------------- */

static void run_steps(unsigned end)
{
	for (; now < end; now++) {
		if (!chosen_steps[now])
			continue;
		say("%u%.*s ", now, (int)depth, "cc");
		steps[now].run(&steps[now]);
	}
}

/* Lines of what is seen begin with '='; a 'c' for each fork that the process is away from the first. */
static void look(void)
{
	static void (*const looks[])(void) = {look_maps, look_mincore, look_window, look_contents, look_files};

	for (unsigned i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
		say("=%.*s ", (int)depth, "cc");
		looks[i]();
	}
}

static void __attribute__((noreturn)) forked_child(void)
{
	unsigned end = now + 1 + CHILD_STEPS;

	depth++;
	now++;
	run_steps(end < nr_steps ? end : nr_steps);
	look();
	_exit(0);
}

static void say_status(int status)
{
	if (WIFSIGNALED(status))
		say("killed by signal %d\n", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		say("exit status %d\n", WEXITSTATUS(status));
}

/* The child runs the next few steps, then the parent runs them, too: what one does must not show in the other. */
void step_fork(const struct step *s)
{
	int status = 0;
	pid_t pid;

	(void)s;
	say("fork\n");
	if (depth == MAX_DEPTH)
		return;
	pid = fork();
	if (pid == 0)
		forked_child();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		say("fork fails: errno %d\n", errno);
	say_status(status);
}

/* -- from outside ------------------------------------------------------------------------------------------------------ */

void run_init(void)
{
	/* The heap begins at a page, on every kernel. */
	uintptr_t old = (uintptr_t)syscall(SYS_brk, 0);

	heap_start = (old + 16 * P) & ~(uintptr_t)(16 * P - 1);
	syscall(SYS_brk, heap_start);
	said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void __attribute__((noreturn)) sequence_main(void)
{
	alarm(SECONDS);
	make_files();
	run_steps(nr_steps);
	look();
	_exit(0);
}

void run_sequence(u32 seed, unsigned nr, const bool chosen[MAX_STEPS])
{
	int status = 0;
	pid_t pid;

	said->used = 0;
	steps_of(seed, steps, nr);
	nr_steps = nr;
	chosen_steps = chosen;
	now = 0;
	depth = 0;
	pid = fork();
	if (pid == 0)
		sequence_main();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		say("fork fails: errno %d\n", errno);
	say_status(status);
}
