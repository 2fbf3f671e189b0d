"""page_text.py - what a frame is, in words."""
import entry
import kernel
from entry import page_has


def state(page):
    """What kind of thing the frame holds."""
    if page_has(page, "PG_RESERVED"):
        return "reserved (the kernel's image, firmware, or no RAM)"
    if page_has(page, "PG_BUDDY"):
        return "free, in a CPU's own stock" if page_has(page, "PG_STACKED") else f"free: first of {1 << page.private}"
    if page_has(page, "PG_TABLE"):
        return "page table"
    if page_has(page, "PG_SLAB"):
        return "slab"
    if page_has(page, "PG_ANON"):
        return "anonymous, exclusive" if page_has(page, "PG_ANON_EXCLUSIVE") else "anonymous"
    if page.object:
        return f"page {page.index} of {kernel.object_name(page.object)}"
    return "the kernel's own" if page.refs else "free, inside a block"


def pins_text(page):
    words = [f"{n} for {what}" for n, what in ((page.pins_w, "writing"), (page.pins_r, "reading")) if n]
    return "pinned: " + ", ".join(words) if words else ""


def summary(page):
    """One line."""
    names = [f for f in kernel.flag_names(page.flags, kernel.page_flags()) if f in
             ("dirty", "writeback", "locked", "swapcache", "uptodate")]
    words = [state(page), f"mapcount {page.mapcount}", f"refs {page.refs}", pins_text(page), " ".join(names)]
    return f"frame {entry.pfn_of(page.address):#x}: " + ", ".join(w for w in words if w)


def all_flags(page):
    """Every flag set."""
    return " ".join(kernel.flag_names(page.flags, kernel.page_flags())) or "none"


def frame(pfn):
    """The same of a frame that may have no record."""
    frames = int(kernel.symbol("max_pfn"))
    if pfn >= frames:
        return f"frame {pfn:#x}: " + ("not RAM" if frames else "frames have no records yet")
    return summary(entry.page_at(pfn))
