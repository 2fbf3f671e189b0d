/*
 * abi.h - the parts of the Linux system-call ABI that differ between machines: structure layouts, which
 * column of the system-call list is ours, ELF identity.  Layer 1.
 *
 * User programs have the kernel's own width, so `long` and pointers in a structure already fit; what is
 * left are structures whose members differ in order or padding.  Width-neutral ones (timespec, iovec,
 * rlimit, ...) stand here too, spelled with natural types, so that there is one place for all.
 */
#ifndef ARCH_ABI_H
#define ARCH_ABI_H

#include "kernel/lib/types.h"

/* <asm/abi.h> defines:
 *   ABI_NR(n64, n32)      our column of the system-call list; ABI_IF64(...), ABI_IF32(...) drop the other's lines
 *   ABI_NR_MAX            no system call has a higher number
 *   ABI_NR_RESTART        restart_syscall(2)
 *   ABI_MACHINE, ABI_PLATFORM       uname(2) machine, AT_PLATFORM
 *   ABI_ELF_CLASS, ABI_ELF_MACHINE  what execve(2) accepts
 *   ABI_ET_DYN_BASE       where static-PIE programs go
 *   struct abi_stat, abi_stat64, abi_siginfo, abi_statfs, abi_sigaction, abi_sysinfo padding, abi_elf_* */
#include <asm/abi.h>

/* -- width by `long` ---------------------------------------------------------------------------------- */
struct abi_timespec {
	long tv_sec;
	long tv_nsec;
};
struct abi_timespec64 { /* the time64 twins of i386 */
	s64 tv_sec;
	s64 tv_nsec;
};
struct abi_timeval {
	long tv_sec;
	long tv_usec;
};
struct abi_itimerval {
	struct abi_timeval it_interval, it_value;
};
struct abi_timezone {
	int tz_minuteswest, tz_dsttime;
};
struct abi_rlimit {
	unsigned long rlim_cur, rlim_max;
};
struct abi_rlimit64 {
	u64 rlim_cur, rlim_max;
};
struct abi_rusage {
	struct abi_timeval ru_utime, ru_stime;
	long ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap;
	long ru_inblock, ru_oublock, ru_msgsnd, ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
};
struct abi_tms {
	long tms_utime, tms_stime, tms_cutime, tms_cstime; /* ticks of 1/100 s */
};
struct abi_sysinfo {
	long uptime;
	unsigned long loads[3];
	unsigned long totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	unsigned long totalhigh, freehigh;
	u32 mem_unit;
	char tail[20 - 2 * sizeof(long) - sizeof(u32)];
};
struct abi_utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
struct abi_iovec {
	void *iov_base;
	unsigned long iov_len;
};
struct abi_stack { /* stack_t */
	void *ss_sp;
	int ss_flags;
	unsigned long ss_size;
};
/* rt_sigaction(2); the mask is one u64, which i386 aligns to 4. */
struct abi_sigaction {
	unsigned long handler;
	unsigned long flags;
	unsigned long restorer;
	u32 mask[2];
};
/* sigaction(2) of i386. */
struct abi_old_sigaction {
	unsigned long handler;
	unsigned long mask;
	unsigned long flags;
	unsigned long restorer;
};
struct abi_flock {
	short l_type, l_whence;
	long l_start, l_len;
	int l_pid;
};
struct abi_flock64 {
	short l_type, l_whence;
	abi_s64 l_start, l_len;
	int l_pid;
};

/* -- width-neutral ------------------------------------------------------------------------------------ */
struct abi_statx_timestamp {
	s64 tv_sec;
	u32 tv_nsec;
	s32 reserved;
};
struct abi_statx {
	u32 stx_mask, stx_blksize;
	u64 stx_attributes;
	u32 stx_nlink, stx_uid, stx_gid;
	u16 stx_mode, pad0;
	u64 stx_ino, stx_size, stx_blocks, stx_attributes_mask;
	struct abi_statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	u32 stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	u64 stx_mnt_id, spare[13];
};

/* What every stat call starts from. */
struct file_stat {
	u64 dev, ino, rdev, size, blocks;
	u32 mode, nlink, uid, gid, blksize;
	s64 atime, mtime, ctime;
	u32 atime_nsec, mtime_nsec, ctime_nsec;
};
struct statfs_values {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, flags;
};

/* Fill the machine's structures, padding zeroed. 0, or -EOVERFLOW when a 32-bit field is too small. */
int abi_fill_stat(struct abi_stat *to, const struct file_stat *from);
int abi_fill_stat64(struct abi_stat64 *to, const struct file_stat *from); /* x86-64: the same as stat */
int abi_fill_statx(struct abi_statx *to, const struct file_stat *from);
int abi_fill_statfs(struct abi_statfs *to, const struct statfs_values *from);
int abi_fill_statfs64(struct abi_statfs64 *to, const struct statfs_values *from);

/* A signal's story as the kernel keeps it. */
struct siginfo {
	int signo, err, code;
	enum siginfo_kind {
		SIGINFO_KILL,  /* pid, uid */
		SIGINFO_FAULT, /* addr */
		SIGINFO_CHILD, /* pid, uid, status, utime, stime (ticks of 1/100 s) */
		SIGINFO_RT,    /* pid, uid, value */
		SIGINFO_RAW,   /* user's own 128 bytes: rt_sigqueueinfo; raw[] */
	} kind;
	int pid;
	u32 uid;
	int status;
	long utime, stime;
	vaddr_t addr;
	unsigned long value;
	u32 trapno, error_code; /* for the sigcontext of a fault */
	u32 raw[8];             /* SIGINFO_RAW: words 3.. of siginfo_t, as far as anybody uses them */
};
#define ABI_SIGINFO_SIZE 128
void abi_fill_siginfo(void *to, const struct siginfo *from);        /* all 128 bytes */
void abi_siginfo_from_user(struct siginfo *to, const void *raw128); /* rt_sigqueueinfo(2): kind RAW */

/* CPU features for AT_HWCAP and AT_HWCAP2. */
unsigned long abi_hwcap(void);
unsigned long abi_hwcap2(void);
/* What fault signals report as the trap number and error code of a page fault. */
#define ABI_TRAP_PAGE_FAULT 14

/* Exception @vector from ring 3 as a signal: number, si_code; @has_addr: si_addr is the instruction. */
struct abi_exception {
	u8 signo;
	s8 code; /* ABI_SI_KERNEL: SI_KERNEL */
	bool has_addr;
};
#define ABI_SI_KERNEL (-128)
struct abi_exception abi_exception(unsigned vector);

#endif
