"""entry.py - page-table entries: the kernel's own description of its format (<arch/pte_format.h>), and the walk by it."""
import copy

import gdb

import kernel
from kernel import PAGE, PAGE_SHIFT, physical
from record import Record, c_string, enum_names, enum_value, layout, memory

GRANT_R, GRANT_W, GRANT_X = 1, 2, 4
TESTS = "write accessed dirty special uffd_wp exclusive user global".split()


def grant_text(grant):
    return "".join(c if grant & bit else "-" for c, bit in (("r", GRANT_R), ("w", GRANT_W), ("x", GRANT_X)))


class View:
    """An entry decoded: what struct pte_view has, and what hardware has beyond it."""

    def __init__(self, raw, level, kind):
        self.raw, self.level, self.kind = raw, level, kind
        self.grant = self.type = self.payload = 0
        for name in TESTS:
            setattr(self, name, False)

    def flags(self):
        """The words that are true of it."""
        names = [t for t in TESTS if getattr(self, t) and t not in ("user", "global")]
        if self.kind == "page":
            names += ["user"] if self.user else ["kernel"]
            names += ["global"] if getattr(self, "global") else []
        return " ".join(n.replace("_", "-") for n in names)

    def text(self):
        """In words."""
        if self.kind == "table":
            return f"table     frame {self.payload:#x}"
        if self.kind == "none":
            return "none"
        what = {"page": f"frame {self.payload:#x}", "file": f"page {self.payload} of the object",
                "swap": f"slot {self.payload} of area {self.type}", "migration": f"frame {self.payload:#x}",
                "marker": "poison" if self.type else "note"}[self.kind]
        return f"{self.kind:9} {what}, grant {grant_text(self.grant)} {self.flags()}".rstrip()


class Form:
    """One way an entry can look."""

    def __init__(self, value, kinds):
        def test(name):
            return int(value[name]["mask"]), int(value[name]["value"])

        def field(f):
            return int(f["shift"]), int(f["bits"])

        self.mark = test("is")
        self.kind = kinds[int(value["kind"])]
        self.above = bool(value["above"])
        self.type, self.type_field = int(value["type"]), field(value["type_field"])
        self.payload = [field(value["payload"][i]) for i in range(2)]
        self.invert = int(value["invert"])
        self.grants = [(test(name), bit) for name, bit in (("r", GRANT_R), ("w", GRANT_W), ("x", GRANT_X))]
        self.tests = [(name, test(name)) for name in TESTS]


def _holds(test, v):
    return test[0] != 0 and v & test[0] == test[1]


def _field(field, v):
    return v >> field[0] & ((1 << field[1]) - 1)


class Format:
    """pte_format of the kernel."""

    def __init__(self):
        value = kernel.symbol("pte_format")
        kinds = enum_names("pte_kind", "PTE_KIND_")
        self.name = c_string(int(value["name"]))
        self.bytes, self.step, self.start = int(value["bytes"]), int(value["step"]), int(value["start"])
        self.key = int(value["key"])
        self.levels = [(int(value["levels"][i]["shift"]), int(value["levels"][i]["bits"]))
                       for i in range(int(value["nr_levels"]))]
        self.forms = [Form(value["forms"][i], kinds) for i in range(int(value["nr_forms"]))]
        page = next(f for f in self.forms if f.kind == "page")
        self.has_nx = page.grants[0][0] != page.grants[2][0]

    def entries(self, level):
        return 1 << self.levels[level][1]

    def index(self, level, va):
        return va >> self.levels[level][0] & (self.entries(level) - 1)

    def span(self, level):
        return 1 << self.levels[level][0]

    def place(self, level, index):
        """Where entry @index of a table is, in bytes."""
        return (self.step * index + self.start) % self.entries(level) * self.bytes

    def raw(self, table, level, index):
        """That entry of a table's bytes."""
        at = self.place(level, index)
        return int.from_bytes(table[at:at + self.bytes], "little")

    def decode(self, raw, level):
        v = raw ^ self.key
        for f in self.forms:
            if _holds(f.mark, v) and (level or not f.above):
                return self._read(f, raw, v ^ f.invert, level)
        return View(raw, level, "none")

    def _read(self, f, raw, v, level):
        view = View(raw, level, f.kind)
        view.grant = sum(bit for test, bit in f.grants if _holds(test, v))
        view.type = f.type + _field(f.type_field, v)
        view.payload = _field(f.payload[0], v) | _field(f.payload[1], v) << f.payload[0][1]
        for name, test in f.tests:
            setattr(view, name, _holds(test, v))
        if f.kind == "page":
            view.payload &= ~((1 << self.levels[level][0] - PAGE_SHIFT) - 1)
        return view

    def normal_grant(self, grant):
        """pte_grant_normal(): what the machine makes of a grant that is asked for."""
        if grant & (GRANT_W | GRANT_X):
            grant |= GRANT_R
        if grant & GRANT_R and not (self.has_nx and int(kernel.symbol("pte_nx_mask"))):
            grant |= GRANT_X
        return grant


_format = []


def the_format():
    if not _format:
        _format.append(Format())
    return _format[0]


class Step:
    """One level of a walk."""

    def __init__(self, level, index, view):
        self.level, self.index, self.view = level, index, view

    def text(self):
        fmt = the_format()
        return f"  level {self.level} [{self.index:4}] {self.view.raw:0{2 * fmt.bytes}x} {self.view.text()}"


def walk(root, va):
    """The Steps down from the table whose bytes @root(size) gives, to the entry that ends the walk."""
    fmt = the_format()
    steps, read = [], root
    for level in range(len(fmt.levels) - 1, -1, -1):
        index = fmt.index(level, va)
        raw = int.from_bytes(read(fmt.place(level, index), fmt.bytes), "little")
        view = fmt.decode(raw, level)
        steps.append(Step(level, index, view))
        if view.kind != "table":
            break
        read = _table_reader(view.payload)
    return steps


def _table_reader(pfn):
    return lambda offset, size: physical((pfn << PAGE_SHIFT) + offset, size)


def root_of(pt):
    """For walk(): the tree of the struct pgtable at @pt."""
    pa = Record("struct pgtable", pt).root_pa
    return lambda offset, size: physical(pa + offset, size)


def kernel_root():
    """For walk(): the kernel's own tree."""
    at = kernel.address_of("boot_pt_root")
    if at < kernel.constant("direct_base"):   # it is linked where it lies in physical memory
        return lambda offset, size: physical(at + offset, size)
    return lambda offset, size: memory(at + offset, size)


def leaf(pt, va):
    """What the entry of user address @va says; a View of kind none, with the level it ends at, if there is no table; of a
    large page's entry, the one frame of it that @va is in."""
    return _part(walk(root_of(pt), va)[-1].view, va)


def _part(view, va):
    if view.kind == "page" and view.level:
        view.payload |= va >> PAGE_SHIFT & ((the_format().span(view.level) >> PAGE_SHIFT) - 1)
    return view


def pieces(pt, start, end):
    """(from, to, view_at) of what each leaf table, or each higher entry without one, covers of [start, end); view_at(va) is
    the View of a page there, and is None where all is empty."""
    fmt = the_format()
    va = start
    while va < end:
        last = walk(root_of(pt), va)
        level = last[-1].level
        span = fmt.span(max(level, 1))
        to = min((va & ~(span - 1)) + span, end)
        if level == 0:
            yield va, to, _in_table(physical(last[-2].view.payload << PAGE_SHIFT, PAGE))
        elif last[-1].view.kind == "none":
            yield va, to, None
        else:
            yield va, to, _in_large(last[-1].view)
        va = to


def _in_table(table):
    fmt = the_format()
    return lambda va: fmt.decode(fmt.raw(table, 0, fmt.index(0, va)), 0)


def _in_large(view):
    return lambda va: _part(copy.copy(view), va)


def entries(pt, start, end):
    """(va, View) of every page of [start, end) whose entry is not empty."""
    for va, to, view_at in pieces(pt, start, end):
        for at in range(va, to, PAGE) if view_at else ():
            view = view_at(at)
            if view.kind != "none":
                yield at, view


# -- frames ------------------------------------------------------------------------------------------------------------

def page_at(pfn):
    """The struct page of a frame."""
    base, size = int(kernel.symbol("mem_map")), layout("struct page").size
    if not 0 <= pfn < int(kernel.symbol("max_pfn")):
        raise gdb.GdbError(f"there is no frame {pfn:#x}")
    return Record("struct page", base + pfn * size)


def pfn_of(page):
    """The frame of the struct page at @page."""
    return (page - int(kernel.symbol("mem_map"))) // layout("struct page").size


def page_has(page, flag):
    return bool(page.flags >> enum_value(flag) & 1)


def page_is_file(page):
    """Is it in an object's cache?"""
    return not page_has(page, "PG_ANON") and bool(page.object) and not any(
        page_has(page, f) for f in ("PG_TABLE", "PG_SLAB", "PG_BUDDY", "PG_RESERVED"))
