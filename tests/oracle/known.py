"""Differences from Linux that are known and wanted, each with its reason.

What: a line that the oracle prints up to its result, and the result on either kernel, as regular expressions; then why, and a piece of
docs/abi.md that says so (tools/oracle.py checks that it does).
"""
import dataclasses


def always(linux, pteron):
    return True


# What a fault can find again: pages of files, and the page of zeros where nothing was written; and a page of one's own.
FINDABLE = {(".", "pf"), ("pf", "."), (".", "p"), ("px", "p")}


def findable(linux, pteron):
    """Page by page, either both say the same or one has what the other's next fault would find."""
    one, other = linux.split(), pteron.split()
    return len(one) == len(other) and all((a, b) in FINDABLE or all(x == y or x + y == "01" for x, y in zip(a, b, strict=False))
                                          for a, b in zip(one, other))


def more_of_files(linux, pteron):
    """Page by page, either both say the same or only here a page of a file is mapped."""
    return all(a == b or (a == "." and b.startswith("pf")) for a, b in zip(linux.split(), pteron.split()))


def pages(maps):
    """{page: (permissions, file, offset)} of "p10-p13 -wxs 2 8;" ..."""
    found = {}
    for area in filter(None, (word.strip() for word in maps.split(";"))):
        where, perms, file, offset = area.split()
        start, end = (int(end[1:]) for end in where.split("-"))
        found.update({page: (perms, file, int(offset, 16) + page - start) for page in range(start, end)})
    return found


def other_offsets(linux, pteron):
    """Shared pages at other offsets, and nothing else."""
    a, b = pages(linux), pages(pteron)
    return a.keys() == b.keys() and all(x[:2] == b[page][:2] and (x[2] == b[page][2] or x[0][3] == "s") for page, x in a.items())


@dataclasses.dataclass(frozen=True)
class Known:
    name: str
    call: str      # of the line, without its step's number; a "c" for each fork before it
    linux: str     # of the rest
    pteron: str
    why: str
    abi: str
    also: object = always   # (linux, pteron) -> bool
    after: str = ""         # of all that was printed before: the step that the first group names is the cause


KNOWN = (
    Known("what the child of a fork has at once", r"c+ (pagemap|mincore)", "", "",
          "what a fault can find again is left to the child's faults, by Linux in mappings without a page of their own, here page by page;"
          " and Linux's process_vm_readv gives the child a copy of what it reads",
          "what a fault can find again", findable),
    Known("fetch from memory that may not run", r"c* ?exec", r"SIGBUS 2", r"SIGSEGV 2",
          "Linux brings the page in for reading first, and finds that there is none; here the vma is asked first",
          "a fetch from memory that may not run"),
    Known("remap_file_pages makes no vma", r"c* ?maps", "", "",
          "maps has a line for each of Linux's vmas; here the vma goes on being one, with the offsets that it began with",
          "no vma is made", other_offsets),
    Known("offset that an entry cannot hold", r"c* ?remap_file_pages", "EINVAL", "EOVERFLOW",
          "told before what is mapped is looked at", "EOVERFLOW"),
    Known("vmas that differ in advice", r"c* ?remap_file_pages", "EINVAL", "0",
          "Linux wants equal flags of all vmas of the range; what counts here is that they show one file", "adjacent vmas of one file"),
    Known("mremap of a remapped range", r"c* ?mremap", "EFAULT|elsewhere", "",
          "to Linux it is many mappings, here it is one", "no vma is made"),
    Known("what mremap adds to a remapped range, or leaves", r"", "", "",
          "new pages of the range (or all, with old size 0), and those that DONTUNMAP leaves, are what the vma says; to Linux the pages are vmas", "no vma is made",
          after=r"[^\n]*remap_file_pages\([^\n]* = 0\n(?:[^\n]*\n)*"
                r"(\d+)c* mremap\(p\S+, (?:(\S+), (?!\2,)\S+, \d|(\S+), \3, [57]), [^\n]* = (?:p|elsewhere)"),
    Known("remap_file_pages of a mapping older than its file's seals", r"c* ?remap_file_pages", "EPERM", "0",
          "to Linux it is a new mapping, which F_SEAL_FUTURE_WRITE forbids", "older than F_SEAL_FUTURE_WRITE"),
    Known("populated before it fails", r"c* ?pagemap", "", "",
          "MADV_POPULATE_READ of memory that may not be read and of memory where nothing may be done", "is readable to the kernel, too",
          more_of_files, after=r"(\d+)c* madvise\([^\n]*, 22\) = E(?:INVAL|FAULT)\n(?:[^\n]*\n)*$"),
    Known("preallocated again", r"c* ?mincore", "", "",
          "fallocate of pages that it has made before zeroes them on Linux", "resident when it is needed",
          lambda linux, pteron: all(a == b or a + b in ("10", "01") for a, b in zip(linux, pteron)),
          after=r"(\d+)c* fallocate\(\S+, [01], [^\n]* = 0\n(?:[^\n]*\n)*$"),
    Known("a hole in the first page", r"c* ?pagemap", "", "",
          "Linux unmaps the whole file for a hole that begins at 0 and is less than a page", "less than the first page",
          more_of_files,
          after=r"(\d+)c* fallocate\(\S+, [23], 0, (?:\d{1,3}|[1-3]\d{3}|40[0-8]\d|409[0-5])\) = 0\n(?:[^\n]*\n)*$"),
    Known("advice that a remapped range keeps", r"c+ ", "", "",
          "Linux's new vmas have lost MADV_DONTFORK; here the vma goes on being one", "no vma is made",
          after=r"[^\n]*madvise\([^\n]*, 10\) = [^\n]*\n(?:[^\n]*\n)*(\d+)c* remap_file_pages\([^\n]* = 0\n(?:[^\n]*\n)*$"),
    Known("MADV_REMOVE of a remapped range", r"c* ?madvise\(.*, 9\)", "0|EACCES|ENOMEM", "EINVAL",
          "an address range of such a mapping says nothing about the file's", "`REMOVE` in vmas of many offsets"),
    Known("MADV_REMOVE of a remapped range, and of more that cannot be", r"", "", "",
          "both refuse it, Linux after it has made holes in what comes first", "`REMOVE` in vmas of many offsets",
          after=r"[^\n]*remap_file_pages\([^\n]* = 0\n(?:[^\n]*\n)*(\d+)c* madvise\([^\n]*, 9\) = EINVAL\n(?:[^\n]*\n)*$"),
    Known("the kernel reads what the processor may", r"c* ?(process_vm_readv|madvise\(.*, 22\))", "EFAULT|EINVAL|[0-9]+",
          "[0-9]+|EFAULT|ENOMEM",
          "memory that may be written or executed may be read", "is readable to the kernel, too"),
)

# Tests of the ring-3 suite that fail on Linux, and why.
SUITE = {
}
