#!/usr/bin/env python3
"""make bench: what operations cost on Pteron and on Linux 6.12: one static program, one QEMU command line.

  instructions   -icount: one tick of the TSC is one guest instruction; repeats to the digit where no disk takes part
  wall time      without: nanoseconds of this host, the least of three runs' medians
  alone          Pteron's own: faults of several threads at once, locks of a fault, what the type of entries costs

The rows are in tools/bench_rows.py, their benchmarks in user/bench*.c; docs/performance.md says how to read them.  To
build/bench/: CONFIG.md (all tables), CONFIG.txt (bars), CONFIG.svg.

PART=compare|alone: only this part.  DOC=1: the comparison goes into docs/performance.md too.

Faults of several threads at once need three machines of four CPUs:

  instructions   icount: exact, but CPUs take turns of thousands of instructions, and hardly ever meet at a lock
  waits          no icount: CPUs run at once, as far as the host has any
  locks          a debug kernel: which locks a fault asks for, and which of them unrelated processes share
"""
import dataclasses
import os
import re
import subprocess
import sys

import bench_table
import bench_threads
import guest
import linux
from bench_rows import DISK_GROUPS, GROUPS
from machine import TOP, build, build_kernel, from_environment, make

OUT = os.path.join(TOP, "build", "bench")
CPU = "max,-erms,-fsrm"  # memory is cleared and copied by words: what TCG counts for a string instruction is no cost at all
WALL_RUNS = 3

LINE = re.compile(r"bench (\S+?)(?:\.(min|median))? (\d+(?:\.\d+)?) (\S+)$")


def numbers(lines):
    """What the bench program printed: name -> (value, unit)."""
    found = [match.groups() for match in map(LINE.match, (line.strip() for line in lines)) if match]
    return {name: (float(value), unit) for name, kind, value, unit in found if kind != "min"}


def disk():
    """An empty ext2 disk, which both kernels mount at /mnt."""
    path = os.path.join(OUT, "disk.img")
    os.makedirs(OUT, exist_ok=True)
    if not os.path.exists(path):
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", path + ".tmp", "64M"], check=True,
                       env=dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin"))
        os.replace(path + ".tmp", path)
    return f"{path},snapshot=on"


def prepare(m, disks=None):
    """@m built, with what it needs to run the bench program from memory; its disk is there only to be measured."""
    programs = dataclasses.replace(m, raw=False)
    build(programs)
    make("ramdisk", ARCH=m.arch, PAGING=m.paging, BUILD=m.build)
    if m.raw:
        build_kernel(m)
    return dataclasses.replace(m, cpu=CPU, initrd=f"{programs.out}/ramdisk.img", disks=(disk(),) if disks is None else disks)


def words(names):
    return f"root=ram0 tests=none run={','.join(['/bin/bench', *names.split()])}"


def measure(m, names, disks=None, **changes):
    """Run these benchmarks on Pteron; what they printed.  @disks: () for none."""
    m = prepare(dataclasses.replace(m, **changes), disks)
    outcome = guest.run(dataclasses.replace(m, cmdline=words(names)), "bench", 900)
    values = numbers(outcome.lines)
    if outcome.status != guest.EXIT_PASS or not values:
        sys.exit(f"bench {names} failed; see {outcome.log}")
    return values


def measure_linux(m, names, disks=None, **changes):
    """The same on Linux; nothing if its package cannot be had."""
    if m.arch != "x86_64":
        return {}
    m = prepare(dataclasses.replace(m, **changes), disks)
    return numbers(linux.run(f"{m.out}/user/bench", names.split(), "bench-linux", m=m) or [])


def nanoseconds(values):
    """Ticks of the TSC become nanoseconds."""
    rate = values["ticks_per_us"][0] if values else 1
    return {name: value * 1000 / rate if unit in ("insns", "ticks") else value for name, (value, unit) in values.items()}


def least(runs):
    return {name: min(run[name] for run in runs if name in run) for name in runs[0]}


def instructions(run, m):
    """In a machine without a disk, whose interrupts come as the host likes, and in one with it."""
    values = run(m, DISK_GROUPS)
    for names in GROUPS:
        values |= run(m, names, disks=())
    return {name: value for name, (value, _) in values.items()}


def wall_time(run, m):
    fastest = {}
    for names in (*GROUPS, DISK_GROUPS):
        fastest |= least([nanoseconds(run(m, names, icount=False)) for _ in range(WALL_RUNS)])
    return fastest


def compare(m):
    """What both cost: the table's columns, each name -> number."""
    return {"here": instructions(measure, m), "there": instructions(measure_linux, m),
            "here_ns": wall_time(measure, m), "there_ns": wall_time(measure_linux, m)}


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
    there = measure_linux(m, "umk")
    best = here["umk_operation.remap"][0]
    lines = ["| T0-28: a guest of 4,096 pages | its window is changed by | instructions an operation | to remap | vmas |",
             "|---|---|--:|--:|--:|"]
    lines += [umk_row("Pteron", what, here, kind, best) for kind, what in UMK.items() if f"umk_operation.{kind}" in here]
    lines += [umk_row("Linux 6.12", what, there, kind, best) for kind, what in UMK.items() if f"umk_operation.{kind}" in there]
    return lines


# T4-20: what the type of entry values costs, in the benchmarks of faults and munmap.
TYPED = {
    "anon_write_fault": "anonymous write fault",
    "anon_read_fault": "anonymous read fault",
    "munmap_per_page": "munmap, per touched page",
}
TYPED_LIMIT = 2.0  # per cent


def typed_against_raw(m, values):
    """Lines of a table, and whether no cost is above the limit.  @values: of the typed build, all of them medians."""
    raw = measure(m, "anon", raw=True)
    lines = [f"| T4-20: entry values as a type of their own (limit {TYPED_LIMIT:.0f} %) | typed | bare integer | difference |",
             "|---|--:|--:|--:|"]
    worst = 0.0
    for name, what in TYPED.items():
        typed, bare = values[name][0], raw[name][0]
        percent = 100 * (typed - bare) / bare
        worst = max(worst, percent)
        lines.append(f"| {what} | {typed:.0f} | {bare:.0f} | {percent:+.2f} % |")
    return lines, worst <= TYPED_LIMIT


def write(m, suffix, text):
    with open(f"{OUT}/{m.config}{suffix}", "w", encoding="utf-8") as f:
        f.write(text + "\n")


def compare_part(m):
    columns = compare(m)
    table, bars = bench_table.table(columns), bench_table.bars(columns)
    write(m, ".txt", "\n".join(bars))
    write(m, ".svg", bench_table.svg(columns))
    if os.environ.get("DOC"):
        bench_table.into_document(f"{TOP}/docs/performance.md", table, bars)
    print("\n".join([*table, "", *bars]))
    return table


def alone_part(m):
    values = measure(m, "anon notify mosaic cache swap pins")
    typed, cheap = typed_against_raw(m, values)
    parts = [
        ["A user-mode kernel's guest, -icount"], user_mode_kernel(m),
        ["Pteron alone, -icount"], bench_table.ours(values),
        ["Faults at once, 4 CPUs, -icount"], bench_threads.instructions(measure(m, "faults", smp=4)),
        ["Faults at once, 4 CPUs that run at once"], bench_threads.waits(measure(m, "faults", smp=4, icount=False)),
        ["Locks of a fault, 4 unrelated processes, debug build"],
        bench_threads.locks(measure(m, "locks", smp=4, build="debug")),
        typed,
    ]
    text = "\n\n".join("\n".join(part) for part in parts)
    print(text)
    return text, cheap


def main():
    m = from_environment(build=os.environ.get("BUILD") or "release", mem=os.environ.get("MEM") or "1024", icount=True,
                         smp=1)
    part = os.environ.get("PART") or "compare,alone"
    texts, cheap = [f"{m.config}, {m.mem} MiB"], True
    os.makedirs(OUT, exist_ok=True)
    if "compare" in part:
        texts.append("\n".join(compare_part(m)))
    if "alone" in part:
        text, cheap = alone_part(m)
        texts.append(text)
    write(m, ".md", "\n\n".join(texts))
    return 0 if cheap else "the type of entry values costs more than its limit"


if __name__ == "__main__":
    sys.exit(main())
