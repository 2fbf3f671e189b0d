/*
 * signals.c - delivery, masks, alternate stacks, restarts, and that sigreturn restores every register.
 */
#define _GNU_SOURCE
#include "test.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t count, last_sig, last_code, last_pid, nested;
static volatile uintptr_t handler_sp;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	count++;
	last_sig = sig;
	last_code = info->si_code;
	last_pid = info->si_pid;
	handler_sp = (uintptr_t)__builtin_frame_address(0);
}

static void handle(int sig, int flags, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = {.sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO};

	sigemptyset(&sa.sa_mask);
	CHECK_OK(sigaction(sig, &sa, NULL));
}

TEST(sig_kill, "signal.kill to oneself, siginfo")
{
	handle(SIGUSR1, 0, on_signal);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(count, 1);
	CHECK_EQ(last_sig, SIGUSR1);
	CHECK_EQ(last_code, SI_USER);
	CHECK_EQ(last_pid, getpid());
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(last_code, SI_TKILL);
	CHECK_EQ(count, 2);
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(kill(999999, 0), ESRCH);
	CHECK_OK(kill(getpid(), 0));
	CHECK_ERRNO(sigaction(SIGKILL, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), EINVAL);
	CHECK_ERRNO(sigaction(65, NULL, NULL), EINVAL);
}

TEST(sig_mask, "signal.mask blocks, pends once, delivers on unblock")
{
	sigset_t set, old, pending;

	handle(SIGUSR1, 0, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, &old));
	for (int i = 0; i < 3; i++)
		CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(count, 0);
	CHECK_OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
	CHECK_OK(sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK_EQ(count, 1);
	CHECK_ERRNO(sigprocmask(99, &set, NULL), EINVAL);
}

static void on_nested(int sig, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	CHECK_EQ(nested, 0); /* the signal is blocked while its handler runs */
	nested = 1;
	if (count < 3)
		raise(sig); /* delivered when this one returns */
	nested = 0;
	count++;
}

TEST(sig_nodefer, "signal.handler blocks its own signal")
{
	handle(SIGUSR2, 0, on_nested);
	CHECK_OK(raise(SIGUSR2));
	CHECK_EQ(count, 4);
}

TEST(sig_default, "signal.default actions")
{
	static const int fatal[] = {SIGHUP, SIGINT, SIGTERM, SIGKILL, SIGSEGV, SIGALRM, SIGPIPE, SIGUSR1};
	static const int ignored[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal); i++) {
		pid_t pid = CHECK_OK(fork());

		if (pid == 0) {
			signal(fatal[i], SIG_DFL);
			kill(getpid(), fatal[i]);
			_exit(0);
		}
		join_signal(pid, fatal[i]);
	}
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		CHECK_OK(kill(getpid(), ignored[i]));
	signal(SIGTERM, SIG_IGN);
	CHECK_OK(kill(getpid(), SIGTERM));
}

TEST(sig_altstack, "signal.altstack")
{
	static u8 stack[16384];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;

	CHECK_OK(sigaltstack(&ss, NULL));
	handle(SIGUSR1, SA_ONSTACK, on_signal);
	handle(SIGUSR2, 0, on_signal);
	CHECK_OK(raise(SIGUSR1));
	CHECK(handler_sp >= (uintptr_t)stack && handler_sp < (uintptr_t)stack + sizeof(stack));
	CHECK_OK(raise(SIGUSR2));
	CHECK(handler_sp < (uintptr_t)stack || handler_sp >= (uintptr_t)stack + sizeof(stack));
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK(old.ss_sp == stack && old.ss_size == sizeof(stack) && old.ss_flags == 0);
	ss.ss_size = 100;
	CHECK_ERRNO(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_flags = 0x40;
	CHECK_ERRNO(sigaltstack(&ss, NULL), EINVAL);
	ss.ss_flags = SS_DISABLE;
	CHECK_OK(sigaltstack(&ss, NULL));
}

static u8 *overflow_alt;

static void on_overflow(int sig, siginfo_t *info, void *context)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

	(void)sig;
	(void)info;
	(void)context;
	_exit(sp >= (uintptr_t)overflow_alt && sp < (uintptr_t)overflow_alt + 16 * P ? 33 : 34);
}

static size_t __attribute__((noinline)) devour(volatile size_t *depth)
{
	volatile u8 frame[8192];

	frame[0] = 1;
	if (++*depth == 1u << 20)
		return 0;
	return devour(depth) + frame[0];
}

TEST(sig_overflow, "signal.altstack handles a stack overflow; without one it kills")
{
	pid_t pid = CHECK_OK(fork());

	if (pid == 0) {
		volatile size_t depth = 0;
		stack_t ss;

		overflow_alt = map_anon(16, PROT_READ | PROT_WRITE);
		ss = (stack_t){.ss_sp = overflow_alt, .ss_size = 16 * P};
		CHECK_OK(sigaltstack(&ss, NULL));
		handle(SIGSEGV, SA_ONSTACK, on_overflow);
		devour(&depth);
		_exit(35);
	}
	join_exit(pid, 33);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		volatile size_t depth = 0;

		handle(SIGSEGV, 0, on_overflow); /* no stack to run on: SIGSEGV kills */
		devour(&depth);
		_exit(35);
	}
	join_signal(pid, SIGSEGV);
}

TEST(sig_blocked_fault, "signal.fault with SIGSEGV blocked or ignored kills")
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = CHECK_OK(fork());

		if (pid == 0) {
			sigset_t set;

			sigfillset(&set);
			if (i == 0)
				sigprocmask(SIG_BLOCK, &set, NULL);
			else
				signal(SIGSEGV, SIG_IGN);
			*(volatile int *)16 = 1;
			_exit(0);
		}
		join_signal(pid, SIGSEGV);
	}
}

/* -- registers ----------------------------------------------------------------------------------------------- */

__attribute__((target("sse2"))) static void on_clobber(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	count++;
	__asm__ volatile("fninit\n\t"
	                 "fld1\n\t"
	                 "pxor %%xmm0, %%xmm0\n\t"
	                 "pxor %%xmm1, %%xmm1\n\t"
	                 "pxor %%xmm7, %%xmm7\n\t" ::
	                     : "xmm0", "xmm1", "xmm7", "st");
}

/* Raise SIGUSR1 by a raw system call between loading and reading registers. */
__attribute__((target("sse2"))) static long raise_between(u64 in[4], u64 out[4], double *x)
{
	long pid = getpid(), nr = SYS_kill, sig = SIGUSR1;

#ifdef __x86_64__
	__asm__ volatile("movdqu (%[in]), %%xmm0\n\t"
	                 "movdqu 16(%[in]), %%xmm7\n\t"
	                 "fldpi\n\t"
	                 "syscall\n\t"
	                 "movdqu %%xmm0, (%[out])\n\t"
	                 "movdqu %%xmm7, 16(%[out])\n\t"
	                 "fstpl (%[x])\n\t"
	                 : "+a"(nr)
	                 : "D"(pid), "S"(sig), [in] "r"(in), [out] "r"(out), [x] "r"(x)
	                 : "rcx", "r11", "memory", "xmm0", "xmm7");
#else
	static u64 *in_p, *out_p;
	static double *x_p;

	in_p = in;
	out_p = out;
	x_p = x;
	__asm__ volatile("mov %[in], %%edx\n\t"
	                 "movdqu (%%edx), %%xmm0\n\t"
	                 "movdqu 16(%%edx), %%xmm7\n\t"
	                 "fldpi\n\t"
	                 "int $0x80\n\t"
	                 "mov %[out], %%edx\n\t"
	                 "movdqu %%xmm0, (%%edx)\n\t"
	                 "movdqu %%xmm7, 16(%%edx)\n\t"
	                 "mov %[x], %%edx\n\t"
	                 "fstpl (%%edx)\n\t"
	                 : "+a"(nr)
	                 : "b"(pid), "c"(sig), [in] "m"(in_p), [out] "m"(out_p), [x] "m"(x_p)
	                 : "edx", "memory", "xmm0", "xmm7");
#endif
	return nr;
}

TEST(sig_fpu, "signal.sigreturn restores FPU and SSE registers")
{
	u64 in[4] = {0x1111222233334444ull, 0x5555666677778888ull, 0x99aabbccddeeff00ull, 0x0123456789abcdefull};
	u64 out[4] = {0};
	double x = 0;

	handle(SIGUSR1, 0, on_clobber);
	CHECK_EQ(raise_between(in, out, &x), 0);
	CHECK_EQ(count, 1);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(out[i], in[i]);
	CHECK(x > 3.14159 && x < 3.1416);
}

TEST(sig_fpu_switch, "signal.switch keeps FPU registers apart")
{
	pid_t pid = CHECK_OK(fork());
	double a = pid ? 1.5 : 2.5, sum = 0;

	for (int i = 0; i < 20; i++) {
		u64 end = now_ns() + 2000000;

		while (now_ns() < end)
			for (int k = 0; k < 1000; k++)
				sum += a;
		if (i % 5 == 0)
			sched_yield();
	}
	CHECK(sum / a == (double)(long long)(sum / a));
	if (!pid)
		_exit(0);
	join(pid);
}

static void on_context(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	count++;
#ifdef __x86_64__
	CHECK_EQ(*(u8 *)uc->uc_mcontext.gregs[REG_RIP], 0x0f); /* ud2: 0f 0b */
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RBX] = 4711;
#else
	CHECK_EQ(*(u8 *)uc->uc_mcontext.gregs[REG_EIP], 0x0f);
	uc->uc_mcontext.gregs[REG_EIP] += 2;
	uc->uc_mcontext.gregs[REG_EBX] = 4711;
#endif
}

TEST(sig_context, "signal.context can be changed by the handler; ud2 is SIGILL")
{
	long b = 5;

	handle(SIGILL, 0, on_context);
	__asm__ volatile("ud2" : "+b"(b));
	CHECK_EQ(count, 1);
	CHECK_EQ(b, 4711);
}

static void on_fpe(int sig, siginfo_t *info, void *context)
{
	(void)context;
	_exit(sig == SIGFPE && info->si_code == FPE_INTDIV ? 21 : 22);
}

TEST(sig_traps, "signal.traps divide, int3, general protection")
{
	pid_t pid = CHECK_OK(fork());

	if (pid == 0) {
		volatile int number = 1000, zero = 0;

		handle(SIGFPE, 0, on_fpe);
		number = number / zero;
		_exit(0);
	}
	join_exit(pid, 21);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		__asm__ volatile("int3");
		_exit(0);
	}
	join_signal(pid, SIGTRAP);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		__asm__ volatile("hlt");
		_exit(0);
	}
	join_signal(pid, SIGSEGV);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		__asm__ volatile("cli");
		_exit(0);
	}
	join_signal(pid, SIGSEGV);
}

/* A hostile signal frame: sigreturn from a stack that holds rubbish must kill, not more. */
TEST(sig_badframe, "signal.sigreturn with a rubbish frame kills")
{
	for (int fill = 0; fill < 256; fill += 85) {
		pid_t pid = CHECK_OK(fork());

		if (pid == 0) {
			u8 *stack = map_anon(4, PROT_READ | PROT_WRITE);

			signal(SIGSEGV, SIG_DFL);
			memset(stack, fill, 4 * P);
#ifdef __x86_64__
			__asm__ volatile("mov %0, %%rsp\n\tsyscall" ::"r"(stack + 2 * P), "a"(SYS_rt_sigreturn));
#else
			__asm__ volatile("mov %0, %%esp\n\tint $0x80" ::"r"(stack + 2 * P), "a"(SYS_rt_sigreturn));
#endif
			_exit(0);
		}
		join_signal(pid, SIGSEGV);
	}
}

/* -- interrupted calls ------------------------------------------------------------------------------------------ */

static void poke_later(unsigned ms, int sig)
{
	pid_t parent = getpid();

	if (fork() == 0) {
		sleep_ms(ms);
		kill(parent, sig);
		_exit(0);
	}
}

TEST(sig_eintr, "signal.EINTR without SA_RESTART")
{
	int fds[2];
	char c;
	struct timespec ts = {5, 0}, rem = {0, 0};
	struct pollfd pfd;

	handle(SIGUSR1, 0, on_signal);
	CHECK_OK(pipe(fds));
	poke_later(30, SIGUSR1);
	CHECK_ERRNO(read(fds[0], &c, 1), EINTR);
	poke_later(30, SIGUSR1);
	CHECK_ERRNO(nanosleep(&ts, &rem), EINTR);
	CHECK(rem.tv_sec >= 3 && rem.tv_sec <= 5);
	pfd = (struct pollfd){.fd = fds[0], .events = POLLIN};
	poke_later(30, SIGUSR1);
	CHECK_ERRNO(poll(&pfd, 1, 5000), EINTR);
	poke_later(30, SIGUSR1);
	CHECK_ERRNO(pause(), EINTR);
	CHECK_EQ(count, 4);
}

TEST(sig_restart, "signal.SA_RESTART restarts read and wait")
{
	int fds[2];
	char c = 0;
	pid_t pid, parent = getpid();

	handle(SIGUSR1, SA_RESTART, on_signal);
	CHECK_OK(pipe(fds));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		sleep_ms(30);
		kill(parent, SIGUSR1);
		sleep_ms(30);
		CHECK_EQ(write(fds[1], "z", 1), 1);
		sleep_ms(30);
		kill(parent, SIGUSR1);
		sleep_ms(30);
		_exit(0);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, 'z');
	join(pid);
	CHECK_EQ(count, 2);
}

TEST(sig_suspend, "signal.sigsuspend and sigtimedwait")
{
	sigset_t set, none;
	siginfo_t info;
	struct timespec ts = {0, 20000000};

	handle(SIGUSR1, 0, on_signal);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	poke_later(20, SIGUSR1);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	CHECK_ERRNO(sigtimedwait(&set, &info, &ts), EAGAIN);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(sigtimedwait(&set, &info, &ts), SIGUSR1);
	CHECK_EQ(info.si_pid, getpid());
	CHECK_EQ(count, 1);
}

TEST(sig_alarm, "signal.alarm and setitimer")
{
	struct itimerval it = {{0, 10000}, {0, 10000}};

	handle(SIGALRM, 0, on_signal);
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	while (count < 5)
		pause();
	it = (struct itimerval){0};
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_EQ(alarm(100), 0);
	CHECK_OP(alarm(0), >=, 99);
}

static void on_loop(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	count++;
}

TEST(sig_preempt, "signal.preempt interrupts a busy loop")
{
	struct itimerval it = {{0, 0}, {0, 20000}};

	handle(SIGALRM, 0, on_loop);
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	while (!count)
		; /* no system call in here */
}

TEST(sig_stop, "signal.stop and continue, seen by waitpid")
{
	int status;
	pid_t pid = CHECK_OK(fork());

	if (pid == 0)
		for (;;)
			pause();
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK_OK(kill(pid, SIGKILL));
	join_signal(pid, SIGKILL);
}
