#!/usr/bin/env python3
"""Power cuts: nothing that was promised is lost, and e2fsck puts every disk right.  KTAP.

usage: test_cuts.py                 CUTS=200 cuts and KILLS=4 kills of QEMU; CUT_SEED=n repeats a run's choices
       test_cuts.py --mutations     kernels that are known to be wrong (mutate=M151...): cuts must show it
       test_cuts.py --replay DIR    check again a cut that failed (its folder is printed)
       test_cuts.py --explain DIR   the same, with what the writer did last

See docs/crash.md.  Exit status 0: as it should be.
"""
import bisect
import concurrent.futures
import dataclasses
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
sys.path.insert(0, f"{TOP}/tests/host")
# pylint: disable=wrong-import-position
import guest
import writelog
from exec import program_disk
from ext2image import Image, mke2fs, run_e2fsck, scratch
from ktap import Report
from machine import Machine
from model import Model

COMPILER = {"x86_64": "x86_64-linux-gnu-gcc", "i386": "i686-linux-gnu-gcc"}
EXEC_DONE = (0x40 << 1) | 1
FS_KIB, TAIL = 8192, 65536
OPERATIONS = 1500
KEPT = 5    # failed cuts of one boot
LONG = os.environ.get("LONG") == "1"
RUNS = (("x86_64", "4level", 4096), ("i386", "pae", 1024), ("i386", "2level", 4096), ("x86_64", "4level", 1024))


# Known bugs that a debug kernel can be told to have: kernel/fs/ext2/commit.c, bitmap.h.
MUTATIONS = ("M151", "M152", "M153", "M154", "M155")


@dataclasses.dataclass
class Run:
    """One boot of the writer."""
    arch: str
    paging: str
    block_size: int
    seed: int
    mutation: str = ""

    @property
    def name(self):
        return f"{self.arch}-{self.paging}-{self.block_size}-{self.seed}{self.mutation}"


def compile_writer(work):
    for arch, compiler in COMPILER.items():
        subprocess.run([compiler, "-static", "-O1", "-Wall", "-iquote", TOP, "-o", f"{work}/writer-{arch}",
                        f"{TOP}/tests/crash/writer.c"], check=True)


def make_disk(path, block_size):
    mke2fs(path, FS_KIB, block_size=block_size)
    os.truncate(path, FS_KIB * 1024 + TAIL)
    with open(path, "rb") as f:
        return f.read()


def machine(run, folder, work, extra, disks=()):
    os.makedirs(folder, exist_ok=True)
    m = Machine(arch=run.arch, paging=run.paging, smp=2)
    words = ["vdc", str(FS_KIB), str(run.seed), str(OPERATIONS)]
    shutil.copy(f"{work}/writer-{run.arch}", f"{folder}/writer")
    program = program_disk(folder, f"{folder}/writer", words)
    bug = f" mutate={run.mutation}" if run.mutation else ""
    return dataclasses.replace(m, cmdline="root=vda exec=vdb" + bug, extra=tuple(extra),
                               disks=(f"{m.out}/root.img,snapshot=on", program, *disks))


def recorded_disk(image, log):
    with open(log, "wb") as f:
        f.truncate(1 << 20)
    return ["-blockdev", f"driver=file,filename={image},node-name=f",
            "-blockdev", f"driver=file,filename={log},node-name=l",
            "-blockdev", "driver=blklogwrites,node-name=lw,file=f,log=l,log-sector-size=512",
            "-device", "virtio-blk-pci,drive=lw,disable-legacy=on"]


# -- what the writer said ------------------------------------------------------------------------------------------

def operations(lines):
    """(number, kind, arguments) of each operation begun; the last line may be cut off."""
    out = []
    for line in lines:
        words = line.replace("/mnt/", "").split()
        if len(words) >= 3 and words[0] == "op" or words[2:] == ["sync"]:
            out.append((int(words[1]), words[2], words[3:]))
    return out


def promises(entries):
    """(entry, operation) of each promise, from the marks in the log."""
    return [(i, struct.unpack_from("<I", e.data, 8)[0]) for i, e in enumerate(entries)
            if e.offset == FS_KIB * 1024 and e.data[:8] == b"cut mark"]


class Story:
    """The model, moved along the promises."""

    def __init__(self, ops, block_size):
        self.ops, self.model = ops, Model(block_size)
        self.next, self.kept = 0, 0

    def begin_until(self, number):
        """Operations up to @number have been begun."""
        while self.next < len(self.ops) and self.ops[self.next][0] <= number:
            self.model.apply(*self.ops[self.next])
            self.next += 1

    def promise(self, number):
        """...and @number, the last one, is promised."""
        self.begin_until(number)
        self.kept = number
        self.model.promise(*self.ops[self.next - 1][1:])


# -- one cut -------------------------------------------------------------------------------------------------------

def judge(model, data, path):
    """Let the first e2fsck -p repair the disk @data, in the file @path, and compare it with what the model allows: what is
    wrong, as a list of sentences."""
    with open(path, "wb") as f:
        f.write(data[:FS_KIB * 1024])
    status, said = run_e2fsck(path, "-p")
    if status not in (0, 1):
        return [f"e2fsck -p: status {status}: {said}"]
    status, said = run_e2fsck(path, "-fn")
    if status:
        return [f"after it was repaired, e2fsck -fn: {said}"]
    with open(path, "rb") as f:
        return model.check(Image(bytearray(f.read())))


def choose_cuts(entries, marks, count, rng):
    """(entry, share of what is not durable that survives): flushes, promises, and anywhere."""
    first = marks[0][0] + 1
    flushes = [(i + 1, 0) for i in range(first, len(entries)) if entries[i].flush]
    promised = [(i, 0) for i, _ in marks[1:]]
    third = count // 3
    chosen = set(rng.sample(flushes, min(third, len(flushes))) + rng.sample(promised, min(third, len(promised))))
    while len(chosen) < count:
        chosen.add((rng.randrange(first, len(entries)), rng.choice((0, 0.1, 0.3, 0.5, 0.7, 0.9, 1))))
    return sorted(chosen)


def keep(run, cut, share, data, lines, known):
    """What it takes to look at a cut that failed again."""
    folder = f"{guest.LOGS}/cut-{run.name}-{cut}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/disk.img", "wb") as f:
        f.write(data[:FS_KIB * 1024])
    with open(f"{folder}/console", "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    with open(f"{folder}/about.json", "w", encoding="utf-8") as f:
        json.dump({"block_size": run.block_size, "promised": known[0], "begun": known[1], "cut": cut, "share": share},
                  f)
    return folder


def cut_run(run, work, count):
    """Boot once, cut often.  (cuts, failures, note)"""
    folder = f"{work}/{run.name}"
    os.makedirs(folder)
    image = make_disk(f"{folder}/disk.img", run.block_size)
    m = machine(run, folder, work, recorded_disk(f"{folder}/disk.img", f"{folder}/log"))
    outcome = guest.run(m, f"cuts-{run.name}", 120)
    failures = []
    if outcome.status != EXEC_DONE or "done" not in outcome.lines:
        return 0, [f"{run.name}: the writer does not come to its end; log: {outcome.log}"], ""
    entries = writelog.read(f"{folder}/log")
    marks = promises(entries)
    where = [i for i, _ in marks]
    rng = random.Random(run.seed)
    cuts = choose_cuts(entries, marks, count, rng)
    disk, story = writelog.Disk(image, entries, run.block_size), Story(operations(outcome.lines), run.block_size)
    kept = 0
    for cut, share in cuts:
        index = bisect.bisect_left(where, cut)    # promises before the cut
        while kept < index:
            story.promise(marks[kept][1])
            kept += 1
        begun = marks[index][1] if index < len(marks) else 1 << 30
        story.begin_until(begun)
        data = disk.image(cut, rng, share)
        wrong = judge(story.model, data, f"{folder}/cut.img")
        if wrong:
            folder_kept = ""
            if len(failures) < KEPT and not run.mutation:
                folder_kept = keep(run, cut, share, data, outcome.lines, (story.kept, begun))
            failures.append(f"{folder_kept}\n" + "\n".join(wrong))
    shutil.rmtree(folder)
    return len(cuts), failures, f"{len(entries)} entries, {len(marks)} promises, {outcome.seconds:.0f} s"


# -- kills ---------------------------------------------------------------------------------------------------------

def kill_run(run, work):
    """Kill QEMU in the middle of it: the disk is as the host's cache has it."""
    folder = f"{work}/kill-{run.name}"
    os.makedirs(folder)
    make_disk(f"{folder}/disk.img", run.block_size)
    m = machine(run, folder, work, (), (f"{folder}/disk.img",))
    wanted = random.Random(run.seed).randrange(50, OPERATIONS - 100)
    lines = []
    with subprocess.Popen(m.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as p:
        for raw in p.stdout:
            lines.append(raw.decode("utf-8", "replace").rstrip("\r\n"))
            if lines[-1].startswith(f"op {wanted} "):
                p.kill()
                break
        lines += [x.rstrip("\r") for x in p.stdout.read().decode("utf-8", "replace").split("\n")[:-1]]
    story = Story(operations(lines), run.block_size)
    for line in lines:
        if line.startswith("ack "):
            story.promise(int(line.split()[1]))
    if not story.kept:
        return ["the writer did not get to its first promise:\n" + "\n".join(lines[-10:])]
    story.begin_until(1 << 30)
    with open(f"{folder}/disk.img", "rb") as f:
        data = f.read()
    wrong = judge(story.model, data, f"{folder}/cut.img")
    if not wrong:
        shutil.rmtree(folder)
        return []
    return [keep(run, 0, 1, data, lines, (story.kept, 1 << 30)) + "\n" + "\n".join(wrong)]


# -- all of it -----------------------------------------------------------------------------------------------------

def replay(folder, explain):
    with open(f"{folder}/about.json", encoding="utf-8") as f:
        about = json.load(f)
    with open(f"{folder}/console", encoding="utf-8") as f:
        lines = f.read().split("\n")
    story = Story(operations(lines), about["block_size"])
    for line in lines:
        if line.startswith("ack ") and int(line.split()[1]) <= about["promised"]:
            story.promise(int(line.split()[1]))
    last = story.next
    story.begin_until(about["begun"])
    if explain:
        for op, kind, args in story.ops[max(last - 40, 0):story.next]:
            print(f"# {'promised' if op <= about['promised'] else 'begun   '} {op} {kind} {' '.join(args)}")
    with open(f"{folder}/disk.img", "rb") as f:
        wrong = judge(story.model, f.read(), f"{folder}/repaired.img")
    print("\n".join(wrong) or "nothing is wrong")
    return bool(wrong)


def first_lines(failures):
    return "\n".join(line for x in failures[:5] for line in x.splitlines()[:12])


def try_mutations(seed, count):
    """Each known bug must lose something."""
    report = Report()
    with tempfile.TemporaryDirectory(dir=scratch()) as work:
        compile_writer(work)
        for mutation in MUTATIONS:
            done, bad, _ = cut_run(Run(*RUNS[0], seed, mutation), work, count)
            report.check(done and bad, f"{mutation} is found by {done} cuts")
            report.note(f"{len(bad)} failures")
    return report.end()


def main():
    if len(sys.argv) == 3 and sys.argv[1] in ("--replay", "--explain"):
        return replay(sys.argv[2], sys.argv[1] == "--explain")
    env = os.environ.get
    cuts, kills = int(env("CUTS") or (5000 if LONG else 200)), int(env("KILLS") or (24 if LONG else 4))
    seed = int(env("CUT_SEED") or env("SEED") or time.time_ns() // 1000 % 1000000 + 1)
    if sys.argv[1:] == ["--mutations"]:
        os.makedirs(guest.LOGS, exist_ok=True)
        print(f"# CUT_SEED={seed}", flush=True)
        return try_mutations(seed, 1000)
    per_boot = int(env("CUTS_PER_BOOT") or min(cuts, 500 if LONG else 100))
    boots = [Run(*RUNS[i % len(RUNS)], seed + i) for i in range(-(-cuts // per_boot))]
    os.makedirs(guest.LOGS, exist_ok=True)
    print(f"# CUT_SEED={seed} CUTS={cuts} KILLS={kills}", flush=True)
    report, total, failures = Report(), 0, 0
    with tempfile.TemporaryDirectory(dir=scratch()) as work, concurrent.futures.ThreadPoolExecutor(2) as pool:
        compile_writer(work)
        for run, (done, bad, note) in zip(boots, pool.map(lambda r: cut_run(r, work, per_boot), boots)):
            total, failures = total + done, failures + len(bad)
            report.check(not bad, f"{done} cuts, {run.name}", first_lines(bad))
            report.note(note)
        runs = [Run(*RUNS[i % len(RUNS)], seed + 1000 + i) for i in range(kills)]
        for run, bad in zip(runs, pool.map(lambda r: kill_run(r, work), runs)):
            failures += len(bad)
            report.check(not bad, f"killed, {run.name}", first_lines(bad))
    report.note(f"{total} cuts, {failures} failures")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
