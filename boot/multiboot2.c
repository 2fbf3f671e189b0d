/*
 * multiboot2.c - reading a Multiboot2 information structure.  Layer 1 (boot).
 */
#include <asm/machine.h>
#include "boot/bootinfo.h"
#include "kernel/lib/string.h"
#include <arch/phys.h>

struct mb2_info {
	u32 total_size, reserved;
} __packed;
struct mb2_tag {
	u32 type, size; /* size without the padding to 8 */
} __packed;
struct mb2_module {
	struct mb2_tag tag;
	u32 start, end;
} __packed;
struct mb2_mmap {
	struct mb2_tag tag;
	u32 entry_size, entry_version;
} __packed;
struct mb2_mmap_entry {
	u64 start, length;
	u32 type, zero;
} __packed;

enum { MB2_END = 0, MB2_CMDLINE = 1, MB2_MODULE = 3, MB2_MMAP = 6, MB2_RSDP1 = 14, MB2_RSDP2 = 15 };

static void mmap_read(const struct mb2_mmap *mmap)
{
	if (mmap->entry_size < sizeof(struct mb2_mmap_entry))
		return;
	for (u32 at = sizeof(*mmap); at + mmap->entry_size <= mmap->tag.size; at += mmap->entry_size) {
		const struct mb2_mmap_entry *entry = (const void *)((const char *)mmap + at);

		bootinfo_memory(entry->start, entry->length, entry->type);
	}
}

void multiboot2_read(paddr_t addr)
{
	const struct mb2_info *info = boot_map(addr, sizeof(*info));
	bool have_rsdp2 = false;
	u32 size;

	if (!info)
		return;
	size = info->total_size;
	info = boot_map(addr, size);
	for (u32 at = sizeof(*info); info && at + sizeof(struct mb2_tag) <= size;) {
		const struct mb2_tag *tag = (const void *)((const char *)info + at);
		const struct mb2_module *module = (const void *)tag;

		switch (tag->type) {
		case MB2_END:
			return;
		case MB2_CMDLINE:
			strlcpy(boot_info.cmdline, (const char *)(tag + 1), sizeof(boot_info.cmdline));
			break;
		case MB2_MODULE:
			bootinfo_module(module->start, module->end);
			break;
		case MB2_MMAP:
			mmap_read((const void *)tag);
			break;
		case MB2_RSDP1:
		case MB2_RSDP2:
			if (!have_rsdp2)
				bootinfo_rsdp_copy(tag + 1, tag->size - sizeof(*tag));
			have_rsdp2 = tag->type == MB2_RSDP2;
			break;
		}
		at += ALIGN_UP(max(tag->size, (u32)8), 8u);
	}
}
