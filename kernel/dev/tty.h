/*
 * tty.h - the terminal: line discipline between a serial line and the programs.  Layer 9 (kernel/dev).
 *
 * Knows nothing of files and processes: kernel/proc/tty_file.c gives it descriptors and job control, through
 * the hook below.
 */
#ifndef KERNEL_DEV_TTY_H
#define KERNEL_DEV_TTY_H

#include "kernel/lib/types.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/wait.h"
#include "kernel/uapi/termios.h"

#define TTY_RING 4096 /* input waiting to be read */
#define TTY_RAW 1024  /* bytes between the interrupt and the tty thread */

struct tty {
	struct mutex lock; /* everything up to raw[] */
	struct termios termios;
	struct winsize winsize;
	int session, pgrp;  /* job control: whose terminal, who is in the foreground; 0: nobody */
	u16 ring[TTY_RING]; /* characters with CELL_* marks, at positions tail .. head - 1 */
	unsigned head, tail;
	unsigned canon;           /* tail .. canon - 1: complete lines; canon .. head - 1: the line being edited */
	bool literal;             /* the next character is taken as it is (^V) */
	bool stopped;             /* output is held (^S) */
	struct wait_queue input;  /* woken when something becomes readable */
	struct wait_queue output; /* woken when output may go on */

	u8 raw[TTY_RAW];   /* the bytes as they came; no lock: one producer, one consumer */
	unsigned raw_head; /* w: the serial line's interrupt */
	unsigned raw_tail; /* w: the tty thread */
	struct wait_queue raw_wait;
};

extern struct tty console_tty;

/* Set by kernel/proc: send @signo to process group @pgrp. => may sleep, tty lock not held */
extern void (*tty_signal)(int pgrp, int signo);

void tty_init(void); /* starts the tty thread; input before is kept */

/* Bytes read (0: end of file), or -EAGAIN, -EINTR, -EFAULT. => sleeps */
ssize_t tty_read(struct tty *tty, void *user, size_t n, bool nonblock);
/* Bytes written, or -EFAULT, -EINTR, -EAGAIN. => sleeps */
ssize_t tty_write(struct tty *tty, const void *user, size_t n, bool nonblock);
bool tty_readable(struct tty *tty);
/* What read would return now, for FIONREAD. */
unsigned tty_readable_bytes(struct tty *tty);
void tty_set_termios(struct tty *tty, const struct termios *t, bool flush_input);
void tty_flush_input(struct tty *tty);
/* A byte as if it had been typed. => thread context */
void tty_type(struct tty *tty, u8 c);

#endif
