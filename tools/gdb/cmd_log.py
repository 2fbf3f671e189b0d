"""cmd_log.py - log: the kernel's messages; trace: what happened to entries, TLBs and frames."""
import entry
import kernel
from record import Record, enum_names, layout, memory, number


def log_text():
    """What the ring of messages holds, oldest first."""
    ring = kernel.symbol("ring", "kernel/lib/printk.c")
    head, size = int(ring["head"]), ring["text"].type.sizeof
    data = memory(int(ring["text"].address), size)
    data = data[:head] if head <= size else data[head % size:] + data[:head % size]
    return data.decode("utf-8", "replace")


class Log(kernel.Command):
    """The kernel's messages, from its ring: the last N lines, or all that are left.

log [N]"""
    name, usage = "log", "log [N]"

    def run(self, *words):
        lines = log_text().splitlines()
        for line in lines[-kernel.parse_number(words[0]):] if words else lines:
            print(line)


def records(last):
    """The last records of every CPU's ring, as one list by time; and how many were lost."""
    size = layout("struct mm_trace_record").size
    ring_size = int(kernel.symbol("trace_ring_size"))
    found, lost = [], 0
    for cpu in range(kernel.cpu_count()):
        ring = Record("struct trace_ring", kernel.address_of("trace_rings") + cpu * layout("struct trace_ring").size)
        if not ring.records:
            continue
        first = max(ring.start, ring.head - ring_size)
        lost += first - ring.start
        for i in range(max(first, ring.head - last), ring.head):
            found.append(Record("struct mm_trace_record", ring.records + i % ring_size * size))
    found.sort(key=lambda r: r.tsc)
    return found[-last:], lost


def word_text(word):
    """An entry as the trace keeps it (kernel/uapi/mm_debug.h)."""
    kind = enum_names("pte_kind", "PTE_KIND_").get(word & 15, "?")
    if kind == "none":
        return "none"
    flags = "".join(c if word >> bit & 1 else "-" for c, bit in (("W", 7), ("A", 8), ("D", 9), ("S", 10)))
    return f"{kind} {word >> 12:#x} {entry.grant_text(word >> 4 & 7)} {flags}"


def event_text(r, name, results):
    """What a record says, by the meaning of its event."""
    span = f"{r.va:#x}-{r.new_entry:#x}"
    if name in ("flush", "notify"):
        return span
    if name in ("set", "clear", "mkclean", "protect"):
        return f"{r.va:#x} {word_text(r.old_entry)} => {word_text(r.new_entry)}"
    if name == "free":
        return f"frame {r.pfn:#x}"
    if name == "verdict":
        return f"frame {r.pfn:#x} pins for writing {r.old_entry}, {'still dirty' if r.new_entry else 'clean'}"
    if name == "fault":
        return f"{r.va:#x} {('read', 'write', 'exec')[r.old_entry % 3]}"
    if name == "fault-end":
        return f"{r.va:#x} {results.get(r.new_entry, r.new_entry)}"
    if name == "remap":
        return f"{r.va:#x} {r.old_entry:#x} bytes at page {r.pfn}, prot {r.new_entry:#x}"
    if name == "lock":
        ranks = enum_names("lock_rank", "LOCK_")
        return f"{ranks.get(r.pfn, r.pfn)} {r.va:#x}"
    return f"va {r.va:#x} frame {r.pfn:#x} old {r.old_entry:#x} new {r.new_entry:#x}"


class Trace(kernel.Command):
    """The trace rings: what happened to page-table entries, TLBs and frames, on all CPUs, in order; the last N events (30).

trace [N]

A program starts and stops the recording through /dev/mm (kernel/uapi/mm_debug.h).  Columns: ticks of the TSC since the first
line, CPU, event, process, and what it was about; entries as kind, frame or page, grant, and hardware's Write, Accessed, Dirty,
Special.  (gdb's own `trace` sets tracepoints, which these machines do not have.)"""
    name, usage = "trace", "trace [N]"

    def run(self, *words):
        found, lost = records(kernel.parse_number(words[0]) if words else 30)
        names, results = enum_names("mm_trace_event", "MM_TRACE_"), enum_names("fault_result", "FAULT_")
        owners = {}
        if not found:
            print("nothing was recorded" + ("" if number(kernel.address_of("trace_events")) else ", and nothing is"))
        for r in found:
            if r.mm and r.mm not in owners:
                owners[r.mm] = kernel.who_has(kernel.mm_of_pt(r.mm))
            name = names.get(r.event, str(r.event))
            print(f"{r.tsc - found[0].tsc:10} cpu{r.cpu} {name:9} {owners.get(r.mm, '-'):10} {event_text(r, name, results)}")
        if lost:
            print(f"({lost} older ones were overwritten)")


Log()
Trace()
