/*
 * packet.h - the frames of gdb's remote serial protocol: $data#checksum, acknowledged by + or -.  Layer 9 (kernel/debug).
 *
 * Knows nothing of what packets say, nor of the machine: tests/unit/test_gdb_packet.c runs it in a process.
 */
#ifndef KERNEL_DEBUG_PACKET_H
#define KERNEL_DEBUG_PACKET_H

#include "kernel/lib/types.h"

#define PACKET_MAX 4096 /* data bytes; gdb is told so */

struct packet_link {
	int (*get)(void); /* the next byte; waits for it. Below 0: the line is gone, give up */
	void (*put)(u8 byte);
	bool no_ack; /* both sides have agreed to trust the line */
	int pushed;  /* a byte that was read too early; 0: none */
};

enum { PACKET_INTERRUPT = -1, PACKET_GONE = -2 };

/* The next good packet, escapes undone, into @buf, with a NUL behind it; its length.  PACKET_INTERRUPT: Ctrl-C came instead.
 * One that is too long counts as empty. */
int packet_receive(struct packet_link *link, char *buf, size_t size);

/* Send, again and again until it is acknowledged, some times; the other side may have gone. */
void packet_send(struct packet_link *link, const char *data, size_t n);

#endif
