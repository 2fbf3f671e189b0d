/*
 * syscalls.h - the system-call handlers, one for each line of syscall_list.h.  Layer 10.
 *
 * A handler gets the user's registers cast to its own parameter types (user pointers are NOT checked: only
 * <arch/uaccess.h> may follow them) and returns a value or a negative errno.  Names ending in _32 are
 * i386's variants whose 64-bit values come as pairs of registers.
 */
#ifndef KERNEL_PROC_SYSCALLS_H
#define KERNEL_PROC_SYSCALLS_H

#include <arch/abi.h>

#include "kernel/uapi/remap.h"

/* files by descriptor (owner: sys_file*.c) */
long sys_read(int fd, void *buf, size_t n);
long sys_write(int fd, const void *buf, size_t n);
long sys_close(int fd);
long sys_lseek(int fd, long off, int whence);
long sys_readv(int fd, const struct abi_iovec *iov, int count);
long sys_writev(int fd, const struct abi_iovec *iov, int count);
long sys_pread64(int fd, void *buf, size_t n, long pos);
long sys_pread64_32(int fd, void *buf, size_t n, u32 lo, u32 hi);
long sys_pwrite64(int fd, const void *buf, size_t n, long pos);
long sys_pwrite64_32(int fd, const void *buf, size_t n, u32 lo, u32 hi);
long sys_preadv(int fd, const struct abi_iovec *iov, int count, unsigned long lo, unsigned long hi);
long sys_preadv2(int fd, const struct abi_iovec *iov, int count, unsigned long lo, unsigned long hi, int flags);
long sys_pwritev(int fd, const struct abi_iovec *iov, int count, unsigned long lo, unsigned long hi);
long sys_pwritev2(int fd, const struct abi_iovec *iov, int count, unsigned long lo, unsigned long hi, int flags);
long sys_dup(int fd);
long sys_dup2(int fd, int to);
long sys_dup3(int fd, int to, int flags);
long sys_pipe(int *fds);
long sys_pipe2(int *fds, int flags);
long sys_fcntl(int fd, unsigned cmd, unsigned long arg);
long sys_fcntl64(int fd, unsigned cmd, unsigned long arg);
long sys_ioctl(int fd, unsigned cmd, unsigned long arg);
long sys_fsync(int fd);
long sys_fdatasync(int fd);
long sys_sync(void);
long sys_syncfs(int fd);
long sys_ftruncate(int fd, long size);
long sys_ftruncate64_32(int fd, u32 lo, u32 hi);
long sys_fallocate(int fd, int mode, long off, long len);
long sys_fallocate_32(int fd, int mode, u32 off_lo, u32 off_hi, u32 len_lo, u32 len_hi);
long sys_getdents(int fd, void *buf, unsigned n);
long sys_getdents64(int fd, void *buf, unsigned n);
long sys_sendfile(int out, int in, long *off, size_t n);
long sys_sendfile64(int out, int in, s64 *off, size_t n);
long sys_llseek(int fd, unsigned long hi, unsigned long lo, s64 *result, unsigned whence);
long sys_poll(void *fds, unsigned n, int timeout_ms);
long sys_ppoll(void *fds, unsigned n, const struct abi_timespec *ts, const void *mask, size_t size);
long sys_ppoll_time64(void *fds, unsigned n, const struct abi_timespec64 *ts, const void *mask, size_t size);
long sys_select(int n, void *in, void *out, void *ex, struct abi_timeval *tv);
long sys_oldselect(const unsigned long *args);
long sys_pselect6(int n, void *in, void *out, void *ex, const struct abi_timespec *ts, const void *sig);
long sys_pselect6_time64(int n, void *in, void *out, void *ex, const struct abi_timespec64 *ts, const void *sig);
long sys_eventfd(unsigned count);
long sys_eventfd2(unsigned count, int flags);
long sys_userfaultfd(int flags);
long sys_close_range(unsigned first, unsigned last, unsigned flags);
long sys_fadvise64(int fd, long off, long len, int advice);
long sys_fadvise64_32(int fd, u32 off_lo, u32 off_hi, u32 len, int advice);
long sys_fadvise64_64(int fd, u32 off_lo, u32 off_hi, u32 len_lo, u32 len_hi, int advice);
long sys_readahead(int fd, long off, size_t n);
long sys_readahead_32(int fd, u32 lo, u32 hi, u32 n);
long sys_sync_file_range(int fd, long off, long n, unsigned flags);
long sys_sync_file_range_32(int fd, u32 off_lo, u32 off_hi, u32 n_lo, u32 n_hi, unsigned flags);
long sys_copy_file_range(int in, s64 *off_in, int out, s64 *off_out, size_t n, unsigned flags);
long sys_flock(int fd, int op);

/* files by path (owner: sys_path*.c) */
long sys_open(const char *path, int flags, unsigned mode);
long sys_creat(const char *path, unsigned mode);
long sys_openat(int dfd, const char *path, int flags, unsigned mode);
long sys_access(const char *path, int mode);
long sys_faccessat(int dfd, const char *path, int mode);
long sys_faccessat2(int dfd, const char *path, int mode, int flags);
long sys_chdir(const char *path);
long sys_fchdir(int fd);
long sys_getcwd(char *buf, size_t n);
long sys_chroot(const char *path);
long sys_mkdir(const char *path, unsigned mode);
long sys_mkdirat(int dfd, const char *path, unsigned mode);
long sys_rmdir(const char *path);
long sys_unlink(const char *path);
long sys_unlinkat(int dfd, const char *path, int flags);
long sys_rename(const char *from, const char *to);
long sys_renameat(int dfd, const char *from, int tfd, const char *to);
long sys_renameat2(int dfd, const char *from, int tfd, const char *to, unsigned flags);
long sys_link(const char *from, const char *to);
long sys_linkat(int dfd, const char *from, int tfd, const char *to, int flags);
long sys_symlink(const char *target, const char *path);
long sys_symlinkat(const char *target, int dfd, const char *path);
long sys_readlink(const char *path, char *buf, int n);
long sys_readlinkat(int dfd, const char *path, char *buf, int n);
long sys_chmod(const char *path, unsigned mode);
long sys_fchmod(int fd, unsigned mode);
long sys_fchmodat(int dfd, const char *path, unsigned mode);
long sys_chown(const char *path, u32 uid, u32 gid);
long sys_fchown(int fd, u32 uid, u32 gid);
long sys_lchown(const char *path, u32 uid, u32 gid);
long sys_fchownat(int dfd, const char *path, u32 uid, u32 gid, int flags);
long sys_mknod(const char *path, unsigned mode, unsigned dev);
long sys_mknodat(int dfd, const char *path, unsigned mode, unsigned dev);
long sys_stat(const char *path, struct abi_stat *st);
long sys_lstat(const char *path, struct abi_stat *st);
long sys_fstat(int fd, struct abi_stat *st);
long sys_stat64(const char *path, struct abi_stat64 *st);
long sys_lstat64(const char *path, struct abi_stat64 *st);
long sys_fstat64(int fd, struct abi_stat64 *st);
long sys_newfstatat(int dfd, const char *path, struct abi_stat *st, int flags);
long sys_fstatat64(int dfd, const char *path, struct abi_stat64 *st, int flags);
long sys_statx(int dfd, const char *path, int flags, unsigned mask, struct abi_statx *st);
long sys_statfs(const char *path, struct abi_statfs *st);
long sys_fstatfs(int fd, struct abi_statfs *st);
long sys_statfs64(const char *path, size_t size, struct abi_statfs64 *st);
long sys_fstatfs64(int fd, size_t size, struct abi_statfs64 *st);
long sys_truncate(const char *path, long size);
long sys_truncate64_32(const char *path, u32 lo, u32 hi);
long sys_utime(const char *path, const long *times);
long sys_utimes(const char *path, const struct abi_timeval *times);
long sys_futimesat(int dfd, const char *path, const struct abi_timeval *times);
long sys_utimensat(int dfd, const char *path, const struct abi_timespec *times, int flags);
long sys_utimensat_time64(int dfd, const char *path, const struct abi_timespec64 *times, int flags);
long sys_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
long sys_umount2(const char *target, int flags);
long sys_oldumount(const char *target);
long sys_swapon(const char *path, int flags);
long sys_swapoff(const char *path);

/* memory (owner: sys_mm.c) */
long sys_mmap(unsigned long addr, size_t len, unsigned long prot, unsigned long flags, int fd, unsigned long off);
long sys_old_mmap(const unsigned long *args);
long sys_mmap2(unsigned long addr, size_t len, unsigned long prot, unsigned long flags, int fd, unsigned long pgoff);
long sys_munmap(unsigned long addr, size_t len);
long sys_mprotect(unsigned long addr, size_t len, unsigned long prot);
long sys_mremap(unsigned long addr, size_t old_len, size_t new_len, unsigned long flags, unsigned long new_addr);
long sys_msync(unsigned long addr, size_t len, int flags);
long sys_madvise(unsigned long addr, size_t len, int advice);
long sys_mincore(unsigned long addr, size_t len, unsigned char *vec);
long sys_mlock(unsigned long addr, size_t len);
long sys_mlock2(unsigned long addr, size_t len, int flags);
long sys_munlock(unsigned long addr, size_t len);
long sys_mlockall(int flags);
long sys_munlockall(void);
long sys_brk(unsigned long brk);
long sys_remap_file_pages(unsigned long start, size_t size, unsigned long prot, unsigned long pgoff,
                          unsigned long flags);
long sys_remap_vector(const struct remap_entry *entries, unsigned long nr, unsigned long flags);
long sys_memfd_create(const char *name, unsigned flags);
long sys_pidfd_open(int pid, unsigned flags);
long sys_process_madvise(int pidfd, const struct abi_iovec *user, unsigned long count, int advice, unsigned flags);
long sys_process_vm_readv(int pid, const struct abi_iovec *local, unsigned long nl, const struct abi_iovec *remote,
                          unsigned long nr, unsigned long flags);
long sys_process_vm_writev(int pid, const struct abi_iovec *local, unsigned long nl, const struct abi_iovec *remote,
                           unsigned long nr, unsigned long flags);

/* processes (sys_process.c, sys_id.c) */
long sys_fork(void);
long sys_vfork(void);
long sys_clone(unsigned long flags, unsigned long stack, int *ptid, unsigned long a3, unsigned long a4);
long sys_clone3(void *args, size_t size);
long sys_execve(const char *path, const unsigned long *argv, const unsigned long *envp);
long sys_exit(int status);
long sys_exit_group(int status);
long sys_wait4(int pid, int *status, int options, struct abi_rusage *ru);
long sys_waitpid(int pid, int *status, int options);
long sys_waitid(int which, int id, void *info, int options, struct abi_rusage *ru);
long sys_getpid(void);
long sys_getppid(void);
long sys_gettid(void);
long sys_getpgrp(void);
long sys_getpgid(int pid);
long sys_setpgid(int pid, int pgid);
long sys_getsid(int pid);
long sys_setsid(void);
long sys_getuid(void);
long sys_geteuid(void);
long sys_getgid(void);
long sys_getegid(void);
long sys_setuid(u32 uid);
long sys_setgid(u32 gid);
long sys_setreuid(u32 ruid, u32 euid);
long sys_setregid(u32 rgid, u32 egid);
long sys_setresuid(u32 ruid, u32 euid, u32 suid);
long sys_setresgid(u32 rgid, u32 egid, u32 sgid);
long sys_getresuid(u32 *ruid, u32 *euid, u32 *suid);
long sys_getresgid(u32 *rgid, u32 *egid, u32 *sgid);
long sys_getgroups(int n, u32 *list);
long sys_setgroups(int n, const u32 *list);
long sys_setfsuid(u32 uid);
long sys_setfsgid(u32 gid);
long sys_umask(int mask);
long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
long sys_arch_prctl(int code, unsigned long arg);
long sys_set_thread_area(void *desc);
long sys_get_thread_area(void *desc);
long sys_set_tid_address(int *tid);
long sys_set_robust_list(void *head, size_t len);
long sys_get_robust_list(int tid, void **head, size_t *len);
long sys_rseq(void *area, u32 len, int flags, u32 sig);
long sys_getrlimit(unsigned resource, struct abi_rlimit *lim);
long sys_old_getrlimit(unsigned resource, struct abi_rlimit *lim);
long sys_setrlimit(unsigned resource, const struct abi_rlimit *lim);
long sys_prlimit64(int pid, unsigned resource, const struct abi_rlimit64 *new, struct abi_rlimit64 *old);
long sys_getrusage(int who, struct abi_rusage *ru);
long sys_times(struct abi_tms *t);
long sys_getpriority(int which, int who);
long sys_setpriority(int which, int who, int prio);
long sys_capget(u32 *header, u32 *data);
long sys_capset(u32 *header, const u32 *data);

/* signals (signal.c, sys_signal.c) */
long sys_rt_sigaction(int signo, const struct abi_sigaction *act, struct abi_sigaction *old, size_t size);
long sys_rt_sigprocmask(int how, const void *set, void *old, size_t size);
long sys_rt_sigreturn(void);
long sys_sigreturn(void);
long sys_rt_sigpending(void *set, size_t size);
long sys_rt_sigsuspend(const void *mask, size_t size);
long sys_rt_sigtimedwait(const void *set, void *info, const struct abi_timespec *ts, size_t size);
long sys_rt_sigtimedwait_time64(const void *set, void *info, const struct abi_timespec64 *ts, size_t size);
long sys_rt_sigqueueinfo(int pid, int signo, const void *info);
long sys_rt_tgsigqueueinfo(int pid, int tid, int signo, const void *info);
long sys_sigaltstack(const struct abi_stack *ss, struct abi_stack *old);
long sys_kill(int pid, int signo);
long sys_tkill(int tid, int signo);
long sys_tgkill(int pid, int tid, int signo);
long sys_pause(void);
long sys_restart_syscall(void);
long sys_old_sigaction(int signo, const struct abi_old_sigaction *act, struct abi_old_sigaction *old);
long sys_old_signal(int signo, unsigned long handler);
long sys_old_sigprocmask(int how, const u32 *set, u32 *old);
long sys_old_sigpending(u32 *set);
long sys_old_sigsuspend(int unused0, int unused1, u32 mask);

/* time, scheduling, futex (sys_time.c, sys_sched.c, sys_futex.c) */
long sys_clock_gettime(int clock, struct abi_timespec *ts);
long sys_clock_settime(int clock, const struct abi_timespec *ts);
long sys_clock_getres(int clock, struct abi_timespec *ts);
long sys_clock_nanosleep(int clock, int flags, const struct abi_timespec *ts, struct abi_timespec *rem);
long sys_nanosleep(const struct abi_timespec *ts, struct abi_timespec *rem);
long sys_gettimeofday(struct abi_timeval *tv, struct abi_timezone *tz);
long sys_settimeofday(const struct abi_timeval *tv, const struct abi_timezone *tz);
long sys_time(long *t);
long sys_clock_gettime64(int clock, struct abi_timespec64 *ts);
long sys_clock_settime64(int clock, const struct abi_timespec64 *ts);
long sys_clock_getres_time64(int clock, struct abi_timespec64 *ts);
long sys_clock_nanosleep_time64(int clock, int flags, const struct abi_timespec64 *ts, struct abi_timespec64 *rem);
long sys_alarm(unsigned seconds);
long sys_setitimer(int which, const struct abi_itimerval *new, struct abi_itimerval *old);
long sys_getitimer(int which, struct abi_itimerval *cur);
long sys_sched_yield(void);
long sys_sched_getaffinity(int pid, unsigned len, unsigned long *mask);
long sys_sched_setaffinity(int pid, unsigned len, const unsigned long *mask);
long sys_sched_getscheduler(int pid);
long sys_sched_setscheduler(int pid, int policy, const int *param);
long sys_sched_getparam(int pid, int *param);
long sys_sched_setparam(int pid, const int *param);
long sys_sched_get_priority_max(int policy);
long sys_sched_get_priority_min(int policy);
long sys_getcpu(unsigned *cpu, unsigned *node, void *unused);
long sys_membarrier(int cmd, unsigned flags, int cpu);
long sys_futex(int *uaddr, int op, int val, const struct abi_timespec *ts, int *uaddr2, int val3);
long sys_futex_time64(int *uaddr, int op, int val, const struct abi_timespec64 *ts, int *uaddr2, int val3);

/* the system (sys_system.c) */
long sys_uname(struct abi_utsname *u);
long sys_sysinfo(struct abi_sysinfo *info);
long sys_getrandom(void *buf, size_t n, unsigned flags);
long sys_reboot(int magic1, int magic2, unsigned cmd, void *arg);
long sys_sethostname(const char *name, int len);
long sys_setdomainname(const char *name, int len);
long sys_syslog(int type, char *buf, int len);

#endif
