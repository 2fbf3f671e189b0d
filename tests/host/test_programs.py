#!/usr/bin/env python3
"""Programs that nobody wrote for Pteron, unmodified, on both widths: busybox and its applets, POSIX threads with glibc and musl,
static and dynamic.  Each must print what it prints on this machine; /proc/unimplemented must name the calls that were asked for
in vain, and none that these programs need.  KTAP."""
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
import guest  # noqa: E402  pylint: disable=wrong-import-position
from ktap import Report  # noqa: E402  pylint: disable=wrong-import-position
from machine import Machine  # noqa: E402  pylint: disable=wrong-import-position

HERE = f"{TOP}/tests/programs"
# What the C libraries ask for and do without, as on any older kernel.
DONE_WITHOUT = {"rseq", "clone3"}
LIBRARIES = ("/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libgcc_s.so.1",
             "/lib/ld-musl-x86_64.so.1")
# name: (compiler, options)
BUILDS = {
    "x86_64": {"glibc-static": ("x86_64-linux-gnu-gcc", ["-static"]), "glibc-dynamic": ("x86_64-linux-gnu-gcc", []),
               "musl-static": ("musl-gcc", ["-static"]), "musl-dynamic": ("musl-gcc", [])},
    "i386": {"glibc-static": ("i686-linux-gnu-gcc", ["-static"])},
}
ALL = """mkdir /tmp/applets
echo === applets
busybox sh /programs/applets.sh /bin/busybox /tmp/applets 2>&1 | cat
for p in {names}; do echo === $p; /programs/$p 2>&1 | cat; done
echo === asked
cat /proc/unimplemented
echo === unknown
/programs/unknown
echo === counted
cat /proc/unimplemented
echo === end
"""


def compile_all(arch, work):
    for name, (compiler, options) in BUILDS[arch].items():
        subprocess.run([compiler, "-O1", *options, "-o", f"{work}/{name}", f"{HERE}/threads.c", "-pthread"], check=True)
    compiler = BUILDS[arch]["glibc-static"][0]
    subprocess.run([compiler, "-O1", "-static", "-o", f"{work}/unknown", f"{HERE}/unknown.c"], check=True)
    shutil.copy(f"{HERE}/applets.sh", work)
    with open(f"{work}/all", "w", encoding="ascii") as f:
        f.write(ALL.format(names=" ".join(BUILDS[arch])))


def output_here(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, timeout=120)
    return [line.rstrip() for line in done.stdout.splitlines()]


def expected_here():
    """{part: lines} on this machine, whose Linux is as good as another for this; the programs are 64-bit ones."""
    with tempfile.TemporaryDirectory() as work:
        compile_all("x86_64", work)
        os.mkdir(f"{work}/applets")
        busybox = f"{TOP}/build/cache/busybox-x86_64"
        found = {name: output_here([f"{work}/{name}"]) for name in BUILDS["x86_64"]}
        found["applets"] = output_here([busybox, "sh", f"{work}/applets.sh", busybox, f"{work}/applets"])
    return found


def output_there(arch):
    """{part: lines} on Pteron."""
    m = Machine(arch=arch, paging="4level" if arch == "x86_64" else "pae", cmdline='quiet root=vda script="sh /programs/all"')
    parts, part = {}, []
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(f"{work}/programs")
        compile_all(arch, f"{work}/programs")
        add = [f"{work}/programs:/programs"] + ([f"{path}:{path}" for path in LIBRARIES] if arch == "x86_64" else [])
        subprocess.run([f"{TOP}/tools/make_root.py", "--arch", arch, "--programs", f"{m.out}/user", "--out", f"{work}/root.img",
                        *(word for pair in add for word in ("--add", pair))], check=True)
        outcome = guest.run(dataclasses.replace(m, disks=(f"{work}/root.img,snapshot=on",)), f"programs-{arch}", 300)
    for line in outcome.lines:
        if line.startswith("=== "):
            part = parts[line[4:].strip()] = []
        else:
            part.append(line.rstrip())
    return parts


def names_of(lines):
    """{name: count} of lines of /proc/unimplemented."""
    return {words[3]: int(words[2]) for words in map(str.split, lines) if len(words) == 4}


def difference(want, got):
    return "\n".join(f"here {a!r}, there {b!r}" for a, b in zip(want, got) if a != b) or f"{len(want)} lines here, {len(got)} there"


def run_one(report, arch, want):
    got = output_there(arch)
    if not report.check("end" in got, f"programs {arch}: all of them run", got):
        return
    for name in ("applets", *BUILDS[arch]):
        report.check(got.get(name) == want[name] and len(want[name]) > 5 and not any("WRONG" in line for line in want[name]),
                     f"programs {arch}: {name} as on this machine", difference(want[name], got.get(name, [])))
    asked, counted = names_of(got["asked"]), names_of(got["counted"])
    report.check(set(asked) <= DONE_WITHOUT, f"programs {arch}: no call is missed that they need", asked)
    report.check(counted.get("ptrace") == 2 and got["unknown"] == ["unknown calls: ENOSYS"] and len(counted) == len(asked) + 2,
                 f"programs {arch}: what is asked for in vain is named and counted", counted)


def main():
    report = Report()
    want = expected_here()
    for arch in BUILDS:
        run_one(report, arch, want)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
