"""cmd_pt.py - pt: the walk to an address, level by level."""
import gdb

import entry
import kernel
import page_text


def rest(va, level):
    """Which frame of a large page holds @va."""
    return va >> kernel.PAGE_SHIFT & ((entry.the_format().span(level) >> kernel.PAGE_SHIFT) - 1)


class Pt(kernel.Command):
    """How an address is translated: every level of the walk, decoded.

pt ADDR [PID]

Of a user address by the page table of process PID (without it, of the process that runs); of a kernel address by the
kernel's own.  An entry without a page is shown with what it keeps: the file's page and the grant, the swap slot, the note.
"grant" is what the address space allows; "write", "accessed" and "dirty" are hardware's bits.
ADDR is any expression: pt $sp, pt p, pt 0x7fffe000."""
    name, usage, most = "pt", "pt ADDR [PID]", 2

    def run(self, *words):
        if not words:
            raise gdb.GdbError("usage: " + self.usage)
        va = kernel.parse_number(words[0])
        steps = self.user(va, *words[1:]) if va < kernel.constant("user_end") else self.of_kernel(va)
        for step in steps:
            print(step.text())
        end = steps[-1].view
        if end.kind == "none" and steps[-1].level:
            print(f"  and no table below: {entry.the_format().span(steps[-1].level):#x} bytes are empty")
        elif end.special:
            print("  => the shared page of zeros")
        elif end.kind == "page":
            print("  => " + page_text.frame(end.payload | rest(va, steps[-1].level)))

    @staticmethod
    def user(va, pid=None):
        p = kernel.process_wanted(pid)
        mm = kernel.mm_of(p)
        print(f"{va:#x} in process {p.pid} ({p.text('comm')}), entries: {entry.the_format().name}")
        return entry.walk(entry.root_of(mm.at("pt")), va)

    @staticmethod
    def of_kernel(va):
        if entry.the_format().key:
            raise gdb.GdbError("trees of this format have user addresses only; hardware's own maps the kernel")
        print(f"{va:#x} in the kernel, entries: {entry.the_format().name}")
        return entry.walk(entry.kernel_root(), va)


Pt()
