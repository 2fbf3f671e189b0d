#!/usr/bin/env python3
"""make bench: what operations cost in guest instructions, counted by QEMU (-icount, one tick of the TSC is one
instruction), with the same static program that also runs on Linux.  The tables go to build/bench/ too.

The Linux column is Linux 6.12 in the same emulator with the strongest honest settings (docs/platform.md).

Faults of several threads at once need three machines of four CPUs:

  instructions   icount: exact, but CPUs take turns of thousands of instructions, and hardly ever meet at a lock
  waits          no icount: CPUs run at once, as far as the host has any
  locks          a debug kernel: which locks a fault asks for, and which of them unrelated processes share
"""
import dataclasses
import os
import re
import sys

import guest
import linux
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
    "fork_exit_wait_16384_pages": ("fork, exit, wait with 16,384 pages", None, None),
    "mprotect_per_page": ("mprotect, per touched page", None, None),
    "mremap_per_page": ("mremap, per touched page", None, None),
    "reclaim_clean_per_page": ("reclaim 1,024 mapped clean file pages, per page", None, None),
    "swap_out_per_page": ("swap 1,024 pages out, per page", None, None),
    "swap_out_request_kib": ("device requests for it, mean KiB", None, None),
    "swap_in_per_page": ("stores to these, per page", None, None),
    "swap_in_request_kib": ("device requests for it, mean KiB", None, None),
    "file_read_fault": ("shared file read fault", 2211, None),
    "file_write_fault": ("shared file write fault", 2451, None),
    "write_fault_after_msync": ("write fault after msync", 2893, None),
    "msync_per_dirty_page": ("msync of one dirty page, virtio disk", None, None),
    "cache_write_fsync_per_page": ("write and fsync of 4 MiB, per page", None, None),
    "cache_write_fsync_elapsed_per_page": ("the same with the disk's time", None, None),
    "cache_write_fsync_requests": ("device requests for its data", None, None),
    "cache_write_fsync_meta_requests": ("and for metadata", None, None),
    "cache_write_fsync_request_kib": ("mean size of those for data, KiB", None, None),
    "cache_map_read_per_page": ("sequential pass over a cold mapping, per page", None, None),
    "cache_map_read_elapsed_per_page": ("the same with the disk's time", None, None),
    "cache_map_read_requests": ("device requests for its data", None, None),
    "cache_map_read_meta_requests": ("and for metadata", None, None),
    "cache_map_read_request_kib": ("mean size of those for data, KiB", None, None),
    "cache_map_dirty_msync_per_page": ("stores to 1,024 mapped pages and msync, per page", None, None),
    "cache_map_dirty_msync_elapsed_per_page": ("the same with the disk's time", None, None),
    "cache_map_dirty_msync_requests": ("device requests for its data", None, None),
    "cache_map_dirty_msync_meta_requests": ("and for metadata", None, None),
    "cache_map_dirty_msync_request_kib": ("mean size of those for data, KiB", None, None),
    "remap_resident_page": ("remap one resident page of 65,536", 15674, 1000),
    "mosaic_kernel_bytes_per_page": ("kernel bytes a page of it, page tables apart", 239, 48),
    "mosaic_fork_per_page": ("fork of that mosaic, per page", 2650, None),
    "mosaic_munmap_per_page": ("munmap of it, per page", 4290, None),
    "munmap_subscribers_0": ("munmap of one page, nobody subscribes", None, None),
    "munmap_subscribers_1_elsewhere": ("with one secondary MMU elsewhere in the address space", None, None),
    "munmap_subscribers_64_elsewhere": ("with 64", None, None),
    "munmap_subscribers_here": ("and one that mirrors the page's range", None, None),
    "mirror_faults": ("a mirror's faults, of 1,000 drops of its page", None, None),
    "mirror_retries": ("of these, begun again, while other pages are dropped", None, None),
}

TIMED = "null signal pipe anon mprotect cow fork file msync cache swap mosaic notify"

# What user/bench_crew.h calls the kinds of faults, and who makes them.
KINDS = {
    "anon": "anonymous, first store",
    "cached": "shared file, page in memory",
    "new_page": "shared file, page to be made",
    "file_copy": "private file, copy at the first store",
    "clean_page": "disk file, first store after writeback",
}
CREWS = {
    "one_mapping": "threads, neighbouring pages",
    "own_mappings": "threads, mappings of their own",
    "processes": "unrelated processes",
}


LINE = re.compile(r"bench (\S+?)(?:\.(min|median))? (\d+(?:\.\d+)?) (\S+)$")


def numbers(lines):
    """What the bench program printed: name -> (value, unit)."""
    found = [match.groups() for match in map(LINE.match, (line.strip() for line in lines)) if match]
    return {name: (float(value), unit) for name, kind, value, unit in found if kind != "min"}


def measure(m, names, **changes):
    """Run these benchmarks; what they printed."""
    words = ",".join(["/bin/bench", *names.split()])
    m = dataclasses.replace(m, **changes)
    programs = dataclasses.replace(m, raw=False)
    build(programs)
    if m.raw:
        build_kernel(m)
    m = dataclasses.replace(m, disks=(f"{programs.out}/root.img,snapshot=on",),
                            cmdline=f"root=vda tests=none run={words}")
    outcome = guest.run(m, "bench", 900)
    values = numbers(outcome.lines)
    if outcome.status != guest.EXIT_PASS or not values:
        sys.exit(f"bench {names} failed; see {outcome.log}")
    return values


def table(values):
    lines = ["| operation | Pteron | unit | Linux 6.12 | Linux / Pteron | limit |", "|---|--:|---|--:|--:|--:|"]
    for name, (value, unit) in values.items():
        what, linux, limit = ROWS.get(name, (name, None, None))
        ratio = f"{linux / value:.1f}" if linux and value else ""
        lines.append(f"| {what} | {value:.0f} | {unit} | {linux or ''} | {ratio} | {limit or ''} |")
    return lines


def together(title, values, cell):
    """One line for each kind of fault and who makes it, a column for how many at once; @cell(name) -> text."""
    lines = [f"| {title} | by | 1 | 2 | 4 |", "|---|---|--:|--:|--:|"]
    for kind, what in KINDS.items():
        for crew, who in CREWS.items():
            names = [f"faults.{kind}.{crew}.{n}" for n in (1, 2, 4)]
            if names[0] in values:
                lines.append(f"| {what} | {who} | " + " | ".join(map(cell, names)) + " |")
    return lines


def instructions(values):
    return together("instructions a fault", values, lambda name: f"{values[name][0]:.0f}")


def waits(values):
    """The number, and the rank that has most of it."""
    def cell(name):
        ranks = {k.removeprefix(f"{name}.waits."): v[0] for k, v in values.items() if k.startswith(f"{name}.waits.")}
        worst = max(ranks, key=ranks.get, default=None)
        total = values.get(f"{name}.waits", (0.0,))[0]
        return f"{total:.4f}" + (f" {worst.removeprefix('LOCK_')}" if worst else "")
    return together("lock waits a fault, and where most", values, cell)


def locks(values):
    """What each kind of fault asks for, and what of that is shared by processes that have nothing in common."""
    lines = ["| fault | lock | asked for, a fault | different ones | shared by unrelated processes, a fault |",
             "|---|---|--:|--:|--:|"]
    for name, (value, _) in values.items():
        match = re.match(r"locks\.(\w+)\.(LOCK_\w+)$", name)
        if match:
            kind, rank = match.groups()
            shared = values[f"{name}.shared"][0]
            lines.append(f"| {KINDS[kind]} | {rank.removeprefix('LOCK_')} | {value:.3f} | {values[name + '.different'][0]:.0f} "
                         f"| {f'**{shared:.3f}**' if shared else '0'} |")
    return lines


# T0-28: the same guest on the same emulated MMU, by the ways to change its window (user/umk.h).
UMK = {
    "remap": "remap_file_pages with a protection",
    "vector": "the same, and remap_vector at a context switch",
    "mmap": "mmap and mprotect",
}


def umk_row(where, what, values, kind, best):
    cost = values[f"umk_operation.{kind}"][0]
    return f"| {where} | {what} | {cost:.0f} | {cost / best:.2f} | {values[f'umk_vmas.{kind}'][0]:.0f} |"


def user_mode_kernel(m):
    """The table; Linux is measured too, if its package can be had."""
    here = measure(m, "umk")
    there = numbers(linux.run(f"{m.out}/user/bench", ["umk"], "bench-linux") or []) if m.arch == "x86_64" else {}
    best = here["umk_operation.remap"][0]
    lines = ["| T0-28: a guest of 4,096 pages | its window is changed by | instructions an operation | to remap | vmas |",
             "|---|---|--:|--:|--:|"]
    lines += [umk_row("Pteron", what, here, kind, best) for kind, what in UMK.items() if f"umk_operation.{kind}" in here]
    lines += [umk_row("Linux 6.12", what, there, kind, best) for kind, what in UMK.items() if f"umk_operation.{kind}" in there]
    return lines


# T4-20: what the type of entry values costs, in the benchmarks of faults and munmap.
TYPED = ("anon_write_fault", "anon_read_fault", "munmap_per_page")
TYPED_LIMIT = 2.0  # per cent


def typed_against_raw(m, values):
    """Lines of a table, and whether no cost is above the limit.  @values: of the typed build, all of them medians."""
    raw = measure(m, "anon", raw=True)
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
    values = measure(m, TIMED)
    typed, cheap = typed_against_raw(m, values)
    parts = [
        ["A user-mode kernel's guest, -icount"], user_mode_kernel(m),
        [f"{m.config}, -icount shift=0, {m.mem} MiB"], table(values),
        ["Faults at once, 4 CPUs, -icount"], instructions(measure(m, "faults", smp=4)),
        ["Faults at once, 4 CPUs that run at once"], waits(measure(m, "faults", smp=4, icount=False)),
        ["Locks of a fault, 4 unrelated processes, debug build"], locks(measure(m, "locks", smp=4, build="debug")),
        typed,
    ]
    text = "\n\n".join("\n".join(part) for part in parts)
    os.makedirs(f"{TOP}/build/bench", exist_ok=True)
    with open(f"{TOP}/build/bench/costs-{m.config}.md", "w", encoding="utf-8") as f:
        f.write(text + "\n")
    print(text)
    return 0 if cheap else "the type of entry values costs more than its limit"


if __name__ == "__main__":
    sys.exit(main())
