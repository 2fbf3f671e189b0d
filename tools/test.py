#!/usr/bin/env python3
"""make test: every lane there is, and one line at the end: N passed, N failed, N skipped.

usage: test.py [--lanes GLOB[,GLOB...]] [--list]

LONG=1 adds storms of a minute each, twenty on every format.  SEED=n repeats a run's random choices; without it
they differ each time, and the seed is printed.

A lane is a function that returns results.  Lanes run two at a time; each keeps its log in build/log.  On a
failure the one command that repeats it is printed.
"""
import argparse
import concurrent.futures
import dataclasses
import fnmatch
import os
import shutil
import subprocess
import sys
import threading
import time

import guest
from guest import LOGS, Result
from machine import EXIT_FAIL, EXIT_PASS, FORMATS, SCRAMBLED, TOP, Machine, make, make_iso, suite_disks, suite_words

PRINT = threading.Lock()
LONG = os.environ.get("LONG") == "1"
SEED = int(os.environ.get("SEED") or time.time_ns() // 1000 % 1000000 + 1)


@dataclasses.dataclass
class Lane:
    name: str
    run: object        # () -> list of Result
    repeat: str        # the command that repeats it


def command_lane(name, command, seconds, repeat):
    """A host command: its KTAP lines are the results, or, if it prints none, its exit status is."""
    def run():
        os.makedirs(LOGS, exist_ok=True)
        path = f"{LOGS}/{name}.log"
        try:
            done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                                  check=False, text=True, errors="replace")
            text, status = done.stdout, done.returncode
        except subprocess.TimeoutExpired as e:
            text, status = (e.stdout or b"").decode("utf-8", "replace") + "\ntime limit\n", -1
        with open(path, "w", encoding="utf-8") as log:
            log.write(text)
        results = guest.parse(text.splitlines())
        if status or not results:
            results.append(Result(" ".join(command), status == 0, detail=f"exit status {status}"))
        return results
    return Lane(name, run, repeat)


def machine(arch, paging, **changes):
    m = Machine(arch=arch, paging=paging, **changes)
    return dataclasses.replace(m, disks=suite_disks(m) if m.fw == "direct" else ())


def words(glob, *more):
    """What the kernel's command line says about the suite."""
    return " ".join([f"tests={glob}", f"suite.seed={SEED}", *more])


def repeat_command(m, glob, *more):
    return (f"make guest ARCH={m.arch} PAGING={m.paging} {f'SAN={m.san} ' if m.san else ''}{f'DISK={m.disk} ' if m.disk != 'virtio' else ''}{'IOMMU=1 ' if m.iommu else ''}FW={m.fw} SMP={m.smp} MEM={m.mem} TESTS='{glob}' "
            f"APPEND='{' '.join([f'suite.seed={SEED}', *more])}'")


def guest_lane(m, glob, seconds, name=None, more=(), repeat=None):
    """The ring-3 suite (and the contract tests) on one machine."""
    name = name or f"guest-{m.arch}-{m.paging}-{m.fw}"
    m = dataclasses.replace(m, cmdline=suite_words(m) + words(glob, *more), iso=f"{LOGS}/{name}.iso")

    def run():
        if m.fw != "direct":
            make_iso(m, m.iso, words(glob, *more))
        outcome = guest.run(m, name, seconds)
        if m.fw != "direct":
            os.unlink(m.iso)
        return outcome.results + [guest.verdict(outcome)]
    return Lane(name, run, repeat or repeat_command(m, glob, *more))


def bigfile_lane(arch, paging):
    """A real file, remapped page by page in ring 3, checked afterwards from outside by e2fsprogs."""
    name = f"bigfile-{arch}-{paging}"
    m = Machine(arch=arch, paging=paging, smp=2)

    def run():
        image = f"{m.out}/bigfile.img"
        work = dataclasses.replace(m, disks=(image,), cmdline="root=vda tests=none run=/bin/reverse64m,/bigfile")
        source = f"{TOP}/build/bigfile"
        if not os.path.exists(source):
            subprocess.run([sys.executable, f"{TOP}/tests/host/make_bigfile.py", source + ".tmp" + name], check=True)
            os.replace(source + ".tmp" + name, source)
        subprocess.run([f"{TOP}/tools/make_root.py", "--arch", arch, "--programs", f"{m.out}/user", "--out", image,
                        "--size", "160", "--sources", "--add", f"{source}:/bigfile"], check=True)
        outcome = guest.run(work, name, 240)
        results = outcome.results + [guest.verdict(outcome)]
        if outcome.status == guest.EXIT_PASS:
            done = subprocess.run([sys.executable, f"{TOP}/tests/host/check_reverse64m.py", image], check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            results += guest.parse(done.stdout.splitlines())
            if done.returncode:
                results.append(Result("the image, checked by e2fsprogs", False, detail=done.stdout[-400:]))
            os.unlink(image)
        return results
    return Lane(name, run, f"make test LANES={name}")


# PAE with frames on both sides of 4 GiB, half of this machine's memory each.
BOTH_SIDES = {"mem": "512", "extra": ("-machine", "max-ram-below-4g=256M")}

# Known bugs that a debug kernel can be told to have (mutate=M2), the test that must notice, and on which formats.
# Those of a race are tests in chosen orders, at sync points: they notice every time.
AMD64, PAE, TWO_LEVEL = FORMATS
MUTATIONS = (
    ("M1", "T0-19s", FORMATS),
    ("M2", "T0-19fs", FORMATS),
    ("M1", "T3-03s", FORMATS),
    ("M1", "T3-05", (AMD64,)),
    ("M3", "T3-03s", FORMATS),
    ("M3", "T3-05", (AMD64,)),
    ("M4", "T0-18s", FORMATS),
    ("M5", "T0-18t", FORMATS),
    ("M10", "T3-04a", FORMATS),
    ("M11", "T1-16s", FORMATS),
    ("M12", "T1-17", FORMATS),
    ("M13", "T1-06s", FORMATS),
    ("M14", "T0-09*", (AMD64, PAE)),        # there is no NX in the third
    ("M15", "T0-06*", (AMD64, TWO_LEVEL)),  # no offset is too large for PAE
    ("M16", "T0-07*", FORMATS),
    ("M17", "T0-14*", FORMATS),
    ("M18", "T0-17s", FORMATS),
    ("M20", "T4-08s", (PAE,)),
    ("M20", "T4-09s", (PAE,)),
    ("M21", "T4-07s", FORMATS),
    ("M22", "T3-08a", FORMATS),
    ("M22", "T3-08", (AMD64,)),
    ("M131", "T3-19", (PAE,)),
    ("M132", "T3-02", (TWO_LEVEL,)),
    ("M133", "T3-V26", (AMD64,)),           # the guest's TLB is not flushed
    ("M134", "T3-I05", (AMD64,)),           # the IOTLB is not flushed
    ("M19", "RECLAIM-02", FORMATS),
    ("M101", "T1-11", FORMATS),             # no copy of a page under a write pin
    ("M6", "T2-18", (AMD64,)),
    ("M7", "T2-04", (PAE,)),
    ("M8", "T2-15", FORMATS),
    ("M9", "T2-20", (TWO_LEVEL,)),
    ("M191", "SWAP-37", FORMATS),           # an old content takes a newer one's place
    ("M160", "T2-24", (AMD64,)),            # a fault is queued for its program and not looked at again
    ("M181", "T1-08", (AMD64,)),            # who refers to a page that is moved is not asked
    ("M182", "MIGRATE-04", (PAE,)),         # its dirty bit is forgotten
    ("M183", "T2-17", (TWO_LEVEL,)),        # who waits for it refers to it
    ("M184", "T1-08", (TWO_LEVEL,)),        # a pinned page is merged
)


def kill(name, tests, m):
    """Boot with the bug; it is killed if the test fails, or if the kernel itself notices while the test runs.  A
    survivor is a missing test, and a machine that does not get to the test, or just hangs, has told nobody."""
    m = dataclasses.replace(m, cmdline=suite_words(m) + words(tests, f'mutate={name}'))
    outcome = guest.run(m, f"mutation-{name}-{tests.strip('*')}-{m.paging}", 120)
    noticed = [r.name for r in outcome.results if not r.passed]
    began = any(line.startswith("1..") for line in outcome.lines)
    killed = began and outcome.status not in (EXIT_PASS, -1) and (noticed or outcome.status != EXIT_FAIL)
    by = noticed[0] if noticed else guest.verdict(outcome).detail
    return Result(f"mutation {name} is killed by {tests} ({m.arch} {m.paging})", bool(killed), detail=by if killed else
                  f"it survives ({guest.verdict(outcome).detail}); log: {os.path.relpath(outcome.log, TOP)}; repeat: " +
                  repeat_command(m, tests, f"mutate={name}"))


def mutation_lane(part):
    all_of_them = [(name, tests, *f) for name, tests, formats in MUTATIONS for f in formats]

    def run():
        return [kill(name, tests, machine(arch, paging, smp=4, iommu="T3-I" in tests)) for name, tests, arch, paging in all_of_them[part::2]]
    return Lane(f"mutations-{part + 1}", run, f"make test LANES=mutations-{part + 1} SEED={SEED}")


# What one CPU, two and eight run: the basics of memory, and each kind of race in chosen orders; with LONG=1 the storms.
FEW = "mm*,cow*,T0-01*,T0-07*,T0-18[st],T0-19s,T4-07s,T4-10,T4-11"
MORE = "mm*,cow*,thread*,T0-01*,T0-07*,T0-18*,T0-19*,T4-07*,T4-10*,T4-11*,T4-15*"


# What runs with its root on an NVMe disk: what uses disks.
ON_NVME = "mm*,disk*,ext2*,cache*,direct*,T0-17*,T0-2[345]*,T1-14*,T1-21*"


def smp_lanes():
    """The suite on four CPUs on every format, the adversarial one too; less of it on other numbers of them."""
    out = []
    for arch, paging in (*FORMATS, SCRAMBLED):
        # Storms of guests (T3-V2x) once hung (docs/secondary.md): with LONG=1 only, until many runs have shown that they do no more.
        out.append(guest_lane(machine(arch, paging, smp=4), "*" if LONG else "*,!T3-V2*", 900, more=("suite.storms=3",) if LONG else ()))
    for (arch, paging), smp in zip(FORMATS, (8, 2, 1)):
        out.append(guest_lane(machine(arch, paging, smp=smp), MORE if LONG else FEW, 240, f"cpus-{smp}-{arch}-{paging}"))
    if not LONG:
        return out
    out.append(guest_lane(machine("i386", "pae", smp=4, **BOTH_SIDES), "mm*,T0-01*,T1-01*,T4-08*,T4-09*", 200,
                          "guest-i386-pae-both-sides", repeat="make test LANES=guest-i386-pae-both-sides"))
    for arch, paging in FORMATS:
        out.append(guest_lane(machine(arch, paging, smp=4), "T0-20*", 20 * 100, f"storms-{arch}-{paging}",
                              ("suite.storms=20", "suite.storm=60")))
        out.append(guest_lane(machine(arch, paging), "T0-28*", 3600, f"guest-mmu-{arch}-{paging}", ("suite.guest=1000000",)))
    return out


def lanes():
    out = [
        command_lane("check", ["make", "-s", "check"], 600, "make check"),
        command_lane("host", ["make", "-s", "host", "MODEL_SECONDS=10"], 14400 if LONG else 900, "make host"),
        *smp_lanes(), mutation_lane(0), mutation_lane(1),
    ]
    for arch, paging in FORMATS:
        out.append(bigfile_lane(arch, paging))
        out.append(guest_lane(machine(arch, paging, smp=4, mem="32"), "T0-12*,T4-12*,T1-07,RECLAIM-*,mlock*,SWAP-0*",
                              1800 if LONG else 300, f"reclaim-{arch}-{paging}",
                              ("suite.storm=60", "suite.cycles=10000") if LONG else ("suite.storm=2", "suite.cycles=100")))
    for arch, paging in FORMATS[:2]:
        out.append(guest_lane(machine(arch, paging, smp=4, disk="nvme"), ON_NVME, 240, f"nvme-{arch}-{paging}"))
    out.append(guest_lane(machine("i386", "pae", smp=4, mem="6144"), "mm*,T0-01*,T1-01*,SWAP-0*,T2-*,X-*,thp*", 400, "guest-i386-pae-6G"))
    out.append(guest_lane(machine("x86_64", "4level", smp=4, iommu=True), "T3-I*,T1-*,disk*,ext2*", 300, "guest-x86_64-4level-iommu"))
    for arch, paging in FORMATS:
        out.append(guest_lane(machine(arch, paging, fw="bios", smp=2), "T0-01*,T0-07*,mm*", 120))
    out.append(guest_lane(machine("x86_64", "4level", fw="uefi", mem="1024", smp=2), "T0-01*,T0-07*,mm*", 200))
    os.environ["SEED"] = str(SEED)    # for those that choose themselves
    for arch, paging in FORMATS:
        out.append(command_lane(f"gdb-{arch}-{paging}", [sys.executable, "tests/gdb/run.py", arch, paging], 180,
                                f"make test LANES=gdb-{arch}-{paging}"))
        out.append(command_lane(f"gdb-stub-{arch}-{paging}", [sys.executable, "tests/gdb/test_stub.py", arch, paging], 400,
                                f"make test LANES=gdb-stub-{arch}-{paging} SEED={SEED}"))
    for arch, paging in (*FORMATS, SCRAMBLED):
        out.append(command_lane(f"gdb-commands-{arch}-{paging}", [sys.executable, "tests/gdb/test_commands.py", arch, paging], 240,
                                f"make test LANES=gdb-commands-{arch}-{paging}"))
    for arch, paging in FORMATS:
        out.append(command_lane(f"gdb-walk-{arch}-{paging}", [sys.executable, "tests/gdb/test_walk.py", arch, paging], 240,
                                f"make test LANES=gdb-walk-{arch}-{paging}"))
    if LONG:
        for arch, paging in FORMATS: # ten minutes: no store of a device is lost
            out.append(guest_lane(machine(arch, paging, smp=4), "T1-15,T1-06,X-06", 1500, f"pins-{arch}-{paging}",
                                  ("suite.dma=600",)))
        out.append(command_lane("hardening", [sys.executable, "tests/host/test_crash.py"], 600, "make test LANES=hardening"))
        out.append(guest_lane(machine("x86_64", "4level", san="kasan", mem="1024"), "*", 900, "guest-kasan"))
    out.append(command_lane("exec", [sys.executable, "tests/host/test_exec.py"], 240, "make test LANES=exec"))
    for arch in ("x86_64", "i386"):
        out.append(command_lane(f"oracle-{arch}", ["env", f"ARCH={arch}", "tools/oracle.py", "--recorded"], 240,
                                f"make test LANES=oracle-{arch}"))
    if LONG:
        for arch, paging in FORMATS[:2]:
            out.append(command_lane(f"uffd-linux-{arch}-{paging}", [sys.executable, "tests/uffd/linux_tests.py", arch, paging], 3000,
                                    f"make test LANES=uffd-linux-{arch}-{paging} LONG=1"))
        out.append(command_lane("oracle-linux", ["make", "-s", "oracle", "COUNT=20000"], 14400, "make oracle COUNT=20000"))
    out.append(command_lane("disks", [sys.executable, "tests/host/test_disks.py"], 240, "tests/host/test_disks.py"))
    out.append(command_lane("cuts", [sys.executable, "tests/crash/test_cuts.py"], 3600 if LONG else 240,
                            f"make test LANES=cuts SEED={SEED}"))
    out.append(command_lane("fsx", [sys.executable, "tests/fsx/test_fsx.py"], 9000 if LONG else 400,
                            f"make test LANES=fsx SEED={SEED}"))
    if LONG:
        out.append(command_lane("cuts-mutations", [sys.executable, "tests/crash/test_cuts.py", "--mutations"], 900,
                                "make test LANES=cuts-mutations"))
    out.append(command_lane("programs", [sys.executable, "tests/host/test_programs.py"], 400, "make test LANES=programs"))
    out.append(command_lane("shell", [sys.executable, "tests/host/test_shell.py"], 240, "make test LANES=shell"))
    return out


def build_all():
    """Everything that the lanes boot, built before they start: they must not build over each other."""
    for arch, paging in FORMATS:
        make("kernel", "root", "ramdisk", ARCH=arch, PAGING=paging)
    make("kernel", "root", ARCH=SCRAMBLED[0], PAGING=SCRAMBLED[1])
    if LONG:
        make("kernel", "root", ARCH="x86_64", PAGING="4level", SAN="kasan")


def report(lane, results, seconds):
    failed = [r for r in results if not r.passed]
    with PRINT:
        skipped = sum(r.skipped for r in results)
        print(f"{'not ok' if failed else 'ok    '} {lane.name:28} {len(results) - len(failed) - skipped:4} passed "
              f"{len(failed):3} failed {skipped:3} skipped  {seconds:5.0f} s", flush=True)
        for r in failed:
            print(f"         {r.name}  {r.detail}")
        if failed:
            print(f"         log: build/log/{lane.name}.log   repeat: {lane.repeat}", flush=True)


def run_lane(lane):
    began = time.monotonic()
    try:
        results = lane.run()
    except Exception as e:  # pylint: disable=broad-except
        results = [Result(f"lane {lane.name}", False, detail=repr(e))]
    report(lane, results, time.monotonic() - began)
    return results


def same_list(one, other, results):
    """T4-17: two lanes, if both were run, had the same tests with the same ends."""
    if not {one, other} <= results.keys():
        return
    ends = [{(r.name, r.passed, r.skipped) for r in results[lane]} for lane in (one, other)]
    odd = sorted({name for name, _, _ in ends[0] ^ ends[1]})
    lane = Lane("same-list-scrambled", None, f"make test LANES={one},{other} SEED={SEED}")
    results[lane.name] = [Result(f"T4-17 {other} has the pass list of {one}", not odd, detail=", ".join(odd))]
    report(lane, results[lane.name], 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--lanes", default=os.environ.get("LANES") or os.environ.get("LANE") or "*")
    p.add_argument("--list", action="store_true")
    args = p.parse_args()
    globs = args.lanes.split(",")
    chosen = [x for x in lanes() if any(fnmatch.fnmatch(x.name, g) or x.name.startswith(g) for g in globs)]
    if args.list:
        print("\n".join(x.name for x in chosen))
        return 0
    if not chosen:
        sys.exit(f"no lane matches {args.lanes}")
    shutil.rmtree(LOGS, ignore_errors=True)
    build_all()
    print(f"SEED={SEED}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        by_lane = dict(zip([x.name for x in chosen], pool.map(run_lane, chosen)))
    same_list("guest-x86_64-4level-direct", "guest-x86_64-scrambled-direct", by_lane)
    results = [r for lane_results in by_lane.values() for r in lane_results]
    passed = sum(r.passed and not r.skipped for r in results)
    failed = sum(not r.passed for r in results)
    skipped = sum(r.passed and r.skipped for r in results)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
