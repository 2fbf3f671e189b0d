/*
 * umk_window.c - the guest's virtual memory as a window of this process, and the ways to change what it shows.
 *
 *   remap    one call changes offset and protection of a page; the window stays one vma
 *   vector   the same, and a context switch is one call for all pages
 *   mmap     mmap() over the page, mprotect() when only the protection changes: a vma for each page that is shown
 */
#define _GNU_SOURCE
#include "user/umk.h"

#include "kernel/uapi/remap.h"
#include "user/kmem.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOW_BYTES ((size_t)GUEST_PAGES * GUEST_PAGE)
#define RAM_BYTES ((size_t)GUEST_FRAMES * GUEST_PAGE)

uint8_t *ram, *window;
static int ram_fd = -1;

static void *at(unsigned page)
{
	return window + (size_t)page * GUEST_PAGE;
}

/* -- remap_file_pages ------------------------------------------------------------------------------------------------- */

static int remap(unsigned page, unsigned frame, int prot)
{
	return (int)syscall(SYS_remap_file_pages, at(page), (size_t)GUEST_PAGE, prot, (size_t)frame,
	                    MAP_CHGPROT | MAP_NONBLOCK);
}

/* Linux refuses a protection here. */
static bool remap_available(void)
{
	return remap(0, 0, PROT_READ) == 0 && remap(0, 0, PROT_NONE) == 0;
}

/* The linear place of a page needs no memory in the kernel. */
static int remap_hide(unsigned page)
{
	return remap(page, page, PROT_NONE);
}

static int remap_apply(const struct window_change *changes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (remap_hide(changes[i].page))
			return -1;
	return 0;
}

const struct window_ops window_remap = {.name = "remap",
                                        .available = remap_available,
                                        .show = remap,
                                        .allow = remap,
                                        .hide = remap_hide,
                                        .apply = remap_apply};

/* -- remap_vector --------------------------------------------------------------------------------------------------------- */

/* No entries: nothing changes. */
static bool vector_available(void)
{
	return remap_available() && syscall(NR_remap_vector, NULL, 0ul, (unsigned long)MAP_NONBLOCK) == 0;
}

static int vector_apply(const struct window_change *changes, unsigned n)
{
	static struct remap_entry entries[REMAP_VECTOR_MAX];

	for (unsigned done = 0, part; done < n; done += part) {
		part = n - done < REMAP_VECTOR_MAX ? n - done : REMAP_VECTOR_MAX;
		for (unsigned i = 0; i < part; i++) {
			const struct window_change *c = &changes[done + i];

			entries[i] = (struct remap_entry){
				.addr = (uintptr_t)at(c->page), .length = GUEST_PAGE, .pgoff = c->frame, .prot = (uint32_t)c->prot};
		}
		if (syscall(NR_remap_vector, entries, (unsigned long)part, (unsigned long)MAP_NONBLOCK))
			return -1;
	}
	return 0;
}

const struct window_ops window_vector = {.name = "vector",
                                         .batches = true,
                                         .available = vector_available,
                                         .show = remap,
                                         .allow = remap,
                                         .hide = remap_hide,
                                         .apply = vector_apply};

/* -- mmap and mprotect ---------------------------------------------------------------------------------------------------- */

static bool always(void)
{
	return true;
}

static int map_over(unsigned page, size_t bytes, unsigned frame, int prot, int flags)
{
	void *p = mmap(at(page), bytes, prot, MAP_SHARED | MAP_FIXED | flags, ram_fd, (off_t)frame * GUEST_PAGE);

	return p == MAP_FAILED ? -1 : 0;
}

/* Populated, or the program's access would fault once more. */
static int mmap_show(unsigned page, unsigned frame, int prot)
{
	return map_over(page, GUEST_PAGE, frame, prot, MAP_POPULATE);
}

static int mmap_allow(unsigned page, unsigned frame, int prot)
{
	(void)frame;
	return mprotect(at(page), GUEST_PAGE, prot);
}

/* In its linear place it merges with its neighbours. */
static int mmap_hide(unsigned page)
{
	return map_over(page, GUEST_PAGE, page, PROT_NONE, 0);
}

static int mmap_apply(const struct window_change *changes, unsigned n)
{
	(void)changes;
	return n ? map_over(0, WINDOW_BYTES, 0, PROT_NONE, 0) : 0;
}

const struct window_ops window_mmap = {.name = "mmap",
                                       .available = always,
                                       .show = mmap_show,
                                       .allow = mmap_allow,
                                       .hide = mmap_hide,
                                       .apply = mmap_apply};

/* -- the window ------------------------------------------------------------------------------------------------------------- */

const struct window_ops *const window_kinds[] = {&window_remap, &window_vector, &window_mmap};
const unsigned window_nkinds = sizeof(window_kinds) / sizeof(*window_kinds);

bool window_make(void)
{
	ram_fd = (int)syscall(SYS_memfd_create, "guest-ram", 0);
	if (ram_fd < 0 || ftruncate(ram_fd, (off_t)RAM_BYTES))
		return false;
	ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ram_fd, 0);
	/* Of twice the size: nothing else may lie beside the window and merge with it. */
	window = mmap(NULL, 2 * WINDOW_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED || window == MAP_FAILED)
		return false;
	window += WINDOW_BYTES / 2;
	return map_over(0, WINDOW_BYTES, 0, PROT_NONE, 0) == 0;
}

void window_drop(void)
{
	munmap(window - WINDOW_BYTES / 2, 2 * WINDOW_BYTES);
	munmap(ram, RAM_BYTES);
	close(ram_fd);
}

unsigned window_vmas(void)
{
	return kmem_maps_lines(window, WINDOW_BYTES);
}
