/*
 * t2_wp.c - userfaultfd on pages that are there: write protection, and minor faults of files in memory: T2-31, T2-32.
 */
#define _GNU_SOURCE
#include "swap.h"
#include "t2.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 8
#define PROTECT UFFDX_WRITEPROTECT_WP

static int fd;

static void asks(u8 *p, bool release)
{
	struct toucher t;

	touch_start(&t, p, true, 200);
	uffd_expect(fd, p, UFFDX_FAULT_WRITE | UFFDX_FAULT_WP);
	CHECK(!touch_done(&t, 5));
	if (release)
		CHECK_EQ(uffd_protect(fd, p, 1, 0), 0);
	else
		CHECK_OK(madvise(p, P, MADV_DONTNEED)), uffd_wake(fd, p, 1);
	touch_end(&t);
	CHECK_EQ(*p, 200);
}

TEST(t2_wp, "T2-31 write protection of anonymous memory: stores ask, loads do not")
{
	u8 *p = map_anon(N, RW);

	fd = uffd_open(UFFDX_PAGEFAULT_FLAG_WP, 0);
	for (size_t i = 0; i < 4; i++)
		p[i * P] = (u8)i;
	CHECK_EQ(uffd_protect(fd, p, 1, PROTECT), ENOENT); /* not registered */
	uffd_register(fd, p, N, UFFDX_REGISTER_WP);
	CHECK_EQ(uffd_protect(fd, p, N, 3), EINVAL);
	CHECK_EQ(uffd_protect(fd, p, N, 4), EINVAL);
	CHECK_EQ(uffd_protect(fd, p, 0, PROTECT), EINVAL);
	CHECK_EQ(uffd_protect(fd, p + N * P, 1, PROTECT), ENOENT);
	CHECK_EQ(uffd_protect(fd, p, N, PROTECT), 0);
	CHECK_EQ(p[3 * P], 3);
	asks(p, true);
	p[0] = 1; /* released */
	asks(p + P, false);
	p[6 * P] = 1;                     /* was not there, and nobody asked for notes */
	CHECK_OK(mprotect(p, N * P, RW)); /* changes nothing about it */
	CHECK_OK(mprotect(p + 2 * P, P, PROT_READ));
	CHECK_OK(mprotect(p + 2 * P, P, RW));
	asks(p + 2 * P, true);
	CHECK_EQ(uffd_protect(fd, p, N, PROTECT), 0);
	uffd_unregister(fd, p, N);
	for (size_t i = 0; i < N; i++)
		p[i * P] = 9;
	uffd_quiet(fd);
}

TEST(t2_wp_close, "T2-31 write protection ends with its context, and is not the child's")
{
	u8 *p = map_anon(N, RW);
	struct toucher t;
	pid_t pid;

	fd = uffd_open(UFFDX_PAGEFAULT_FLAG_WP | UFFDX_WP_UNPOPULATED, 0);
	memset(p, 1, 4 * P);
	uffd_register(fd, p, N, UFFDX_REGISTER_WP);
	CHECK_EQ(uffd_protect(fd, p, N, PROTECT), 0);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		for (size_t i = 0; i < N; i++)
			p[i * P] = 5;
		_exit(0);
	}
	join(pid);
	asks(p + P, true);
	asks(p + 6 * P, true); /* a page that is not there can be protected as well */
	CHECK_EQ(p[5 * P], 0);
	asks(p + 5 * P, true); /* the page of zeros */
	touch_start(&t, p, true, 3);
	uffd_expect(fd, p, UFFDX_FAULT_WRITE | UFFDX_FAULT_WP);
	CHECK_OK(close(fd));
	touch_end(&t);
	for (size_t i = 0; i < N; i++)
		p[i * P] = 9;
}

TEST(t2_wp_swap, "T2-31 write protection survives swapping")
{
	u8 *p = map_anon(N, RW);
	int mm = mm_open();

	swap_begin(256);
	fd = uffd_open(UFFDX_PAGEFAULT_FLAG_WP, 0);
	swap_fill(p, N, 3);
	uffd_register(fd, p, N, UFFDX_REGISTER_WP);
	CHECK_EQ(uffd_protect(fd, p, 4, PROTECT), 0);
	CHECK_EQ(swap_out(p, N), N);
	if (mm >= 0)
		mm_audit_clean(mm, "out");
	CHECK_EQ(uffd_protect(fd, p + 4 * P, 1, PROTECT), 0); /* out there */
	swap_check(p, N, 3);
	asks(p, true);
	asks(p + 4 * P, true);
	p[5 * P] = 1;
	CHECK_EQ(swap_out(p + P, 1), 1);
	asks(p + P, true); /* the store itself brings it in */
	CHECK_EQ(swap_out(p + 2 * P, 1), 1);
	CHECK_EQ(uffd_protect(fd, p + 2 * P, 1, 0), 0);
	p[2 * P] = 1;
	swap_end();
	if (mm >= 0)
		mm_audit_clean(mm, "in");
	asks(p + 3 * P, true);
}

TEST(t2_wp_shmem, "T2-31 write protection of files in memory, also of pages that are not there; COPY protected")
{
	int file = CHECK_OK(memfd_create("wp", 0));
	u8 *p, *again, page[4096] = {7};

	CHECK_OK(ftruncate(file, N * (off_t)P));
	fd = uffd_open(UFFDX_PAGEFAULT_FLAG_WP | UFFDX_WP_HUGETLBFS_SHMEM, 0);
	p = map_shared(file, N, RW);
	again = map_shared(file, N, RW);
	uffd_register(fd, p, N, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	again[0] = again[P] = again[2 * P] = 1;
	CHECK_EQ(p[0], 1);
	CHECK_EQ(uffd_protect(fd, p, 4, PROTECT), 0);
	asks(p, true);
	again[P] = 2; /* another mapping is not meant */
	CHECK_EQ(p[P], 2);
	CHECK_EQ(uffd_protect(fd, p + P, 1, 0), 0);
	p[P] = 3;
	CHECK_EQ(p[2 * P], 1); /* comes from the file, protected */
	CHECK_EQ(uffd_protect(fd, p + 2 * P, 1, PROTECT), 0);
	CHECK_OK(madvise(p + 2 * P, P, MADV_DONTNEED));
	CHECK_EQ(p[2 * P], 1);
	asks(p + 2 * P, true);
	CHECK_EQ(uffd_copy(fd, p + 5 * P, page, 1, UFFDX_COPY_WP, NULL), 0);
	CHECK_EQ(p[5 * P], 7);
	asks(p + 5 * P, true);
	CHECK_EQ(uffd_copy(fd, p + 3 * P, page, 1, 0, NULL), 0); /* onto a note */
	p[3 * P] = 4;
	CHECK_EQ(uffd_protect(fd, p, N, PROTECT), 0);
	uffd_unregister(fd, p, N);
	for (size_t i = 0; i < N; i++)
		p[i * P] = 9;
}

TEST(t2_wp_async, "T2-31 WP_ASYNC: nobody is asked, the bit goes")
{
	u8 *p = map_anon(N, RW);
	int mm = mm_open();

	fd = uffd_open(UFFDX_PAGEFAULT_FLAG_WP | UFFDX_WP_ASYNC, 0);
	p[0] = 1;
	uffd_register(fd, p, N, UFFDX_REGISTER_WP);
	CHECK_EQ(uffd_protect(fd, p, N, PROTECT), 0);
	if (mm >= 0)
		CHECK(!mm_entry_at(mm, p, 0).write);
	p[0] = 2;
	p[P] = 3;
	if (mm >= 0)
		CHECK(mm_entry_at(mm, p, 0).write);
	uffd_quiet(fd);
	if (on_pteron()) {
		int disk = make_file(disk_dir(), "async", 0);
		u8 *q;

		CHECK_OK(ftruncate(disk, 2 * (off_t)P));
		q = map_shared(disk, 2, RW);
		q[0] = 1;
		uffd_register(fd, q, 2, UFFDX_REGISTER_WP); /* of any memory, so */
		CHECK_EQ(uffd_protect(fd, q, 2, PROTECT), 0);
		q[0] = 2;
		q[P] = 3;
		CHECK_OK(msync(q, 2 * P, MS_SYNC));
		CHECK_EQ(file_tag(disk, 1) & 0xff, 3);
	}
}

TEST(t2_minor, "T2-32 minor faults: the file has the page, CONTINUE maps it")
{
	int file = tagged_memfd(N), hole;
	struct toucher t;
	int64_t done;
	u8 *p, *again;

	fd = uffd_open(UFFDX_MINOR_SHMEM, 0);
	p = map_shared(file, N, RW);
	again = map_shared(file, N, RW);
	uffd_register(fd, p, N, UFFDX_REGISTER_MINOR);
	touch_start(&t, p, false, 0);
	uffd_expect(fd, p, UFFDX_FAULT_MINOR);
	set_tag(again, 0, 55); /* the program prepares it */
	CHECK_EQ(uffd_continue(fd, p, 1, 0, &done), 0);
	CHECK_EQ(done, P);
	CHECK_EQ(touch_end(&t), 55);
	CHECK_EQ(uffd_continue(fd, p, 1, 0, &done), EEXIST);
	CHECK_EQ(done, -EEXIST);
	touch_start(&t, p + P, true, 9);
	uffd_expect(fd, p + P, UFFDX_FAULT_MINOR | UFFDX_FAULT_WRITE);
	CHECK_EQ(uffd_continue(fd, p + P, 3, 0, NULL), 0);
	touch_end(&t);
	CHECK_EQ(again[P], 9);
	CHECK_EQ(tag(p, 3), 3);
	CHECK_EQ(uffd_continue(fd, p + 4 * P, 1, 4, &done), EINVAL);
	CHECK_EQ(uffd_continue(fd, p + 4 * P, 1, UFFDX_CONTINUE_WP, &done), EINVAL); /* not registered for that */
	hole = CHECK_OK(memfd_create("hole", 0));
	CHECK_OK(ftruncate(hole, 2 * (off_t)P));
	p = map_shared(hole, 2, RW);
	uffd_register(fd, p, 2, UFFDX_REGISTER_MINOR | UFFDX_REGISTER_MISSING);
	CHECK_EQ(uffd_continue(fd, p, 1, 0, &done), EFAULT); /* the file has none */
	touch_start(&t, p, false, 0);
	uffd_expect(fd, p, 0); /* missing, not minor */
	CHECK_EQ(uffd_zero(fd, p, 1, 0, NULL), 0);
	CHECK_EQ(touch_end(&t), 0);
	p = map_anon(1, RW);
	uffd_register(fd, p, 1, UFFDX_REGISTER_MISSING);
	CHECK_EQ(uffd_continue(fd, p, 1, 0, &done), EINVAL); /* no file */
}
