/*
 * main.c - the order in which the kernel comes up.  Layer 11.
 *
 * The machine (boot/, arch/) calls kernel_main() on the boot stack with interrupts set up.  What may sleep runs
 * in the thread "boot".
 *
 * Command line:
 *   root=vda|nvme0n1|ram0  the device with the root file system (default: the first there is)
 *   tests=GLOB        run the in-kernel contract tests; init runs the ring-3 suite and ends the machine
 *   init=PATH         another process 1
 *   mprotect=strict-2007   refuse it where pages have protections of their own (mm/space/protect.c)
 *   mutate=Mn         debug builds: behave wrongly as mutation n says (kernel/lib/mutation.h)
 *   pins=linux-compat no long-term write pins of files' pages (mm/service/pin.h)
 *   gdb=on|wait|panic the debugger at the second serial port (kernel/debug/debug.h)
 *   crash=NAME        debug builds: commit the planted bug of that name (crash.c)
 * The rest is read by init (user/init.c).
 */
#include <arch/cpu.h>
#include <arch/init.h>
#include <arch/phys.h>
#include <arch/smp.h>
#include <arch/upcall.h>

#include "kernel/debug/debug.h"
#include "kernel/dev/block.h"
#include "kernel/dev/iommu.h"
#include "kernel/dev/nvme.h"
#include "kernel/dev/pci.h"
#include "kernel/dev/ramdisk.h"
#include "kernel/dev/virtio_blk.h"
#include "kernel/fs/dev_block.h"
#include "kernel/fs/dev_dma.h"
#include "kernel/fs/dev_edu.h"
#include "kernel/fs/dev_mirror.h"
#include "kernel/fs/dev_mm.h"
#include "kernel/fs/dev_vmm.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/main/crash.h"
#include "kernel/main/options.h"
#include "kernel/main/run_contract.h"
#include "kernel/proc/process.h"
#include "kernel/proc/tty_file.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"
#include "mm/object/background.h"
#include "mm/service/mirror.h"
#include "mm/service/pin.h"
#include "mm/service/migrate.h"
#include "mm/service/reclaim.h"
#include "mm/space/mm.h"

#define FLUSHER_META_NS (5 * NSEC_PER_SEC) /* how often metadata is written */

static void flusher_thread(void *arg)
{
	u64 meta_due = clock_ns() + FLUSHER_META_NS;

	for (;;) {
		flusher_wait();
		background_begin();
		flusher_round();
		if (clock_ns() >= meta_due) {
			vfs_flush_round();
			meta_due = clock_ns() + FLUSHER_META_NS;
		}
		background_end();
	}
}

/* Named as in Linux, for who looks for it in a list of threads. */
static void kswapd_thread(void *arg)
{
	for (;;) {
		reclaim_wait();
		background_begin();
		reclaim_round();
		background_end();
	}
}

static void devices_init(void)
{
	pci_init();
	iommu_init();
	block_init();
	ramdisk_init();
	virtio_blk_init();
	nvme_init();
	tty_file_init();
	dev_block_init();
	dev_edu_init();
	dev_dma_init();
	dev_mirror_init();
	dev_vmm_init();
	if (DEBUG)
		dev_mm_init();
}

/* mprotect=strict-2007: what it does where pages have protections of their own (mm/space/protect.c). */
static void choose_mprotect(void)
{
	char text[16];

	mprotect_strict = option_value("mprotect", text, sizeof(text)) && !strcmp(text, "strict-2007");
}

/* thp=always, madvise (the default), never: when faults make huge pages. */
static void choose_thp(void)
{
	char text[8];

	if (!option_value("thp", text, sizeof(text)))
		return;
	thp_mode = !strcmp(text, "always") ? THP_ALWAYS : !strcmp(text, "never") ? THP_NEVER : THP_MADVISE;
}

/* pins=linux-compat: as /proc/sys/vm/pin_longterm. */
static void choose_pins(void)
{
	char text[16];

	pin_linux_compat = option_value("pins", text, sizeof(text)) && !strcmp(text, "linux-compat");
}

static void choose_debugger(void)
{
	char words[32];

	if (option_value("gdb", words, sizeof(words)))
		debugger_init(words);
}

/* mutate=M2: the kernel gets that bug. */
static void choose_mutation(void)
{
	char text[8];
	unsigned n = 0;

	if (!DEBUG || !option_value("mutate", text, sizeof(text)))
		return;
	for (const char *p = text + (text[0] == 'M'); *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (unsigned)(*p - '0');
	mutation_active = n;
}

static void mount_root(void)
{
	char root[16];
	int err;

	if (!option_value("root", root, sizeof(root))) {
		struct block_device *first = block_nth(0);

		if (first)
			snprintf(root, sizeof(root), "%s", first->name);
	}
	err = root[0] ? vfs_mount_root(root) : -ENODEV;
	if (err)
		panic("no root file system on '%s' (error %d): give one with root=vda or as a boot module\n", root, err);
}

/* Process 1 has ended, or reboot(2) was called. */
static void stop_machine(enum machine_stop why, int status)
{
	vfs_shutdown();
	switch (why) {
	case MACHINE_RESTART:
		if (status)
			cpu_exit((unsigned)status);
		cpu_reboot();
	case MACHINE_INIT_EXITED:
		panic("process 1 has ended (wait status %#x)\n", (unsigned)status);
	default:
		cpu_poweroff();
	}
}

static void boot_thread(void *arg)
{
	static char *const envp[] = {"PATH=/bin:/sbin", "HOME=/root", "TERM=vt100", NULL};
	char init[64];
	int err;

	debugger_start();
	crash_if_asked();
	vfs_init();
	process_subsystem_init();
	choose_mutation();
	choose_mprotect();
	choose_thp();
	choose_pins();
	devices_init();
	machine_stop_hook = stop_machine;
	if (option_present("tests"))
		run_contract_tests();
	mount_root();
	thread_create_kernel("flusher", flusher_thread, NULL);
	thread_create_kernel("kswapd", kswapd_thread, NULL);
	reclaim_init();
	compact_init();
	if (!option_value("init", init, sizeof(init)))
		snprintf(init, sizeof(init), "/sbin/init");
	err = process_start_init(init, (char *const[]){init, NULL}, envp);
	if (err)
		panic("cannot run %s (error %d)\n", init, err);
}

void kernel_main(void)
{
	printk("Pteron, %s, booted by %s\n", PTERON_CONFIG, boot_info.loader);
	choose_debugger();
	phys_init();
	arch_init();
	debugger_listen();
	sched_init();
	mm_init_subsystem();
	mirror_init_subsystem();
	smp_start();
	thread_create_kernel("boot", boot_thread, NULL);
	sched_idle();
}
