#!/usr/bin/env python3
"""Every planted bug of kernel/main/crash.c is caught: right exit code, and a report that shows registers, the page
walk where an address is to blame, and a backtrace that names the planted function.  KTAP.

usage: test_crash.py [CONFIG...]      x86_64-4level i386-pae i386-2level kasan; default: all
"""
import concurrent.futures
import dataclasses
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
from ktap import Report  # pylint: disable=wrong-import-position
from machine import Machine, build_kernel, status_name  # pylint: disable=wrong-import-position

SECONDS = 60
PANIC, EXCEPTION, DOUBLE = 37, 39, 41
WALK = True


@dataclasses.dataclass
class Case:
    status: int
    says: str           # regular expression
    walk: bool = False  # shows the way to an address


EVERYWHERE = {
    "null": Case(EXCEPTION, r"EXCEPTION: page fault .* in the kernel", WALK),
    "panic": Case(PANIC, r"PANIC: crash=panic"),
    "double": Case(DOUBLE, r"EXCEPTION: double fault", WALK),
    "stack": Case(DOUBLE, r"EXCEPTION: double fault", WALK),
    "deadlock": Case(PANIC, r"PANIC: lock order: LOCK_SLAB .* is taken under LOCK_BUDDY"),
    "sleep": Case(PANIC, r"PANIC: .*sleep"),
    "shift": Case(PANIC, r"PANIC: undefined behaviour at kernel/main/crash.c:\d+:\d+: shift of 1 .* by 40"),
    "bounds": Case(PANIC, r"PANIC: undefined behaviour at kernel/main/crash.c:\d+:\d+: index 4 outside 'int ?\[4\]'"),
    "table": Case(PANIC, r"PANIC: phys: frame \w+ was written after it was freed as a page table"),
}
DEBUG = EVERYWHERE | {
    "stackoob": Case(PANIC, r"PANIC: stack: crash_stackoob\S* wrote beyond an array"),
    "uaf": Case(PANIC, r"freed by crash_uaf(.|\n)*PANIC: slab: .* was written after it was freed"),
    "oob": Case(PANIC, r"allocated by crash_oob(.|\n)*PANIC: slab: .* somebody wrote behind it"),
    "free_twice": Case(PANIC, r"freed by crash_free_twice(.|\n)*PANIC: slab: .* is freed twice"),
    "frame": Case(PANIC, r"PANIC: phys: frame \w+ was written after it was freed:"),
}
KASAN = EVERYWHERE | {
    "null": Case(EXCEPTION, r"EXCEPTION: general protection .* in the kernel"),  # the shadow of 0 has no address
    "stackoob": Case(PANIC, r"KASAN: beyond a variable on the stack: 1 bytes written .* by crash_stackoob", WALK),
    "uaf": Case(PANIC, r"KASAN: use after free: 1 bytes written .* by crash_uaf(.|\n)*freed by crash_uaf", WALK),
    "oob": Case(PANIC, r"KASAN: beyond an allocation: .* by crash_oob(.|\n)*allocated by crash_oob", WALK),
    "free_twice": Case(PANIC, r"KASAN: use after free: .* by crash_free_twice", WALK),
    "global": Case(PANIC, r"KASAN: beyond a global variable: 1 bytes read .* by crash_global\S*\n.*variable table", WALK),
    "frame": Case(PANIC, r"KASAN: use of a freed page: 1 bytes written .* by crash_frame", WALK),
}
MACHINES = {
    "x86_64-4level": (Machine(), DEBUG),
    "i386-pae": (Machine(arch="i386", paging="pae"), DEBUG),
    "i386-2level": (Machine(arch="i386", paging="2level"), DEBUG),
    "kasan": (Machine(san="kasan", mem="1024"), KASAN),
}


def boot(m, name):
    m = dataclasses.replace(m, cmdline=f"crash={name}")
    try:
        done = subprocess.run(m.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SECONDS, check=False)
        return done.returncode, done.stdout.decode("utf-8", "replace").replace("\r", "")
    except subprocess.TimeoutExpired as e:
        return -1, (e.stdout or b"").decode("utf-8", "replace").replace("\r", "")


def wrong(name, case, status, text):
    """What is not as it should be; empty: nothing."""
    if status != case.status:
        return f"ends with '{status_name(status)}', not '{status_name(case.status)}'"
    if not re.search(case.says, text):
        return f"does not say {case.says}"
    if not re.search(r"^(rip|eip|sp) [0-9a-f]+ ", text, re.M):
        return "no registers"
    trace = text.rsplit("backtrace:\n", 1)
    if len(trace) < 2 or not re.search(rf"^  [0-9a-f]+ crash_{name}\w*\+0x", trace[1], re.M):
        return f"no backtrace that names crash_{name}"
    if case.walk and not re.search(r"^page table of [0-9a-f]+, root [0-9a-f]+:\n  level \d", text, re.M):
        return "no page walk"
    return ""


def main():
    chosen = sys.argv[1:] or list(MACHINES)
    jobs = [(config, *MACHINES[config][:1], name, case) for config in chosen for name, case in MACHINES[config][1].items()]
    for config in chosen:
        build_kernel(MACHINES[config][0])
    report = Report()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = pool.map(lambda job: boot(job[1], job[2]), jobs)
        for (config, _, name, case), (status, text) in zip(jobs, outcomes):
            detail = wrong(name, case, status, text)
            report.check(not detail, f"hardening.{config} crash={name}", "\n".join([detail, *text.splitlines()[-40:]]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
