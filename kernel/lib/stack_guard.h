/*
 * stack_guard.h - the word between a function's arrays and its return address (debug builds).  Layer 0.
 */
#ifndef KERNEL_LIB_STACK_GUARD_H
#define KERNEL_LIB_STACK_GUARD_H

/* Choose the word. => once, early; no caller on the stack may ever return */
void stack_guard_init(unsigned long entropy);

#endif
