/*
 * mm_cow.c - copy-on-write: fork trees, private file mappings, the kernel writing for us.
 */
#define _GNU_SOURCE
#include "test.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define N 32

static void check_all(const u8 *p, u8 value)
{
	for (size_t i = 0; i < N * P; i += 512)
		CHECK_EQ(p[i], value);
}

static void cow_child(void *arg)
{
	u8 *p = arg;

	check_all(p, 1);
	memset(p, 2, N * P);
	check_all(p, 2);
}

TEST(cow_fork, "cow.fork child writes, parent does not see")
{
	u8 *p = map_anon(N, RW);

	memset(p, 1, N * P);
	for (int i = 0; i < 10; i++) {
		in_child(cow_child, p);
		check_all(p, 1);
	}
}

TEST(cow_parent, "cow.parent writes, child does not see")
{
	u8 *p = map_anon(N, RW);
	int ready[2];
	pid_t pid;
	char c;

	memset(p, 1, N * P);
	CHECK_OK(pipe(ready));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_EQ(read(ready[0], &c, 1), 1);
		check_all(p, 1);
		_exit(0);
	}
	memset(p, 3, N * P);
	CHECK_EQ(write(ready[1], "x", 1), 1);
	join(pid);
	check_all(p, 3);
}

static void tree(u8 *p, int depth)
{
	pid_t kids[2];

	if (depth == 0)
		return;
	for (int k = 0; k < 2; k++) {
		kids[k] = CHECK_OK(fork());
		if (kids[k] == 0) {
			p[depth * P] = (u8)(10 * depth + k);
			tree(p, depth - 1);
			CHECK_EQ(p[depth * P], 10 * depth + k);
			_exit(0);
		}
	}
	join(kids[0]);
	join(kids[1]);
}

TEST(cow_tree, "cow.tree three generations")
{
	u8 *p = map_anon(N, RW);

	memset(p, 1, N * P);
	tree(p, 4);
	check_all(p, 1);
}

static void syscall_child(void *arg)
{
	u8 *p = arg;
	int fds[2];

	CHECK_OK(pipe(fds));
	CHECK_EQ(write(fds[1], "hello", 5), 5);
	CHECK_EQ(read(fds[0], p + P - 2, 5), 5); /* the kernel breaks COW on two pages */
	CHECK(!memcmp(p + P - 2, "hello", 5));
}

TEST(cow_kernel, "cow.kernel read(2) into a shared page copies it first")
{
	u8 *p = map_anon(N, RW);

	memset(p, 1, N * P);
	in_child(syscall_child, p);
	check_all(p, 1);
	CHECK_EQ(p[P - 2], 1);
}

TEST(cow_private_file, "cow.private file mapping")
{
	int fd = tagged_memfd(4);
	u8 *p = CHECK_OK(mmap(NULL, 4 * P, RW, MAP_PRIVATE, fd, 0));

	CHECK_EQ(tag(p, 2), 2);
	CHECK_EQ(pwrite(fd, &(u64){22}, 8, 2 * P), 8);
	CHECK_EQ(tag(p, 2), 22); /* not yet copied */
	set_tag(p, 2, 5);
	CHECK_EQ(file_tag(fd, 2), 22);
	CHECK_EQ(pwrite(fd, &(u64){23}, 8, 2 * P), 8);
	CHECK_EQ(tag(p, 2), 5); /* copied: its own */
	CHECK_OK(madvise(p, 4 * P, MADV_DONTNEED));
	CHECK_EQ(tag(p, 2), 23); /* the copy is gone */
	set_tag(p, 3, 6);        /* write first, no read before */
	CHECK_EQ(tag(p, 3), 6);
	CHECK_EQ(file_tag(fd, 3), 3);
}

TEST(cow_mprotect, "cow.mprotect to R and back keeps sharing honest")
{
	u8 *p = map_anon(N, RW);
	pid_t pid;

	memset(p, 1, N * P);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_OK(mprotect(p, N * P, PROT_READ));
		CHECK_OK(mprotect(p, N * P, RW));
		cow_child(p);
		_exit(0);
	}
	join(pid);
	check_all(p, 1);
}

TEST(cow_zero, "cow.zero page and fork")
{
	u8 *p = map_anon(4, RW);
	pid_t pid;

	CHECK_EQ(p[0], 0);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		p[0] = 1;
		CHECK_EQ(p[1], 0);
		_exit(0);
	}
	join(pid);
	CHECK_EQ(p[0], 0);
	p[0] = 2;
	CHECK_EQ(p[0], 2);
}

static void shared_child(void *arg)
{
	volatile u64 *p = arg;

	CHECK_EQ(p[0], 1);
	p[0] = 2;
	p[512 * 3] = 33;
}

TEST(cow_shared_anon, "cow.shared anonymous memory is shared across fork")
{
	u64 *p = CHECK_OK(mmap(NULL, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	p[0] = 1;
	in_child(shared_child, p);
	CHECK_EQ(p[0], 2);
	CHECK_EQ(p[512 * 3], 33); /* a page first touched by the child */
}

TEST(cow_many, "cow.many 64 children of one page")
{
	u8 *p = map_anon(1, RW);
	pid_t pids[64];
	int go[2];

	*p = 1;
	CHECK_OK(pipe(go));
	for (int i = 0; i < 64; i++) {
		pids[i] = CHECK_OK(fork());
		if (pids[i] == 0) {
			char c;

			close(go[1]);
			CHECK_EQ(read(go[0], &c, 1), 0); /* until the parent closes */
			CHECK_EQ(*p, 1);
			*p = (u8)i;
			CHECK_EQ(*p, (u8)i);
			_exit(0);
		}
	}
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < 64; i++)
		join(pids[i]);
	CHECK_EQ(*p, 1);
}
