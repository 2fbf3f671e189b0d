"""cmd_ptes.py - ptes: what the entries of a whole address space say, as runs of like ones; the text of /proc/PID/ptes."""
import entry
import kernel
from entry import GRANT_R, GRANT_W, GRANT_X, page_has
from kernel import PAGE, PAGE_SHIFT, vma_has


class Run:
    """Neighbouring pages whose entries say the same (struct pte_run)."""

    def __init__(self, start, end, alike, place, where):
        self.start, self.end = start, end
        self.alike = alike          # (kind, grant, shared, flags, pins, type): must be equal
        self.place, self.where, self.step = place, where, 1

    def pages(self):
        return (self.end - self.start) >> PAGE_SHIFT

    def joins(self, e):
        """Does @e continue this run? Then it becomes part of it."""
        if self.end != e.start or self.alike != e.alike or self.place != e.place:
            return False
        step = 0
        if self.place:
            step = e.where - (self.where + self.step * (self.pages() - 1))
            if step not in (-1, 0, 1) or self.pages() > 1 and self.step != step or e.pages() > 1 and e.step != step:
                return False
        self.end, self.step = e.end, step
        return True

    def line(self, width):
        kind, grant, shared, flags, pins, number = self.alike
        arrow = "" if self.pages() == 1 else "-" if self.step < 0 else "+" if self.step else "="
        place = {"file": f"{self.where << PAGE_SHIFT:08x}{arrow}", "swap": f"{number}:{self.where}{arrow}",
                 "": str(number) if kind == "marker" else ""}[self.place]
        prot = "".join(c if grant & bit else "-" for c, bit in (("r", GRANT_R), ("w", GRANT_W), ("x", GRANT_X)))
        span = f"{self.start:08x}-{self.end:08x}"
        return f"{span:{width}} {self.pages():8} {kind:9} {prot}{'s' if shared else 'p'} {flags} {pins:4} {place}"


def vma_grant(vma):
    """What the range allows, as the machine has it."""
    return entry.the_format().normal_grant(vma.flags & (GRANT_R | GRANT_W | GRANT_X))


def empty(vma, start, end):
    alike = ("none", vma_grant(vma), vma_has(vma, "VM_MAYSHARE"), "----", 0, 0)
    return Run(start, end, alike, "file" if vma.object else "", kernel.vma_pgoff(vma, start))


def describe(vma, va, view):
    """One entry, as mm/service/ptes.c sees it."""
    if view.kind == "none":
        return empty(vma, va, va + PAGE)
    grant = entry.the_format().normal_grant(view.grant) if vma_has(vma, "VM_MANYPROTS") else vma_grant(vma)
    kind, pins, place, where = view.kind, 0, "", kernel.vma_pgoff(vma, va)
    if kind == "page":
        kind, pins, place, where = of_page(view, where)
    elif kind in ("file", "swap"):
        place, where = kind, view.payload
    flags = "".join(c if set_ else "-" for c, set_ in (("R", view.kind == "page"), ("D", view.dirty), ("Y", view.accessed),
                                                       ("W", view.write))) if view.kind == "page" else "----"
    return Run(va, va + PAGE, (kind, grant, vma_has(vma, "VM_MAYSHARE"), flags, pins, view.type), place, where)


def of_page(view, where):
    if view.special:
        return "zero", 0, "", where
    page = entry.page_at(view.payload)
    if page_has(page, "PG_ANON"):
        return "anon", page.pins_w + page.pins_r, "", page.index
    return "page", page.pins_w + page.pins_r, "file", page.index


def elements(mm, vma):
    for start, end, view_at in entry.pieces(mm.at("pt"), vma.start, vma.end):
        if view_at is None:
            yield empty(vma, start, end)
            continue
        for va in range(start, end, PAGE):
            yield describe(vma, va, view_at(va))


def runs(mm):
    """No run goes beyond its range."""
    for vma in kernel.vmas(mm):
        last = None
        for e in elements(mm, vma):
            if last and last.joins(e):
                continue
            if last:
                yield last
            last = e
        if last:
            yield last


class Ptes(kernel.Command):
    """What the page-table entries of a process say, one line for each run of like ones; the text of /proc/PID/ptes.

ptes [PID]

Columns: addresses, pages, kind of entry, what an access is judged by; Resident, Dirty, Young, hardware Write; pins of each
page; where in the file or the swap area ("+": each page follows its neighbour, "-": precedes, "=": the same)."""
    name, usage = "ptes", "ptes [PID]"

    def run(self, *words):
        mm = kernel.mm_of(kernel.process_wanted(*words))
        width = 25 if kernel.word_bits() == 64 else 17
        print(f"# {'address':{width - 2}} {'pages':>8} {'kind':9} prot RDYW pins offset")
        for run in runs(mm):
            print(run.line(width))


Ptes()
