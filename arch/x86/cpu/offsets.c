/*
 * offsets.c - ties the numbers in <asm/offsets.h> to the C structures.  Layer 1 (x86).  No code.
 */
#include <arch/context.h>
#include <arch/phys.h>
#include <asm/machine.h>

#define SAME(number, type, member) _Static_assert((number) == offsetof(type, member), #number)

SAME(CPU_SELF, struct cpu, self);
SAME(CPU_CURRENT, struct cpu, current);
SAME(CPU_KERNEL_SP, struct cpu, kernel_sp);
SAME(CPU_USER_SP, struct cpu, user_sp);
SAME(CPU_NEED_RESCHED, struct cpu, need_resched);
SAME(CPU_CTX, struct cpu, ctx);
SAME(CTX_SP, struct arch_context, sp);
_Static_assert(CTX_SIZE == sizeof(struct arch_context), "CTX_SIZE");
SAME(TF_VECTOR, struct trap_frame, vector);
SAME(TF_ERROR, struct trap_frame, error);
SAME(TF_IP, struct trap_frame, ip);
SAME(TF_CS, struct trap_frame, cs);
SAME(TF_FLAGS, struct trap_frame, flags);
SAME(TF_SP, struct trap_frame, sp);
_Static_assert(TF_SIZE == sizeof(struct trap_frame), "TF_SIZE");
_Static_assert(ARCH_KMAP_DEPTH == KMAP_DEPTH, "KMAP_DEPTH");
#if BITS == 32
_Static_assert(offsetof(struct trap_frame, ax) == 24, "entry.S stores -ENOSYS there");
#endif
