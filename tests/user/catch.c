/*
 * catch.c - tries one access and tells which signal it raised, if any.
 *
 * No system call per try: the handlers are installed once with SA_NODEFER, and sigsetjmp saves no mask.  Every
 * thread has a landing of its own.
 */
#define _GNU_SOURCE
#include "test.h"

#include <setjmp.h>
#include <stdio.h>
#include <unistd.h>

static __thread sigjmp_buf landing;
static __thread volatile sig_atomic_t catching;
static __thread volatile struct fault caught;
static bool installed;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!catching)
		test_fail(__FILE__, __LINE__, "unexpected signal %d code %d at %p", sig, info->si_code, info->si_addr);
	caught.signo = sig;
	caught.code = info->si_code;
	caught.addr = info->si_addr;
	siglongjmp(landing, 1);
}

static void install(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	static const int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

	if (installed)
		return;
	installed = true;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		if (sigaction(sigs[i], &sa, NULL))
			test_fail(__FILE__, __LINE__, "sigaction(%d): errno %d", sigs[i], errno);
}

/* The body runs between setting and clearing `catching`; a fault in it lands behind sigsetjmp. */
#define TRY(body)                       \
	struct fault result = {0, 0, NULL}; \
	install();                          \
	if (sigsetjmp(landing, 0) == 0) {   \
		catching = 1;                   \
		body;                           \
		catching = 0;                   \
		return result;                  \
	}                                   \
	catching = 0;                       \
	result.signo = caught.signo;        \
	result.code = caught.code;          \
	result.addr = caught.addr;          \
	return result

struct fault try_read(const volatile void *p)
{
	TRY((void)*(const volatile u8 *)p);
}

struct fault try_write(volatile void *p, u8 value)
{
	TRY(*(volatile u8 *)p = value);
}

struct fault try_write64(volatile void *p, u64 value)
{
	TRY(*(volatile u64 *)p = value);
}

struct fault try_exec(void *p)
{
	TRY(((void (*)(void))p)());
}

struct fault try_call(void (*fn)(void *), void *arg)
{
	TRY(fn(arg));
}
