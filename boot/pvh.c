/*
 * pvh.c - reading Xen's hvm_start_info, as QEMU -kernel hands it over.  Layer 1 (boot).
 */
#include <asm/machine.h>
#include "boot/bootinfo.h"
#include "boot/protocol.h"
#include "kernel/lib/printk.h"
#include <arch/phys.h>

struct pvh_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modules, cmdline, rsdp;
	/* version 1 */
	u64 memmap;
	u32 nr_memmap, reserved;
} __packed;
struct pvh_module {
	u64 start, size, cmdline, reserved;
} __packed;
struct pvh_memmap {
	u64 start, size;
	u32 type, reserved;
} __packed;

void pvh_read(paddr_t addr)
{
	const struct pvh_start_info *mapped = boot_map(addr, sizeof(*mapped));
	const struct pvh_memmap *memory;
	const struct pvh_module *module;
	struct pvh_start_info info;

	if (!mapped || mapped->magic != BOOT_MAGIC_PVH || mapped->version < 1) {
		printk("boot: bad PVH start info\n");
		return;
	}
	info = *mapped;
	boot_info.rsdp = info.rsdp;
	memory = boot_map(info.memmap, info.nr_memmap * sizeof(*memory));
	for (u32 i = 0; memory && i < info.nr_memmap; i++)
		bootinfo_memory(memory[i].start, memory[i].size, memory[i].type);
	module = info.nr_modules ? boot_map(info.modules, info.nr_modules * sizeof(*module)) : NULL;
	for (u32 i = 0; module && i < info.nr_modules; i++)
		bootinfo_module(module[i].start, module[i].start + module[i].size);
	bootinfo_cmdline(info.cmdline);
}
