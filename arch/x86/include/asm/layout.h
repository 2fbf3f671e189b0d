/*
 * asm/layout.h - the map of the address space, as constants that C, assembly and the linker script use.
 * Layer 1 (x86).
 *
 *   x86-64   0000000000000000  user                       i386   00000000  user
 *            0000800000000000  (not canonical)                   C0000000  direct map, 896 MiB; the image in it
 *            ffff800000000000  kernel half                       F8000000  ioremap window, 32 MiB
 *            ffff888000000000  direct map of all RAM             FB000000  kmap window, 1 MiB
 *            ffffc90000000000  ioremap window, 64 MiB            FB800000  stacks, 56 MiB
 *            ffffca0000000000  stacks, 256 MiB                   FF800000  boot window (boot/window.c)
 *            ffffec0000000000  KASAN's shadow, 16 TiB (SAN=kasan)
 *            ffffffff80000000  image (maps physical 0)
 *            ffffffffc0000000  boot window (boot/window.c)
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <asm/user_layout.h>

#if BITS == 64
#define DIRECT_BASE 0xffff888000000000
#define DIRECT_MAX 0x400000000000   /* bytes that the window holds */
#define BOOT_DIRECT_SIZE 0x40000000 /* what boot/entry32.S maps of it */
#define IOREMAP_BASE 0xffffc90000000000
#define IOREMAP_SIZE 0x4000000
#define STACKS_BASE 0xffffca0000000000
#define STACKS_SIZE 0x10000000
#define IMAGE_BASE 0xffffffff80000000 /* maps physical 0 */
#define IMAGE_WINDOW 0x40000000       /* what boot/entry32.S maps there */
#else
#define DIRECT_BASE 0xc0000000
#define DIRECT_MAX 0x38000000
#define BOOT_DIRECT_SIZE DIRECT_MAX
#define IOREMAP_BASE 0xf8000000
#define IOREMAP_SIZE 0x2000000
#define KMAP_BASE 0xfb000000
#define KMAP_SIZE 0x100000
#define STACKS_BASE 0xfb800000
#define STACKS_SIZE 0x3800000
#define IMAGE_BASE 0xc0000000
#endif

#endif
