/*
 * demo.h - the `demo` program: one function per demonstration.
 */
#ifndef USER_DEMO_H
#define USER_DEMO_H

/* Each gets what follows its name; returns an exit status. */
int demo_guest(int argc, char **argv);
int demo_mosaic(int argc, char **argv);

#endif
