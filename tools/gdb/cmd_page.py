"""cmd_page.py - page: everything about one frame; pins: the frames that devices hold."""
import gdb

import entry
import kernel
import page_text
import rmap
from record import Record, layout, memory, number


def find(text, pid=None):
    """The struct page that a number means: a frame, a struct page, a kernel or a user address."""
    n = kernel.parse_number(text)
    base, size, frames = int(kernel.symbol("mem_map")), layout("struct page").size, int(kernel.symbol("max_pfn"))
    if n < frames and not pid:
        return entry.page_at(n)
    if base <= n < base + frames * size:
        return entry.page_at((n - base) // size)
    direct = kernel.constant("direct_base")
    if direct <= n < direct + (frames << kernel.PAGE_SHIFT):
        return entry.page_at((n - direct) >> kernel.PAGE_SHIFT)
    if n >= kernel.constant("user_end"):
        raise gdb.GdbError(f"{n:#x} is no frame, no struct page and no address of the direct map (try pt)")
    mm = kernel.mm_of(kernel.process_wanted(*[pid] if pid else []))
    view = entry.leaf(mm.at("pt"), n)
    if view.kind != "page":
        raise gdb.GdbError(f"no page is mapped at {n:#x}: {view.text()}")
    return entry.page_at(view.payload)


class Page(kernel.Command):
    """Everything about a frame: what it is, its flags, counts and pins, its owner, and every entry that maps it.

page PFN|ADDR [PID]

PFN is a frame number; ADDR a user address (of process PID, else of the one that runs), an address of the kernel's direct
map, or that of a struct page.  The entries are found as the kernel finds them: by an object's links and nonlinear index, or
by the page's family; "mapcount" says how many there must be."""
    name, usage, most = "page", "page PFN|ADDR [PID]", 2

    def run(self, *words):
        if not words:
            raise gdb.GdbError("usage: " + self.usage)
        page = find(*words)
        print(f"frame {entry.pfn_of(page.address):#x}, struct page at {page.address:#x}: {page_text.state(page)}")
        print(f"  flags {page_text.all_flags(page)}")
        print(f"  refs {page.refs}, mapcount {page.mapcount}, pins {page.pins_w} for writing, {page.pins_r} for reading")
        if entry.page_has(page, "PG_SWAPCACHE"):
            print(f"  in the swap cache, slot word {page.private:#x}")
        if entry.page_has(page, "PG_TABLE"):
            owner = rmap.table_owner(page)
            print(f"  the entries of {owner[1]:#x}.. of process {owner[0]}" if owner else "  no leaf table of any process")
        hits = list(rmap.mappings(page))
        for hit in hits:
            print("  mapped at " + hit.text())
        if len(hits) != page.mapcount and not entry.page_has(page, "PG_TABLE"):
            print(f"  {len(hits)} entries were found, not {page.mapcount}: somebody is just changing it, or a count is wrong")


def pinned_pages():
    """Every frame with pins; stops when as many were found as are out."""
    out = number(kernel.address_of("pin_acquired")) - number(kernel.address_of("pin_released"))
    kind = layout("struct page")
    base, frames = int(kernel.symbol("mem_map")), int(kernel.symbol("max_pfn"))
    (w, _), (r, _) = kind.members["pins_w"], kind.members["pins_r"]
    step = 4096
    for first in range(frames - frames % step, -1, -step):
        if out <= 0:
            return
        data = memory(base + first * kind.size, min(step, frames - first) * kind.size)
        for at in range(0, len(data), kind.size):
            if any(data[at + w:at + w + 4]) or any(data[at + r:at + r + 4]):
                page = Record("struct page", base + first * kind.size + at, data[at:at + kind.size])
                out -= page.pins_w + page.pins_r
                yield page


class Pins(kernel.Command):
    """The frames that devices hold by pins: counts, owner, and the entries that map them (there may be none any more).

pins"""
    name, usage, most = "pins", "pins", 0

    def run(self, *words):
        acquired, released = (number(kernel.address_of(n)) for n in ("pin_acquired", "pin_released"))
        print(f"{acquired - released} pins are out ({acquired} taken, {released} given back)")
        for page in sorted(pinned_pages(), key=lambda p: (p.object, p.index)):
            print(page_text.summary(page))
            for hit in rmap.mappings(page):
                print("  mapped at " + hit.text())


Page()
Pins()
