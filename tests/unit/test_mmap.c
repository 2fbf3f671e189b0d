/*
 * test_mmap.c - mm/space/mmap.c: what mmap(2) refuses, where it maps, that it is all or nothing; brk(2).
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

#define AT P(1024)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static long request(vaddr_t addr, size_t length, unsigned flags)
{
	return mm_mmap(sim_mm(), &(struct mmap_request){.addr = addr, .length = length, .prot = RW, .flags = flags});
}

static void fixed(vaddr_t addr, unsigned long pages)
{
	CHECK(request(addr, P(pages), ANON | MAP_FIXED) == (long)addr);
}

/* -- what it refuses ------------------------------------------------------------------------------------------------------ */
static void refuses(void *arg)
{
	enter_space();
	CHECK(request(0, 0, ANON) == -EINVAL);
	CHECK(request(0, P(1), MAP_ANONYMOUS) == -EINVAL);
	CHECK(request(0, P(1), MAP_ANONYMOUS | MAP_SHARED_VALIDATE) == -EINVAL);
	CHECK(request(0, ~0ul, ANON) == -ENOMEM);
	CHECK(request(0, USER_END + 1, ANON) == -ENOMEM);
	CHECK(request(AT + 1, P(1), ANON | MAP_FIXED) == -EINVAL);
	CHECK(request(USER_END, P(1), ANON | MAP_FIXED) == -ENOMEM);
	CHECK(request(0x10000 - P(1), P(1), ANON | MAP_FIXED) == -EPERM);
	CHECK(count_vmas() == 0);
}

/* MAP_SHARED_VALIDATE tells of flags that mean nothing here; MAP_SHARED ignores them. */
static void validates(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(1), false);
	struct mm *mm = enter_space();

	CHECK(sim_mmap(mm, 0, P(1), RW, MAP_SHARED | 0x80000, f, 0) > 0);
	CHECK(sim_mmap(mm, 0, P(1), RW, MAP_SHARED_VALIDATE | MAP_NORESERVE, f, 0) > 0);
	CHECK(sim_mmap(mm, 0, P(2), RW, MAP_SHARED, f, ~0ul) == -EOVERFLOW);
	sim_file_put(f);
}

/* What RAM can never hold is refused, unless the caller says that it will not be used. */
static void hopeless(void *arg)
{
	const size_t huge = 1ull << 40;

	enter_space();
	CHECK(request(0, huge, ANON) == -ENOMEM);
	CHECK(request(0, huge, ANON | MAP_NORESERVE) > 0);
	CHECK(sim_mmap(sim_mm(), 0, huge, PROT_READ, MAP_PRIVATE, NULL, 0) > 0);
}

static void interrupted_map(void *arg)
{
	CHECK(request(AT, P(1), ANON) == -EINTR);
}

static void interrupted(void *arg)
{
	enter_space();
	by_killed_waiter(interrupted_map, NULL);
	CHECK(count_vmas() == 0);
}

/* -- where it maps ---------------------------------------------------------------------------------------------------------- */
static void hint(void *arg)
{
	enter_space();
	CHECK(request(AT + 5, 1, ANON) == (long)AT); /* rounded to pages */
	CHECK(request(AT, P(1), ANON) != (long)AT);  /* taken: somewhere else */
	CHECK(request(AT + P(1), P(1), ANON) == (long)(AT + P(1)));
	CHECK(request(P(1), P(1), ANON) > (long)0x10000); /* below what may be mapped */
	CHECK(request(USER_END - P(1), P(2), ANON) < (long)(USER_END - P(2)));
}

static void noreplace(void *arg)
{
	enter_space();
	fixed(AT, 4);
	CHECK(request(AT + P(3), P(2), ANON | MAP_FIXED_NOREPLACE) == -EEXIST);
	CHECK(request(AT - P(1), P(2), ANON | MAP_FIXED_NOREPLACE) == -EEXIST);
	CHECK(request(AT + P(4), P(2), ANON | MAP_FIXED_NOREPLACE) == (long)(AT + P(4)));
}

/* MAP_FIXED takes the place of what was there, and of nothing else. */
static void fixed_replaces(void *arg)
{
	enter_space();
	fixed(AT, 4);
	for (unsigned i = 0; i < 4; i++)
		store_word(AT + P(i), i + 1);
	fixed(AT + P(1), 2);
	CHECK(load_word(AT) == 1 && load_word(AT + P(1)) == 0 && load_word(AT + P(2)) == 0 && load_word(AT + P(3)) == 4);
	CHECK(count_vmas() == 1);
}

/* What a mapping may ever become is what the file allows. */
static void may(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(1), false);
	struct mmap_request req = {.length = P(1),
	                           .prot = PROT_READ,
	                           .flags = MAP_SHARED,
	                           .object = sim_file_object(f),
	                           .file = sim_file_handle(f),
	                           .may = VM_MAYREAD};
	struct mm *mm = enter_space();
	long a = mm_mmap(mm, &req);

	CHECK(!(vma_of(a)->flags & VM_SHARED) &&
	      (vma_of(a)->flags & VM_MAYSHARE)); /* only read: cannot be told from private */
	CHECK(mm_mprotect(mm, a, P(1), RW) == -EACCES);
	req.may |= VM_MAYWRITE | VM_SHARED;
	a = mm_mmap(mm, &req);
	CHECK((vma_of(a)->flags & VM_SHARED) && mm_mprotect(mm, a, P(1), RW) == 0);
	sim_file_put(f);
}

/* -- all or nothing ------------------------------------------------------------------------------------------------------------ */
static long replace_middle(void)
{
	return request(AT + P(1), P(2), ANON | MAP_FIXED);
}

static void still_there(void)
{
	CHECK(count_vmas() == 1 && load_word(AT + P(1)) == 77);
}

static void no_memory(void *arg)
{
	enter_space();
	fixed(AT, 4);
	store_word(AT + P(1), 77);
	CHECK(each_fails("slab_alloc", replace_middle, still_there) == 5); /* the vma and two splits */
	CHECK(load_word(AT + P(1)) == 0);
}

/* -- brk ---------------------------------------------------------------------------------------------------------------------- */
static void set_brk_start(vaddr_t at)
{
	sim_mm()->brk_start = sim_mm()->brk = at;
}

/* Always the break as it is then, whole or not. */
static void brk_moves(void *arg)
{
	struct mm *mm = enter_space();

	set_brk_start(AT);
	CHECK(mm_brk(mm, 0) == (long)AT); /* below the start: only asks */
	CHECK(mm_brk(mm, AT + 100) == (long)AT + 100 && count_vmas() == 1);
	store_word(AT + 96, 5);
	CHECK(mm_brk(mm, AT + P(3) + 1) == (long)(AT + P(3)) + 1 && count_vmas() == 1);
	store_word(AT + P(3), 6);
	CHECK(vma_of(AT + P(1))->end == AT + P(4) && !strcmp(vma_of(AT + P(1))->name, "[heap]"));
	CHECK(mm_brk(mm, AT + P(3)) == (long)(AT + P(3)));
	CHECK(sim_touch(AT + P(3), FAULT_READ) == FAULT_MAPERR && load_word(AT + 96) == 5);
	CHECK(mm_brk(mm, AT + P(4)) == (long)(AT + P(4)) && load_word(AT + P(3)) == 0); /* new memory is zero */
	CHECK(mm_brk(mm, USER_END + 1) == (long)(AT + P(4)));
}

/* It does not grow over a mapping, nor without memory. */
static void brk_is_refused(void *arg)
{
	struct mm *mm = enter_space();

	set_brk_start(AT);
	CHECK(mm_brk(mm, AT + P(1)) == (long)(AT + P(1)));
	fixed(AT + P(2), 1);
	CHECK(mm_brk(mm, AT + P(3)) == (long)(AT + P(1)));
	CHECK(mm_munmap(mm, AT + P(2), P(1)) == 0);
	sim_failpoint("slab_alloc", 1);
	CHECK(mm_brk(mm, AT + P(3)) == (long)(AT + P(1)));
	CHECK(sim_failpoint_end("slab_alloc") == 1);
	CHECK(mm_brk(mm, AT + P(3)) == (long)(AT + P(3)));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(refuses);
	CASE(validates);
	CASE(hopeless);
	CASE(interrupted);
	CASE(hint);
	CASE(noreplace);
	CASE(fixed_replaces);
	CASE(may);
	CASE_CALM(no_memory);
	CASE(brk_moves);
	CASE(brk_is_refused);
	return sim_end();
}
