"""cmd_fault.py - fault: one access to one address, explained: which range, what the entry says, why hardware could not do
it, and what the kernel will do.  The cases are those of mm/space/fault.c."""
import gdb

import cmd_log
import cmd_maps
import entry
import kernel
import page_text
from entry import GRANT_R, GRANT_W, GRANT_X, grant_text
from kernel import PAGE_SHIFT, vma_has
from record import Record, enum_value

ACCESSES = ("read", "write", "exec")
DOING = {"read": "reads", "write": "stores to", "exec": "executes at"}
NEEDS = {"read": GRANT_R, "write": GRANT_W, "exec": GRANT_X}


class Access:
    """What is explained: who wants what of which address; @source says how we know."""

    def __init__(self, mm, va, access, source, over=False):
        self.mm, self.va, self.access, self.source, self.over = mm, va, access, source, over


# -- finding it ---------------------------------------------------------------------------------------------------

def _frames():
    frame = gdb.newest_frame()
    while frame:
        yield frame
        try:
            frame = frame.older()
        except gdb.error:
            return


def _readable(frame, name):
    try:
        value = frame.read_var(name)
        return None if value.is_optimized_out else value
    except (ValueError, gdb.error):
        return None


def from_frames():
    """The fault that the selected thread is in: by the trap's own record of it, or by mm_fault()'s arguments."""
    for frame in _frames():
        if frame.name() == "page_fault":
            cause = _readable(frame, "cause")
            if cause is not None:
                va, access = int(cause["addr"]), ACCESSES[int(cause["access"])]
                return Access(_mm_of_thread(), va, access, "the fault that is being handled")
        if frame.name() in ("mm_fault", "mm_fault_user"):
            mm, va, access = (_readable(frame, n) for n in ("mm", "addr", "access"))
            if mm is not None and va is not None and access is not None and int(frame.pc()) == _entry_pc(frame.name()):
                return Access(int(mm), int(va), ACCESSES[int(access)], "the fault that begins here")
    return None


def _entry_pc(name):
    return int(gdb.lookup_global_symbol(name).value().address)


def _mm_of_thread():
    p = kernel.process_of(kernel.current_thread())
    return p.mm if p else 0


def from_trace():
    """The last fault in the trace rings."""
    found, _ = cmd_log.records(4096)
    kind = enum_value("MM_TRACE_FAULT")
    last = next((r for r in reversed(found) if r.event == kind), None)
    return Access(kernel.mm_of_pt(last.mm), last.va, ACCESSES[last.old_entry], "the last fault in the trace", True) if last else None


def from_cr2():
    """The address at which this CPU faulted last; what the access was is not kept."""
    try:
        va = int(gdb.parse_and_eval("$cr2")) & ((1 << kernel.word_bits()) - 1)
    except gdb.error:
        return None
    mm = _mm_of_thread()
    return Access(mm, va, "read", "the last fault of this CPU (its CR2); taken for a read", True) if mm and va else None


ASKED = "the program that watches this range with userfaultfd is asked, and the thread sleeps until it answers (fault_uffd)"

# -- explaining it ---------------------------------------------------------------------------------------------------

def judge(vma, view):
    """(the grant that counts, whose it is): R0.5 of mm/space/fault.c."""
    fmt = entry.the_format()
    if vma_has(vma, "VM_MANYPROTS") and view.kind != "none":
        return fmt.normal_grant(view.grant), "the entry's own"
    return fmt.normal_grant(vma.flags & (GRANT_R | GRANT_W | GRANT_X)), "the range's"


def what_entry_says(vma, view):
    if view.kind == "none":
        return "there is no entry yet" + (f" (no table below level {view.level})" if view.level else "")
    if view.kind == "page" and view.special:
        return "the entry shows the shared page of zeros"
    if view.kind == "page":
        page = entry.page_at(view.payload)
        return (f"the entry shows frame {view.payload:#x} ({page_text.state(page)}), "
                + ("which hardware may write" if view.write else "which hardware may not write"))
    if view.kind == "file":
        linear = view.payload == kernel.vma_pgoff(vma, vma_va(vma, view))
        return (f"the entry holds no page but an offset: page {view.payload} of the file"
                + ("" if linear else ", not its linear place") + f", and the grant {grant_text(view.grant)}")
    if view.kind == "swap":
        return (f"the entry holds no page but a swap slot: {view.payload} of area {view.type}"
                + (", which is this range's alone" if view.exclusive else ""))
    if view.kind == "marker":
        return "the entry holds no page but " + ("poison: the page is lost" if view.type else "a note: write-protected")
    return "the entry holds no page for now: it is being moved"


def vma_va(vma, view):
    return getattr(view, "va", vma.start)


def cached_page(vma, pgoff):
    """The struct page of the object's page @pgoff, or None."""
    tree = Record("struct vm_object", vma.object).at("pages")
    return next((Record("struct page", at) for index, at in kernel.radix_entries(tree) if index == pgoff), None)


def of_file(vma, pgoff, access, kind):
    """Cases B: a page of the object, which no entry shows."""
    obj = Record("struct vm_object", vma.object)
    if pgoff << PAGE_SHIFT >= obj.size:
        return f"page {pgoff} lies beyond the end of the file ({obj.size} bytes): SIGBUS"
    page = cached_page(vma, pgoff)
    private_place = kind == "file" and not vma_has(vma, "VM_SHARED")   # no answer could put a page there
    if vma_has(vma, "VM_UFFD_MINOR" if page else "VM_UFFD_MISSING") and not obj.tracks_dirty and not private_place:
        return ASKED + f" (page {pgoff} of the file is {'' if page else 'not '}in the cache)"
    if page:
        first = f"page {pgoff} is in the cache (frame {entry.pfn_of(page.address):#x})"
    elif obj.tracks_dirty:
        first = f"page {pgoff} is not in the cache: it is read from the device first, without the mmap lock (a major fault)"
    else:
        first = f"page {pgoff} is not in memory: it is made, full of zeros"
    if access != "write":
        how = "it is mapped" + (", still write-protected so that the first store is noticed" if obj.tracks_dirty or not
                                vma_has(vma, "VM_SHARED") else "")
    elif not vma_has(vma, "VM_SHARED"):
        how = "the mapping is private: a copy of it becomes this range's own page"
    elif obj.tracks_dirty:
        how = "its block is reserved, it is marked dirty for writeback, and mapped writable"
    else:
        how = "it is mapped writable"
    return f"{first}; {how} (fault_file)"


def of_slot(view):
    """Case E."""
    areas = kernel.symbol("swap_areas")
    cache = int(areas[view.type]["cache"].address)
    at = next((at for slot, at in kernel.radix_entries(cache) if slot == view.payload), 0)
    if at:
        return f"the page is still in the swap cache, frame {entry.pfn_of(at):#x}, and is mapped again (fault_swap)"
    return "the page is read from its slot first, without the mmap lock (fault_swap; a major fault)"


def of_page(vma, view, access):
    """Cases C, D and F, or nothing to do."""
    if access == "write" and view.uffd_wp and vma_has(vma, "VM_UFFD_WP"):
        return "but the entry is write-protected for userfaultfd: " + ASKED
    if access != "write" or view.write:
        return ("the entry allows that already, so hardware does it alone; if a stale translation made it fault, the CPU "
                "forgets that and tries again")
    if vma_has(vma, "VM_SHARED"):
        return ("the store is the first since the page was clean, so its block is reserved, the page marked dirty, and the "
                "entry made writable (fault_mkwrite)")
    if view.special:
        return "the store gets a page of its own, full of zeros (fault_cow)"
    page = entry.page_at(view.payload)
    if entry.page_has(page, "PG_ANON_EXCLUSIVE") or (entry.page_has(page, "PG_ANON") and page.mapcount == 1
                                                     and page.refs == 1):
        return "nobody else has the page any more: it is made writable where it is (fault_cow, reuse)"
    if entry.page_has(page, "PG_ANON"):
        return f"{page.mapcount} entries map the page since a fork: the store gets a copy of its own (fault_cow)"
    return "the page is the file's and the mapping private: the store gets a copy of its own (fault_cow)"


def huge_first(vma, va, view):
    """Where huge pages are wanted, and one would fit."""
    first = va & -entry.the_format().span(1)
    if view.level and vma_has(vma, "VM_HUGEPAGE") and vma.start <= first and first + entry.the_format().span(1) <= vma.end:
        return "a huge page, if there is one (fault_huge); else "
    return ""


def outcome(vma, va, view, access):
    """What the kernel will do."""
    grant, whose = judge(vma, view)
    allowed = grant & NEEDS[access]
    verdict = f"{whose[0].upper()}{whose[1:]} grant counts here, {grant_text(grant)}, which "
    if not allowed:
        return verdict + "forbids it: SIGSEGV (SEGV_ACCERR)"
    verdict += "allows it: "
    note = view.kind == "marker" and not view.type
    if (view.kind == "none" or note) and not vma.object:
        if vma_has(vma, "VM_UFFD_MISSING"):
            return verdict + ASKED
        return verdict + huge_first(vma, va, view) + ("a fresh page of zeros, this range's own, is mapped writable (fault_anon)" if access == "write" else
                          "the shared page of zeros is mapped, read-only (fault_anon)")
    if view.kind in ("none", "file") or note:
        return verdict + of_file(vma, view.payload if view.kind == "file" else kernel.vma_pgoff(vma, va), access,
                                 view.kind)
    if view.kind == "swap":
        return verdict + of_slot(view)
    if view.kind == "page":
        return verdict + of_page(vma, view, access)
    return "nothing can be mapped here: SIGBUS" + (" (BUS_MCEERR_AR)" if view.kind == "marker" else "")


def explain(a):
    """The paragraph."""
    who = f"Process {kernel.who_has(a.mm)}" if a.mm else "The kernel"
    text = f"{who} {DOING[a.access]} {a.va:#x} ({a.source}). "
    if a.va >= kernel.constant("user_end"):
        return text + "That is a kernel address: a program gets SIGSEGV (SEGV_MAPERR)."
    mm = Record("struct mm", a.mm)
    vma = kernel.vma_at(mm, a.va)
    if not vma or a.va < vma.start:
        near = f"the next range begins {vma.start - a.va:#x} bytes above" if vma else "no range lies above it"
        return text + f"No range holds that address ({near}): SIGSEGV (SEGV_MAPERR)."
    view = entry.leaf(mm.at("pt"), a.va)
    view.va = a.va & -kernel.PAGE
    text += (f"It lies in {vma.start:#x}-{vma.end:#x} {cmd_maps.permissions(vma)}, {cmd_maps.kind(vma)}; "
             f"{what_entry_says(vma, view)}. ")
    if a.over and view.kind == "page" and (a.access != "write" or view.write):
        return text + "So it has been resolved since."
    return text + outcome(vma, a.va, view, a.access) + "."


def wrapped(text, width=100):
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            print(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    print(line)


class Fault(kernel.Command):
    """A page fault, explained in a paragraph: whose range, what the entry says, why it faults, and what will happen.

fault
fault ADDR [read|write|exec [PID]]

Without an address: the fault that the selected CPU is handling; if it handles none, the last one of the trace ring, or else
of its CR2.  With one: what would happen if the process accessed it now."""
    name, usage, most = "fault", "fault [ADDR [read|write|exec [PID]]]", 3

    def run(self, *words):
        if words:
            access = words[1] if len(words) > 1 else "read"
            if access not in NEEDS:
                raise gdb.GdbError("usage: " + self.usage)
            p = kernel.process_wanted(*words[2:])
            wrapped(explain(Access(kernel.mm_of(p).address, kernel.parse_number(words[0]), access, "if it did")))
            return
        found = from_frames() or from_trace() or from_cr2()
        if not found:
            raise gdb.GdbError("no fault is under way here, and none is remembered")
        wrapped(explain(found))


Fault()
