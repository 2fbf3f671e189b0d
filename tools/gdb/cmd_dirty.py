"""cmd_dirty.py - dirty: what is newer in memory than on its device."""
import kernel
from record import Record

MARKS = (("dirty", 0), ("under writeback", 1))   # RADIX_MARK_* of mm/object/object.h


def ranges(numbers):
    """[1, 2, 3, 7] -> "1-3 7"."""
    found = []
    for n in numbers:
        if found and found[-1][1] == n - 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return " ".join(f"{a}-{b}" if a != b else str(a) for a, b in found)


def dirty_objects():
    return kernel.list_of(kernel.address_of("dirty_objects", "mm/object/dirty_list.c"), "struct vm_object", "dirty_link")


class Dirty(kernel.Command):
    """The files that have pages newer than their device, in the order in which they became dirty: which pages of each.

dirty

From the list that the flusher and sync(2) use, and the marks of each file's page cache.  A file stays on the list until a
walk finds it clean."""
    name, usage, most = "dirty", "dirty", 0

    def run(self, *words):
        total = 0
        for obj in dirty_objects():
            inode = Record("struct inode", obj.host)
            words = []
            for text, mark in MARKS:
                pages = [index for index, _ in kernel.radix_entries(obj.at("pages"), mark)]
                total += len(pages)
                if pages:
                    words.append(f"{text}: {len(pages)} (page{'s' if len(pages) > 1 else ''} {ranges(pages)})")
            print(f"{kernel.object_name(obj.address)}, inode {inode.ino}, {obj.nr_pages} pages cached; "
                  + ("; ".join(words) or "clean by now"))
        if not total:
            print("no page is dirty")


Dirty()
