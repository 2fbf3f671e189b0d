/*
 * multiboot1.c - reading a Multiboot 0.6 information structure.  Layer 1 (boot).
 */
#include <asm/machine.h>
#include "boot/bootinfo.h"
#include "kernel/lib/string.h"
#include <arch/phys.h>

struct mb1_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
} __packed;
struct mb1_module {
	u32 start, end, string, reserved;
} __packed;
struct mb1_mmap {
	u32 size; /* of the rest */
	u64 start, length;
	u32 type;
} __packed;

#define MB1_MEMORY 0x01
#define MB1_CMDLINE 0x04
#define MB1_MODULES 0x08
#define MB1_MMAP 0x40

/* QEMU and old loaders put the kernel's file name first: a word with a slash and without an equals sign. */
static void strip_file_name(char *cmdline)
{
	size_t word = strcspn(cmdline, " ");
	char *slash = memchr(cmdline, '/', word);
	bool is_elf = word > 4 && !strncmp(cmdline + word - 4, ".elf", 4);

	if ((!slash && !is_elf) || memchr(cmdline, '=', word))
		return;
	word += strspn(cmdline + word, " ");
	memmove(cmdline, cmdline + word, strlen(cmdline + word) + 1);
}

static void mmap_read(paddr_t addr, u32 length)
{
	const char *p = boot_map(addr, length);

	for (u32 at = 0; p && at + sizeof(struct mb1_mmap) <= length;) {
		const struct mb1_mmap *entry = (const void *)(p + at);

		bootinfo_memory(entry->start, entry->length, entry->type);
		at += entry->size + 4;
	}
}

void multiboot1_read(paddr_t addr)
{
	const struct mb1_info *mapped = boot_map(addr, sizeof(*mapped));
	struct mb1_info info;

	if (!mapped)
		return;
	info = *mapped;
	if (info.flags & MB1_MMAP) {
		mmap_read(info.mmap_addr, info.mmap_length);
	} else if (info.flags & MB1_MEMORY) {
		bootinfo_memory(0, (u64)info.mem_lower << 10, 1);
		bootinfo_memory(0x100000, (u64)info.mem_upper << 10, 1);
	}
	if (info.flags & MB1_MODULES) {
		const struct mb1_module *module = boot_map(info.mods_addr, info.mods_count * sizeof(*module));

		for (u32 i = 0; module && i < info.mods_count; i++)
			bootinfo_module(module[i].start, module[i].end);
	}
	if (info.flags & MB1_CMDLINE) {
		bootinfo_cmdline(info.cmdline);
		strip_file_name(boot_info.cmdline);
	}
}
