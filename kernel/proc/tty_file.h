/*
 * tty_file.h - the console terminal as /dev/console, /dev/tty and /dev/ttyS0.  Layer 10 (kernel/proc).
 */
#ifndef KERNEL_PROC_TTY_FILE_H
#define KERNEL_PROC_TTY_FILE_H

struct process;

void tty_file_init(void); /* starts the terminal and registers the nodes. => after vfs_init(), sched_init() */

/* @p loses its controlling terminal; if it leads its session, all of the session do, and the foreground group is told
 * by SIGHUP and SIGCONT.  For TIOCNOTTY and the exit of a session leader. => thread context, no locks held */
void tty_disassociate(struct process *p);

#endif
