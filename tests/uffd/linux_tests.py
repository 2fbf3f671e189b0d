#!/usr/bin/env python3
"""Linux's own tests of userfaultfd, unmodified, on Pteron: what they say, as KTAP.

usage: linux_tests.py ARCH PAGING

Their source (tools/testing/selftests/mm of Linux 6.12) comes from the distribution's package linux-source-6.12, fetched with apt
into build/cache at need, and is built there as it is.  docs/userfaultfd.md says what is skipped and why.
"""
import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
import exec as pteron_exec  # noqa: E402  pylint: disable=wrong-import-position
import guest  # noqa: E402  pylint: disable=wrong-import-position
import linux  # noqa: E402  pylint: disable=wrong-import-position
from machine import Machine, build  # noqa: E402  pylint: disable=wrong-import-position

PACKAGE = "linux-source-6.12"
SOURCES = f"{linux.CACHE}/{PACKAGE}"
TESTS = f"{SOURCES}/tools/testing/selftests/mm"
WANTED = ("tools/testing/selftests/mm/uffd-*", "tools/testing/selftests/mm/vm_util.*", "tools/testing/selftests/mm/thp_settings.*",
          "tools/testing/selftests/kselftest.h", "tools/include/uapi/*", "tools/arch/x86/include/*", "mm/gup_test.h")
COMPILERS = {"x86_64": "x86_64-linux-gnu-gcc", "i386": "i686-linux-gnu-gcc"}

STRESS = [("uffd-stress", kind, "8", "4") for kind in ("anon", "shmem", "shmem-private")]
# Programs with their arguments.  32-bit Linux has no write protection, so what these tests of it do there nobody has seen: they
# make numbers of pointers, and those of the upper half negative.  The others are run one kind at a time.
RUNS = {
    "x86_64": [("uffd-unit-tests",), *STRESS],
    "i386": [*(("uffd-unit-tests", "-f", kind) for kind in ("register-ioctls", "zeropage", "move", "minor", "events", "poison")), *STRESS],
}
PASSES = {"x86_64": 41, "i386": 20}  # of the unit tests, at least
ENDING = r"Userfaults unit tests: pass=\d+, skip=\d+, fail=0"
# What may be skipped: there is no hugetlbfs, and MADV_COLLAPSE is for anonymous memory.
SKIPPED = (r"on hugetlb", r"minor-collapse on shmem$")
LINE = re.compile(r"Testing (.*?)\.\.\. (done|skipped|failed)(.*)")


def fetch():
    """The sources, in the cache; False if they cannot be had."""
    if os.path.exists(TESTS):
        return True
    with tempfile.TemporaryDirectory() as d:
        if not linux.download(PACKAGE, d):
            return False
        os.makedirs(linux.CACHE, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=linux.CACHE) as to:
            subprocess.run(["tar", "-xJf", f"{d}/x/usr/src/{PACKAGE}.tar.xz", "-C", to, "--strip-components=1", "--wildcards",
                            *(f"*/{w}" for w in WANTED)], check=True)
            os.chmod(to, 0o755)
            with contextlib.suppress(OSError):  # another lane was faster
                os.rename(to, SOURCES)
                os.mkdir(to)  # for who removes it
    return True


def compiled(arch, program):
    out = f"{SOURCES}/{program}-{arch}"
    if not os.path.exists(out):
        subprocess.run([COMPILERS[arch], "-static", "-O2", "-w", "-pthread", f"-I{SOURCES}", "-isystem", f"{SOURCES}/tools/include/uapi",
                        "-o", out, f"{program}.c", "uffd-common.c", "vm_util.c", "thp_settings.c"], check=True, cwd=TESTS)
    return out


def run(m, program, arguments):
    """(console's lines, did it exit with 0?)"""
    with tempfile.TemporaryDirectory() as work:
        disk = pteron_exec.program_disk(work, compiled(m.arch, program), arguments)
        m = dataclasses.replace(m, cmdline="quiet root=vda exec=vdb", disks=(f"{m.out}/root.img,snapshot=on", disk))
        outcome = guest.run(m, f"uffd-linux-{m.arch}-{m.paging}", 600)
    return [line.strip() for line in outcome.lines], outcome.status == pteron_exec.EXEC_BASE << 1 | 1


def results(name, lines, good):
    """(title, passed, skipped, detail) of what one program said."""
    for test, verdict, detail in [match.groups() for match in map(LINE.search, lines) if match]:
        skipped = verdict == "skipped" and any(re.search(s, test) for s in SKIPPED)
        yield test, verdict == "done" or skipped, skipped, detail.strip()
    if "unit" in name:
        good = good and any(re.search(ENDING, line) for line in lines)
    yield f"{name} comes to its end", good, False, "" if good else " | ".join(lines[-3:])


def main():
    arch, paging = sys.argv[1:]
    if not fetch():
        print("1..0 # SKIP the sources of Linux cannot be had")
        return 0
    m = Machine(arch=arch, paging=paging, mem="1024", smp=2)
    build(m)
    n = bad = done = 0
    for program, *arguments in RUNS[arch]:
        lines, good = run(m, program, arguments)
        for title, passed, skipped, detail in results(" ".join((program, *arguments)), lines, good):
            n += 1
            bad += not passed
            done += passed and not skipped and not title.endswith("to its end")
            print(f"{'ok' if passed else 'not ok'} {n} {title}{' # SKIP' if skipped else ''}", flush=True)
            if detail:
                print(f"# {detail}")
    print(f"{'ok' if done >= PASSES[arch] else 'not ok'} {n + 1} {done} of Linux's tests have passed\n1..{n + 1}")
    return bad or done < PASSES[arch]


if __name__ == "__main__":
    sys.exit(main())
