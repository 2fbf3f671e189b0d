/*
 * vm.h - the simulated machine runs no guests.  Layer 1 (host).
 */
#ifndef ASM_VM_H
#define ASM_VM_H

#define ARCH_HAS_GUESTS 0

#endif
