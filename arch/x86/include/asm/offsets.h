/*
 * offsets.h - the numbers that assembly needs about C structures, selectors and control registers.
 * Layer 1 (x86).  Plain #defines only, for .S and .c alike; arch/x86/cpu/offsets.c asserts every one of them.
 */
#ifndef ASM_OFFSETS_H
#define ASM_OFFSETS_H

/* -- struct cpu (<arch/cpu.h>) ------------------------------------------------------------------------ */
#if BITS == 64
#define CPU_SELF 0
#define CPU_CURRENT 8
#define CPU_KERNEL_SP 16
#define CPU_USER_SP 24
#define CPU_NEED_RESCHED 44
#define CPU_CTX 64
#else
#define CPU_SELF 0
#define CPU_CURRENT 4
#define CPU_KERNEL_SP 8
#define CPU_USER_SP 12
#define CPU_NEED_RESCHED 28
#define CPU_CTX 40
#endif

/* -- struct arch_context (<asm/context.h>); its size is where struct thread has its work flag ------------------- */
#define CTX_SP 0
#if BITS == 64
#define CTX_SIZE 568
#else
#define CTX_SIZE 604
#endif
#define THREAD_WORK CTX_SIZE

/* -- struct trap_frame (<asm/trap_frame.h>) ---------------------------------------------------------------- */
#if BITS == 64
#define TF_VECTOR 120
#define TF_ERROR 128
#define TF_IP 136
#define TF_CS 144
#define TF_FLAGS 152
#define TF_SP 160
#define TF_SIZE 176
#else
#define TF_VECTOR 44
#define TF_ERROR 48
#define TF_IP 52
#define TF_CS 56
#define TF_FLAGS 60
#define TF_SP 64
#define TF_SIZE 72
#endif

/* trap_frame.vector of entries that are not exceptions or interrupts. */
#define VECTOR_SYSCALL 0x80   /* a system call whose registers are untouched: SYSRET may be used */
#define VECTOR_MODIFIED 0x100 /* all registers matter: return by IRET */

/* -- selectors, numbered as Linux does (user code sees them in signal frames) ------------------------------ */
#if BITS == 64
#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER_CS32 0x23
#define USER_DS 0x2b
#define USER_CS 0x33
#define TSS_SELECTOR 0x40
#define GDT_ENTRIES 10
#else
#define GDT_TLS_FIRST 6
#define GDT_TLS_COUNT 3
#define KERNEL_CS 0x60
#define KERNEL_DS 0x68
#define USER_CS 0x73
#define USER_DS 0x7b
#define TSS_SELECTOR 0x80
#define PERCPU_SELECTOR 0xd8
#define DF_TSS_SELECTOR 0xf8
#define GDT_ENTRIES 32
#endif

/* -- control registers ---------------------------------------------------------------------------------- */
#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_ET 0x10
#define CR0_NE 0x20
#define CR0_WP 0x10000
#define CR0_PG 0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_UMIP 0x800
#define CR4_SMEP 0x100000
#define CR4_SMAP 0x200000
#define MSR_APIC_BASE 0x1b
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define EFER_SCE 0x1
#define EFER_LME 0x100
#define EFER_NXE 0x800

#define EFLAGS_TF 0x100
#define EFLAGS_IF 0x200
#define EFLAGS_DF 0x400
#define EFLAGS_RF 0x10000
#define EFLAGS_AC 0x40000

/* -- where things are; the map itself is in <asm/layout.h> -------------------------------------------------------- */
#if BITS == 64
#define BOOT_WINDOW_BASE 0xffffffffc0000000 /* boot/window.c: the last GiB, large pages, boot time only */
#else
#define BOOT_WINDOW_BASE 0xff800000
#endif
#define KERNEL_LOAD_ADDRESS 0x100000
#define BOOT_STACK_SIZE (16384 << KASAN) /* the sanitizer's frames are larger */

#endif
