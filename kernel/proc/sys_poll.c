/*
 * sys_poll.c - poll(2) and select(2) with their signal-mask and time64 forms.  Layer 10 (kernel/proc).  No locks here.
 */
#include <arch/uaccess.h>
#include "kernel/lib/bitops.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/pollset.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "mm/phys/slab.h"

/* -- the signal mask of ppoll and pselect6 ---------------------------------------------------------------------------- */

static int mask_begin(const void *user, size_t size)
{
	u32 words[2];

	if (!user)
		return 0;
	if (size != sizeof(words))
		return -EINVAL;
	if (copy_from_user(words, user, sizeof(words)))
		return -EFAULT;
	signal_set_temporary_mask((u64)words[1] << 32 | words[0]);
	return 0;
}

/* Interrupted: the old mask comes back with the handler. */
static long mask_end(const void *user, long ret)
{
	if (ret == -EINTR)
		return -ERESTARTNOHAND;
	if (user)
		signal_restore_mask();
	return ret;
}

/* -- poll ------------------------------------------------------------------------------------------------------------------ */

/* Negative descriptors are left out: they report nothing. */
static void pollset_fill(struct poll_set *set, const struct pollfd *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i].fd >= 0)
			poll_set_add(set, fds[i].fd, (u16)fds[i].events | POLLERR | POLLHUP);
}

static int pollset_tell(const struct poll_set *set, struct pollfd *fds, unsigned n, struct pollfd *user)
{
	const struct poll_item *item = set->items;

	for (unsigned i = 0; i < n; i++) {
		short revents = fds[i].fd >= 0 ? (short)item++->revents : 0;

		if (put_user(revents, &user[i].revents))
			return -EFAULT;
	}
	return 0;
}

static long poll_fds(struct pollfd *fds, unsigned n, struct pollfd *user, const struct poll_limit *limit)
{
	struct poll_set set;
	long ret = poll_set_init(&set, n);

	if (ret)
		return ret;
	pollset_fill(&set, fds, n);
	ret = poll_set_wait(&set, limit);
	if (ret >= 0 && pollset_tell(&set, fds, n, user))
		ret = -EFAULT;
	poll_set_release(&set);
	return ret;
}

static long do_poll(void *user, unsigned n, const struct poll_limit *limit)
{
	struct pollfd few[POLLSET_INLINE], *fds = few;
	long ret = -EFAULT;

	if (n > FD_MAX || n > current_process()->rlimits[RLIMIT_NOFILE].cur)
		return -EINVAL;
	if (n > ARRAY_SIZE(few))
		fds = kmalloc(n * sizeof(*fds), GFP_KERNEL);
	if (!fds)
		return -ENOMEM;
	if (!copy_from_user(fds, user, n * sizeof(*fds)))
		ret = poll_fds(fds, n, user, limit);
	if (fds != few)
		kfree(fds);
	return ret;
}

long sys_poll(void *fds, unsigned n, int timeout_ms)
{
	struct poll_limit limit = poll_forever;
	long ret;

	if (timeout_ms >= 0)
		poll_limit_from(&limit, timeout_ms / 1000, (s64)(timeout_ms % 1000) * (s64)NSEC_PER_MSEC);
	ret = do_poll(fds, n, &limit);
	/* Made again after a stop, a limited wait would start from the beginning. */
	return ret == -EINTR && !limit.limited ? -ERESTARTNOHAND : ret;
}

static long ppoll(void *fds, unsigned n, const struct poll_limit *limit, const void *mask, size_t size)
{
	long ret = mask_begin(mask, size);

	return ret ? ret : mask_end(mask, do_poll(fds, n, limit));
}

static void limit_tell(const struct poll_limit *limit, struct abi_timespec *user)
{
	u64 left = poll_limit_left(limit);
	struct abi_timespec ts = {.tv_sec = (long)(left / NSEC_PER_SEC), .tv_nsec = (long)(left % NSEC_PER_SEC)};

	if (copy_to_user(user, &ts, sizeof(ts)))
		return; /* memory we just read: it is read-only, and the caller does not want to know */
}

static void limit_tell64(const struct poll_limit *limit, struct abi_timespec64 *user)
{
	u64 left = poll_limit_left(limit);
	struct abi_timespec64 ts = {.tv_sec = (s64)(left / NSEC_PER_SEC), .tv_nsec = (s64)(left % NSEC_PER_SEC)};

	if (copy_to_user(user, &ts, sizeof(ts)))
		return;
}

static int limit_arg(struct poll_limit *limit, const struct abi_timespec *user)
{
	struct abi_timespec ts;

	*limit = poll_forever;
	if (!user)
		return 0;
	return copy_from_user(&ts, user, sizeof(ts)) ? -EFAULT : poll_limit_from(limit, ts.tv_sec, ts.tv_nsec);
}

static int limit_arg64(struct poll_limit *limit, const struct abi_timespec64 *user)
{
	struct abi_timespec64 ts;

	*limit = poll_forever;
	if (!user)
		return 0;
	return copy_from_user(&ts, user, sizeof(ts)) ? -EFAULT : poll_limit_from(limit, ts.tv_sec, (long)ts.tv_nsec);
}

long sys_ppoll(void *fds, unsigned n, const struct abi_timespec *ts, const void *mask, size_t size)
{
	struct poll_limit limit;
	long ret = limit_arg(&limit, ts);

	if (ret)
		return ret;
	ret = ppoll(fds, n, &limit, mask, size);
	if (ts)
		limit_tell(&limit, (struct abi_timespec *)ts);
	return ret;
}

long sys_ppoll_time64(void *fds, unsigned n, const struct abi_timespec64 *ts, const void *mask, size_t size)
{
	struct poll_limit limit;
	long ret = limit_arg64(&limit, ts);

	if (ret)
		return ret;
	ret = ppoll(fds, n, &limit, mask, size);
	if (ts)
		limit_tell64(&limit, (struct abi_timespec64 *)ts);
	return ret;
}

/* -- select ------------------------------------------------------------------------------------------------------------------ */

enum { SET_IN, SET_OUT, SET_EX, SETS };

static const u16 set_events[SETS] = {
	[SET_IN] = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
	[SET_OUT] = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
	[SET_EX] = POLLPRI,
};

struct select_args {
	unsigned n;       /* descriptors 0 .. n - 1 */
	void *user[SETS]; /* may be NULL */
	unsigned long *map[SETS];
};

static size_t select_bytes(const struct select_args *s)
{
	return BITMAP_LONGS(s->n) * sizeof(long);
}

static unsigned select_wanted(const struct select_args *s, unsigned fd)
{
	unsigned wanted = 0;

	for (unsigned i = 0; i < SETS; i++)
		if (bitmap_test(s->map[i], fd))
			wanted |= set_events[i];
	return wanted;
}

static int select_fill(struct poll_set *set, const struct select_args *s)
{
	unsigned wanted;

	for (unsigned fd = 0; fd < s->n; fd++) {
		wanted = select_wanted(s, fd);
		if (wanted && !poll_set_add(set, (int)fd, wanted))
			return -EBADF;
	}
	return 0;
}

static unsigned select_count(const struct select_args *s)
{
	unsigned count = 0;

	for (unsigned fd = 0; fd < s->n; fd++)
		count += select_wanted(s, fd) != 0;
	return count;
}

/* Leave only what is ready in the maps. Returns the number of bits. */
static long select_result(const struct poll_set *set, struct select_args *s)
{
	long bits = 0;

	for (unsigned i = 0; i < set->n; i++) {
		const struct poll_item *item = &set->items[i];

		for (unsigned k = 0; k < SETS; k++) {
			if (!bitmap_test(s->map[k], (unsigned)item->fd))
				continue;
			if (item->revents & set_events[k])
				bits++;
			else
				bitmap_clear(s->map[k], (unsigned)item->fd);
		}
	}
	return bits;
}

static long select_wait(struct select_args *s, const struct poll_limit *limit)
{
	struct poll_set set;
	long ret = poll_set_init(&set, select_count(s));

	if (ret)
		return ret;
	ret = select_fill(&set, s);
	if (!ret)
		ret = poll_set_wait(&set, limit);
	if (ret >= 0)
		ret = select_result(&set, s);
	poll_set_release(&set);
	return ret;
}

static int select_read(struct select_args *s)
{
	for (unsigned i = 0; i < SETS; i++) {
		memset(s->map[i], 0, select_bytes(s));
		if (s->user[i] && copy_from_user(s->map[i], s->user[i], select_bytes(s)))
			return -EFAULT;
		/* Bits beyond n in the last word are not ours. */
		for (unsigned fd = s->n; fd % BITS_PER_LONG; fd++)
			bitmap_clear(s->map[i], fd);
	}
	return 0;
}

static int select_write(const struct select_args *s)
{
	for (unsigned i = 0; i < SETS; i++)
		if (s->user[i] && copy_to_user(s->user[i], s->map[i], select_bytes(s)))
			return -EFAULT;
	return 0;
}

static long do_select(int n, void *in, void *out, void *ex, const struct poll_limit *limit)
{
	struct select_args s = {.user = {in, out, ex}};
	unsigned long *maps;
	long ret;

	if (n < 0)
		return -EINVAL;
	s.n = (unsigned)min(n, FD_MAX);
	maps = kmalloc(max(SETS * select_bytes(&s), (size_t)1), GFP_KERNEL);
	if (!maps)
		return -ENOMEM;
	for (unsigned i = 0; i < SETS; i++)
		s.map[i] = maps + i * BITMAP_LONGS(s.n);
	ret = select_read(&s);
	if (!ret)
		ret = select_wait(&s, limit);
	if (ret >= 0 && select_write(&s))
		ret = -EFAULT;
	kfree(maps);
	return ret;
}

long sys_select(int n, void *in, void *out, void *ex, struct abi_timeval *user)
{
	struct poll_limit limit = poll_forever;
	struct abi_timeval tv;
	u64 left;
	long ret;

	if (user) {
		if (get_user(tv, user))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		poll_limit_from(&limit, (s64)tv.tv_sec + tv.tv_usec / 1000000, (s64)(tv.tv_usec % 1000000) * 1000);
	}
	ret = do_select(n, in, out, ex, &limit);
	if (user) {
		left = poll_limit_left(&limit);
		tv.tv_sec = (long)(left / NSEC_PER_SEC);
		tv.tv_usec = (long)(left % NSEC_PER_SEC / 1000);
		if (copy_to_user(user, &tv, sizeof(tv)))
			return ret == -EINTR ? -EINTR : ret; /* as with ppoll */
	}
	return ret == -EINTR ? -ERESTARTNOHAND : ret;
}

long sys_oldselect(const unsigned long *user)
{
	unsigned long a[5];

	if (copy_from_user(a, user, sizeof(a)))
		return -EFAULT;
	return sys_select((int)a[0], (void *)a[1], (void *)a[2], (void *)a[3], (struct abi_timeval *)a[4]);
}

/* The sixth argument of pselect6. */
struct select_mask {
	const void *set;
	size_t size;
};

static long pselect6(int n, void *in, void *out, void *ex, const struct poll_limit *limit, const void *user)
{
	struct select_mask mask = {.set = NULL};
	long ret;

	if (user && copy_from_user(&mask, user, sizeof(mask)))
		return -EFAULT;
	ret = mask_begin(mask.set, mask.size);
	return ret ? ret : mask_end(mask.set, do_select(n, in, out, ex, limit));
}

long sys_pselect6(int n, void *in, void *out, void *ex, const struct abi_timespec *ts, const void *mask)
{
	struct poll_limit limit;
	long ret = limit_arg(&limit, ts);

	if (ret)
		return ret;
	ret = pselect6(n, in, out, ex, &limit, mask);
	if (ts)
		limit_tell(&limit, (struct abi_timespec *)ts);
	return ret;
}

long sys_pselect6_time64(int n, void *in, void *out, void *ex, const struct abi_timespec64 *ts, const void *mask)
{
	struct poll_limit limit;
	long ret = limit_arg64(&limit, ts);

	if (ret)
		return ret;
	ret = pselect6(n, in, out, ex, &limit, mask);
	if (ts)
		limit_tell64(&limit, (struct abi_timespec64 *)ts);
	return ret;
}
