/*
 * stub.c - the debugger: from a stop to going on again, one packet after the other.  Interface: debug.h, internal.h.
 *
 * A gdb that comes while the machine runs begins a packet, which stops it.  One that went without a word leaves a
 * session behind; the next one's first packet, qSupported, ends that.
 */
#include <arch/irq.h>
#include <arch/upcall.h>
#include "kernel/debug/debug.h"
#include "kernel/debug/internal.h"
#include "kernel/lib/debugger.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/timer.h"

#define SETTLE_NS NSEC_PER_SEC

struct session session;

static bool has_port;

static int port_get(void)
{
	int c;

	while ((c = arch_debug_port_get()) < 0)
		cpu_relax();
	return c;
}

/* -- one packet --------------------------------------------------------------------------------------------------------- */
static void choose_thread(struct reader *r, struct writer *w)
{
	s64 id;

	if (!(read_char(r, 'g') || read_char(r, 'c')) || !read_thread(r, &id) || reader_left(r)) {
		write_error(w, EINVAL);
		return;
	}
	if (id <= 0) /* any, all */
		session.chosen = target_of_cpu(session.cpu);
	else if (!target_find(id, &session.chosen)) {
		write_error(w, ESRCH);
		return;
	}
	write_text(w, "OK");
}

static void thread_alive(struct reader *r, struct writer *w)
{
	struct target t;
	s64 id;

	if (read_thread(r, &id) && !reader_left(r) && target_find(id, &t))
		write_text(w, "OK");
	else
		write_error(w, ESRCH);
}

static bool detach(struct writer *w)
{
	breakpoints_forget();
	write_text(w, "OK");
	session.attached = false;
	session.owed = false;
	return true;
}

/* C and S: the signal in front of the address means nothing. */
static bool resume_signal(struct reader *r, struct writer *w, bool step)
{
	u64 signal;

	if (!read_hex(r, &signal)) {
		write_error(w, EINVAL);
		return false;
	}
	read_char(r, ';');
	return resume_all(r, w, step);
}

static bool verbose(struct reader *r, struct writer *w)
{
	if (read_word(r, "Cont?"))
		write_text(w, "vCont;c;C;s;S");
	else if (read_word(r, "Cont"))
		return resume_each(r, w);
	else if (read_word(r, "Kill")) {
		packet_send(&session.link, "OK", 2);
		cpu_poweroff();
	}
	return false;
}

/* Returns whether the machine goes on. */
static bool serve(struct reader *r, struct writer *w)
{
	char kind = *r->p++;

	switch (kind) {
	case '?':
		stop_reply(w);
		break;
	case 'g':
		registers_read_all(w);
		break;
	case 'p':
		register_read(r, w);
		break;
	case 'P':
		register_write(r, w);
		break;
	case 'm':
		memory_read(r, w);
		break;
	case 'M':
	case 'X':
		memory_write(r, w, kind == 'X');
		break;
	case 'Z':
	case 'z':
		breakpoint_packet(r, w, kind == 'Z');
		break;
	case 'H':
		choose_thread(r, w);
		break;
	case 'T':
		thread_alive(r, w);
		break;
	case 'q':
		query(r, w);
		break;
	case 'Q':
		query_set(r, w);
		break;
	case 'c':
	case 's':
		return resume_all(r, w, kind == 's');
	case 'C':
	case 'S':
		return resume_signal(r, w, kind == 'S');
	case 'v':
		return verbose(r, w);
	case 'D':
		return detach(w);
	case 'k':
		cpu_poweroff();
	}
	return false;
}

static bool begins(const char *packet, const char *word)
{
	return !strncmp(packet, word, strlen(word));
}

/* A new gdb, which acknowledges and expects it: the packet was read under the old one's rules. */
static void greet(void)
{
	if (session.link.no_ack)
		session.link.put('+');
	session.link.no_ack = false;
	session.attached = true;
	breakpoints_forget(); /* its predecessor's */
}

static bool serve_packet(void)
{
	static char in[PACKET_MAX + 1], out[PACKET_MAX];
	struct writer w = writer_of(out, sizeof(out));
	int n = packet_receive(&session.link, in, sizeof(in));
	struct reader r = {in, in + n};
	bool go;

	if (n < 0)
		return false; /* Ctrl-C: we stand already */
	if (begins(in, "qSupported"))
		greet();
	go = n > 0 && serve(&r, &w);
	if (!go || !session.owed)
		packet_send(&session.link, out, w.full ? 0 : writer_length(&w));
	if (begins(in, "QStartNoAckMode"))
		session.link.no_ack = true;
	return go;
}

/* -- stops -------------------------------------------------------------------------------------------------------------- */
static void tell(void)
{
	char out[128];
	struct writer w = writer_of(out, sizeof(out));

	stop_reply(&w);
	packet_send(&session.link, out, writer_length(&w));
}

void upcall_debugger(const struct debug_stop *stop)
{
	breakpoints_lift();
	resume_ended();
	session.stop = *stop;
	session.cpu = this_cpu()->id;
	session.chosen = target_of_cpu(session.cpu);
	if (session.owed)
		tell();
	session.owed = false;
	while (!serve_packet())
		;
	breakpoints_plant();
}

/* -- the end of the machine ----------------------------------------------------------------------------------------------- */
static bool wanted(void)
{
	return session.at_panic || session.attached;
}

static void at_panic(void)
{
	session.panicking = true;
	arch_breakpoint();
}

/* -- its beginning --------------------------------------------------------------------------------------------------------- */
void debugger_init(const char *words)
{
	static const struct debugger_hooks hooks = {.wanted = wanted, .panic = at_panic};

	has_port = arch_debug_port_init();
	if (!has_port) {
		printk("gdb: there is no second serial port\n");
		return;
	}
	session.link.get = port_get;
	session.link.put = arch_debug_port_put;
	session.at_panic = strstr(words, "panic");
	debugger_hooks = &hooks;
	debugger_armed = true;
	printk("gdb: at the second serial port%s\n", strstr(words, "wait") ? ", which is waited for" : "");
	if (strstr(words, "wait"))
		arch_breakpoint();
}

void debugger_listen(void)
{
	if (has_port)
		arch_debug_port_irq_init();
}

static void settle_thread(void *arg)
{
	for (;;) {
		sleep_ns_interruptible(SETTLE_NS);
		breakpoints_settle();
	}
}

void debugger_start(void)
{
	if (has_port)
		thread_create_kernel("gdb", settle_thread, NULL);
}
