/*
 * machine.h - what the files of arch/x86 and boot/ offer one another.  Layer 1 (x86); not for other folders.
 */
#ifndef ASM_MACHINE_H
#define ASM_MACHINE_H

#include <arch/cpu.h>
#include <asm/context.h>
#include <asm/trap_frame.h>

/* -- cpu/features.c ------------------------------------------------------------------------------------ */
struct cpu_features {
	bool tsc, apic, pge, sse, nx, smep, smap, umip;
	char vendor[13];
};
extern struct cpu_features cpu_features;
void features_init(void);   /* detect, and switch on what CR4 and EFER control */
void features_enable(void); /* the latter, on another CPU that has the same */

/* -- {32,64}/segments.c -------------------------------------------------------------------------------- */
void segments_init(unsigned id);      /* GDT, TSS and per-CPU pointer: this CPU becomes number @id */
void segments_set_stack(vaddr_t top); /* for entries from ring 3 */

/* -- cpu/idt.c, cpu/exception.c ---------------------------------------------------------------------------- */
void idt_init(void);
void idt_load(void);                    /* the same table on another CPU */
void trap_entry(struct trap_frame *tf); /* from entry.S */
__noreturn void exception_die(struct trap_frame *tf, vaddr_t fault_addr, const char *why);

/* -- {32,64}/entry.S, switch.S, user_copy.S ------------------------------------------------------------------- */
extern char vector_stubs[];
void syscall_entry(void);
void user_thread_start(void);
void kernel_thread_start(void);
void stack_switch(void **save, void *next);
size_t user_copy(void *dst, const void *src, size_t n);
int user_cmpxchg(u32 *user, u32 old, u32 new, u32 *found);
size_t user_clear(void *dst, size_t n);
long user_string(char *dst, const char *src, size_t n);

/* -- {32,64}/frame.c, signal.c ------------------------------------------------------------------------------------------- */
#define EFLAGS_USER_BITS 0x50dd5 /* AC RF OF DF TF SF ZF AF PF CF: what ring 3 may set in a signal frame */
void frame_set_user_segments(struct trap_frame *tf);

/* -- {32,64}/tls.c: of a thread that runs in ring 3 -------------------------------------------------------------------- */
void tls_copy(struct arch_context *to, const struct arch_context *from);
void tls_clear(struct arch_context *ctx);
void tls_load(const struct arch_context *ctx); /* into this CPU. => interrupts off */

/* -- cpu/fpu.c ------------------------------------------------------------------------------------------------- */
void fpu_init(void);
void fpu_init_cpu(void);                  /* another CPU */
void fpu_reset(struct arch_context *ctx); /* fresh state into the image, not the registers */
void fpu_save(struct arch_context *ctx);  /* registers -> image */
void fpu_load(struct arch_context *ctx);  /* image -> registers */
void fpu_image(void *image);              /* registers -> 512 bytes, 16-byte aligned, for a debugger */
/* For signal frames, @ctx being current's: registers -> image, so that the image can be copied out; and
 * 512 user-made bytes (16-byte aligned; NULL: fresh state) -> registers, forbidden bits cleared. */
void fpu_save_current(struct arch_context *ctx);
void fpu_restore_current(struct arch_context *ctx, void *image);

/* -- cpu/irq.c, apic.c, pic.c ------------------------------------------------------------------------------------ */
#define VECTOR_PIC 0x20 /* 16 lines of the 8259 pair */
#define VECTOR_GSI 0x30 /* I/O APIC inputs */
#define GSI_MAX 64
#define VECTOR_MSI 0x81 /* message-signalled interrupts */
#define VECTOR_MSI_END 0xe0
#define VECTOR_TIMER 0xef
#define VECTOR_RESCHEDULE 0xf0
#define VECTOR_CALL 0xf1
#define VECTOR_STOP 0xf2
#define VECTOR_SPURIOUS 0xff

void irq_init(void);
void irq_dispatch(struct trap_frame *tf);
bool apic_init(void); /* false: there is none, use the 8259 */
bool apic_active(void);
/* The vector of @line (ISA number or GSI), or -EINVAL. */
int apic_vector(unsigned line);
/* Let @line interrupt CPU 0; 0 or -EINVAL. */
int apic_route(unsigned line, bool level);
void apic_eoi(void);
void apic_init_cpu(void); /* another CPU's own */
void apic_ipi(unsigned apic_id, u32 command);
#define APIC_IPI_FIXED 0x4000 /* + vector; assert */
#define APIC_IPI_NMI 0x4400
#define APIC_IPI_INIT 0x4500
#define APIC_IPI_STARTUP 0x4600           /* + page number */
unsigned apic_id(void);                   /* of CPU 0, where device interrupts go */
void apic_timer_start_oneshot(u32 count); /* masked: for calibration */
u32 apic_timer_count(void);
void apic_timer_periodic(u32 count);
void pic_init(void); /* remapped, everything masked */
void pic_unmask(unsigned line);
bool pic_spurious(unsigned line);
void pic_eoi(unsigned line);

/* -- cpu/clock.c, timer.c, rtc.c -------------------------------------------------------------------------------------- */
#define TICK_HZ 250
void clock_start(void);
void clock_init(void);                 /* calibrate. => after irq_init() */
bool clock_runs(void);                 /* also while interrupts are off */
void clock_tick(void);                 /* without a TSC, time is counted here */
u32 clock_apic_hz(void);               /* local APIC timer, after its divider; 0: not there */
void clock_warp_test(void);            /* on two CPUs at once: does time ever step back from one to the other? */
void clock_warp_judge(void);           /* afterwards, on one of them: if so, keep it from doing so */
void tick_init_cpu(void);              /* a CPU's but the first */
bool timer_interrupt(unsigned vector); /* is this the tick's vector? */

/* -- cpu/acpi.c --------------------------------------------------------------------------------------------------- */
#define ACPI_IOAPICS_MAX 4
#define ACPI_IOMMU_SCOPE_MAX 32
struct acpi_info {
	paddr_t lapic; /* 0: no MADT */
	struct {
		paddr_t addr;
		u32 gsi_base;
	} ioapic[ACPI_IOAPICS_MAX];
	unsigned nr_ioapic;
	struct {
		u32 gsi;
		u16 flags; /* MPS INTI: polarity 1:0, trigger 3:2 */
		bool set;
	} isa[16]; /* interrupt source overrides */
	u8 cpu_apic_id[MAX_CPUS];
	unsigned nr_cpus;               /* that there are: may be more than MAX_CPUS */
	u16 pm1a_control, pm1b_control; /* 0: no power off by ACPI */
	u16 sleep5_a, sleep5_b;         /* SLP_TYP values, in place */
	u16 pm_timer;                   /* port, 0: none */
	bool pm_timer_32;
	paddr_t iommu;  /* registers of the first unit; 0: none */
	bool iommu_all; /* it is responsible for all functions, or for these: */
	struct {
		u8 bus, function; /* slot << 3 | function */
	} iommu_scope[ACPI_IOMMU_SCOPE_MAX];
	unsigned nr_iommu_scope;
	u16 reset_port; /* 0: none */
	u8 reset_value;
};
extern struct acpi_info acpi_info;
void acpi_init(paddr_t rsdp); /* => boot_map() still works */

/* -- cpu/ipi.c ---------------------------------------------------------------------------------------------------- */
bool ipi_interrupt(unsigned vector); /* was it one of ours? Then it is done */
bool ipi_stopping(void);             /* an NMI now means: halt */
__noreturn void ipi_stop_here(void);

/* -- cpu/ap_start.S: 16-bit code for a page below 1 MiB, with its parameters at the end ----------------------------- */
extern char ap_trampoline[], ap_trampoline_parameters[], ap_trampoline_end[];
struct ap_parameters {
	u32 wanted; /* APIC id of the CPU that shall take the rest; it puts AP_CLAIMED here */
	u32 cr3, cr4, efer;
	u32 id;
	unsigned long stack, entry;
} __packed;
#define AP_CLAIMED 0x100
#define AP_NOBODY 0x200

/* -- mm/mmu.c -------------------------------------------------------------------------------------------------------- */
/* A root table for CPUs on their way up: the kernel half, and low memory where it is physically. */
paddr_t mmu_trampoline_root(void);

/* -- io/serial.c ---------------------------------------------------------------------------------------------------- */
void serial_init(void);
void serial_irq_init(void);

/* -- cpu/smap.c ----------------------------------------------------------------------------------------------------- */
void smap_patch(void);

/* -- boot/window.c: any physical memory, one mapping at a time, before kernel_main() ------------------------------------ */
void *boot_map(paddr_t pa, size_t size); /* NULL: out of reach (2-level, above 4 GiB) */
void boot_unmap(void);

#endif
