/*
 * uffd_ioctl.c - the requests of a userfaultfd: Linux's structures in and out, its errors in its order.
 *
 * Layer 9 (kernel/fs).  Interface: userfaultfd.h.  The work is in mm/service.
 *
 * A request that fills has a result in its last word: how many bytes were done, or why none were.  If fewer than asked for,
 * the ioctl itself says EAGAIN, also after a change of the layout that the program has not read of yet.
 */
#include <arch/uaccess.h>
#include "kernel/fs/userfaultfd.h"
#include "kernel/sched/thread.h"
#include "mm/service/uffd.h"

/* -- the handshake ------------------------------------------------------------------------------------------------------- */

static int check_api(const struct uffdx_api *api)
{
	if (api->api != UFFDX_API_VERSION)
		return -EINVAL;
	if ((api->features & UFFDX_EVENT_FORK) && !userfaultfd_hooks->privileged())
		return -EPERM;
	return api->features & ~(u64)UFFDX_FEATURES ? -EINVAL : 0;
}

/* The first one counts: 0 or -EINVAL. */
static int switch_on(struct uffd *u, unsigned features)
{
	int err = -EINVAL;

	spin_lock(&u->lock);
	if (!u->ready) {
		u->features = features | (features & UFFDX_WP_ASYNC ? UFFDX_WP_UNPOPULATED : 0u);
		__atomic_store_n(&u->ready, true, __ATOMIC_RELEASE);
		err = 0;
	}
	spin_unlock(&u->lock);
	return err;
}

static long ioctl_api(struct uffd *u, void *user)
{
	struct uffdx_api api;
	unsigned features;
	int err;

	if (copy_from_user(&api, user, sizeof(api)))
		return -EFAULT;
	features = (unsigned)api.features;
	err = check_api(&api);
	api.features = UFFDX_FEATURES;
	api.ioctls = UFFDX_API_IOCTLS;
	if (!err && copy_to_user(user, &api, sizeof(api)))
		return -EFAULT;
	if (!err)
		err = switch_on(u, features);
	if (!err)
		return 0;
	api = (struct uffdx_api){0};
	return copy_to_user(user, &api, sizeof(api)) ? -EFAULT : err;
}

/* -- ranges ---------------------------------------------------------------------------------------------------------------- */

#define REGISTER_MODES (UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP | UFFDX_REGISTER_MINOR)

static u64 range_ioctls(u64 mode)
{
	u64 ioctls = UFFDX_RANGE_IOCTLS;

	if (!(mode & UFFDX_REGISTER_WP))
		ioctls &= ~(1ull << (UFFDX_IOC_WRITEPROTECT & 0xff));
	if (!(mode & UFFDX_REGISTER_MINOR))
		ioctls &= ~(1ull << (UFFDX_IOC_CONTINUE & 0xff));
	return ioctls;
}

static long ioctl_register(struct uffd *u, void *user)
{
	struct uffdx_register *out = user;
	struct uffdx_register r;
	u64 ioctls;
	int err;

	if (copy_from_user(&r, user, sizeof(r) - sizeof(r.ioctls)))
		return -EFAULT;
	if (!r.mode || (r.mode & ~(u64)REGISTER_MODES))
		return -EINVAL;
	err = uffd_range_check(r.range.start, r.range.len);
	if (!err)
		err = uffd_register(u, (vaddr_t)r.range.start, (size_t)r.range.len, (unsigned)r.mode);
	ioctls = range_ioctls(r.mode);
	if (!err && put_user(ioctls, &out->ioctls))
		err = -EFAULT;
	return err;
}

static long get_range(struct uffdx_range *r, const void *user)
{
	if (copy_from_user(r, user, sizeof(*r)))
		return -EFAULT;
	return uffd_range_check(r->start, r->len);
}

static long ioctl_unregister(struct uffd *u, void *user)
{
	struct uffdx_range r;
	long err = get_range(&r, user);

	return err ? err : uffd_unregister(u, (vaddr_t)r.start, (size_t)r.len);
}

static long ioctl_wake(struct uffd *u, void *user)
{
	struct uffdx_range r;
	long err = get_range(&r, user);

	if (!err)
		uffd_wake(u, (vaddr_t)r.start, (vaddr_t)(r.start + r.len));
	return err;
}

/* -- filling ----------------------------------------------------------------------------------------------------------------- */

/* The end of a request for [dst, dst + len): tell @done, wake who waited for what was done. */
static long finish(struct uffd *u, s64 *result, u64 dst, u64 len, s64 done, bool wake)
{
	if (put_user(done, result))
		return -EFAULT;
	if (done < 0)
		return (long)done;
	if (wake && done)
		uffd_wake(u, (vaddr_t)dst, (vaddr_t)(dst + (u64)done));
	return (u64)done == len ? 0 : -EAGAIN;
}

/* A change of the layout is under way: nothing is even read. */
static long refuse(s64 *result)
{
	return put_user((s64)-EAGAIN, result) ? -EFAULT : -EAGAIN;
}

/* COPY's source may lie anywhere. */
static int check_source(u64 src, u64 len)
{
	return uffd_range_check(src - src % PAGE_SIZE, len) || len > USER_END - src ? -EINVAL : 0;
}

static long ioctl_copy(struct uffd *u, void *user)
{
	struct uffdx_copy *out = user;
	struct uffdx_copy c;
	long err;

	if (uffd_changing(u))
		return refuse(&out->copy);
	if (copy_from_user(&c, user, sizeof(c) - sizeof(c.copy)))
		return -EFAULT;
	err = check_source(c.src, c.len);
	if (!err)
		err = uffd_range_check(c.dst, c.len);
	if (!err && (c.mode & ~(u64)(UFFDX_COPY_DONTWAKE | UFFDX_COPY_WP)))
		err = -EINVAL;
	if (err)
		return err;
	err = uffd_fill(u, UFFD_FILL_COPY, (vaddr_t)c.dst, (vaddr_t)c.src, (size_t)c.len, c.mode & UFFDX_COPY_WP);
	return err == -ESRCH ? err : finish(u, &out->copy, c.dst, c.len, err, !(c.mode & UFFDX_COPY_DONTWAKE));
}

/* ZEROPAGE, CONTINUE and POISON have one layout: a range, modes, a result. */
static long fill_range(struct uffd *u, void *user, enum uffd_fill what, u64 modes, u64 wp, u64 dontwake)
{
	struct uffdx_zeropage *out = user;
	struct uffdx_zeropage z;
	long err;

	if (uffd_changing(u))
		return refuse(&out->zeropage);
	if (copy_from_user(&z, user, sizeof(z) - sizeof(z.zeropage)))
		return -EFAULT;
	err = uffd_range_check(z.range.start, z.range.len);
	if (!err && (z.mode & ~modes))
		err = -EINVAL;
	if (err)
		return err;
	err = uffd_fill(u, what, (vaddr_t)z.range.start, 0, (size_t)z.range.len, z.mode & wp);
	return err == -ESRCH ? err : finish(u, &out->zeropage, z.range.start, z.range.len, err, !(z.mode & dontwake));
}

_Static_assert(sizeof(struct uffdx_zeropage) == sizeof(struct uffdx_continue) &&
                   sizeof(struct uffdx_zeropage) == sizeof(struct uffdx_poison),
               "one layout");

static long ioctl_zeropage(struct uffd *u, void *user)
{
	return fill_range(u, user, UFFD_FILL_ZERO, UFFDX_ZEROPAGE_DONTWAKE, 0, UFFDX_ZEROPAGE_DONTWAKE);
}

static long ioctl_continue(struct uffd *u, void *user)
{
	return fill_range(u, user, UFFD_FILL_CONTINUE, UFFDX_CONTINUE_DONTWAKE | UFFDX_CONTINUE_WP, UFFDX_CONTINUE_WP,
	                  UFFDX_CONTINUE_DONTWAKE);
}

static long ioctl_poison(struct uffd *u, void *user)
{
	return fill_range(u, user, UFFD_FILL_POISON, UFFDX_POISON_DONTWAKE, 0, UFFDX_POISON_DONTWAKE);
}

#define MOVE_MODES \
	(UFFDX_MOVE_DONTWAKE | UFFDX_MOVE_ALLOW_SRC_HOLES | UFFDX_MOVE_UNSHARE | UFFDX_MOVE_PINNED | UFFDX_MOVE_FROM_CALLER)

static int check_move(const struct uffd *u, const struct mm *from, const struct uffdx_move *m)
{
	int err;

	if (READ_ONCE(u->mm) != from && !(m->mode & UFFDX_MOVE_FROM_CALLER))
		return -EINVAL;
	err = uffd_range_check(m->dst, m->len);
	if (!err)
		err = uffd_range_check(m->src, m->len);
	return err ? err : m->mode & ~(u64)MOVE_MODES ? -EINVAL : 0;
}

static long ioctl_move(struct uffd *u, void *user)
{
	struct mm *from = container_of(current_thread()->pt, struct mm, pt);
	struct uffdx_move *out = user;
	struct uffdx_move m;
	long err;

	if (uffd_changing(u))
		return refuse(&out->move);
	if (copy_from_user(&m, user, sizeof(m) - sizeof(m.move)))
		return -EFAULT;
	err = check_move(u, from, &m);
	if (err)
		return err;
	err = uffd_move(u, from, (vaddr_t)m.dst, (vaddr_t)m.src, (size_t)m.len, m.mode);
	return err == -ESRCH ? err : finish(u, &out->move, m.dst, m.len, err, !(m.mode & UFFDX_MOVE_DONTWAKE));
}

static long ioctl_writeprotect(struct uffd *u, void *user)
{
	const u64 modes = UFFDX_WRITEPROTECT_WP | UFFDX_WRITEPROTECT_DONTWAKE;
	struct uffdx_writeprotect w;
	long err;

	if (uffd_changing(u))
		return -EAGAIN;
	if (copy_from_user(&w, user, sizeof(w)))
		return -EFAULT;
	err = uffd_range_check(w.range.start, w.range.len);
	if (!err && ((w.mode & ~modes) || w.mode == modes))
		err = -EINVAL;
	if (!err)
		err = uffd_protect(u, (vaddr_t)w.range.start, (size_t)w.range.len, w.mode & UFFDX_WRITEPROTECT_WP);
	if (!err && !w.mode)
		uffd_wake(u, (vaddr_t)w.range.start, (vaddr_t)(w.range.start + w.range.len));
	return err;
}

/* -- all ----------------------------------------------------------------------------------------------------------------------- */

static const struct {
	u32 cmd;
	long (*fn)(struct uffd *u, void *user);
} requests[] = {
	{UFFDX_IOC_REGISTER, ioctl_register},
	{UFFDX_IOC_UNREGISTER, ioctl_unregister},
	{UFFDX_IOC_MOVE, ioctl_move},
	{UFFDX_IOC_WAKE, ioctl_wake},
	{UFFDX_IOC_COPY, ioctl_copy},
	{UFFDX_IOC_ZEROPAGE, ioctl_zeropage},
	{UFFDX_IOC_WRITEPROTECT, ioctl_writeprotect},
	{UFFDX_IOC_CONTINUE, ioctl_continue},
	{UFFDX_IOC_POISON, ioctl_poison},
};

long userfaultfd_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct uffd *u = f->private;
	void *user = (void *)arg;

	if (cmd == UFFDX_IOC_API)
		return ioctl_api(u, user);
	if (!__atomic_load_n(&u->ready, __ATOMIC_ACQUIRE))
		return -EINVAL;
	for (unsigned i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].cmd == cmd)
			return requests[i].fn(u, user);
	return -EINVAL;
}
