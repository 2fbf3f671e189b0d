#!/usr/bin/env python3
"""make bench: what operations cost in guest instructions, counted by QEMU (-icount, one tick of the TSC is one
instruction), with the same static program that also runs on Linux.  The table goes to build/bench/costs.md too.

The Linux column is Linux 6.12 in the same emulator with the strongest honest settings (docs/platform.md).
"""
import dataclasses
import os
import re
import sys

import guest
from machine import TOP, build, build_kernel, from_environment

# name of the bench program's line -> (what it is, Linux 6.12, our limit or None)
ROWS = {
    "null_syscall": ("null system call", 317, 160),
    "sigsegv_caught": ("SIGSEGV, handler, return", 3938, None),
    "pipe_round_trip": ("pipe round trip", 11362, None),
    "anon_write_fault": ("anonymous write fault, with its page clear", 3583, 1500),
    "anon_read_fault": ("anonymous read fault (zero page)", 1493, None),
    "munmap_per_page": ("munmap, per touched page", 1025, None),
    "mmap_munmap": ("mmap and munmap of one page, untouched", 9900, None),
    "mprotect_split": ("mprotect of a middle page: split", 10000, None),
    "mprotect_merge": ("mprotect of a middle page: merge", 9800, None),
    "cow_copy_fault": ("copy-on-write fault: copy", 5094, None),
    "cow_reuse_fault": ("copy-on-write fault: reuse", 1587, None),
    "fork_exit_wait": ("fork, exit, wait", 127000, None),
    "fork_exit_wait_1024_pages": ("fork, exit, wait with 1,024 pages", 547000, None),
    "file_read_fault": ("shared file read fault", 2211, None),
    "file_write_fault": ("shared file write fault", 2451, None),
    "write_fault_after_msync": ("write fault after msync", 2893, None),
    "msync_per_dirty_page": ("msync of one dirty page, virtio disk", None, None),
    "cache_write_fsync_per_page": ("write and fsync of 4 MiB, per page", None, None),
    "cache_write_fsync_elapsed_per_page": ("the same with the disk's time", None, None),
    "cache_write_fsync_requests": ("device requests for it", None, None),
    "cache_write_fsync_request_kib": ("their mean size, KiB", None, None),
    "cache_map_read_per_page": ("sequential pass over a cold mapping, per page", None, None),
    "cache_map_read_elapsed_per_page": ("the same with the disk's time", None, None),
    "cache_map_read_requests": ("device requests for it", None, None),
    "cache_map_read_request_kib": ("their mean size, KiB", None, None),
    "cache_map_dirty_msync_per_page": ("stores to 1,024 mapped pages and msync, per page", None, None),
    "cache_map_dirty_msync_elapsed_per_page": ("the same with the disk's time", None, None),
    "cache_map_dirty_msync_requests": ("device requests for it", None, None),
    "cache_map_dirty_msync_request_kib": ("their mean size, KiB", None, None),
    "remap_resident_page": ("remap one resident page of 65,536", 15674, 1000),
    "mosaic_kernel_bytes_per_page": ("kernel bytes a page of it, page tables apart", 239, 48),
    "mosaic_fork_per_page": ("fork of that mosaic, per page", 2650, None),
    "mosaic_munmap_per_page": ("munmap of it, per page", 4290, None),
}


TIMED = "null signal pipe anon mprotect cow fork file msync cache mosaic"


def measure(m, names, **changes):
    """Run these benchmarks; what they printed."""
    root = m.out  # with its programs, whatever the kernel
    words = ",".join(["/bin/bench", *names.split()])
    m = dataclasses.replace(m, disks=(f"{root}/root.img,snapshot=on",), cmdline=f"root=vda tests=none run={words}",
                            **changes)
    outcome = guest.run(m, "bench", 900)
    values = {}
    for line in outcome.lines:
        match = re.match(r"bench (\S+?)(?:\.(min|median))? (\d+(?:\.\d+)?) (\S+)$", line)
        if match:
            name, kind, value, unit = match.groups()
            if kind != "min":
                values[name] = (float(value), unit)
    return outcome, values


def table(values):
    lines = ["| operation | Pteron | unit | Linux 6.12 | Linux / Pteron | limit |", "|---|--:|---|--:|--:|--:|"]
    for name, (value, unit) in values.items():
        what, linux, limit = ROWS.get(name, (name, None, None))
        ratio = f"{linux / value:.1f}" if linux and value else ""
        lines.append(f"| {what} | {value:.0f} | {unit} | {linux or ''} | {ratio} | {limit or ''} |")
    return lines


def together(values):
    """Faults of several threads and processes at once: one line for each kind, a column for how many."""
    lines = ["| guest instructions a fault (lock waits a fault), SMP=4 | 1 | 2 | 4 |", "|---|--:|--:|--:|"]
    for kind in "anon_fault", "shared_file_fault":
        for who in "threads", "processes":
            cells = []
            for n in 1, 2, 4:
                value = values.get(f"{kind}_{n}_{who}")
                waits = values.get(f"{kind}_{n}_{who}_lock_waits")
                cells.append((f"{value[0]:.0f}" if value else "") + (f" ({waits[0]:.3f})" if waits else ""))
            lines.append(f"| {kind.replace('_', ' ')}, {who} | " + " | ".join(cells) + " |")
    return lines


# T4-20: what the type of entry values costs, in the benchmarks of faults and munmap.
TYPED = ("anon_write_fault", "anon_read_fault", "munmap_per_page")
TYPED_LIMIT = 2.0  # per cent


def typed_against_raw(m, values):
    """Lines of a table, and whether no cost is above the limit.  @values: of the typed build, all of them medians."""
    build_kernel(dataclasses.replace(m, raw=True))
    outcome, raw = measure(m, "anon", raw=True)
    if not raw:
        sys.exit(f"no result of the raw build; see {outcome.log}")
    lines = [f"| T4-20: entry values as a type of their own (limit {TYPED_LIMIT:.0f} %) | typed | bare integer | difference |",
             "|---|--:|--:|--:|"]
    worst = 0.0
    for name in TYPED:
        typed, bare = values[name][0], raw[name][0]
        percent = 100 * (typed - bare) / bare
        worst = max(worst, percent)
        lines.append(f"| {ROWS[name][0]} | {typed:.0f} | {bare:.0f} | {percent:+.2f} % |")
    return lines, worst <= TYPED_LIMIT


def main():
    m = from_environment(build=os.environ.get("BUILD") or "release", mem=os.environ.get("MEM") or "1024", icount=True,
                         smp=1)
    build(m)
    outcome, values = measure(m, TIMED)
    if not values:
        sys.exit(f"no result; see {outcome.log}")
    outcome, many = measure(m, "threads", smp=4)
    if not many:
        sys.exit(f"no result with SMP=4; see {outcome.log}")
    typed, cheap = typed_against_raw(m, values)
    text = "\n".join([f"{m.config}, -icount shift=0, {m.mem} MiB", "", *table(values), "", *together(many), "", *typed])
    os.makedirs(f"{TOP}/build/bench", exist_ok=True)
    with open(f"{TOP}/build/bench/costs-{m.config}.md", "w", encoding="utf-8") as f:
        f.write(text + "\n")
    print(text)
    return 0 if cheap else "the type of entry values costs more than its limit"


if __name__ == "__main__":
    sys.exit(main())
