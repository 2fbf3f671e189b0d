/*
 * fpstate.c - the FPU part of i386 signal frames: the old FSAVE format, which programs may look at and
 * change, followed by the FXSAVE image with the SSE registers.  Layer 1 (i386).
 *
 * On the way back the x87 part is taken from the FSAVE format, the SSE part from the image, as Linux does.
 */
#include <arch/uaccess.h>
#include <asm/fpstate.h>
#include <asm/machine.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define FPSTATE_MAGIC_FXSR 0x0000 /* an FXSAVE image follows */

struct fpstate_legacy {
	u32 control, status, tag, ip, cs, data, data_segment;
	u8 st[8][10];
	u16 status16, magic;
};
struct fxsave {
	u16 control, status;
	u8 tag, reserved;
	u16 opcode;
	u32 ip;
	u16 cs, reserved1;
	u32 data;
	u16 data_segment, reserved2;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
	u8 rest[96];
};
_Static_assert(sizeof(struct fpstate_legacy) == FPSTATE_LEGACY_SIZE, "fpstate");
_Static_assert(sizeof(struct fxsave) == FPU_STATE_SIZE, "fxsave");

enum { TAG_VALID = 0, TAG_ZERO = 1, TAG_SPECIAL = 2, TAG_EMPTY = 3 };

/* The two-bit tag that FXSAVE does not keep, from the 80-bit value. */
static unsigned register_tag(const u8 *st)
{
	u64 mantissa;
	u16 exponent;

	memcpy(&mantissa, st, 8);
	memcpy(&exponent, st + 8, 2);
	exponent &= 0x7fff;
	if (exponent == 0x7fff)
		return TAG_SPECIAL;
	if (exponent == 0)
		return mantissa ? TAG_SPECIAL : TAG_ZERO;
	return mantissa >> 63 ? TAG_VALID : TAG_SPECIAL;
}

/* FXSAVE's tag byte is by physical register, its registers by distance from the stack top. */
static u32 tags_expand(const struct fxsave *fx)
{
	unsigned top = fx->status >> 11 & 7;
	u32 tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned tag = fx->tag & 1u << i ? register_tag(fx->st[(i - top) & 7]) : TAG_EMPTY;

		tags |= tag << (2 * i);
	}
	return tags | 0xffff0000;
}

static u8 tags_compress(u32 tags)
{
	u8 byte = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((tags >> (2 * i) & 3) != TAG_EMPTY)
			byte |= (u8)(1u << i);
	return byte;
}

int fpstate_push(struct arch_context *ctx, vaddr_t user)
{
	struct fxsave *fx = fpu_area(ctx);
	struct fpstate_legacy old;

	fpu_save_current(ctx);
	old = (struct fpstate_legacy){
		.control = fx->control | 0xffff0000,
		.status = fx->status | 0xffff0000,
		.tag = tags_expand(fx),
		.ip = fx->ip,
		.cs = fx->cs | (u32)fx->opcode << 16,
		.data = fx->data,
		.data_segment = fx->data_segment | 0xffff0000,
		.status16 = fx->status,
		.magic = FPSTATE_MAGIC_FXSR,
	};
	for (unsigned i = 0; i < 8; i++)
		memcpy(old.st[i], fx->st[i], sizeof(old.st[i]));
	if (copy_to_user((void *)user, &old, sizeof(old)))
		return -EFAULT;
	return copy_to_user((void *)(user + sizeof(old)), fx, FPU_STATE_SIZE);
}

int fpstate_pop(struct arch_context *ctx, vaddr_t user)
{
	struct fxsave fx __aligned(16);
	struct fpstate_legacy old;

	if (!user) {
		fpu_restore_current(ctx, NULL);
		return 0;
	}
	if (copy_from_user(&old, (void *)user, sizeof(old)) ||
	    copy_from_user(&fx, (void *)(user + sizeof(old)), sizeof(fx)))
		return -EFAULT;
	fx.control = (u16)old.control;
	fx.status = (u16)old.status;
	fx.tag = tags_compress(old.tag);
	fx.opcode = (u16)(old.cs >> 16);
	fx.ip = old.ip;
	fx.cs = (u16)old.cs;
	fx.data = old.data;
	fx.data_segment = (u16)old.data_segment;
	for (unsigned i = 0; i < 8; i++) {
		memset(fx.st[i], 0, sizeof(fx.st[i]));
		memcpy(fx.st[i], old.st[i], sizeof(old.st[i]));
	}
	fpu_restore_current(ctx, &fx);
	return 0;
}
