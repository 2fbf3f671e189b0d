/*
 * t3_vmm.c - a virtual machine as a secondary MMU (/dev/vmm): T3-V01 and so on, of our own.
 *
 * The guest (user/guest_code.S) runs on a CPU of its own while this one changes the memory that it uses.
 */
#define _GNU_SOURCE
#include "swap.h"
#include "t3.h"
#include "user/guest.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GPA 0x400000ul /* where tests put their own memory */
#define NO_SLOT 0x20000000ul

static void boot(struct guest *g)
{
	int err = vm_boot(g);

	if (err == ENODEV || err == ENOENT)
		SKIP("no guests here");
	CHECK_EQ(err, 0);
}

/* With @pages of memory of our own at GPA. */
static u8 *boot_with(struct guest *g, size_t pages)
{
	u8 *p = map_anon(pages, RW);

	boot(g);
	CHECK_EQ(vm_map(g, GPA, p, pages * P, 0), 0);
	return p;
}

static u64 guest_word(struct guest *g, u64 gpa)
{
	u64 value = 0;

	CHECK_EQ(vm_do(g, GUEST_LOAD, gpa, 0, 0, &value), 0);
	return value;
}

static void guest_put(struct guest *g, u64 gpa, u64 value)
{
	CHECK_EQ(vm_do(g, GUEST_STORE, gpa, value, 0, NULL), 0);
}

/* The guest's load or store must not be possible, with this error; afterwards it is at the same instruction. */
static void guest_cannot(struct guest *g, enum guest_command command, u64 gpa, int error)
{
	struct vmm_run run = {0};

	vm_tell(g, command, gpa, 1, 0);
	CHECK_EQ(vm_run(g, &run), 0);
	CHECK_EQ(run.reason, VMM_EXIT_MEMORY);
	CHECK_EQ(run.address, gpa);
	CHECK_EQ(run.write, command == GUEST_STORE);
	CHECK_EQ(run.error, error);
}

/* What it could not do before it does now. */
static void guest_goes_on(struct guest *g)
{
	struct vmm_run run = {0};
	int err;

	do
		err = vm_run(g, &run);
	while (err == EINTR);
	CHECK_EQ(err, 0);
	CHECK_EQ(run.reason, VMM_EXIT_HALT);
}

static struct vmm_stat guest_stat(struct guest *g)
{
	struct vmm_stat st = {0};

	CHECK_OK(ioctl(g->fd, VMM_IOC_STAT, &st));
	return st;
}

/* -- a guest that runs while we go on ------------------------------------------------------------------------------------------- */

struct runner {
	struct guest *g;
	pid_t child; /* that runs it; 0: the thread does */
	pthread_t thread;
	int err;
	bool ended;
};

/* Until it halts; an access that the program itself could not make just now is tried again. */
static void *runner_body(void *arg)
{
	struct runner *r = arg;
	struct vmm_run run;

	do {
		run = (struct vmm_run){0};
		r->err = vm_run(r->g, &run);
	} while (r->err == EINTR || (run.reason == VMM_EXIT_MEMORY && run.error == EFAULT));
	if (!r->err && run.reason != VMM_EXIT_HALT)
		r->err = -(int)run.reason;
	STORE(r->ended, true);
	return NULL;
}

/* It has gone round so many times more, wherever it was. */
static void rounds_more(struct runner *r, u64 n)
{
	u64 now = r->g->mail->count;

	SPIN_UNTIL(r->g->mail->count >= now + n || LOAD(r->ended) || r->g->mail->result);
}

static void runner_start(struct runner *r, struct guest *g, enum guest_command command, u64 a, u64 b)
{
	*r = (struct runner){.g = g};
	vm_tell(g, command, a, b, 0);
	CHECK_EQ(pthread_create(&r->thread, NULL, runner_body, r), 0);
	rounds_more(r, 1);
}

/* Another process runs it: no CPU that it is on has our address space loaded, so nothing that is done for the CPUs' TLBs
 * stops the guest too. */
static void runner_start_child(struct runner *r, struct guest *g, enum guest_command command, u64 a, u64 b)
{
	*r = (struct runner){.g = g};
	vm_tell(g, command, a, b, 0);
	r->child = CHECK_OK(fork());
	if (r->child == 0) {
		runner_body(r);
		_exit(r->err != 0);
	}
	rounds_more(r, 1);
}

static u64 runner_stop(struct runner *r)
{
	r->g->mail->stop = 1;
	if (r->child)
		join(r->child);
	else
		CHECK_EQ(pthread_join(r->thread, NULL), 0);
	CHECK_EQ(r->err, 0);
	return r->g->mail->result;
}

/* -- the machine ------------------------------------------------------------------------------------------------------------------ */

TEST(T3_V01, "T3-V01 coherent both ways")
{
	struct guest g;
	u8 *p = boot_with(&g, 64);
	u64 sum = 0, want = 0;

	for (size_t i = 0; i < 64; i++) {
		set_tag(p, i, i * 3 + 1);
		want += i * 3 + 1;
	}
	CHECK_EQ(vm_do(&g, GUEST_SUM, GPA, 64 * P / 8, 0, &sum), 0);
	CHECK_EQ(sum, want);
	CHECK_EQ(vm_do(&g, GUEST_FILL, GPA, 64 * P / 8, 1000, NULL), 0);
	for (size_t i = 0; i < 64 * P / 8; i++)
		CHECK_EQ(((u64 *)p)[i], 1000 + i);
	vm_end(&g);
}

TEST(T3_V02, "T3-V02 every exit")
{
	struct guest g;
	struct vmm_run run = {0};
	char text[64] = "";
	size_t n = 0;

	boot(&g);
	vm_tell(&g, GUEST_HELLO, 0, 0, 0);
	while (vm_run(&g, &run) == 0 && run.reason == VMM_EXIT_OUT && n < sizeof(text) - 1) {
		CHECK_EQ(run.port, GUEST_PORT);
		CHECK_EQ(run.width, 1);
		text[n++] = (char)run.value;
	}
	CHECK_EQ(run.reason, VMM_EXIT_HALT);
	CHECK(strcmp(text, "guest: 64 bits, page tables of my own\n") == 0);

	vm_tell(&g, GUEST_ASK, 0x1234, 0, 0);
	CHECK_EQ(vm_run(&g, &run), 0);
	CHECK_EQ(run.reason, VMM_EXIT_IN);
	CHECK_EQ(run.port, 0x1234);
	CHECK_EQ(run.width, 4);
	run.value = 0xcafe1234;
	CHECK_EQ(vm_run(&g, &run), 0);
	CHECK_EQ(g.mail->result, 0xcafe1234);

	guest_cannot(&g, GUEST_LOAD, NO_SLOT, ENXIO);
	CHECK_EQ(vm_map(&g, NO_SLOT, map_anon(1, RW), P, 0), 0);
	guest_goes_on(&g);
	CHECK_EQ(vm_do(&g, GUEST_ODD, 0, 0, 0, NULL), -VMM_EXIT_OTHER);
	vm_end(&g);
	boot(&g);
	CHECK_EQ(vm_do(&g, GUEST_TRIPLE, 0, 0, 0, NULL), -VMM_EXIT_SHUTDOWN);
	vm_end(&g);
}

static void on_alarm(int signo)
{
	(void)signo;
}

TEST(T3_V03, "T3-V03 a signal ends an endless guest")
{
	struct guest g;
	struct vmm_run run = {0};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	u64 began;

	boot(&g);
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	vm_tell(&g, GUEST_SPIN, 0, 0, 0);
	for (int i = 0; i < 3; i++) {
		alarm(1);
		began = now_ns();
		CHECK_EQ(vm_run(&g, &run), EINTR);
		CHECK_OP(now_ns() - began, >, 500000000ull);
	}
	CHECK_OP(guest_stat(&g).interrupts, >, 10);
	vm_end(&g);
}

static void spin_for_ever(void *arg)
{
	struct guest g;
	struct vmm_run run = {0};

	(void)arg;
	if (vm_boot(&g))
		_exit(1);
	vm_tell(&g, GUEST_SPIN, 0, 0, 0);
	for (;;)
		(void)vm_run(&g, &run);
}

TEST(T3_V04, "T3-V04 SIGKILL while a guest spins")
{
	struct guest g;
	pid_t pid;

	boot(&g);
	pid = CHECK_OK(fork());
	if (pid == 0)
		spin_for_ever(NULL);
	sleep_ms(100);
	CHECK_OK(kill(pid, SIGKILL));
	join_signal(pid, SIGKILL);
	vm_end(&g);
}

/* Slots, states and arguments that are wrong; nothing changes. */
TEST(T3_V05, "T3-V05 bad input")
{
	struct guest g;
	u8 *p;
	struct vmm_unmap unmap = {.gpa = GPA + P};
	struct vmm_system system;
	struct vmm_regs regs = {0};
	struct vmm_run run = {0};

	boot(&g);
	p = map_anon(4, RW);
	CHECK_EQ(vm_map(&g, GPA + 1, p, P, 0), EINVAL);
	CHECK_EQ(vm_map(&g, GPA, p + 1, P, 0), EINVAL);
	CHECK_EQ(vm_map(&g, GPA, p, 0, 0), EINVAL);
	CHECK_EQ(vm_map(&g, GPA, p, P, 2), EINVAL);
	CHECK_EQ(vm_map(&g, VMM_ADDRESS_MAX - P, p, 2 * P, 0), EINVAL);
	CHECK_EQ(vm_map(&g, -P, p, P, 0), EINVAL);
	CHECK_EQ(vm_map(&g, GPA, (void *)-P, P, 0), EOVERFLOW);
	CHECK_EQ(vm_map(&g, GPA, p, 4 * P, 0), 0);
	CHECK_EQ(vm_map(&g, GPA + 3 * P, p, P, 0), EEXIST);
	CHECK_EQ(vm_map(&g, GPA - P, p, 2 * P, 0), EEXIST);
	for (u64 i = 2; i < VMM_SLOTS; i++)
		CHECK_EQ(vm_map(&g, GPA + i * 0x10000, p, P, 0), 0);
	CHECK_EQ(vm_map(&g, 2 * GPA, p, P, 0), ENOSPC);
	CHECK_ERRNO(ioctl(g.fd, VMM_IOC_UNMAP, &unmap), ENOENT);
	CHECK_ERRNO(ioctl(g.fd, VMM_IOC_RUN, BAD), EFAULT);
	CHECK_ERRNO(ioctl(g.fd, 0x5600, &run), ENOTTY);

	CHECK_OK(ioctl(g.fd, VMM_IOC_GET_SYSTEM, &system));
	system.cr4 |= 1 << 13;
	CHECK_ERRNO(ioctl(g.fd, VMM_IOC_SET_SYSTEM, &system), EINVAL);
	system.cr4 &= ~(1u << 13 | 1u << 5); /* 64 bits without PAE */
	CHECK_ERRNO(ioctl(g.fd, VMM_IOC_SET_SYSTEM, &system), EINVAL);
	system.cr4 |= 1u << 5;
	system.segment[VMM_CS].attributes |= 1 << 10; /* code of 64 bits and of 32 bits: nobody can be in that state */
	CHECK_OK(ioctl(g.fd, VMM_IOC_SET_SYSTEM, &system));
	CHECK_ERRNO(ioctl(g.fd, VMM_IOC_RUN, &run), EINVAL);
	CHECK_OK(ioctl(g.fd, VMM_IOC_GET_SYSTEM, &system)); /* as after reset, and nothing of the host's */
	CHECK_EQ(system.cr0, 0x10);
	CHECK_EQ(system.cr3, 0);
	CHECK_EQ(system.segment[VMM_GS].base, 0);
	regs.ip = GUEST_CODE;
	CHECK_OK(ioctl(g.fd, VMM_IOC_SET_REGS, &regs));
	guest_goes_on(&g); /* and it boots once more */
	vm_end(&g);
}

/* Random states: whatever the processor makes of them, the run ends. */
TEST(T3_V06, "T3-V06 random processor states")
{
	struct guest g;
	u32 seed = suite_seed();
	unsigned refused = 0, ran = 0;
	struct sigaction sa = {.sa_handler = on_alarm};
	u64 end;

	boot(&g);
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	end = race_end(2000);
	for (u64 rounds = 0; race_on(end, rounds); rounds++) {
		struct vmm_system s;
		struct vmm_regs r;
		struct vmm_run run = {0};
		int err;

		CHECK_OK(ioctl(g.fd, VMM_IOC_GET_SYSTEM, &s));
		for (unsigned n = rnd(&seed) % 4; n; n--)
			((u8 *)&s)[rnd(&seed) % sizeof(s)] = (u8)rnd(&seed);
		s.cr0 &= 0xe005003f;
		s.cr4 &= 0x350fff;
		s.efer &= 0xd01;
		if (ioctl(g.fd, VMM_IOC_SET_SYSTEM, &s) < 0) {
			refused++;
			continue;
		}
		for (unsigned i = 0; i < sizeof(r); i++)
			((u8 *)&r)[i] = (u8)rnd(&seed);
		r.ip = GUEST_CODE + rnd(&seed) % 512;
		CHECK_OK(ioctl(g.fd, VMM_IOC_SET_REGS, &r));
		ualarm(20000, 0);
		err = vm_run(&g, &run);
		ualarm(0, 0);
		CHECK(err == 0 || err == EINTR || err == EINVAL);
		refused += err == EINVAL;
		ran += err != EINVAL;
	}
	test_note("%u states ran, %u were refused", ran, refused);
	vm_end(&g);
}

struct vectors {
	struct guest *g;
	u64 sum;
};

static void *keep_body(void *arg)
{
	struct vectors *v = arg;

	CHECK_EQ(vm_do(v->g, GUEST_KEEP, 1111, 2222, 300000000, &v->sum), 0);
	return NULL;
}

/* Vector registers: the guest's and ours do not meet, though they share a CPU. */
TEST(T3_V07, "T3-V07 vector registers")
{
	struct guest g;
	struct vectors v = {.g = &g};
	pthread_t t;
	double x = 1.5;

	boot(&g);
	cpu_pin(0);
	CHECK_EQ(pthread_create(&t, NULL, keep_body, &v), 0);
	for (int i = 0; i < 3000000; i++)
		x = x * 1.0000001 - 0.00000015;
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(v.sum, 3333);
	CHECK(x > 1.49 && x < 1.51);
	vm_end(&g);
}

/* -- changes of its memory, between runs -------------------------------------------------------------------------------------------- */

TEST(T3_V10, "T3-V10 munmap and a new mapping")
{
	struct guest g;
	u8 *p = boot_with(&g, 4);

	set_tag(p, 1, 77);
	CHECK_EQ(guest_word(&g, GPA + P), 77);
	CHECK_OK(munmap(p + P, P));
	guest_cannot(&g, GUEST_LOAD, GPA + P, EFAULT);
	CHECK_EQ((uintptr_t)mmap(p + P, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (uintptr_t)(p + P));
	set_tag(p, 1, 78);
	guest_goes_on(&g);
	CHECK_EQ(g.mail->result, 78);
	vm_end(&g);
}

TEST(T3_V11, "T3-V11 mprotect")
{
	struct guest g;
	u8 *p = boot_with(&g, 1);

	guest_put(&g, GPA, 5);
	CHECK_OK(mprotect(p, P, PROT_READ));
	CHECK_EQ(guest_word(&g, GPA), 5);
	guest_cannot(&g, GUEST_STORE, GPA, EFAULT);
	CHECK_EQ(tag(p, 0), 5);
	CHECK_OK(mprotect(p, P, RW));
	guest_goes_on(&g);
	CHECK_EQ(tag(p, 0), 1);
	CHECK_OK(mprotect(p, P, PROT_NONE));
	guest_cannot(&g, GUEST_LOAD, GPA, EFAULT);
	CHECK_OK(mprotect(p, P, RW));
	guest_goes_on(&g);
	vm_end(&g);
}

TEST(T3_V12, "T3-V12 a slot that is read-only, and one that goes")
{
	struct guest g;
	u8 *p = map_anon(1, RW);
	struct vmm_unmap unmap = {.gpa = GPA};

	boot(&g);
	CHECK_EQ(vm_map(&g, GPA, p, P, VMM_READ_ONLY), 0);
	set_tag(p, 0, 9);
	CHECK_EQ(guest_word(&g, GPA), 9);
	guest_cannot(&g, GUEST_STORE, GPA, EFAULT);
	CHECK_OK(ioctl(g.fd, VMM_IOC_UNMAP, &unmap));
	CHECK_EQ(vm_map(&g, GPA, p, P, 0), 0);
	guest_goes_on(&g);
	CHECK_EQ(tag(p, 0), 1);
	CHECK_OK(ioctl(g.fd, VMM_IOC_UNMAP, &unmap));
	guest_cannot(&g, GUEST_LOAD, GPA, ENXIO);
	vm_end(&g);
}

/* After a fork each has its own; the guest is the parent's. */
TEST(T3_V13, "T3-V13 fork and copy on write")
{
	struct guest g;
	u8 *p = boot_with(&g, 2);
	int go[2];
	pid_t pid;
	char c;

	guest_put(&g, GPA, 1);
	guest_put(&g, GPA + P, 1);
	CHECK_OK(pipe(go));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_EQ(read(go[0], &c, 1), 1);
		CHECK_EQ(tag(p, 0), 1);
		CHECK_EQ(tag(p, 1), 1);
		_exit(0);
	}
	guest_put(&g, GPA, 2); /* the guest's store is a copy */
	set_tag(p, 1, 3);      /* ours is, and the guest goes with us */
	CHECK_EQ(tag(p, 0), 2);
	CHECK_EQ(guest_word(&g, GPA + P), 3);
	CHECK_EQ(write(go[1], "", 1), 1);
	join(pid);
	vm_end(&g);
}

TEST(T3_V14, "T3-V14 truncate by somebody else")
{
	struct guest g;
	int fd = tagged_memfd(2);
	u8 *p = map_shared(fd, 2, RW);
	pid_t pid;

	boot(&g);
	CHECK_EQ(vm_map(&g, GPA, p, 2 * P, 0), 0);
	CHECK_EQ(guest_word(&g, GPA + P), 1);
	guest_put(&g, GPA + P, 0x55);
	CHECK_EQ(file_tag(fd, 1), 0x55);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_OK(munmap(p, 2 * P));
		CHECK_OK(ftruncate(fd, (off_t)P));
		_exit(0);
	}
	join(pid);
	guest_cannot(&g, GUEST_LOAD, GPA + P, EFAULT);
	CHECK_OK(ftruncate(fd, 2 * (off_t)P));
	guest_goes_on(&g);
	CHECK_EQ(g.mail->result, 0);
	CHECK_EQ(guest_word(&g, GPA), 0);
	vm_end(&g);
}

/* No reference, no pin: what the guest has used can all be thrown away, and comes back on demand. */
TEST(T3_V15, "T3-V15 all of it can go")
{
	struct guest g;
	u8 *p = boot_with(&g, 64);

	CHECK_EQ(vm_do(&g, GUEST_FILL, GPA, 64 * P / 8, 1, NULL), 0);
	CHECK_OP(guest_stat(&g).sptes, >=, 64);
	CHECK_OK(madvise(p, 64 * P, MADV_DONTNEED));
	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(resident(p + i * P), 0);
	CHECK_OP(guest_stat(&g).sptes, <, 64);
	CHECK_EQ(guest_word(&g, GPA + 63 * P), 0);
	vm_end(&g);
}

TEST(T3_V18, "T3-V18 all of it is swapped out, and comes back")
{
	struct guest g;
	u64 n = 64 * P / 8, sum = 0;
	size_t gone = 0;
	u8 *p;

	p = boot_with(&g, 64);
	swap_begin(256);
	CHECK_EQ(vm_do(&g, GUEST_FILL, GPA, n, 1, NULL), 0);
	for (int i = 0; i < 3 && gone < 64; i++) /* what is young stays the first time */
		gone = swap_out(p, 64);
	CHECK_EQ(gone, 64);
	CHECK_OP(guest_stat(&g).sptes, <, 64);
	CHECK_EQ(vm_do(&g, GUEST_SUM, GPA, n, 0, &sum), 0);
	CHECK_EQ(sum, n * (n + 1) / 2);
	vm_end(&g);
	swap_end();
}

/* Whoever ran it does not matter: the memory is that of who mapped it. After exec or exit there is none. */
TEST(T3_V16, "T3-V16 the owner ends, its guest is kept by another")
{
	struct guest g;
	int fds[2];
	pid_t pid;
	char c;
	struct vmm_run run = {0};

	boot(&g);
	CHECK_OK(pipe(fds));
	g.fd = dup(g.fd);
	pid = CHECK_OK(fork());
	if (pid == 0) { /* a slot of the child's memory in the machine that we share */
		u8 *p = map_anon(1, RW);

		set_tag(p, 0, 4711);
		CHECK_EQ(vm_map(&g, GPA, p, P, 0), 0);
		CHECK_EQ(write(fds[1], "", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(guest_word(&g, GPA), 4711);
	CHECK_OK(kill(pid, SIGKILL));
	join_signal(pid, SIGKILL);
	vm_tell(&g, GUEST_LOAD, GPA, 0, 0);
	CHECK_EQ(vm_run(&g, &run), 0);
	CHECK_EQ(run.reason, VMM_EXIT_MEMORY);
	CHECK_EQ(run.error, EFAULT);
	vm_end(&g);
}

/* What the guest uses is young, by its own accessed bits, and again after that was cleared. */
TEST(T3_V17, "T3-V17 age")
{
	struct guest g;
	u8 *p = boot_with(&g, 2);
	int dev = device_open();

	guest_put(&g, GPA, 1);
	CHECK_EQ(device_young(dev, p, true), 1);
	CHECK_EQ(device_young(dev, p, false), 0);
	CHECK_EQ(device_young(dev, p + P, false), 0);
	CHECK_EQ(guest_word(&g, GPA), 1);
	CHECK_EQ(device_young(dev, p, false), 1);
	CHECK_EQ(device_young(dev, p, true), 1);
	CHECK_EQ(device_young(dev, p, true), 0);
	CHECK_EQ(guest_word(&g, GPA), 1);
	CHECK_EQ(device_young(dev, p, true), 1);
	vm_end(&g);
}

/* -- while it runs ------------------------------------------------------------------------------------------------------------------------ */

/* The guest watches that the second page is never behind the first. We make each new second page before we say so
 * in the first: a translation that outlives its page is a second page that is old, or somebody else's. */
struct watch {
	u8 *p;
	int fd; /* of the second page, or -1 */
	u32 value, seed;
	u64 rounds;
};

static void store_value(struct watch *w)
{
	STORE(*(u32 *)(w->p + P), w->value);
}

static void renew_dontneed(struct watch *w)
{
	CHECK_OK(madvise(w->p + P, P, MADV_DONTNEED));
	store_value(w);
}

static void renew_mapping(struct watch *w)
{
	u8 *page = w->p + P;

	CHECK_OK(munmap(page, P));
	CHECK_EQ((uintptr_t)mmap(page, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (uintptr_t)page);
	store_value(w);
}

/* The parent's next store is a copy, and the guest must go with it. */
static void renew_fork(struct watch *w)
{
	pid_t pid = CHECK_OK(fork());

	if (pid == 0)
		_exit(*(volatile u32 *)(w->p + P) != w->value - 1);
	store_value(w);
	join(pid);
}

static void renew_protection(struct watch *w)
{
	CHECK_OK(mprotect(w->p + P, P, PROT_READ));
	CHECK_OK(mprotect(w->p + P, P, RW));
	store_value(w);
}

static void renew_truncate(struct watch *w)
{
	CHECK_OK(ftruncate(w->fd, 0));
	CHECK_OK(ftruncate(w->fd, (off_t)P));
	store_value(w);
}

static void renew_swapped(struct watch *w)
{
	CHECK_OK(madvise(w->p + P, P, MADV_PAGEOUT));
	CHECK_EQ(*(volatile u32 *)(w->p + P), w->value - 1);
	store_value(w);
}

typedef void renew(struct watch *w);

static void watch(renew *const *ways, unsigned nways, int fd, unsigned ms, bool child)
{
	struct guest g;
	struct watch w = {.p = boot_with(&g, 2), .fd = fd, .seed = suite_seed()};
	struct runner r;
	u64 end, seen;

	if (cpu_total() < 2)
		SKIP("needs two CPUs");
	if (fd >= 0)
		CHECK_OK(mmap(w.p + P, P, RW, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ? -1 : 0);
	(child ? runner_start_child : runner_start)(&r, &g, GUEST_WATCH, GPA, GPA + P);
	for (end = race_end(ms); race_on(end, w.rounds) && !g.mail->result; w.rounds++) {
		w.value++;
		ways[rnd(&w.seed) % nways](&w);
		STORE(*(u32 *)w.p, w.value);
		if (w.rounds % 4 == 0 && !g.mail->result)
			rounds_more(&r, 1 + rnd(&w.seed) % 64);
	}
	seen = runner_stop(&r);
	if (seen)
		FAIL("round %u: the guest saw %#x behind %#x", w.value, (u32)seen, (u32)(seen >> 32));
	test_note("%llu rounds, %llu of the guest's; %llu kicks", (unsigned long long)w.rounds,
	          (unsigned long long)g.mail->count, (unsigned long long)guest_stat(&g).kicks);
	vm_end(&g);
}

TEST(T3_V20, "T3-V20 MADV_DONTNEED under a running guest")
{
	watch((renew *const[]){renew_dontneed}, 1, -1, 1500, false);
}

TEST(T3_V21, "T3-V21 munmap and mmap under a running guest")
{
	watch((renew *const[]){renew_mapping}, 1, -1, 1000, false);
}

TEST(T3_V22, "T3-V22 fork and copy on write under a running guest")
{
	watch((renew *const[]){renew_fork}, 1, -1, 1500, false);
}

TEST(T3_V23, "T3-V23 truncate under a running guest")
{
	watch((renew *const[]){renew_truncate}, 1, CHECK_OK(memfd_create("page", 0)), 1000, false);
}

/* With an area to swap to, which must not be left behind by a test that is skipped. */
static void watch_swapping(renew *const *ways, unsigned nways, unsigned ms)
{
	struct guest g;

	boot(&g);
	vm_end(&g);
	if (cpu_total() < 2)
		SKIP("needs two CPUs");
	swap_begin(256);
	watch(ways, nways, -1, ms, false);
	swap_end();
}

TEST(T3_V24, "T3-V24 everything under a running guest")
{
	watch_swapping((renew *const[]){renew_dontneed, renew_mapping, renew_fork, renew_protection, renew_swapped}, 5,
	               3000);
}

TEST(T3_V27, "T3-V27 swapping under a running guest")
{
	watch_swapping((renew *const[]){renew_swapped}, 1, 1500);
}

/* Only the notifiers stop this guest. Without them (M133) it goes on with a page that is not ours any more. */
TEST(T3_V26, "T3-V26 MADV_DONTNEED under a guest that another process runs")
{
	watch((renew *const[]){renew_dontneed, renew_mapping, renew_protection}, 3, -1, 2000, true);
}

/* Between mprotect to read-only and back nothing changes, though the guest stores without end. */
TEST(T3_V25, "T3-V25 mprotect under a guest that stores")
{
	struct guest g;
	u8 *p = boot_with(&g, 1);
	struct runner r;
	u64 end, rounds = 0;

	if (cpu_total() < 2)
		SKIP("needs two CPUs");
	runner_start(&r, &g, GUEST_COUNT, GPA, 0);
	for (end = race_end(1000); race_on(end, rounds); rounds++) {
		u64 now;

		CHECK_OK(mprotect(p, P, PROT_READ));
		now = LOAD(*(u64 *)p);
		for (u64 until = now_ns() + 200000; now_ns() < until;)
			CHECK_EQ(LOAD(*(u64 *)p), now);
		CHECK_OK(mprotect(p, P, RW));
		SPIN_UNTIL(LOAD(*(u64 *)p) != now);
	}
	(void)runner_stop(&r);
	test_note("%llu rounds", (unsigned long long)rounds);
	vm_end(&g);
}

/* -- storm: several guests, one memory ------------------------------------------------------------------------------------------------------ */

#define STORM_PAGES 8
#define STORM_GUESTS 2

struct storm {
	u8 *p;
	struct guest guests[STORM_GUESTS];
	u64 rounds;
	u32 seed;
	unsigned ready;
	bool stop;
};

/* A guest fills a page with a stamp of its own and adds it up again; others change it, or throw it away. */
static void storm_guest(struct storm *s, struct guest *g, u32 seed)
{
	ADD(s->ready, 1);
	while (!LOAD(s->stop)) {
		u64 at = GPA + rnd(&seed) % STORM_PAGES * P + 8 * (rnd(&seed) % 512);
		int err = vm_do(g, rnd(&seed) % 2 ? GUEST_LOAD : GUEST_STORE, at, 0x1000000 + rnd(&seed) % 1000, 0, NULL);

		if (err == -VMM_EXIT_MEMORY) { /* unmapped or read-only for the moment: it tries again until it can */
			struct vmm_run run = {.reason = VMM_EXIT_MEMORY};

			while (!LOAD(s->stop) && (err == EINTR || run.reason == VMM_EXIT_MEMORY))
				err = vm_run(g, &run);
		}
		CHECK(LOAD(s->stop) || err == 0);
		if (g->mail->result && g->mail->result >> 24 != 1 && g->mail->command == GUEST_LOAD)
			FAIL("the guest saw %#llx", (unsigned long long)g->mail->result);
	}
}

static void storm_change(struct storm *s, u8 *page)
{
	unsigned what = rnd(&s->seed) % 6;

	if (what == 0) {
		CHECK_OK(madvise(page, P, MADV_DONTNEED));
	} else if (what == 1) {
		CHECK_OK(munmap(page, P));
		CHECK_OK(mmap(page, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
	} else if (what == 2) {
		CHECK_OK(mprotect(page, P, PROT_READ));
		CHECK_OK(mprotect(page, P, RW));
	} else if (what == 3) {
		pid_t pid = CHECK_OK(fork());

		if (pid == 0)
			_exit(0);
		join(pid);
	} else {
		((volatile u64 *)page)[rnd(&s->seed) % 512] = 0x1000000 + what;
	}
}

/* Others' pages, which never begin with our stamps. */
static void storm_noise(void)
{
	u8 *q = map_anon(16, RW);

	memset(q, 0xf0, 16 * P);
	CHECK_OK(munmap(q, 16 * P));
}

static void storm_member(unsigned me, void *arg)
{
	struct storm *s = arg;

	if (me > 0) {
		storm_guest(s, &s->guests[me - 1], s->seed + me);
		return;
	}
	SPIN_UNTIL(LOAD(s->ready) == STORM_GUESTS);
	for (u64 end = race_end(3000); race_on(end, s->rounds); s->rounds++) {
		storm_change(s, s->p + rnd(&s->seed) % STORM_PAGES * P);
		if (s->rounds % 16 == 0)
			storm_noise();
	}
	STORE(s->stop, true);
}

TEST_SECONDS(T3_V30, "T3-V30 storm: two guests, one memory", 300)
{
	struct storm s = {.p = map_anon(STORM_PAGES, RW), .seed = suite_seed()};

	for (unsigned i = 0; i < STORM_GUESTS; i++) {
		boot(&s.guests[i]);
		CHECK_EQ(vm_map(&s.guests[i], GPA, s.p, STORM_PAGES * P, 0), 0);
	}
	crew_run(1 + STORM_GUESTS, storm_member, &s);
	for (unsigned i = 0; i < STORM_GUESTS; i++) {
		struct vmm_stat st = guest_stat(&s.guests[i]);

		test_note("guest %u: %llu runs, %llu faults, %llu retries, %llu flushes, %llu kicks", i,
		          (unsigned long long)st.runs, (unsigned long long)st.faults, (unsigned long long)st.retries,
		          (unsigned long long)st.flushes, (unsigned long long)st.kicks);
		vm_end(&s.guests[i]);
	}
	test_note("%llu changes", (unsigned long long)s.rounds);
}
