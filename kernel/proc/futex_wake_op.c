/*
 * futex_wake_op.c - an operation on a second word, and two wake-ups: pthread condition variables of old.  Layer 10.
 */
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/proc/futex.h"

enum wake_op { OP_SET, OP_ADD, OP_OR, OP_ANDN, OP_XOR, OP_LAST = OP_XOR, OP_SHIFT = 8 };
enum wake_cmp { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE, CMP_LAST = CMP_GE };

struct word_op {
	enum wake_op op;
	enum wake_cmp cmp;
	int arg, cmp_arg;
};

static int sign_extend_12(u32 v)
{
	return (int)(v << 20) >> 20;
}

static int word_op_decode(struct word_op *w, u32 code)
{
	unsigned op = code >> 28, cmp = code >> 24 & 15;

	w->arg = sign_extend_12(code >> 12);
	w->cmp_arg = sign_extend_12(code);
	if (op & OP_SHIFT)
		w->arg = (int)(1u << (w->arg & 31));
	w->op = op & ~(unsigned)OP_SHIFT;
	w->cmp = cmp;
	return w->op > OP_LAST || cmp > CMP_LAST ? -ENOSYS : 0;
}

static u32 word_op_apply(const struct word_op *w, u32 v)
{
	switch (w->op) {
	case OP_SET:
		return (u32)w->arg;
	case OP_ADD:
		return v + (u32)w->arg;
	case OP_OR:
		return v | (u32)w->arg;
	case OP_ANDN:
		return v & ~(u32)w->arg;
	default:
		return v ^ (u32)w->arg;
	}
}

static bool word_op_compare(const struct word_op *w, int v)
{
	switch (w->cmp) {
	case CMP_EQ:
		return v == w->cmp_arg;
	case CMP_NE:
		return v != w->cmp_arg;
	case CMP_LT:
		return v < w->cmp_arg;
	case CMP_LE:
		return v <= w->cmp_arg;
	case CMP_GT:
		return v > w->cmp_arg;
	default:
		return v >= w->cmp_arg;
	}
}

/* Do it in one atomic step; *@old: the value before. */
static int word_op_do(const struct word_op *w, u32 *uaddr, u32 *old)
{
	u32 expected;

	if (get_user(*old, uaddr))
		return -EFAULT;
	do {
		expected = *old;
		if (cmpxchg_user(uaddr, old, word_op_apply(w, expected)))
			return -EFAULT;
	} while (*old != expected);
	return 0;
}

long futex_wake_op(int *uaddr, int n, int *uaddr2, int n2, u32 code, bool private)
{
	struct futex_key key, key2;
	struct word_op w;
	u32 old;
	long ret = word_op_decode(&w, code);

	if (!ret)
		ret = futex_keys_get(&key, uaddr, &key2, uaddr2, private);
	if (ret)
		return ret;
	/* No need for the buckets to be locked meanwhile: who waits looks at its word under its bucket's lock, which we
	 * take after the store. */
	ret = word_op_do(&w, (u32 *)uaddr2, &old);
	if (!ret) {
		ret = futex_wake_key(&key, n, FUTEX_BITSET_ANY);
		if (word_op_compare(&w, (int)old))
			ret += futex_wake_key(&key2, n2, FUTEX_BITSET_ANY);
	}
	futex_key_put(&key);
	futex_key_put(&key2);
	return ret;
}
