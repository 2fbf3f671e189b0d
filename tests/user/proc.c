/*
 * proc.c - fork, exit, wait, exec, process groups, ids, limits of arguments, identity of /proc/self.
 */
#define _GNU_SOURCE
#include "test.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(proc_wait, "proc.wait exit statuses")
{
	static const int codes[] = {0, 1, 77, 255, 256 + 3};
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		pid = CHECK_OK(fork());
		if (pid == 0)
			_exit(codes[i]);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (codes[i] & 255));
	}
	CHECK_ERRNO(waitpid(-1, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, &status, 0x4000), EINVAL);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		sleep_ms(50);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(waitpid(-1, &status, 0), pid);
}

TEST(proc_waitid, "proc.waitid and wait4 usage")
{
	siginfo_t info = {0};
	struct rusage ru;
	pid_t pid = CHECK_OK(fork());

	if (pid == 0)
		_exit(9);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_status, 9);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(wait4(pid, NULL, 0, &ru), pid);
	CHECK_ERRNO(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);
}

static volatile sig_atomic_t chld;

static void on_chld(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	chld = info->si_pid;
}

TEST(proc_sigchld, "proc.SIGCHLD arrives; ignoring it reaps")
{
	struct sigaction sa = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART};
	pid_t pid;

	CHECK_OK(sigaction(SIGCHLD, &sa, NULL));
	pid = CHECK_OK(fork());
	if (pid == 0)
		_exit(0);
	join(pid);
	CHECK_EQ(chld, pid);
	signal(SIGCHLD, SIG_IGN);
	pid = CHECK_OK(fork());
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD); /* waits, then finds nobody */
}

TEST(proc_orphan, "proc.orphan gets another parent")
{
	int fds[2];
	pid_t pid, seen = -1;

	CHECK_OK(pipe(fds));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		pid_t middle = getpid();

		if (fork() == 0) {
			while (getppid() == middle)
				sleep_ms(5);
			seen = getppid();
			CHECK_EQ(write(fds[1], &seen, sizeof(seen)), sizeof(seen));
		}
		_exit(0);
	}
	join(pid);
	CHECK_EQ(read(fds[0], &seen, sizeof(seen)), sizeof(seen));
	CHECK(seen > 0 && seen != pid);
}

TEST(proc_many, "proc.many 300 forks in a row and 100 at once")
{
	pid_t pids[100];

	for (int i = 0; i < 300; i++) {
		pids[0] = CHECK_OK(fork());
		if (pids[0] == 0)
			_exit(i & 0x3f);
		join_exit(pids[0], i & 0x3f);
	}
	for (int i = 0; i < 100; i++) {
		pids[i] = CHECK_OK(fork());
		if (pids[i] == 0) {
			sleep_ms(20);
			_exit(i);
		}
	}
	for (int i = 99; i >= 0; i--)
		join_exit(pids[i], i);
}

TEST(proc_vfork, "proc.vfork the parent waits")
{
	volatile int value = 1;
	pid_t pid = vfork();

	if (pid == 0) {
		value = 2;
		_exit(5);
	}
	CHECK_EQ(value, 2);
	join_exit(pid, 5);
}

TEST(proc_ids, "proc.ids groups and sessions")
{
	pid_t pid, me = getpid();
	int status;

	CHECK_EQ(getpgrp(), me); /* the harness made us a group */
	CHECK_EQ(getpgid(0), me);
	CHECK_ERRNO(getpgid(999999), ESRCH);
	CHECK_ERRNO(setpgid(0, -5), EINVAL);
	CHECK_ERRNO(setsid(), EPERM);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_EQ(getppid(), me);
		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgrp(), getpid());
		_exit(0);
	}
	join(pid);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_OK(setpgid(0, 0));
		for (;;)
			pause();
	}
	setpgid(pid, pid);
	CHECK_EQ(waitpid(-pid, &status, WNOHANG), 0);
	CHECK_OK(kill(-pid, SIGTERM));
	join_signal(pid, SIGTERM);
	CHECK_EQ(getuid(), 0);
	umask(027);
	CHECK_EQ(umask(022), 027);
	CHECK_EQ(syscall(SYS_gettid), me);
}

TEST(proc_uname, "proc.uname, prctl, getcpu, times")
{
	struct utsname u;
	char name[16] = {0};
	cpu_set_t set;
	struct tms tms;

	CHECK_OK(uname(&u));
	CHECK(u.sysname[0] && u.machine[0] && u.release[0]);
	CHECK_OK(prctl(PR_SET_NAME, "fifteen-letters-and-more"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, "fifteen-letters"));
	CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK_OP(CPU_COUNT(&set), >=, 1);
	CHECK_OK(times(&tms));
	CHECK_OK(sched_yield());
}

TEST(proc_auxv, "proc.auxv")
{
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
	CHECK(getauxval(AT_PHDR) && getauxval(AT_ENTRY) && getauxval(AT_RANDOM) && getauxval(AT_EXECFN));
	CHECK_EQ(getauxval(AT_PHENT), is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	CHECK_EQ(getauxval(AT_UID), 0);
	CHECK_EQ(getauxval(AT_SECURE), 0);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK(strstr((char *)getauxval(AT_EXECFN), "suite") != NULL);
}

/* -- exec: the suite runs itself with a magic first argument, see exec_main.c ------------------------------------- */

static const char *self(void)
{
	static char path[256];
	ssize_t n = CHECK_OK(readlink("/proc/self/exe", path, sizeof(path) - 1));

	path[n] = 0;
	return path;
}

static pid_t spawn(const char *path, char *const argv[], char *const envp[])
{
	pid_t pid = CHECK_OK(fork());

	if (pid == 0) {
		execve(path, argv, envp);
		_exit(100 + errno); /* 100 + errno fits for those that we expect */
	}
	return pid;
}

TEST(exec_args, "exec.args arguments, environment, descriptors, masks")
{
	char *argv[] = {"suite", "-exec", "args", "", "two words", NULL};
	char *envp[] = {"A=1", "EMPTY=", NULL};
	int keep = CHECK_OK(dup2(CHECK_OK(open("/dev/null", O_RDWR)), 40));
	int drop = CHECK_OK(dup3(keep, 41, O_CLOEXEC));
	sigset_t set;

	(void)drop;
	signal(SIGUSR1, SIG_IGN);
	CHECK_OK(sigaction(SIGUSR2, &(struct sigaction){.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO}, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	join_exit(spawn(self(), argv, envp), 42);
}

TEST(exec_errno, "exec.errno")
{
	const char *dir = disk_dir();
	char *argv[] = {"x", NULL};
	int fd;

	CHECK_ERRNO(execve("/nonexistent", argv, environ), ENOENT);
	CHECK_ERRNO(execve(dir, argv, environ), EACCES);
	CHECK_ERRNO(execve("", argv, environ), ENOENT);
	fd = make_file(dir, "plain", 0);
	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_OK(close(fd));
	CHECK_ERRNO(execve(path_in(dir, "plain"), argv, environ), EACCES); /* no x bit */
	CHECK_OK(chmod(path_in(dir, "plain"), 0755));
	CHECK_ERRNO(execve(path_in(dir, "plain"), argv, environ), ENOEXEC);
	CHECK_ERRNO(execve(BAD, argv, environ), EFAULT);
	CHECK_ERRNO(execve(self(), BAD, environ), EFAULT);
	CHECK_ERRNO(execve(self(), (char *[]){BAD, NULL}, environ), EFAULT);
}

TEST(exec_script, "exec.script with #!")
{
	const char *dir = disk_dir();
	int fd = make_file(dir, "script", 0);
	char *argv[] = {"script", "last", NULL};

	dprintf(fd, "#! %s -exec script\nrubbish\n", self());
	CHECK_OK(fchmod(fd, 0755));
	CHECK_OK(close(fd));
	/* Linux passes everything behind the interpreter as one argument: "-exec script". */
	join_exit(spawn(path_in(dir, "script"), argv, environ), 43);
}

TEST(exec_toolong, "exec.limits long argument lists")
{
	size_t n = 128 << 10;
	char *big = malloc(n + 1), *argv[] = {"suite", "-exec", "count", big, NULL};
	char *many[2004] = {"suite", "-exec", "count"};

	memset(big, 'a', n);
	big[n - 1] = 0; /* MAX_ARG_STRLEN is 128 KiB with the zero */
	join_exit(spawn(self(), argv, environ), 4);
	big[n - 1] = 'a';
	big[n] = 0;
	CHECK_ERRNO(execve(self(), argv, environ), E2BIG);
	for (int i = 3; i < 2003; i++)
		many[i] = "x";
	join_exit(spawn(self(), many, environ), 2003 & 63);
}

/* -- hostile ELF files: an error or a quick death, never more ------------------------------------------------------ */

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr Ehdr;
typedef Elf64_Phdr Phdr;
#define ELF_CLASS_HERE ELFCLASS64
#define ELF_MACHINE_HERE EM_X86_64
#else
typedef Elf32_Ehdr Ehdr;
typedef Elf32_Phdr Phdr;
#define ELF_CLASS_HERE ELFCLASS32
#define ELF_MACHINE_HERE EM_386
#endif

struct tiny_elf {
	Ehdr eh;
	Phdr ph[2];
	u8 code[64];
};

/* exit(66) for either width */
static void tiny_init(struct tiny_elf *e)
{
	static const u8 code64[] = {0xbf, 66, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};
	static const u8 code32[] = {0xbb, 66, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xcd, 0x80};

	memset(e, 0, sizeof(*e));
	memcpy(e->eh.e_ident, ELFMAG, 4);
	e->eh.e_ident[EI_CLASS] = ELF_CLASS_HERE;
	e->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	e->eh.e_ident[EI_VERSION] = 1;
	e->eh.e_type = ET_EXEC;
	e->eh.e_machine = ELF_MACHINE_HERE;
	e->eh.e_version = 1;
	e->eh.e_phoff = offsetof(struct tiny_elf, ph);
	e->eh.e_ehsize = sizeof(Ehdr);
	e->eh.e_phentsize = sizeof(Phdr);
	e->eh.e_phnum = 1;
	e->eh.e_entry = 0x400000 + offsetof(struct tiny_elf, code);
	e->ph[0].p_type = PT_LOAD;
	e->ph[0].p_flags = PF_R | PF_X;
	e->ph[0].p_vaddr = 0x400000;
	e->ph[0].p_filesz = e->ph[0].p_memsz = sizeof(*e);
	e->ph[0].p_align = 4096;
	memcpy(e->code, is64 ? code64 : code32, sizeof(code64));
}

/* Returns the wait status of running it. */
static int run_elf(const struct tiny_elf *e, size_t size)
{
	static unsigned serial;
	const char *dir = tmp_dir();
	char name[32], *argv[] = {"tiny", NULL};
	int fd, status;
	pid_t pid;

	snprintf(name, sizeof(name), "elf%u", serial++);
	fd = make_file(dir, name, 0);
	CHECK_EQ(write(fd, e, size), size);
	CHECK_OK(fchmod(fd, 0755));
	CHECK_OK(close(fd));
	pid = spawn(path_in(dir, name), argv, environ);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	unlink(path_in(dir, name));
	return status;
}

static void expect_refused(const char *what, const struct tiny_elf *e, size_t size)
{
	int status = run_elf(e, size);

	/* an errno from execve, or killed once the old image was gone */
	if (WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) > 100))
		return;
	FAIL("%s: status 0x%x", what, status);
}

TEST(exec_tiny, "exec.elf hand-made files, good and hostile")
{
	struct tiny_elf e;
	int status;

	tiny_init(&e);
	status = run_elf(&e, sizeof(e));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 66);
	for (size_t n = 0; n < offsetof(struct tiny_elf, ph) + sizeof(Phdr); n += 7)
		expect_refused("truncated", &e, n);
#define HOSTILE(change)                         \
	do {                                        \
		tiny_init(&e);                          \
		change;                                 \
		expect_refused(#change, &e, sizeof(e)); \
	} while (0)
	HOSTILE(e.eh.e_machine = EM_ARM);
	HOSTILE(e.eh.e_type = ET_REL);
	HOSTILE(e.eh.e_phentsize = 7);
	HOSTILE(e.eh.e_phnum = 0);
	HOSTILE(e.eh.e_phnum = 65535);
	HOSTILE(e.eh.e_phoff = (__typeof__(e.eh.e_phoff))-16);
	HOSTILE(e.eh.e_phoff = 1 << 20);
	HOSTILE(e.ph[0].p_memsz = 10); /* less than in the file */
	HOSTILE(e.ph[0].p_vaddr = is64 ? (ulong)0xffffffff80100000ull : (ulong)0xc0100000u);
	HOSTILE(e.ph[0].p_memsz = (__typeof__(e.ph[0].p_memsz))-4096);
	HOSTILE(e.ph[0].p_filesz = e.ph[0].p_memsz = ~(ulong)0xfffff); /* wraps */
	HOSTILE(e.ph[0].p_vaddr += 123);                               /* not congruent to its offset */
	HOSTILE(e.eh.e_entry = 0);
	HOSTILE(e.eh.e_entry = ~(ulong)0 & ~(ulong)15);
	HOSTILE(e.ph[0].p_flags = PF_R | PF_W; e.eh.e_entry = 0x500000);
	tiny_init(&e); /* bss: filled with zeros up to memsz */
	e.ph[0].p_flags |= PF_W;
	e.ph[0].p_memsz = 5 * P;
	status = run_elf(&e, sizeof(e));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 66);
}

TEST(exec_truncated, "exec.elf a copy of this program cut short")
{
	const char *dir = tmp_dir();
	int in = CHECK_OK(open(self(), O_RDONLY)), out, status;
	size_t cuts[] = {64, 100, 1000, 5000, 40000, 200000};
	char buf[4096], *argv[] = {"suite", "-exec", "count", NULL};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		size_t left = cuts[i];
		pid_t pid;

		out = make_file(dir, "cut", 0);
		CHECK_OK(lseek(in, 0, SEEK_SET));
		while (left) {
			ssize_t n = read(in, buf, left < sizeof(buf) ? left : sizeof(buf));

			CHECK_OP(n, >, 0);
			CHECK_EQ(write(out, buf, (size_t)n), n);
			left -= (size_t)n;
		}
		CHECK_OK(fchmod(out, 0755));
		CHECK_OK(close(out));
		pid = spawn(path_in(dir, "cut"), argv, environ);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) > 100);
		CHECK_OK(unlink(path_in(dir, "cut")));
	}
}

TEST(exec_busy, "exec.keeps the old image when it fails")
{
	volatile int alive = 7;

	CHECK_ERRNO(execve("/dev/null", (char *[]){"x", NULL}, environ), EACCES);
	CHECK_EQ(alive, 7);
}

TEST(proc_exit_memory, "proc.exit gives everything back")
{
	long before, after;

	if (meminfo_kb("MemFree") < 0)
		SKIP("no /proc/meminfo");
	for (int warm = 0; warm < 2; warm++) {
		before = meminfo_kb("MemFree");
		for (int i = 0; i < 10; i++) {
			pid_t pid = CHECK_OK(fork());

			if (pid == 0) {
				memset(map_anon(2048, PROT_READ | PROT_WRITE), 1, 2048 * P);
				kill(getpid(), SIGKILL);
			}
			join_signal(pid, SIGKILL);
		}
		after = meminfo_kb("MemFree");
	}
	if (on_pteron())
		CHECK_OP(before - after, <, 4096); /* 80 MiB were used and freed */
}

/* How often the call was asked for in vain, by /proc/unimplemented; its name there to @name. */
static unsigned unimplemented(unsigned number, char name[40])
{
	FILE *f = fopen("/proc/unimplemented", "r");
	unsigned nr, count, found = 0;
	char line[40];

	CHECK(f != NULL);
	while (fscanf(f, "%*s %u %u %39s", &nr, &count, line) == 3)
		if (nr == number) {
			found = count;
			strcpy(name, line);
		}
	fclose(f);
	return found;
}

TEST(proc_unimplemented, "proc.unimplemented calls are counted by name")
{
	char name[40] = "";
	unsigned before;

	PTERON_ONLY();
	before = unimplemented(SYS_bpf, name);
	CHECK_ERRNO(syscall(SYS_bpf, 0, 0, 0), ENOSYS);
	CHECK_ERRNO(syscall(SYS_bpf, 0, 0, 0), ENOSYS);
	CHECK_EQ(unimplemented(SYS_bpf, name), before + 2);
	CHECK(!strcmp(name, "bpf"));
	CHECK_ERRNO(syscall(100000), ENOSYS);
}
