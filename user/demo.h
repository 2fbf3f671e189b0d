/*
 * demo.h - the `demo` program: one function per demonstration.
 */
#ifndef USER_DEMO_H
#define USER_DEMO_H

#include <stdbool.h>

/* Each gets what follows its name; returns an exit status. */
int demo_mosaic(int argc, char **argv);
int demo_steps(bool in_colour); /* `demo mosaic steps` */
int demo_guest(int argc, char **argv);
int demo_pins(int argc, char **argv);
int demo_collect(int argc, char **argv);
int demo_migrate(int argc, char **argv);

#endif
