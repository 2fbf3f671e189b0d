/*
 * guest.h - a tiny guest system (guest_code.S) and the machine it runs in (guest.c), for the demo and the tests.
 */
#ifndef USER_GUEST_H
#define USER_GUEST_H

/* Guest-physical. */
#define GUEST_CODE 0x1000
#define GUEST_MAIL 0x8000
#define GUEST_TABLES 0x10000
#define GUEST_STACK 0x28000
#define GUEST_LOW 0x30000 /* so much memory it needs from 0 on; what else there is comes above 2 MiB */
#define GUEST_PORT 0xe9
#define GUEST_WATCH_END 0x1000000 /* what b never is in GUEST_WATCH: freed pages are filled with more */

/* struct guest_mail */
#define MAIL_COMMAND 0
#define MAIL_A 8
#define MAIL_B 16
#define MAIL_C 24
#define MAIL_RESULT 32
#define MAIL_STOP 40
#define MAIL_COUNT 48

#ifndef __ASSEMBLER__
#include "kernel/uapi/vmm.h"

enum guest_command {
	GUEST_HELLO, /* text through GUEST_PORT */
	GUEST_SUM,   /* of b words of 64 bits at a */
	GUEST_FILL,  /* those with c, c + 1, ... */
	GUEST_SPIN,  /* for ever */
	GUEST_WATCH, /* 32 bits: a is never ahead of b (0 but for a moment), until stop: 0, or a << 32 | b */
	GUEST_COUNT, /* up at a, until stop */
	GUEST_LOAD,
	GUEST_STORE,  /* b at a */
	GUEST_TRIPLE, /* fault */
	GUEST_ASK,    /* port a */
	GUEST_ODD,    /* an instruction that no one does for it */
	GUEST_KEEP,   /* a, b in vector registers for c rounds: their sum */
};

struct guest_mail {
	uint64_t command, a, b, c, result;
	uint64_t stop;  /* host to guest, at any time */
	uint64_t count; /* rounds of WATCH and COUNT */
};

struct guest {
	int fd;
	unsigned char *low; /* its memory from 0 on */
	volatile struct guest_mail *mail;
};

extern const char guest_code[], guest_code_end[];

/* A machine with the guest in it, at its first halt: 0, or an errno (ENOENT, ENODEV: there is no such thing here). */
int vm_boot(struct guest *g);
void vm_end(struct guest *g);
/* Another slot. 0 or an errno. */
int vm_map(struct guest *g, uint64_t gpa, void *addr, uint64_t len, uint64_t flags);
/* Run until an exit: 0 or an errno (EINTR: again). */
int vm_run(struct guest *g, struct vmm_run *run);
/* Give it a command; => halted. Then run. */
void vm_tell(struct guest *g, enum guest_command command, uint64_t a, uint64_t b, uint64_t c);
/* Tell, and run until it halts again, also through signals: 0 and *result, an errno, or -reason of another exit. */
int vm_do(struct guest *g, enum guest_command command, uint64_t a, uint64_t b, uint64_t c, uint64_t *result);
#endif

#endif
