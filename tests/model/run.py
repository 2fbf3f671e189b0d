#!/usr/bin/env python3
"""The model-based tester on every format (docs/host.md): random sequences, failing allocations, planted mutations.

By default a share of each that takes about a minute of one CPU.  LONG=1: 100,000 sequences of length 200 for every
format, 1,000 interleavings of real threads under the thread sanitizer, every mutation.  FORMATS='amd64 pae', SEED=n.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import time

import build
from build import host

LONG = bool(host.option("LONG"))
SEED = int(host.option("SEED", "1"), 0)
SECONDS = int(host.option("MODEL_SECONDS", "2"))  # of random sequences for each format
PIECES = 8  # of the long run of one format
MUTATIONS = {1: "amd64", 2: "amd64", 4: "amd64", 5: "amd64", 14: "amd64", 15: "amd64", 16: "amd64", 17: "amd64", 20: "pae"}
SLOW_MUTATIONS = {21: "pae"}  # (the machine has no point between the halves of M21 on other formats)


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
    words = [a for a in args if a.startswith(("mode=", "length=", "mutate="))]
    return run([binary, "shrink=1", f"SEED={seeds[-1]}", *words], 300)[1]


def result(name, ok, details):
    return (ok, name, details)


def random_sequences(name, binary, *args):
    status, output, _ = run([binary, *args], 3000)
    if status == 0:
        return result(name, True, output)
    return result(name, False, output[-6000:] + smallest(binary, args, output))


def injected(name, binary, *args):
    status, output, _ = run([binary, "inject=1", *args], 3000)
    return result(name, status == 0, output[-6000:])


def mutation(number, binary):
    """The tester must find it."""
    status, output, seconds = run([binary, f"mutate={number}", f"SEED={SEED}", "count=1000000", "seconds=60"], 100)
    found = re.search(r"(\d+) sequences", output)
    seeds = re.findall(r"SEED=(\d+)", output)
    tried = int(found[1]) if found else int(seeds[-1]) - SEED + 1 if seeds else 0
    return result(f"mutation M{number}", status not in (0, -1) and seconds < 62, f"{tried} sequences, {seconds:.1f} s")


def threads(name, binary):
    return random_sequences(name, binary, "threads=1", "mode=concurrent", "count=1000", "length=60", f"SEED={SEED}")


def long_jobs(formats):
    for fmt in formats:
        binary = build.program("model/main", fmt)
        n = 100000 // PIECES
        for piece in range(PIECES):
            yield random_sequences, (f"{fmt} 100,000 sequences, part {piece + 1} of {PIECES}", binary, f"SEED={SEED + piece * n}", f"count={n}")
        yield injected, (f"{fmt} failing allocations", binary, f"SEED={SEED}", "count=200")
    if "amd64" in formats:
        yield threads, ("amd64 1,000 interleavings of real threads", build.program("model/main", "amd64", "tsan"))


def short_jobs(formats):
    for fmt in formats:
        binary = build.program("model/main", fmt)
        yield random_sequences, (f"{fmt} sequences", binary, f"SEED={SEED}", "count=1000000", f"seconds={SECONDS}")
        yield injected, (f"{fmt} failing allocations", binary, f"SEED={SEED}", "count=4")


def mutation_jobs(formats):
    for number, fmt in sorted({**MUTATIONS, **(SLOW_MUTATIONS if LONG else {})}.items()):
        if fmt in formats:
            yield mutation, (number, build.program("model/main", fmt))


def main():
    formats = host.option("FORMATS").split() or host.FORMATS
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
