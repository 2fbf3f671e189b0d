#!/usr/bin/env python3
"""make bench: what operations cost in guest instructions, counted by QEMU (-icount, one tick of the TSC is one
instruction), with the same static program that also runs on Linux.  The table goes to build/bench/costs.md too.

The Linux column is Linux 6.12 in the same emulator with the strongest honest settings (docs/performance.md).
"""
import dataclasses
import os
import re
import sys

import guest
from machine import TOP, build, from_environment

# name of the bench program's line -> (what it is, Linux 6.12, our limit or None)
ROWS = {
    "null": ("null system call", 317, 160),
    "anon_write": ("anonymous write fault, with its page clear", 3583, 1500),
    "munmap_page": ("munmap, per touched page", 1025, None),
    "cow_copy": ("copy-on-write fault, copy", 5094, None),
    "file_read": ("shared file read fault", 2211, None),
    "remap_resident": ("remap one resident page of 65,536", 15674, 1000),
    "mosaic_fork_page": ("fork of that mosaic, per page", 2650, None),
    "mosaic_bytes": ("kernel bytes a page of it, page tables apart", 239, 48),
    "msync_page": ("msync, per dirty page", 4328, None),
}


def measure(m):
    outcome = guest.run(dataclasses.replace(m, disks=(f"{m.out}/root.img,snapshot=on",)), "bench", 900)
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


def main():
    m = from_environment(build=os.environ.get("BUILD") or "release", mem=os.environ.get("MEM") or "1024", icount=True,
                         cmdline="root=vda tests=none run=/bin/bench", smp=1)
    build(m)
    outcome, values = measure(m)
    if not values:
        sys.exit(f"no result; see {outcome.log}")
    text = "\n".join([f"{m.config}, -icount shift=0, {m.mem} MiB", "", *table(values)])
    os.makedirs(f"{TOP}/build/bench", exist_ok=True)
    with open(f"{TOP}/build/bench/costs-{m.config}.md", "w", encoding="utf-8") as f:
        f.write(text + "\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
