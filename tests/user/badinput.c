/*
 * badinput.c - every system call with rubbish: any errno will do, death and panic will not.
 *
 * The calls that would rightly stop or kill the caller are left out; what matters is that the kernel stands.
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Calls that end, block, or change the test process beyond use, or would hurt a host. */
static bool excluded(long nr)
{
	static const long list[] = {
		SYS_exit,
		SYS_exit_group,
		SYS_rt_sigreturn,
		SYS_pause,
		SYS_reboot,
		SYS_vfork,
		SYS_fork,
		SYS_clone,
		SYS_kill,
		SYS_tkill,
		SYS_tgkill,
		SYS_rt_sigsuspend,
		SYS_ptrace,
		SYS_execve,
		SYS_execveat,
		SYS_sync,
		SYS_vhangup,
		SYS_pivot_root,
		SYS_chroot,
		SYS_umount2,
		SYS_mount,
		SYS_swapoff,
		SYS_swapon,
		SYS_sethostname,
		SYS_setdomainname,
		SYS_settimeofday,
		SYS_clock_settime,
		SYS_rt_sigtimedwait,
		SYS_wait4,
		SYS_waitid,
		SYS_munmap,
		SYS_brk,
		SYS_mremap,
		SYS_mprotect,
		SYS_remap_file_pages,
		SYS_madvise,
		SYS_alarm,
		SYS_setitimer,
		SYS_close,
		SYS_dup2,
		SYS_dup3,
		SYS_poll,
		SYS_ppoll,
		SYS_pselect6,
		SYS_read,
		SYS_setsid,
		SYS_setpgid,
		SYS_setrlimit,
		SYS_prlimit64,
		SYS_unshare,
		SYS_setns,
		SYS_clone3,
		SYS_close_range,
		SYS_kexec_load,
		SYS_init_module,
		SYS_delete_module,
		SYS_mlockall,
		SYS_setuid,
		SYS_setgid,
		SYS_setresuid,
		SYS_setresgid,
		SYS_setreuid,
		SYS_setregid,
		SYS_setfsuid,
		SYS_setfsgid,
		SYS_setgroups,
		SYS_seccomp,
		SYS_prctl,
		SYS_rt_sigaction,
		SYS_rt_sigprocmask,
		SYS_sigaltstack,
		SYS_syslog,
		SYS_acct,
		SYS_futex,
		SYS_flock,
		SYS_mmap,
		SYS_iopl,
		SYS_ioperm,
		SYS_modify_ldt,
		SYS_personality,
		SYS_add_key,
		SYS_keyctl,
		SYS_request_key,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_quotactl,
		SYS_adjtimex,
		SYS_clock_adjtime,
		SYS_clock_nanosleep,
		SYS_nanosleep,
		SYS_sched_setattr,
		SYS_sched_setscheduler,
		SYS_sched_setparam,
		SYS_setpriority,
		SYS_capset,
		SYS_finit_module,
		SYS_kcmp,
		SYS_process_madvise,
		SYS_set_thread_area,
		SYS_chdir,
		SYS_fchdir,
		SYS_umask,
		SYS_restart_syscall,
		SYS_membarrier,
		SYS_rseq,
		SYS_set_robust_list,
		SYS_set_tid_address,
		SYS_userfaultfd,
		SYS_ioprio_set,
		SYS_io_uring_setup,
		SYS_pidfd_open,
		SYS_setxattr,
		SYS_unlink,
		SYS_rmdir,
		SYS_rename,
		SYS_mlock,
		SYS_mlock2,
		SYS_munlock,
		SYS_munlockall,
#ifdef SYS_arch_prctl
		SYS_arch_prctl,
#endif
#ifdef SYS_waitpid
		SYS_waitpid,
		SYS__newselect,
		SYS_sigreturn,
		SYS_sigsuspend,
		SYS_stime,
		SYS_signal,
		SYS_sigaction,
		SYS_sigprocmask,
		SYS_umount,
		SYS_vm86,
		SYS_vm86old,
		SYS_mmap2,
		SYS_setuid32,
		SYS_setgid32,
		SYS_setresuid32,
		SYS_setresgid32,
		SYS_setreuid32,
		SYS_setregid32,
		SYS_setfsuid32,
		SYS_setfsgid32,
		SYS_setgroups32,
		SYS_nice,
		SYS_ipc,
		SYS_clock_nanosleep_time64,
		SYS_ppoll_time64,
		SYS_pselect6_time64,
		SYS_futex_time64,
		SYS_rt_sigtimedwait_time64,
		SYS_clock_settime64,
		SYS_clock_adjtime64,
		SYS_ssetmask,
		SYS_sgetmask,
#endif
#ifdef SYS_select
		SYS_select,
#endif
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (list[i] == nr)
			return true;
	return false;
}

#ifdef __x86_64__
#define STACK_REG "rsp"
#else
#define STACK_REG "esp"
#endif

/* One call number with one set of arguments, in a child that may die but must not hang. */
static void storm(ulong a, ulong b, ulong c, ulong d, ulong e, ulong f)
{
	const long max = 462;
	pid_t pid = CHECK_OK(fork());
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		alarm(20);
		if (chdir(tmp_dir()) || dup2(null, 0) < 0)
			_exit(1);
		for (long nr = 0; nr <= max; nr++)
			if (!excluded(nr))
				syscall(nr, a, b, c, d, e, f);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) != pid)
		CHECK_EQ(errno, EINTR);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		FAIL("a call hangs with arguments %lx %lx %lx", a, b, c);
}

TEST_SECONDS(bad_storm, "bad.storm every call with rubbish arguments", 120)
{
	const ulong minus = ~0ul, kernel = is64 ? (ulong)0xffff888000100000ull : 0xc0100000ul,
				odd = is64 ? (ulong)0x8000000000000000ull : 0xbffffffful;

	if (!on_pteron())
		SKIP("only for a kernel that may fall over");
	storm(8, 8, 8, 8, 8, 8);
	storm(minus, minus, minus, minus, minus, minus);
	storm(kernel, kernel, 4096, kernel, kernel, kernel);
	storm(1, kernel, 4096, 0, kernel, 0);
	storm(odd, odd, odd, odd, odd, odd);
	storm(0, 0, 0, 0, 0, 0);
	storm(1, 8, minus, 8, 8, 8);
	storm((ulong)AT_FDCWD, 8, 0, 8, 0, 0);
	CHECK_ERRNO(syscall(100000, 0), ENOSYS);
	CHECK_ERRNO(syscall(-1, 0), ENOSYS);
}

#define EFAULT_CALL(...) CHECK_ERRNO(syscall(__VA_ARGS__), EFAULT)

/* For each kind of bad address: unmapped low, kernel, wrapping. */
static void efault_with(void *bad)
{
	int fd = tagged_memfd(2), fds[2];
	char ok[64] = "/";

	CHECK_OK(pipe(fds));
	CHECK_EQ(write(fds[1], "0123456789", 10), 10);
	EFAULT_CALL(SYS_read, fd, bad, 8);
	EFAULT_CALL(SYS_read, fds[0], bad, 4);
	EFAULT_CALL(SYS_write, fds[1], bad, 4);
	EFAULT_CALL(SYS_write, fd, bad, 4);
	EFAULT_CALL(SYS_openat, AT_FDCWD, bad, O_RDONLY, 0);
	EFAULT_CALL(SYS_pipe2, bad, 0);
	EFAULT_CALL(SYS_uname, bad);
	EFAULT_CALL(SYS_getcwd, bad, 100);
	EFAULT_CALL(SYS_readlink, "/proc/self/exe", bad, 100);
	EFAULT_CALL(SYS_getrandom, bad, 16, 0);
	EFAULT_CALL(SYS_clock_gettime, 0, bad);
	EFAULT_CALL(SYS_gettimeofday, bad, NULL);
	EFAULT_CALL(SYS_getrusage, RUSAGE_SELF, bad);
	EFAULT_CALL(SYS_sysinfo, bad);
	EFAULT_CALL(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8);
	EFAULT_CALL(SYS_rt_sigprocmask, SIG_BLOCK, bad, NULL, 8);
	EFAULT_CALL(SYS_sigaltstack, bad, NULL);
	EFAULT_CALL(SYS_nanosleep, bad, NULL);
	EFAULT_CALL(SYS_poll, bad, 1, 0);
	EFAULT_CALL(SYS_mkdir, bad, 0700);
	EFAULT_CALL(SYS_unlink, bad);
	EFAULT_CALL(SYS_rename, ok, bad);
	EFAULT_CALL(SYS_chdir, bad);
	EFAULT_CALL(SYS_execve, bad, NULL, NULL);
	EFAULT_CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, bad);
	EFAULT_CALL(SYS_getdents64, CHECK_OK(open("/", O_RDONLY)), bad, 4096);
	EFAULT_CALL(SYS_writev, fd, bad, 1);
	EFAULT_CALL(SYS_memfd_create, bad, 0);
	EFAULT_CALL(SYS_statfs, "/", bad);
	EFAULT_CALL(SYS_sched_getaffinity, 0, 128, bad);
	EFAULT_CALL(SYS_futex, bad, 0, 0, NULL, NULL, 0);
}

TEST(bad_efault, "bad.EFAULT everywhere: low address")
{
	efault_with(BAD);
}

TEST(bad_efault_kernel, "bad.EFAULT everywhere: kernel address")
{
	if (!is64 && !on_pteron())
		SKIP("a 64-bit kernel is not in reach of a 32-bit pointer");
	efault_with((void *)(uintptr_t)(is64 ? 0xffffffff80100000ull : 0xc0100000ull));
}

TEST(bad_efault_top, "bad.EFAULT everywhere: the last address")
{
	efault_with((void *)~(uintptr_t)7);
}

TEST(bad_efault_readonly, "bad.EFAULT into read-only and PROT_NONE memory")
{
	u8 *p = map_anon(2, PROT_READ);
	int fds[2];

	CHECK_OK(mprotect(p + P, P, PROT_NONE));
	CHECK_OK(pipe(fds));
	CHECK_EQ(write(fds[1], p, 10), 10);
	CHECK_ERRNO(read(fds[0], p, 4), EFAULT);
	CHECK_ERRNO(syscall(SYS_uname, p), EFAULT);
	CHECK_ERRNO(write(fds[1], p + P, 1), EFAULT);
	CHECK_ERRNO(open((char *)p + P, O_RDONLY), EFAULT);
}

TEST(bad_partial, "bad.partial a buffer that ends in a hole")
{
	u8 *p = map_anon(2, PROT_READ | PROT_WRITE);
	int fd = tagged_memfd(2);
	ssize_t n;

	CHECK_OK(munmap(p + P, P));
	n = pread(fd, p + P - 100, 200, 0);
	CHECK(n == 100 || (n == -1 && errno == EFAULT));
	n = pwrite(fd, p + P - 100, 200, 0);
	CHECK(n == 100 || (n == -1 && errno == EFAULT));
	strcpy((char *)p + P - 6, "/proc");
	CHECK_OK(close(CHECK_OK(open((char *)p + P - 6, O_RDONLY)))); /* the string ends at the hole */
	memcpy(p + P - 5, "/proc", 5);
	CHECK_ERRNO(open((char *)p + P - 5, O_RDONLY), EFAULT);
}

TEST(bad_instructions, "bad.instructions ring 3 may not")
{
#define DIES(sig, ...)                     \
	do {                                   \
		pid_t pid_ = CHECK_OK(fork());     \
		if (pid_ == 0) {                   \
			signal(sig, SIG_DFL);          \
			__asm__ volatile(__VA_ARGS__); \
			_exit(0);                      \
		}                                  \
		join_signal(pid_, sig);            \
	} while (0)
	DIES(SIGSEGV, "in $0x60, %%al" ::: "eax");
	DIES(SIGSEGV, "out %%al, $0xf4" ::: "eax");
	DIES(SIGSEGV, "lidt 0");
	DIES(SIGSEGV, "ltr %%ax" ::: "eax");
	DIES(SIGSEGV, "wbinvd");
	DIES(SIGSEGV, "rdmsr" ::: "eax", "edx");
	DIES(SIGSEGV, "int $0x21");
	DIES(SIGSEGV, "int $14");
	DIES(SIGILL, "ud2");
#ifdef __x86_64__
	DIES(SIGSEGV, "mov %%cr3, %%rax" ::: "rax");
	DIES(SIGSEGV, "mov %%rax, %%cr3" ::: "rax");
	DIES(SIGSEGV, "swapgs");
	DIES(SIGSEGV, "pushq $0x1234\n\tpopq %%fs\n\tmov $0xffff888000000000, %%rax\n\tjmp *%%rax" ::: "rax");
	/* A stack at a non-canonical address: #SS and SIGBUS on iron; QEMU's TCG makes it a page fault. */
	{
		pid_t pid_ = CHECK_OK(fork());
		int status;

		if (pid_ == 0) {
			__asm__ volatile("mov $0x8000000000000000, %%rsp\n\tpush %%rax" ::: "memory");
			_exit(0);
		}
		CHECK_EQ(waitpid(pid_, &status, 0), pid_);
		CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV));
	}
#else
	DIES(SIGSEGV, "mov %%cr3, %%eax" ::: "eax");
	DIES(SIGSEGV, "ljmp $0x08, $0");
	DIES(SIGSEGV, "mov $0xfffffff0, %%esp\n\tpush %%eax" ::: "memory");
	DIES(SIGSEGV, "push $0x1234\n\tpop %%ds" ::: "memory");
#endif
}

TEST(bad_flags, "bad.flags the kernel does not trust: DF, AC, NT, TF")
{
	int fd = CHECK_OK(open("/dev/zero", O_RDONLY));
	u8 buf[64];

	memset(buf, 1, sizeof(buf));
	/* Direction flag set when the kernel copies: it must clear it for itself. */
#ifdef __x86_64__
	{
		long n = SYS_read;

		__asm__ volatile("std\n\tsyscall\n\tcld"
		                 : "+a"(n)
		                 : "D"((long)fd), "S"(buf), "d"(64l)
		                 : "rcx", "r11", "memory");
		CHECK_EQ(n, 64);
	}
#else
	{
		long n = SYS_read;

		__asm__ volatile("std\n\tint $0x80\n\tcld" : "+a"(n) : "b"((long)fd), "c"(buf), "d"(64l) : "memory");
		CHECK_EQ(n, 64);
	}
#endif
	for (int i = 0; i < 64; i++)
		CHECK_EQ(buf[i], 0);
		/* Nested-task flag and alignment check set across a system call. */
#ifdef __x86_64__
	__asm__ volatile("pushfq\n\torl $0x44000, (%%rsp)\n\tpopfq\n\tmov %0, %%eax\n\tsyscall\n\t"
	                 "pushfq\n\tandl $~0x44000, (%%rsp)\n\tpopfq" ::"i"(SYS_getpid)
	                 : "rax", "rcx", "r11", "memory");
#else
	__asm__ volatile("pushf\n\torl $0x44000, (%%esp)\n\tpopf\n\tmov %0, %%eax\n\tint $0x80\n\t"
	                 "pushf\n\tandl $~0x44000, (%%esp)\n\tpopf" ::"i"(SYS_getpid)
	                 : "eax", "memory");
#endif
	DIES(SIGTRAP, "pushf\n\torl $0x100, (%%" STACK_REG ")\n\tpopf\n\tnop" ::: "memory");
}

TEST(bad_fuzz, "bad.fuzz random mm calls")
{
	pid_t pid = CHECK_OK(fork());
	int status;

	if (pid == 0) {
		u32 seed = 7;
		int fd = tagged_memfd(64);
		u8 *arena = map_shared(fd, 256, PROT_READ | PROT_WRITE);

		for (int i = 0; i < 4000; i++) {
			u8 *p = arena + rnd(&seed) % 256 * P + (rnd(&seed) % 16 == 0);
			size_t n = rnd(&seed) % 8 * P + (rnd(&seed) % 8 == 0 ? 1 : 0);
			int prot = (int)(rnd(&seed) % 8);

			switch (rnd(&seed) % 10) {
			case 0:
				munmap(p, n);
				break;
			case 1:
				mprotect(p, n, prot);
				break;
			case 2:
				mmap(p, n, prot, MAP_SHARED | MAP_FIXED, fd, (off_t)(rnd(&seed) % 64 * P));
				break;
			case 3:
				mmap(p, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
				break;
			case 4:
				rfp(p, n, prot, rnd(&seed) % 80, MAP_CHGPROT);
				break;
			case 5:
				rfp(p, n, 0, rnd(&seed) % 80, MAP_NONBLOCK);
				break;
			case 6:
				madvise(p, n, (int)(rnd(&seed) % 30));
				break;
			case 7:
				CHECK_OK(ftruncate(fd, (off_t)(rnd(&seed) % 70 * P)));
				break;
			case 8:
				msync(p, n, (int)(rnd(&seed) % 8));
				break;
			default:
				try_write(p, (u8)i);
				try_read(p + 100);
			}
		}
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}
