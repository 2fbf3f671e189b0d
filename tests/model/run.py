#!/usr/bin/env python3
"""The model-based tester on every format (docs/host.md): random sequences, failing allocations, planted mutations.

By default a share of each: MODEL_SECONDS=1 of random sequences a format, and every mutation.  LONG=1: 100,000 sequences
of length 200 for every format, 1,000 interleavings of real threads under the thread sanitizer.  FORMATS='amd64 pae',
SEED=n.  MUTATIONS=1: nothing but those, one after the other, and a table.
"""
import concurrent.futures
import os
import re
import resource
import subprocess
import sys
import time

import build
from build import host

LONG = bool(host.option("LONG"))
SEED = int(host.option("SEED", "1"), 0)
SECONDS = int(host.option("MODEL_SECONDS", "1"))  # of random sequences for each format
PIECES = 8  # of the long run of one format
# The known bugs of mm/ and of the formats (kernel/lib/mutation.h), and where each can exist.
WITH_NX = [f for f in host.FORMATS if f != "i386"]
MUTATIONS = {**dict.fromkeys((1, 2, 4, 5, 15, 16, 17, 18, 21), host.FORMATS), 14: WITH_NX, 20: ["pae"]}
# Those of secondary MMUs, of pins without a lock, of userfaultfd and of reclaim under memory pressure, which no sequence here
# looks for: named tests find them.
OTHERS = {3: "T3-03s", 6: "T2-18", 7: "T2-04", 8: "T2-15", 9: "T2-20", 10: "test_notifier, T3-04a", 11: "T1-16s", 12: "T1-17",
          13: "T1-06s", 19: "RECLAIM-02", 22: "test_notifier, T3-08a", 131: "test_mirror, T3-19", 132: "T3-02", 160: "T2-24", 161: "test_debt",
          162: "test_debt", 181: "test_migrate, T1-08", 182: "test_migrate, MIGRATE-04", 183: "test_migrate, T2-17",
          184: "test_merge, T1-08", 191: "SWAP-37"}
MUTATION_SECONDS = 60


def run(command, limit):
    """(exit status, output, seconds)"""
    start = time.time()
    try:
        done = subprocess.run(command, cwd=build.TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=limit, check=False)
        return done.returncode, done.stdout, time.time() - start
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode(errors="replace") + "\ntime limit\n", time.time() - start


def comment(text):
    return "\n".join("# " + line.removeprefix("# ") for line in text.strip().splitlines())


def smallest(binary, args, output):
    """The least part of the sequence that failed, as text."""
    seeds = re.findall(r"SEED=(\d+)", output)
    if not seeds:
        return ""
    words = [a for a in args if a.startswith(("mode=", "length=", "mutate=", "high="))]
    return run([binary, "shrink=1", f"SEED={seeds[-1]}", *words], 300)[1]


def result(name, ok, details):
    return (ok, name, details)


def random_sequences(name, binary, *args):
    status, output, _ = run([binary, *args], 3000)
    if status == 0:
        return result(name, True, output)
    return result(name, False, output[-6000:] + smallest(binary, args, output))


# -- failing allocations --------------------------------------------------------------------------------------------------------
# Where the operations' code allocates.  Not below (mm/phys), and not what is for tests (mm/debug).
ALLOCATING = ["mm/object/*.c", "mm/pgtable/*.c", "mm/rmap/*.c", "mm/service/*.c", "mm/space/*.c"]
ELSEWHERE = {
    # at boot, which does not go on without
    "mm/space/mm.c: zero_page = page_alloc(0, GFP_KERNEL | GFP_ZERO);",
    # in operations that are not made to fail here: tests/unit/test_notifier.c, test_mirror.c
    "mm/pgtable/notifier.c: struct mmu_notifiers *n = kzalloc(sizeof(*n), GFP_KERNEL);",
    "mm/service/mirror.c: f.node = slab_alloc(&spte_cache, GFP_KERNEL);",
    # then base pages serve, which is no failure: tests/unit/test_huge.c
    "mm/space/huge.c: return page_alloc(PT_HUGE_ORDER, GFP_USER | GFP_NOWARN | GFP_NORECLAIM | gfp);",
    # only for pinned pages, which few forks meet: tests/unit/test_fork.c
    "mm/space/fork.c: c->spare = page_alloc(0, GFP_USER);",
    # a swapped page that is in no cache, read while memory fails: tests/unit/test_swap_io.c
    "mm/object/swap_io.c: struct page *page = page_alloc(0, gfp);",
    # page tables of devices, which no sequence has: tests/unit/test_outer_table.c
    "mm/service/outer_table.c: struct page *root = page_alloc(0, GFP_KERNEL | GFP_ZERO);",
    "mm/service/outer_table.c: struct page *new = page_alloc(0, GFP_KERNEL | GFP_ZERO | GFP_NOWARN);",
    # for more than 512 remapped pages: tests/unit/test_nonlinear_index.c
    "mm/rmap/nonlinear_room.c: struct nonlinear_node **page = kzalloc(PAGE_SIZE, GFP_KERNEL | GFP_NOWARN), ***directory = NULL, ***old = NULL;",
    # userfaultfd, which no sequence has: tests/unit/test_uffd.c, test_uffd_move.c
    "mm/space/uffd.c: struct uffd *u = kzalloc(sizeof(*u), GFP_KERNEL);",
    "mm/space/uffd_event.c: struct uffd_event *e = kzalloc(sizeof(*e), GFP_KERNEL);",
    "mm/service/uffd_fill.c: struct page *page = page_alloc(0, GFP_USER);",
    "mm/service/uffd_move.c: m.ptes = m.capacity > MOVE_FEW ? kmalloc(m.capacity * sizeof(*m.ptes), GFP_KERNEL) : NULL;",
}


def allocations():
    """(file, line number, text) of every call in the sources."""
    for path in host.expand(ALLOCATING):
        with open(f"{build.TOP}/{path}", encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                if re.search(r"\b(page_alloc|slab_alloc|kmalloc|kzalloc)\(", line):
                    yield path, number, line.strip()


def allocation_sites():
    """{file:line: text} of those that must fail here."""
    return {f"{path}:{number}": text for path, number, text in allocations() if f"{path}: {text}" not in ELSEWHERE}


def known_elsewhere():
    """Is what other tests are said to look at still there?"""
    gone = ELSEWHERE - {f"{path}: {text}" for path, _, text in allocations()}
    return result("allocations that other tests make fail", not gone, "\n".join(["not in the sources:", *sorted(gone)] if gone else []))


def failed_sites(binary, output):
    """{file:line} in the operations' code where an allocation failed, of the call chains that the tester prints."""
    chains = [[f"{int(a, 16) - 1:x}" for a in line.split() if a != "0"] for line in re.findall(r"^# site (.*)$", output, re.M)]
    wanted = sorted({a for chain in chains for a in chain})
    said = subprocess.run(["addr2line", "-e", binary, *wanted], stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()
    # (the object may come from a compiler's cache, and name another folder above mm/)
    where = dict(zip(wanted, (re.sub(r"^.*/(mm/\w+/\w+\.c:\d+).*$", r"\1", s) for s in said)))
    known = tuple(p.split("*")[0] for p in ALLOCATING)
    return {next((where[a] for a in chain if where[a].startswith(known)), "") for chain in chains} - {""}


def injected(name, binary, *args):
    status, output, _ = run([binary, "inject=1", *args], 3000)
    sites, failed = allocation_sites(), failed_sites(binary, output)
    output = re.sub(r"^# site .*\n", "", output, flags=re.M)
    missed = [f"{where}: {sites[where]}" for where in sorted(set(sites) - failed)]
    text = f"{output[-6000:]}\n{len(sites) - len(missed)} of {len(sites)} places where mm allocates have failed" + "\nnot ".join(["", *missed])
    return result(name, status == 0 and not (LONG and missed), text)


def hunt(number, binary):
    """(found?, sequences that it took, output)"""
    status, output, seconds = run([binary, f"mutate={number}", f"SEED={SEED}", "count=1000000", f"seconds={MUTATION_SECONDS}"], 100)
    tried = re.search(r"(\d+) sequences", output)
    seeds = re.findall(r"SEED=(\d+)", output)
    sequences = int(tried[1]) if tried else int(seeds[-1]) - SEED + 1 if seeds else 0
    return status not in (0, -1) and seconds < MUTATION_SECONDS + 2, sequences, output


def mutation(number, fmt, binary):
    """The tester must find it."""
    found, sequences, output = hunt(number, binary)
    return result(f"mutation M{number} is found, {fmt}", found, f"in sequence {sequences}" if found else output[-6000:])


def known_mutations():
    """Are those that the sources have the ones that are looked for?"""
    pattern = re.compile(r"\bMUTATION\((\d+)\)")
    numbers = set()
    for path in host.expand(["mm/*/*.[ch]", "arch/x86/include/asm/pte*.h"]):
        with open(f"{build.TOP}/{path}", encoding="utf-8") as f:
            numbers |= {int(n) for n in pattern.findall(f.read())}
    return result("every mutation of mm/ is looked for", numbers == {*MUTATIONS, *OTHERS}, f"in the sources: {sorted(numbers)}; by other tests: {OTHERS}")


def above_4_gib(count):
    """Frames whose high word says something; the auditor looks at a million frames each time."""
    return random_sequences("pae frames above 4 GiB", build.program("model/main", "pae"), "high=1", f"SEED={SEED}", f"count={count}")


def huge(fmt):
    """All anonymous memory huge where it can be: the tiny geometries, where that is two or four pages."""
    return random_sequences(f"huge pages {fmt}", build.program("model/main", fmt), "huge=1", f"SEED={SEED}", "count=1000000", f"seconds={SECONDS}")


def threads(name, binary):
    return random_sequences(name, binary, "threads=1", "mode=concurrent", "count=1000", "length=60", f"SEED={SEED}")


def long_jobs(formats):
    for fmt in formats:
        binary = build.program("model/main", fmt)
        n = 100000 // PIECES
        for piece in range(PIECES):
            yield random_sequences, (f"{fmt} 100,000 sequences, part {piece + 1} of {PIECES}", binary, f"SEED={SEED + piece * n}", f"count={n}")
        yield injected, (f"{fmt} failing allocations", binary, f"SEED={SEED}", "count=200")
    if "pae" in formats:
        yield above_4_gib, (2000,)
    if "amd64" in formats:
        yield threads, ("amd64 1,000 interleavings of real threads", build.program("model/main", "amd64", "tsan"))


def short_jobs(formats):
    for fmt in formats:
        binary = build.program("model/main", fmt)
        yield random_sequences, (f"{fmt} sequences", binary, f"SEED={SEED}", "count=1000000", f"seconds={SECONDS}")
        yield injected, (f"{fmt} failing allocations", binary, f"SEED={SEED}", "count=4")
    yield known_elsewhere, ()
    if "pae" in formats:
        yield above_4_gib, (20,)
    yield from ((huge, (fmt,)) for fmt in ("tiny2", "tiny4") if fmt in formats)


def mutation_jobs(formats):
    if host.option("COVERAGE"):
        return  # without the address sanitizer some show late
    yield known_mutations, ()
    for number, where in sorted(MUTATIONS.items()):
        for fmt in where:
            if fmt in formats:
                yield mutation, (number, fmt, build.program("model/main", fmt))


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def mutation_table(formats):
    """Each mutation on each format, alone on its CPU: how many sequences, how many seconds of it; Markdown."""
    programs = {fmt: build.program("model/main", fmt) for fmt in formats}
    missed = 0
    print(f"| SEED={SEED} | " + " | ".join(formats) + " |\n|---|" + "--:|" * len(formats), flush=True)
    for number, where in sorted(MUTATIONS.items()):
        cells = []
        for fmt in formats:
            before = cpu_seconds()
            found, sequences, _ = hunt(number, programs[fmt]) if fmt in where else (True, 0, "")
            cells.append(f"{sequences} / {cpu_seconds() - before:.1f}" if found and sequences else "-" if found else "MISSED")
            missed += not found
        print(f"| M{number} | " + " | ".join(cells) + " |", flush=True)
    return 1 if missed else 0


def main():
    formats = host.option("FORMATS").split() or host.FORMATS
    if host.option("MUTATIONS"):
        return mutation_table(formats)
    jobs = list(long_jobs(formats) if LONG else short_jobs(formats)) + list(mutation_jobs(formats))
    failed = 0
    print(f"KTAP version 1\n1..{len(jobs)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(lambda job: job[0](*job[1]), jobs)
        for number, (ok, name, details) in enumerate(results, 1):
            print(comment(details))
            print(f"{'ok' if ok else 'not ok'} {number} {name}", flush=True)
            failed += not ok
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
