/*
 * regs.c - the registers as gdb numbers them: those of its features i386.core, i386.sse and (x86-64) i386.segments, then
 * the control registers under the names that QEMU's stub has for them.  Layer 1 (x86).
 */
#include <arch/debug.h>
#include "arch/x86/debug/internal.h"
#include "kernel/lib/string.h"

#define FX_ST 32
#define FX_XMM 160
#define VECTOR_DOUBLE_FAULT 8

/* struct debug_register.kind: where the value is. */
enum kind {
	IN_FRAME,
	IN_FRAME_SEGMENT, /* 16 bits; reads as 32 */
	IN_CPU,           /* struct debug_cpu, as wide as the register says */
	IN_CPU_LONG,      /* ... an unsigned long */
	IN_FPU,           /* the FXSAVE image, bits wide */
	IN_FPU_16,        /* ... 16 of them */
	FPU_TAGS,
	STACK_POINTER,
	STACK_SEGMENT,
};

#define FRAME(reg, field, type)                                                                              \
	{                                                                                                        \
		reg, type, 8 * sizeof(((struct trap_frame *)0)->field), IN_FRAME, offsetof(struct trap_frame, field) \
	}
#define SEGMENT(reg, field)                                                 \
	{                                                                       \
		reg, NULL, 32, IN_FRAME_SEGMENT, offsetof(struct trap_frame, field) \
	}
#define CPU_LONG(reg, field)                                            \
	{                                                                   \
		reg, NULL, BITS, IN_CPU_LONG, offsetof(struct debug_cpu, field) \
	}
#define CPU(reg, field, bits)                                      \
	{                                                              \
		reg, NULL, bits, IN_CPU, offsetof(struct debug_cpu, field) \
	}
#define FPU(reg, type, bits, where)    \
	{                                  \
		reg, type, bits, IN_FPU, where \
	}
#define ST(n) FPU("st" #n, "i387_ext", 80, FX_ST + 16 * n)
#define XMM(n) FPU("xmm" #n, "vec128", 128, FX_XMM + 16 * n)

static const struct debug_register core[] = {
#if BITS == 64
	FRAME("rax", ax, NULL),
	FRAME("rbx", bx, NULL),
	FRAME("rcx", cx, NULL),
	FRAME("rdx", dx, NULL),
	FRAME("rsi", si, NULL),
	FRAME("rdi", di, NULL),
	FRAME("rbp", bp, "data_ptr"),
	{"rsp", "data_ptr", 64, STACK_POINTER, 0},
	FRAME("r8", r8, NULL),
	FRAME("r9", r9, NULL),
	FRAME("r10", r10, NULL),
	FRAME("r11", r11, NULL),
	FRAME("r12", r12, NULL),
	FRAME("r13", r13, NULL),
	FRAME("r14", r14, NULL),
	FRAME("r15", r15, NULL),
	FRAME("rip", ip, "code_ptr"),
	{"eflags", "i386_eflags", 32, IN_FRAME, offsetof(struct trap_frame, flags)},
	SEGMENT("cs", cs),
	{"ss", NULL, 32, STACK_SEGMENT, 0},
	CPU("ds", ds, 32),
	CPU("es", es, 32),
	CPU("fs", fs, 32),
	CPU("gs", gs, 32),
#else
	FRAME("eax", ax, NULL),
	FRAME("ecx", cx, NULL),
	FRAME("edx", dx, NULL),
	FRAME("ebx", bx, NULL),
	{"esp", "data_ptr", 32, STACK_POINTER, 0},
	FRAME("ebp", bp, "data_ptr"),
	FRAME("esi", si, NULL),
	FRAME("edi", di, NULL),
	FRAME("eip", ip, "code_ptr"),
	FRAME("eflags", flags, "i386_eflags"),
	SEGMENT("cs", cs),
	{"ss", NULL, 32, STACK_SEGMENT, 0},
	SEGMENT("ds", ds),
	SEGMENT("es", es),
	SEGMENT("fs", fs),
	SEGMENT("gs", gs),
#endif
	ST(0),
	ST(1),
	ST(2),
	ST(3),
	ST(4),
	ST(5),
	ST(6),
	ST(7),
	{"fctrl", NULL, 32, IN_FPU_16, 0},
	{"fstat", NULL, 32, IN_FPU_16, 2},
	{"ftag", NULL, 32, FPU_TAGS, 4},
	{"fiseg", NULL, 32, IN_FPU_16, 12},
	{"fioff", NULL, 32, IN_FPU, 8},
	{"foseg", NULL, 32, IN_FPU_16, 20},
	{"fooff", NULL, 32, IN_FPU, 16},
	{"fop", NULL, 32, IN_FPU_16, 6},
};

static const struct debug_register sse[] = {
	XMM(0),
	XMM(1),
	XMM(2),
	XMM(3),
	XMM(4),
	XMM(5),
	XMM(6),
	XMM(7),
#if BITS == 64
	XMM(8),
	XMM(9),
	XMM(10),
	XMM(11),
	XMM(12),
	XMM(13),
	XMM(14),
	XMM(15),
#endif
	{"mxcsr", "i386_mxcsr", 32, IN_FPU, 24},
};

static const struct debug_register control[] = {
#if BITS == 64
	CPU("k_gs_base", k_gs_base, 64),
#endif
	CPU_LONG("cr0", cr0),
	CPU_LONG("cr2", cr2),
	CPU_LONG("cr3", cr3),
	CPU_LONG("cr4", cr4),
	CPU("efer", efer, 64),
};

#if BITS == 64
static const struct debug_register bases[] = {
	CPU("fs_base", fs_base, 64),
	CPU("gs_base", gs_base, 64),
};
#endif

#define FLAG(name, bit) "<field name=\"" name "\" start=\"" #bit "\" end=\"" #bit "\"/>"
static const char core_types[] = "<flags id=\"i386_eflags\" size=\"4\">" FLAG("CF", 0) FLAG("PF", 2) FLAG("AF", 4)
	FLAG("ZF", 6) FLAG("SF", 7) FLAG("TF", 8) FLAG("IF", 9) FLAG("DF", 10) FLAG("OF", 11) FLAG("NT", 14) FLAG("RF", 16)
		FLAG("VM", 17) FLAG("AC", 18) "</flags>";
static const char sse_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
	"<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
	"<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
	"<field name=\"uint128\" type=\"uint128\"/></union>"
	"<flags id=\"i386_mxcsr\" size=\"4\">" FLAG("IE", 0) FLAG("DE", 1) FLAG("ZE", 2) FLAG("OE", 3) FLAG("UE", 4)
		FLAG("PE", 5) FLAG("DAZ", 6) "</flags>";

#if BITS == 64
const char debug_architecture[] = "i386:x86-64";
#else
const char debug_architecture[] = "i386";
#endif

const struct debug_feature debug_features[] = {
	{"org.gnu.gdb.i386.core", core_types, core, ARRAY_SIZE(core)},
	{"org.gnu.gdb.i386.sse", sse_types, sse, ARRAY_SIZE(sse)},
#if BITS == 64
	{"org.gnu.gdb.i386.segments", NULL, bases, ARRAY_SIZE(bases)},
#endif
	{"pteron.control", NULL, control, ARRAY_SIZE(control)},
};
const unsigned debug_feature_count = ARRAY_SIZE(debug_features);

/* -- of a thread that gave its CPU up: what stack_switch() left ------------------------------------------------------ */
static bool sleeper_frame(const struct arch_context *ctx, struct switch_frame *frame)
{
	return arch_probe_read(frame, ctx->sp, sizeof(*frame));
}

/* The callee-saved registers, the stack behind the return address, the instruction pointer. */
static bool sleeper_register(const struct arch_context *ctx, const char *name, unsigned long *value)
{
	struct switch_frame f;

	if (!sleeper_frame(ctx, &f))
		return false;
	const struct {
		const char *name;
		unsigned long value;
	} known[] = {
#if BITS == 64
		{"rip", f.ip},
		{"rsp", (unsigned long)ctx->sp + sizeof(f)},
		{"rbp", f.bp},
		{"rbx", f.fn},
		{"r12", f.arg},
		{"r13", f.r13},
		{"r14", f.r14},
		{"r15", f.r15},
#else
		{"eip", f.ip},
		{"esp", (unsigned long)ctx->sp + sizeof(f)},
		{"ebp", f.bp},
		{"ebx", f.fn},
		{"esi", f.arg},
		{"edi", f.di},
#endif
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].name, name)) {
			*value = known[i].value;
			return true;
		}
	return false;
}

/* -- of a CPU --------------------------------------------------------------------------------------------------------- */
/* A double-fault task's frame is complete although it comes from ring 0. */
static unsigned long stack_pointer(const struct trap_frame *tf)
{
	return tf->vector == VECTOR_DOUBLE_FAULT ? tf->sp : frame_sp(tf);
}

static u32 stack_segment(const struct trap_frame *tf)
{
	return BITS == 64 || tf->cs & 3 ? (u32)tf->ss & 0xffff : KERNEL_DS;
}

/* From the image's bit for each register (1: not empty) to two bits (00 valid, 11 empty). */
static u32 full_tags(u8 abridged)
{
	u32 tags = 0;

	for (unsigned i = 0; i < 8; i++)
		tags |= abridged >> i & 1 ? 0 : 3u << (2 * i);
	return tags;
}

bool arch_debug_register(const struct debug_who *who, const struct debug_register *reg, void *value)
{
	const struct debug_cpu *c = &debug_cpus[who->cpu];
	unsigned long word;

	memset(value, 0, reg->bits / 8);
	if (who->ctx) {
		if (!sleeper_register(who->ctx, reg->name, &word))
			return false;
		memcpy(value, &word, sizeof(word));
		return true;
	}
	if (!c->tf)
		return false;
	switch (reg->kind) {
	case IN_FRAME:
		memcpy(value, (const u8 *)c->tf + reg->where, reg->bits / 8);
		break;
	case IN_FRAME_SEGMENT:
		memcpy(value, (const u8 *)c->tf + reg->where, 2);
		break;
	case IN_CPU:
	case IN_CPU_LONG:
		memcpy(value, (const u8 *)c + reg->where, reg->bits / 8);
		break;
	case IN_FPU:
		memcpy(value, c->fpu + reg->where, reg->bits / 8);
		break;
	case IN_FPU_16:
		memcpy(value, c->fpu + reg->where, 2);
		break;
	case FPU_TAGS:
		memcpy(value, &(u32){full_tags(c->fpu[reg->where])}, 4);
		break;
	case STACK_POINTER:
		memcpy(value, &(unsigned long){stack_pointer(c->tf)}, sizeof(long));
		break;
	default:
		memcpy(value, &(u32){stack_segment(c->tf)}, 4);
	}
	return true;
}

/* The integer registers of an interrupted place.  Not its segments, and no flag that says how the CPU works. */
bool arch_debug_register_set(const struct debug_who *who, const struct debug_register *reg, const void *value)
{
	struct trap_frame *tf = debug_cpus[who->cpu].tf;
	unsigned long flags = 0, keep = ~(unsigned long)EFLAGS_USER_BITS | EFLAGS_TF;

	if (who->ctx || !tf)
		return false;
	if (reg->kind == STACK_POINTER && (BITS == 64 || tf->cs & 3)) {
		memcpy(&tf->sp, value, reg->bits / 8);
		return true;
	}
	if (reg->kind != IN_FRAME)
		return false;
	if (reg->where != offsetof(struct trap_frame, flags)) {
		memcpy((u8 *)tf + reg->where, value, reg->bits / 8);
		return true;
	}
	memcpy(&flags, value, 4);
	tf->flags = (tf->flags & keep) | (flags & ~keep);
	return true;
}

vaddr_t arch_debug_ip(const struct debug_who *who)
{
	unsigned long ip = 0;

	if (who->ctx)
		sleeper_register(who->ctx, BITS == 64 ? "rip" : "eip", &ip);
	else if (debug_cpus[who->cpu].tf)
		ip = debug_cpus[who->cpu].tf->ip;
	return ip;
}

bool arch_debug_set_ip(const struct debug_who *who, vaddr_t ip)
{
	if (who->ctx || !debug_cpus[who->cpu].tf)
		return false;
	debug_cpus[who->cpu].tf->ip = ip;
	return true;
}
