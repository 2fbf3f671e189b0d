/*
 * tls.c - set_thread_area(2) and kin: three descriptors of the GDT belong to each thread.  Layer 1 (i386).
 */
#include <arch/context.h>
#include <arch/uaccess.h>
#include <asm/machine.h>
#include <asm/segments.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

void tls_copy(struct arch_context *to, const struct arch_context *from)
{
	memcpy(to->tls, from->tls, sizeof(to->tls));
}

void tls_clear(struct arch_context *ctx)
{
	memset(ctx->tls, 0, sizeof(ctx->tls));
}

/* user_thread_start or entry.S reloads the selectors. */
void tls_load(const struct arch_context *ctx)
{
	segments_load_tls(ctx->tls);
}

long arch_prctl(struct arch_context *ctx, unsigned long code, unsigned long arg)
{
	return -EINVAL;
}

/* Linux's struct user_desc. */
struct user_desc {
	u32 entry, base, limit, flags;
};
enum {
	UD_32BIT = 1 << 0,
	UD_CONTENTS = 3 << 1, /* 0 data, 1 expand-down data, 2 and 3 code */
	UD_READ_ONLY = 1 << 3,
	UD_LIMIT_PAGES = 1 << 4,
	UD_NOT_PRESENT = 1 << 5,
	UD_USEABLE = 1 << 6,
};
#define UD_ENTRY_ANY 0xffffffff

/* "No segment": all zero, or what glibc's documentation calls empty. */
static bool desc_empty(const struct user_desc *d)
{
	return !d->base && !d->limit && ((d->flags & 0x7f) == (UD_READ_ONLY | UD_NOT_PRESENT) || !(d->flags & 0x7f));
}

/* Only what ring 3 could do no harm with: 32-bit data segments. */
static bool desc_allowed(const struct user_desc *d)
{
	return desc_empty(d) || ((d->flags & UD_32BIT) && !(d->flags & (2 << 1)) && !(d->flags & UD_NOT_PRESENT));
}

static u64 desc_encode(const struct user_desc *d)
{
	u8 access = 0xf0 | (d->flags & UD_CONTENTS) << 1 | (d->flags & UD_READ_ONLY ? 0 : 2) | 1;
	u8 flags = (d->flags & UD_LIMIT_PAGES ? 8 : 0) | 4 | (d->flags & UD_USEABLE ? 1 : 0);

	return desc_empty(d) ? 0 : segments_tls_descriptor(d->base, d->limit, access, flags);
}

static void desc_decode(struct user_desc *d, u64 v)
{
	u32 access = (u32)(v >> 40) & 0xff, flags = (u32)(v >> 52) & 0xf;

	d->base = (u32)(v >> 16 & 0xffffff) | (u32)(v >> 56) << 24;
	d->limit = (u32)(v & 0xffff) | (u32)(v >> 48 & 0xf) << 16;
	d->flags = (flags & 4 ? UD_32BIT : 0) | (access >> 1 & UD_CONTENTS) | (access & 2 ? 0 : UD_READ_ONLY) |
	           (flags & 8 ? UD_LIMIT_PAGES : 0) | (access & 0x80 ? 0 : UD_NOT_PRESENT) | (flags & 1 ? UD_USEABLE : 0);
}

static int slot_of(const struct arch_context *ctx, u32 entry)
{
	if (entry == UD_ENTRY_ANY) {
		for (unsigned i = 0; i < GDT_TLS_COUNT; i++)
			if (!ctx->tls[i])
				return (int)i;
		return -ESRCH;
	}
	if (entry < GDT_TLS_FIRST || entry >= GDT_TLS_FIRST + GDT_TLS_COUNT)
		return -EINVAL;
	return (int)(entry - GDT_TLS_FIRST);
}

static void slot_write(struct arch_context *ctx, int slot, u64 value)
{
	unsigned long flags = irq_save();

	ctx->tls[slot] = value;
	if (ctx == this_cpu()->ctx)
		segments_load_tls(ctx->tls);
	irq_restore(flags);
}

long arch_set_thread_area(struct arch_context *ctx, void *user)
{
	struct user_desc d;
	int slot;

	if (copy_from_user(&d, user, sizeof(d)))
		return -EFAULT;
	if (!desc_allowed(&d))
		return -EINVAL;
	slot = slot_of(ctx, d.entry);
	if (slot < 0)
		return slot;
	if (d.entry == UD_ENTRY_ANY) {
		u32 entry = GDT_TLS_FIRST + (u32)slot;

		if (copy_to_user(user, &entry, sizeof(entry)))
			return -EFAULT;
	}
	slot_write(ctx, slot, desc_encode(&d));
	return 0;
}

long arch_get_thread_area(struct arch_context *ctx, void *user)
{
	struct user_desc d;
	int slot;

	if (copy_from_user(&d.entry, user, sizeof(d.entry)))
		return -EFAULT;
	if (d.entry < GDT_TLS_FIRST || d.entry >= GDT_TLS_FIRST + GDT_TLS_COUNT)
		return -EINVAL;
	slot = (int)(d.entry - GDT_TLS_FIRST);
	desc_decode(&d, ctx->tls[slot]);
	return copy_to_user(user, &d, sizeof(d));
}

/* CLONE_SETTLS: the entry must be named. */
long arch_set_tls(struct arch_context *ctx, unsigned long tls)
{
	struct user_desc d;
	int slot;

	if (copy_from_user(&d, (void *)tls, sizeof(d)))
		return -EFAULT;
	if (!desc_allowed(&d) || d.entry == UD_ENTRY_ANY)
		return -EINVAL;
	slot = slot_of(ctx, d.entry);
	if (slot < 0)
		return slot;
	slot_write(ctx, slot, desc_encode(&d));
	return 0;
}
