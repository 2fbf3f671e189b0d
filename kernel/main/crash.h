/*
 * crash.h - planted bugs, to see that each is caught and reported (debug builds).  Layer 11.
 */
#ifndef KERNEL_MAIN_CRASH_H
#define KERNEL_MAIN_CRASH_H

/* Commit the bug that the boot option crash=NAME asks for; returns if there is none. => a thread, may sleep */
void crash_if_asked(void);

#endif
