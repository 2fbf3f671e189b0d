"""cmd_locks.py - locks: who holds which lock, and who waits for it.  Debug kernels only: others keep no account."""
import gdb

import entry
import kernel
from record import Record, enum_names, enum_value, layout, number


class Held:
    """A lock that some context has, or is waiting for."""

    def __init__(self, lock, rank, how, thread, cpu):
        self.lock, self.rank, self.how, self.thread, self.cpu = lock, rank, how, thread, cpu


def held_by(context, thread=None, cpu=None):
    """The locks of the struct lock_context at @context."""
    size = layout("struct lock_held").size
    c = Record("struct lock_context", context)
    at = c.at("held")
    for i in range(c.n):
        h = Record("struct lock_held", at + i * size)
        yield Held(h.lock, h.rank, h.how, thread, cpu)


def all_held():
    for t in kernel.threads():
        yield from held_by(t.at("locks"), thread=t)
    contexts = kernel.symbol("irq_context", "kernel/sync/lockrank.c")
    for cpu in range(kernel.cpu_count()):
        yield from held_by(int(contexts[cpu].address), cpu=cpu)


def sleeping_kind(lock, rank):
    """Is the sleeping lock at @lock a mutex or an rwsem?  Each keeps its rank, at a place of its own."""
    for name in ("struct rwsem", "struct mutex"):
        offset, _ = layout(name).members["rank"]
        if number(lock + offset, 1) == rank:
            return name
    return None


def waiters(lock, rank):
    """{thread address: what it wants} of a sleeping lock's queue."""
    kind = sleeping_kind(lock, rank)
    if not kind:
        return {}
    found = {}
    for node in kernel.list_nodes(lock + layout(kind).offset("waiters")):
        w = Record(kind + "_waiter", node)
        if not w.granted:
            found[w.thread] = ("to write" if w.write else "to read") if kind == "struct rwsem" else ""
    return found


def page_waiters():
    """Threads that sleep in the queues of page.c."""
    queues = kernel.symbol("queues", "mm/phys/page.c")
    found = set()
    for i in range(queues.type.range()[1] + 1):
        for node in kernel.list_nodes(int(queues[i]["entries"].address)):
            found.add(Record("struct wait_entry", node).thread)
    return found


def is_waiting(h):
    """What it waits for the lock to do, "" or "to read", "to write"; None: it has it."""
    if h.thread is None:
        return None
    if h.how & enum_value("LOCK_HOW_SPIN"):
        return spinning(h)
    if h.rank == enum_value("LOCK_PAGE"):
        last = list(held_by(h.thread.at("locks")))[-1]
        return "" if last.lock == h.lock and h.thread.address in page_waiters() else None
    return waiters(h.lock, h.rank).get(h.thread.address)


def spinning(h):
    """A spinlock knows its CPU: if that is not the thread's, the thread spins."""
    lock = Record("struct spinlock", h.lock)
    return None if lock.locked and lock.owner == h.thread.cpu + 1 else ""


def mode(h):
    """How it is held."""
    if h.how & enum_value("LOCK_HOW_SPIN"):
        return "spinning lock"
    if h.rank == enum_value("LOCK_PAGE"):
        return "page lock"
    kind = sleeping_kind(h.lock, h.rank)
    if kind == "struct rwsem":
        return "for writing" if Record(kind, h.lock).writer == h.thread.address else "for reading"
    return "mutex"


def of_what(h):
    """Which object the lock belongs to."""
    if h.rank == enum_value("LOCK_MMAP"):
        return "of process " + kernel.who_has(h.lock - layout("struct mm").offset("lock"))
    if h.rank == enum_value("LOCK_PAGE"):
        return f"of frame {entry.pfn_of(h.lock):#x}"
    if h.rank == enum_value("LOCK_PTL"):
        page = entry.page_at(entry.pfn_of(h.lock - layout("struct page").offset("ptl")))
        return f"of the entries of {page.index * entry.the_format().span(1):#x}.."
    for rank, member in (("LOCK_MAPS", "maps.lock"), ("LOCK_INVALIDATE", "invalidate_lock")):
        if h.rank == enum_value(rank):
            return "of " + kernel.object_name(h.lock - layout("struct vm_object").offset(member))
    text = gdb.execute(f"info symbol {h.lock:#x}", to_string=True)
    return "= " + text.split(" in section")[0] if " in section" in text else ""


def who(h):
    return f"thread {h.thread.tid} ({h.thread.text('name')})" if h.thread else f"an interrupt on cpu {h.cpu}"


class Locks(kernel.Command):
    """Which locks are held, by whom, and who waits for them.

locks

From the accounts of the lock validator, so in debug kernels only.  Each line names the lock's rank (docs/locking.md), its
address, and what it belongs to.  A lock that nobody has is not shown; one that is waited for is marked."""
    name, usage, most = "locks", "locks", 0

    def run(self, *words):
        if not layout("struct lock_context").size > 16 + layout("struct lock_held").size:
            raise gdb.GdbError("a release kernel keeps no account of locks")
        ranks = enum_names("lock_rank", "LOCK_")
        by_lock = {}
        for h in all_held():
            by_lock.setdefault(h.lock, []).append(h)
        for lock, users in by_lock.items():
            self.one(lock, users, ranks)
        if not by_lock:
            print("no lock is held")

    @staticmethod
    def one(lock, users, ranks):
        print(f"{ranks[users[0].rank].upper().replace('-', '_')} {lock:#x} {of_what(users[0])}".rstrip())
        waiting = [(h, is_waiting(h)) for h in users]
        for h, wants in waiting:
            if wants is None:
                print(f"  held by {who(h)}, {mode(h)}" if h.thread else f"  held by {who(h)}")
        for h, wants in waiting:
            if wants is not None:
                print(f"  WAITED FOR by {who(h)} {wants}".rstrip())


Locks()
