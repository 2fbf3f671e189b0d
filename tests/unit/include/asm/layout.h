/*
 * layout.h - kernel addresses as unit tests on the host see them: a window for stacks, where nothing is.
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#define STACKS_BASE 0x100000000000
#define STACKS_SIZE 0x1000000

#endif
