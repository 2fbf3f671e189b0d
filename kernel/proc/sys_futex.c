/*
 * sys_futex.c - futex(2), decoded.  Layer 10.
 */
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/proc/timespec.h"

enum futex_op {
	FUTEX_WAIT,
	FUTEX_WAKE,
	FUTEX_FD,
	FUTEX_REQUEUE,
	FUTEX_CMP_REQUEUE,
	FUTEX_WAKE_OP,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_PRIVATE_FLAG = 128,
	FUTEX_CLOCK_REALTIME = 256,
};

/* When, on clock_ns(). @ns: the user's time, relative for WAIT, else absolute on its clock. */
static u64 futex_deadline(int op, u64 ns, bool realtime)
{
	u64 now = clock_ns(), wall;

	if (ns == TIME_FOREVER)
		return TIME_FOREVER;
	if (op == FUTEX_WAIT)
		return now + ns;
	if (!realtime)
		return ns;
	wall = wall_clock_ns();
	return now + (ns > wall ? ns - wall : 0);
}

static long do_futex(int *uaddr, int op, u32 val, u64 ns, int val2, int *uaddr2, u32 val3)
{
	bool private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;

	op &= ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	if (realtime && op != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (op) {
	case FUTEX_WAIT:
		val3 = FUTEX_BITSET_ANY;
		/* fall through */
	case FUTEX_WAIT_BITSET:
		return futex_wait(uaddr, val, futex_deadline(op, ns, realtime), val3, private);
	case FUTEX_WAKE:
		return futex_wake(uaddr, (int)val, FUTEX_BITSET_ANY, private);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, (int)val, val3, private);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, (int)val, val2, uaddr2, NULL, private);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, (int)val, val2, uaddr2, &val3, private);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, (int)val, uaddr2, val2, val3, private);
	default:
		return -ENOSYS;
	}
}

static bool takes_timeout(int op)
{
	op &= ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET;
}

long sys_futex(int *uaddr, int op, int val, const struct abi_timespec *ts, int *uaddr2, int val3)
{
	u64 ns = TIME_FOREVER;
	int err = takes_timeout(op) ? timeout_from_user(&ns, ts) : 0;

	return err ? err : do_futex(uaddr, op, (u32)val, ns, (int)(unsigned long)ts, uaddr2, (u32)val3);
}

long sys_futex_time64(int *uaddr, int op, int val, const struct abi_timespec64 *ts, int *uaddr2, int val3)
{
	u64 ns = TIME_FOREVER;
	int err = takes_timeout(op) ? timeout64_from_user(&ns, ts) : 0;

	return err ? err : do_futex(uaddr, op, (u32)val, ns, (int)(unsigned long)ts, uaddr2, (u32)val3);
}
