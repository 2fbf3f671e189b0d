/*
 * debugger.h - who is about to die asks: does anybody want to see this?  Layer 0.
 * The hook is kernel/debug's; without it, or without a debugger at the other end, nobody does.
 */
#ifndef KERNEL_LIB_DEBUGGER_H
#define KERNEL_LIB_DEBUGGER_H

#include "kernel/lib/types.h"

struct debugger_hooks {
	bool (*wanted)(void);
	void (*panic)(void); /* stop the machine; returns when the debugger lets it go on (to its end) */
};
extern const struct debugger_hooks *debugger_hooks; /* NULL: there is none */

/* => any context */
static inline bool debugger_wanted(void)
{
	return debugger_hooks && debugger_hooks->wanted();
}

#endif
