"""cmd_maps.py - maps: the ranges of an address space; vma: one of them."""
import gdb

import entry
import kernel
from kernel import PAGE_SHIFT, vma_has
from record import Record, c_string, enum_names


def permissions(vma):
    return "".join(c if vma_has(vma, flag) else "-" for c, flag in (("r", "VM_READ"), ("w", "VM_WRITE"), ("x", "VM_EXEC"))) \
        + ("s" if vma_has(vma, "VM_MAYSHARE") else "p")


def name_of(vma):
    return kernel.file_path(vma.file) if vma.file else c_string(vma.name)


def where(vma):
    """offset, device and inode as /proc shows them."""
    if not vma.file:
        return f"{vma.pgoff << PAGE_SHIFT if vma.object else 0:08x} 00:00 0"
    inode = Record("struct inode", Record("struct file", vma.file).inode)
    dev = Record("struct super", inode.super).dev if inode.super else 0
    return f"{vma.pgoff << PAGE_SHIFT if vma.object else 0:08x} {dev >> 8:02x}:{dev & 255:02x} {inode.ino}"


def line(vma):
    """As in /proc/PID/maps."""
    text = f"{vma.start:08x}-{vma.end:08x} {permissions(vma)} {where(vma)}"
    return f"{text:73}{name_of(vma)}" if vma.file or vma.name else text + " "


def kind(vma):
    """What sort of memory it is."""
    shared = "shared" if vma_has(vma, "VM_MAYSHARE") else "private"
    if not vma.object:
        return "private anonymous memory" + (f", {c_string(vma.name)}" if vma.name else "")
    return f"a {shared} mapping of {name_of(vma) or kernel.object_name(vma.object)}"


class Maps(kernel.Command):
    """The ranges of a process's memory, as in /proc/PID/maps.

maps [PID]

Behind a range whose entries need not be at their linear place, or have permissions of their own, stands what is special."""
    name, usage = "maps", "maps [PID]"

    def run(self, *words):
        for v in kernel.vmas(kernel.mm_of(kernel.process_wanted(*words))):
            special = [text for flag, text in (("VM_NONLINEAR", "nonlinear"), ("VM_MANYPROTS", "own grants"),
                                               ("VM_LOCKED", "locked"), ("VM_UFFD_MISSING", "userfaultfd"),
                                               ("VM_UFFD_MINOR", "userfaultfd"), ("VM_UFFD_WP", "userfaultfd")) if vma_has(v, flag)]
            print(line(v) + (f" <{', '.join(dict.fromkeys(special))}>" if special else ""))


class Vma(kernel.Command):
    """The range of memory that an address lies in: limits, flags, what it maps, and how much of it is there.

vma ADDR [PID]"""
    name, usage, most = "vma", "vma ADDR [PID]", 2

    def run(self, *words):
        if not words:
            raise gdb.GdbError("usage: " + self.usage)
        va = kernel.parse_number(words[0])
        mm = kernel.mm_of(kernel.process_wanted(*words[1:]))
        v = kernel.vma_at(mm, va)
        if not v:
            print(f"{va:#x} lies above every range")
        elif va < v.start:
            print(f"{va:#x} lies in no range; the next one, {v.start - va:#x} bytes above:")
            print(line(v))
        else:
            self.show(mm, v, va)

    @staticmethod
    def show(mm, v, va):
        print(line(v))
        flags = enum_names("vma_flag", "VM_")
        names = [name for bit, name in sorted(flags.items()) if bit & (bit - 1) == 0 and v.flags & bit]
        print(f"  struct vma at {v.address:#x}: {kind(v)}")
        print(f"  flags: {' '.join(names)}")
        print(f"  {va:#x} is page {va - v.start >> PAGE_SHIFT} of {v.end - v.start >> PAGE_SHIFT}"
              + (f", linearly page {kernel.vma_pgoff(v, va)} of the file" if v.object else ""))
        counts = {}
        for _, view in entry.entries(mm.at("pt"), v.start, v.end):
            counts[view.kind] = counts.get(view.kind, 0) + 1
        print("  entries: " + (", ".join(f"{n} {k}" for k, n in sorted(counts.items())) or "none"))


Maps()
Vma()
