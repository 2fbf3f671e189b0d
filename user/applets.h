/*
 * applets.h - the few commands that our shell carries for a system without busybox.
 */
#ifndef USER_APPLETS_H
#define USER_APPLETS_H

typedef int applet_fn(int argc, char **argv);
/* The command of that name, or NULL. It returns an exit status; it may use stdio. */
applet_fn *applet_find(const char *name);

#endif
