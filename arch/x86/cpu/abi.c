/*
 * abi.c - the parts of the Linux ABI that both x86 widths share: siginfo_t, exceptions as signals, CPU
 * features for the auxiliary vector.  Layer 1 (x86).
 */
#include <arch/abi.h>
#include <cpuid.h>
#include "kernel/lib/string.h"

/* siginfo_t; the union's alignment makes the two widths differ. */
struct abi_siginfo {
	int signo, err, code;
	union {
		struct {
			int pid;
			u32 uid;
			union {
				unsigned long value;
				struct {
					int status;
					long utime, stime;
				};
			};
		};
		struct {
			vaddr_t addr;
			short addr_lsb;
		};
		u32 raw[8];
		char space[ABI_SIGINFO_SIZE - 16];
	};
};
_Static_assert(sizeof(struct abi_siginfo) <= ABI_SIGINFO_SIZE, "siginfo_t");
_Static_assert(offsetof(struct abi_siginfo, pid) == (BITS == 64 ? 16 : 12), "siginfo_t");
_Static_assert(offsetof(struct abi_siginfo, utime) == (BITS == 64 ? 32 : 24), "siginfo_t");

void abi_fill_siginfo(void *to, const struct siginfo *from)
{
	struct abi_siginfo *si = to;

	memset(to, 0, ABI_SIGINFO_SIZE);
	si->signo = from->signo;
	si->err = from->err;
	si->code = from->code;
	switch (from->kind) {
	case SIGINFO_KILL:
		si->pid = from->pid;
		si->uid = from->uid;
		break;
	case SIGINFO_RT:
		si->pid = from->pid;
		si->uid = from->uid;
		si->value = from->value;
		break;
	case SIGINFO_CHILD:
		si->pid = from->pid;
		si->uid = from->uid;
		si->status = from->status;
		si->utime = from->utime;
		si->stime = from->stime;
		break;
	case SIGINFO_FAULT:
		si->addr = from->addr;
		si->addr_lsb =
			from->signo == 7 && from->code == 4 ? PAGE_SHIFT : 0; /* SIGBUS, BUS_MCEERR_AR: how much is lost */
		break;
	case SIGINFO_RAW:
		memcpy(si->raw, from->raw, sizeof(from->raw));
		break;
	}
}

void abi_siginfo_from_user(struct siginfo *to, const void *raw128)
{
	const struct abi_siginfo *si = raw128;

	memset(to, 0, sizeof(*to));
	to->kind = SIGINFO_RAW;
	to->signo = si->signo;
	to->err = si->err;
	to->code = si->code;
	memcpy(to->raw, si->raw, sizeof(to->raw));
}

/* Vector -> signal, as Linux has it. */
struct abi_exception abi_exception(unsigned vector)
{
	static const struct abi_exception table[] = {
		[0] = {8, 1, true},               /* #DE: SIGFPE, FPE_INTDIV */
		[1] = {5, 2, true},               /* #DB: SIGTRAP, TRAP_TRACE */
		[3] = {5, ABI_SI_KERNEL, false},  /* #BP */
		[4] = {11, ABI_SI_KERNEL, false}, /* #OF */
		[5] = {11, ABI_SI_KERNEL, false}, /* #BR */
		[6] = {4, 2, true},               /* #UD: SIGILL, ILL_ILLOPN */
		[9] = {8, ABI_SI_KERNEL, false},
		[10] = {11, ABI_SI_KERNEL, false}, /* #TS */
		[11] = {7, ABI_SI_KERNEL, false},  /* #NP: SIGBUS */
		[12] = {7, ABI_SI_KERNEL, false},  /* #SS */
		[13] = {11, ABI_SI_KERNEL, false}, /* #GP */
		[16] = {8, 3, true},               /* #MF: SIGFPE, FPE_FLTDIV if nothing better is known */
		[17] = {7, 1, true},               /* #AC: SIGBUS, BUS_ADRALN */
		[19] = {8, 3, true},               /* #XM */
	};

	if (vector < ARRAY_SIZE(table) && table[vector].signo)
		return table[vector];
	return (struct abi_exception){11, ABI_SI_KERNEL, false};
}

unsigned long abi_hwcap(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) ? d : 0;
}

unsigned long abi_hwcap2(void)
{
	return 0; /* no ring-3 MWAIT, no FSGSBASE promise */
}

int abi_fill_statx(struct abi_statx *to, const struct file_stat *from)
{
	memset(to, 0, sizeof(*to));
	to->stx_mask = 0x7ff; /* STATX_BASIC_STATS */
	to->stx_blksize = from->blksize;
	to->stx_nlink = from->nlink;
	to->stx_uid = from->uid;
	to->stx_gid = from->gid;
	to->stx_mode = (u16)from->mode;
	to->stx_ino = from->ino;
	to->stx_size = from->size;
	to->stx_blocks = from->blocks;
	to->stx_atime = (struct abi_statx_timestamp){from->atime, from->atime_nsec, 0};
	to->stx_mtime = (struct abi_statx_timestamp){from->mtime, from->mtime_nsec, 0};
	to->stx_ctime = (struct abi_statx_timestamp){from->ctime, from->ctime_nsec, 0};
	to->stx_rdev_major = (u32)(from->rdev >> 8) & 0xfff;
	to->stx_rdev_minor = (u32)((from->rdev & 0xff) | ((from->rdev >> 12) & 0xfff00));
	to->stx_dev_major = (u32)(from->dev >> 8) & 0xfff;
	to->stx_dev_minor = (u32)((from->dev & 0xff) | ((from->dev >> 12) & 0xfff00));
	return 0;
}
_Static_assert(sizeof(struct abi_statx) == 256, "statx");
