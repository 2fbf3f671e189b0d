/*
 * asm/user_layout.h - where user space ends.  Layer 1 (x86).  For C, assembly and the linker script, and for the
 * simulated machine, where an ordinary process has the entries of either width.
 */
#ifndef ASM_USER_LAYOUT_H
#define ASM_USER_LAYOUT_H

#if defined(PTE_FORMAT_amd64) || defined(PTE_FORMAT_scrambled)
#define USER_END 0x00007ffffffff000
#define USER_MMAP_BASE 0x00007fffe0000000
#define KERNEL_BASE 0xffff800000000000 /* first address of the kernel half */
#else
#define USER_END 0xc0000000
#define USER_MMAP_BASE 0xb8000000
#define KERNEL_BASE 0xc0000000
#endif

#endif
