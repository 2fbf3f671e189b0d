#!/usr/bin/env python3
"""make profile T=GROUP[/OPERATION]: the hottest functions of what `bench` measures, in guest instructions.

GROUP: one of bench's (null, signal, anon, mosaic, umk ...); OPERATION: one of its lines, as remap_resident_page; without
it, all of the group.  N=20: how many functions of each.

Not samples: a QEMU plugin (tools/profile_plugin.c) counts every block that ran between the two readings of the TSC that
make up the number.  A block that a fault cuts short counts as a whole.
"""
import bisect
import collections
import dataclasses
import os
import subprocess
import sys

import bench
import guest
from machine import TOP, from_environment

PLUGIN = f"{TOP}/build/profile_plugin.so"


def build_plugin():
    source = f"{TOP}/tools/profile_plugin.c"
    if not os.path.exists(PLUGIN) or os.path.getmtime(PLUGIN) < os.path.getmtime(source):
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", source, "-o", PLUGIN],
                       check=True)


class Symbols:
    """Functions by address."""

    def __init__(self, elf, mark):
        lines = subprocess.run(["nm", "-n", elf], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        words = [line.split() for line in lines]
        found = sorted({int(w[0], 16): w[2] for w in words if len(w) == 3 and w[1] in "tTwWiu"}.items())
        self.starts = [address for address, _ in found]
        self.names = [f"{name}{mark}" for _, name in found]

    def at(self, address):
        """(name, whether it begins there)"""
        i = bisect.bisect_right(self.starts, address) - 1
        return (self.names[i], self.starts[i] == address) if i >= 0 else ("?", False)

    def address(self, name):
        return self.starts[self.names.index(name)]


@dataclasses.dataclass
class Cost:
    instructions: int = 0
    calls: int = 0


KERNEL_BASE = {"x86_64": 1 << 63, "i386": 0xc0000000}


def read_counts(path, boundary, kernel, program):
    """Operations of each phase, and for each phase what each function cost."""
    pairs, costs = {}, collections.defaultdict(lambda: collections.defaultdict(Cost))
    with open(path, encoding="ascii") as f:
        for line in f:
            kind, *words = line.split()
            if kind == "phase":
                pairs[int(words[0])] = int(words[1])
                continue
            address, n, phase, count = int(words[0], 16), *map(int, words[1:])
            name, begins = (kernel if address >= boundary else program).at(address)
            costs[phase][name].instructions += n * count
            costs[phase][name].calls += count if begins else 0
    return pairs, costs


def table(name, value, operations, functions, most):
    total = sum(c.instructions for c in functions.values())
    lines = [f"{name}: {value} by bench, {total / operations:.0f} counted, {operations} operations",
             f"{'instructions':>14} {'share':>7} {'calls':>8}  function"]
    ranked = sorted(functions.items(), key=lambda item: -item[1].instructions)
    for function, cost in ranked[:most]:
        lines.append(f"{cost.instructions / operations:14.1f} {100 * cost.instructions / total:6.1f}% "
                     f"{cost.calls / operations:8.2f}  {function}")
    rest = sum(cost.instructions for _, cost in ranked[most:])
    lines.append(f"{rest / operations:14.1f} {100 * rest / total:6.1f}%           {max(len(ranked) - most, 0)} others")
    return lines


def run(m, group):
    """What bench printed, in order, and the counts."""
    program = Symbols(f"{m.out}/user/bench", " (ring 3)")
    kernel = Symbols(m.kernel, "")
    out = f"{TOP}/build/profile.txt"
    plugin = (f"{PLUGIN},put={program.address('put (ring 3)')},low={program.starts[0]},high={program.starts[-1]},out={out}")
    m = dataclasses.replace(m, cmdline=bench.words(group), extra=("-plugin", plugin))
    outcome = guest.run(m, "profile", 900)
    if outcome.status != guest.EXIT_PASS:
        sys.exit(f"bench {group} failed; see {outcome.log}")
    lines = [match.groups() for match in map(bench.LINE.match, (line.strip() for line in outcome.lines)) if match]
    return lines, *read_counts(out, KERNEL_BASE[m.arch], kernel, program)


def main():
    group, _, operation = (os.environ.get("T") or "").partition("/")
    if not group:
        sys.exit(__doc__)
    m = from_environment(build=os.environ.get("BUILD") or "release", mem=os.environ.get("MEM") or "1024", icount=True, smp=1)
    m = bench.prepare(m)
    build_plugin()
    lines, pairs, costs = run(m, group)
    shown = 0
    for phase, (name, kind, value, _) in enumerate(lines):
        # The phase ends with the first line about it, which tells the least; the next one is the median.
        if not pairs.get(phase) or name == "rdtsc_pair" or operation not in ("", name):
            continue
        if kind == "min":
            value = next((v for n, k, v, _ in lines if n == name and k == "median"), value)
        print("\n".join(table(name, value, pairs[phase], costs[phase], int(os.environ.get("N") or 16))), end="\n\n")
        shown += 1
    return 0 if shown else f"bench {group} measures no {operation}"


if __name__ == "__main__":
    sys.exit(main())
