/*
 * debugger.c - the hook of debugger.h.  Layer 0.
 */
#include "kernel/lib/debugger.h"

const struct debugger_hooks *debugger_hooks;
