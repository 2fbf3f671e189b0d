/*
 * header.S - what tells boot loaders that this file is a kernel.
 *
 *   PVH note       QEMU -kernel (any width)         entry: pvh_entry, EBX = hvm_start_info
 *   multiboot2     GRUB, BIOS and UEFI              entry: ELF entry point, EAX = magic, EBX = info
 *   multiboot1     i386 only: QEMU -kernel prefers it there; browsers' emulators need it
 *
 * All three enter in 32-bit protected mode without paging.
 */
#include "boot/protocol.h"

	.section .boot.header, "a"
	.balign 8
mb2_header:
	.long MB2_HEADER_MAGIC, 0, mb2_header_end - mb2_header
	.long -(MB2_HEADER_MAGIC + (mb2_header_end - mb2_header))
	.short 6, 0 /* modules page aligned */
	.long 8
	.short 0, 0 /* end */
	.long 8
mb2_header_end:

#if BITS == 32
	.balign 4
	.long MB1_HEADER_MAGIC, 3, -(MB1_HEADER_MAGIC + 3) /* modules page aligned, memory map wanted */
#endif

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, BITS / 8, 18 /* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
#if BITS == 64
	.quad pvh_entry
#else
	.long pvh_entry
#endif

	.section .note.GNU-stack, "", @progbits
