/*
 * abi.h - the Linux ABI of x86-64 and i386: what <arch/abi.h> asks the machine for.  Layer 1.
 * Layouts checked against linux-libc-dev's headers with -m64 and -m32 (see the asserts in 32/abi.c, 64/abi.c).
 */
#ifndef ASM_ABI_H
#define ASM_ABI_H

#include "kernel/lib/types.h"

#define ABI_NR_MAX 511

#if BITS == 64

#define ABI_NR(n64, n32) n64
#define ABI_IF64(...) __VA_ARGS__
#define ABI_IF32(...)
#define ABI_NR_RESTART 219
#define ABI_MACHINE "x86_64"
#define ABI_PLATFORM "x86_64"
#define ABI_ELF_CLASS 2
#define ABI_ELF_MACHINE 62
#define ABI_ET_DYN_BASE 0x555555554000UL
#define ABI_STACK_TOP 0x7ffffffff000UL

typedef s64 abi_s64;
typedef u64 abi_u64;

struct abi_stat {
	u64 st_dev, st_ino, st_nlink;
	u32 st_mode, st_uid, st_gid, pad0;
	u64 st_rdev;
	s64 st_size, st_blksize, st_blocks;
	u64 st_atime, st_atime_nsec, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec;
	s64 unused[3];
};
struct abi_stat64 {
	struct abi_stat same;
};
struct abi_statfs {
	s64 f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	s32 f_fsid[2];
	s64 f_namelen, f_frsize, f_flags, f_spare[4];
};
struct abi_statfs64 {
	struct abi_statfs same;
};

struct abi_elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct abi_elf_phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

#else

#define ABI_NR(n64, n32) n32
#define ABI_IF64(...)
#define ABI_IF32(...) __VA_ARGS__
#define ABI_NR_RESTART 0
#define ABI_MACHINE "i686"
#define ABI_PLATFORM "i686"
#define ABI_ELF_CLASS 1
#define ABI_ELF_MACHINE 3
#define ABI_ET_DYN_BASE 0x56555000UL
#define ABI_STACK_TOP 0xc0000000UL

typedef s64 abi_s64 __attribute__((aligned(4)));
typedef u64 abi_u64 __attribute__((aligned(4)));

struct abi_stat {
	u32 st_dev, st_ino;
	u16 st_mode, st_nlink, st_uid, st_gid;
	u32 st_rdev, st_size, st_blksize, st_blocks;
	u32 st_atime, st_atime_nsec, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec;
	u32 unused[2];
};
struct abi_stat64 {
	abi_u64 st_dev;
	u32 pad0, st_ino_low, st_mode, st_nlink, st_uid, st_gid;
	abi_u64 st_rdev;
	u32 pad3;
	abi_s64 st_size;
	u32 st_blksize;
	abi_u64 st_blocks;
	u32 st_atime, st_atime_nsec, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec;
	abi_u64 st_ino;
};
struct abi_statfs {
	u32 f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	s32 f_fsid[2];
	u32 f_namelen, f_frsize, f_flags, f_spare[4];
};
struct abi_statfs64 {
	u32 f_type, f_bsize;
	abi_u64 f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	s32 f_fsid[2];
	u32 f_namelen, f_frsize, f_flags, f_spare[4];
};

struct abi_elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u32 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct abi_elf_phdr {
	u32 type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

#endif

#endif
