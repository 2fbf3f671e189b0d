"""rmap.py - from a page to the entries that map it, by the kernel's own reverse links (mm/rmap)."""
import entry
import kernel
from entry import page_has, pfn_of
from kernel import PAGE, PAGE_SHIFT
from record import Record, layout, memory


class Hit:
    """An entry that maps the page: the address of its struct pgtable, where, what it says, how it was found."""

    def __init__(self, pt, va, view, how):
        self.pt, self.va, self.view, self.how = pt, va, view, how

    def text(self):
        mm = kernel.mm_of_pt(self.pt)
        vma = kernel.vma_at(Record("struct mm", mm), self.va)
        where = kernel.file_path(vma.file) if vma and vma.file else "anonymous memory"
        return (f"{self.va:#x} in process {kernel.who_has(mm)}, {where}: grant {entry.grant_text(self.view.grant)} "
                f"{self.view.flags()} ({self.how})")


def _maps(pt, va, pfn):
    view = entry.leaf(pt, va)
    return view if view.kind == "page" and not view.special and view.payload == pfn else None


def _linear(tree, page, how):
    """Candidates that an interval tree of links names."""
    pfn = pfn_of(page.address)
    node_at = layout("struct rmap_link").offset("node")
    for node in kernel.itree_overlapping(tree, page.index):
        link = Record("struct rmap_link", node.address - node_at)
        va = link.va + ((page.index - node.first) << PAGE_SHIFT)
        view = _maps(link.pt, va, pfn)
        if view:
            yield Hit(link.pt, va, view, how)


def _crowd(node):
    """The nodes of a crowd (mm/rmap/rmap.h)."""
    todo = [node]
    while todo:
        at = todo.pop()
        if at:
            n = Record("struct nonlinear_node", at)
            todo += _links(n)
            yield n


def _links(node):
    word = kernel.word_bits() // 8
    data = memory(node.at("link"), 2 * word)
    return [int.from_bytes(data[i * word:(i + 1) * word], "little") for i in range(2)]


def index_nodes(idx):
    """Every node of a struct nonlinear_index, but those of private copies."""
    word = kernel.word_bits() // 8
    per_page = PAGE // word
    pages = memory(idx.pages, idx.nr_pages * word) if idx.nr_pages else b""
    for n in range(0, idx.nr_buckets, per_page):
        at = int.from_bytes(pages[n // per_page * word:][:word], "little")
        data = memory(at, min(per_page, idx.nr_buckets - n) * word)
        for i in range(0, len(data), word):
            chain = int.from_bytes(data[i:i + word], "little")
            while chain:
                head = Record("struct nonlinear_node", chain)
                chain, crowd = _links(head)
                yield head
                yield from _crowd(crowd)


def _nonlinear(maps, page):
    pfn = pfn_of(page.address)
    for idx in kernel.list_of(maps + layout("struct object_maps").offset("nonlinear"), "struct nonlinear_index", "link"):
        for node in index_nodes(idx):
            view = _maps(idx.pt, node.va, pfn) if node.pgoff == page.index else None
            if view:
                yield Hit(idx.pt, node.va, view, "off position: the nonlinear index")


def mappings(page):
    """The Hits of a struct page's Record."""
    if page_has(page, "PG_ANON"):
        if page.family:
            tree = Record("struct anon_family", page.family).at("tree")
            yield from _linear(tree, page, "its family")
        return
    if not entry.page_is_file(page):
        return
    maps = Record("struct vm_object", page.object).at("maps")
    seen = set()
    for hit in _linear(maps + layout("struct object_maps").offset("linear"), page, "linear: the object's links"):
        seen.add((hit.pt, hit.va))
        yield hit
    for hit in _nonlinear(maps, page):
        if (hit.pt, hit.va) not in seen:
            yield hit


def table_owner(page):
    """(process or mm, first address) of a leaf page table, or None."""
    fmt, pfn = entry.the_format(), pfn_of(page.address)
    for mm in kernel.list_of(kernel.address_of("mm_list"), "struct mm", "all_link"):
        va = page.index * fmt.span(1)
        if va >= kernel.constant("user_end"):
            continue
        steps = entry.walk(entry.root_of(mm.at("pt")), va)
        if steps[-1].level == 0 and steps[-2].view.payload == pfn:
            return kernel.who_has(mm.address), va
    return None
