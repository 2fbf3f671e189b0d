/*
 * memory.c - memory that may not be there, in any address space.  Interface: internal.h.
 *
 * Whose space is not loaded gets it loaded for the moment; a fault is not handled but reported, so nothing is brought in.
 */
#include <arch/debug.h>
#include <arch/pgtable.h>
#include <arch/uaccess.h>
#include "kernel/debug/internal.h"
#include "mm/pgtable/pgtable.h"

#define READ_MAX ((PACKET_MAX - 8) / 2)

/* One page's worth at a time, so that what precedes a hole is still had. */
static size_t copy(vaddr_t va, void *in, const void *out, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t piece = min(n - done, (size_t)(PAGE_SIZE - ((va + done) & ~PAGE_MASK)));
		bool good = in ? arch_probe_read((char *)in + done, (const void *)(va + done), piece)
		               : arch_debug_write((void *)(va + done), (const char *)out + done, piece, va >= USER_END);

		if (!good)
			break;
		done += piece;
	}
	return done;
}

static size_t copy_in_space(const struct target *t, vaddr_t va, void *in, const void *out, size_t n)
{
	struct pgtable *space = va < USER_END ? target_space(t) : NULL;
	paddr_t before = arch_debug_root();
	bool other = space && space->root_pa != before;
	size_t done;

	if (va + n < va || (va < USER_END && !space))
		return 0;
	if (other)
		arch_pgtable_load(space->root_pa);
	pagefault_disable();
	done = copy(va, in, out, n);
	pagefault_enable();
	if (other)
		arch_pgtable_load(before);
	return done;
}

size_t debug_read(const struct target *t, vaddr_t va, void *buf, size_t n)
{
	return copy_in_space(t, va, buf, NULL, n);
}

size_t debug_write(const struct target *t, vaddr_t va, const void *buf, size_t n)
{
	return copy_in_space(t, va, NULL, buf, n);
}

/* -- packets: m ADDR,LENGTH   M ADDR,LENGTH:HEX   X ADDR,LENGTH:BINARY ------------------------------------------------ */
static bool read_range(struct reader *r, vaddr_t *va, size_t *n)
{
	u64 address, length;

	if (!read_hex(r, &address) || !read_char(r, ',') || !read_hex(r, &length) || address > (vaddr_t)~0UL)
		return false;
	*va = (vaddr_t)address;
	*n = (size_t)min(length, (u64)READ_MAX);
	return length <= READ_MAX || reader_left(r) == 0;
}

void memory_read(struct reader *r, struct writer *w)
{
	static u8 data[READ_MAX];
	size_t n, got;
	vaddr_t va;

	if (!read_range(r, &va, &n) || reader_left(r)) {
		write_error(w, 22);
		return;
	}
	got = debug_read(&session.chosen, va, data, n);
	if (got || !n)
		write_bytes(w, data, got);
	else
		write_error(w, 14);
}

static bool read_data(struct reader *r, u8 *data, size_t n, bool binary)
{
	if (!binary) {
		for (size_t i = 0; i < n; i++)
			if (!read_hex_byte(r, &data[i]))
				return false;
		return reader_left(r) == 0;
	}
	if (reader_left(r) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		data[i] = (u8)r->p[i];
	return true;
}

void memory_write(struct reader *r, struct writer *w, bool binary)
{
	static u8 data[READ_MAX];
	vaddr_t va;
	size_t n;

	if (!read_range(r, &va, &n) || !read_char(r, ':') || !read_data(r, data, n, binary))
		write_error(w, 22);
	else if (debug_write(&session.chosen, va, data, n) == n)
		write_text(w, "OK");
	else
		write_error(w, 14);
}
