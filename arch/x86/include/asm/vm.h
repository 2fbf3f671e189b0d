/*
 * vm.h - guests need a 64-bit kernel here (AMD's SVM).  Layer 1 (x86).
 */
#ifndef ASM_VM_H
#define ASM_VM_H

#define ARCH_HAS_GUESTS (BITS == 64)

#endif
