#!/usr/bin/env python3
"""make check: what can be judged without running anything.  KTAP on stdout, exit status 1 if anything failed."""
import glob
import os
import subprocess
import sys

from machine import FORMATS, SCRAMBLED, TOP



def sources(*endings):
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard"], stdout=subprocess.PIPE,
                            text=True, check=True).stdout.split()
    return [f for f in listed if f.endswith(endings) and os.path.exists(f"{TOP}/{f}")]


def kernel_builds():
    """Every kernel, debug and release, with -Werror."""
    jobs = str(os.cpu_count())
    for arch, paging in (*FORMATS, SCRAMBLED):
        for build in ("debug", "release"):
            command = ["make", "-s", f"-j{jobs}", "kernel", f"ARCH={arch}", f"PAGING={paging}", f"BUILD={build}"]
            yield f"builds with -Werror: {arch} {paging} {build}", command


def cppcheck(machine, *folders):
    return ["cppcheck", "--quiet", "--error-exitcode=1", "--std=c11", "--inline-suppr", f"-j{os.cpu_count()}",
            "--suppressions-list=tools/cppcheck.suppress", "--enable=warning,portability", "-I", ".", "-I",
            "arch/include", *machine, "-I", "arch/x86/include", "-DPTE_FORMAT_amd64=1", "-DBITS=64", "-DDEBUG=1", "-DKASAN=0",
            *folders]


def checks():
    yield "the layer rule", ["tools/check-layers"]
    yield "headers compile alone", ["tools/check-headers"]
    yield "no entry is looked into outside arch/", ["tools/check-opaque"]
    yield from kernel_builds()
    yield "formatted (clang-format)", ["clang-format", "--dry-run", "-Werror", *sources(".c", ".h")]
    yield "cppcheck", cppcheck([], "kernel", "mm", "boot", "arch/x86")
    yield "cppcheck of the simulated machine", cppcheck(["-I", "arch/host/include"], "arch/host")
    yield "docs/tour.md names files that exist, and every folder", ["tools/check-tour"]
    yield "docs/locking.md is what lockrank.h says", ["tools/make-locking", "--check"]
    yield "python compiles", [sys.executable, "-m", "py_compile", *sources(".py")]


def main():
    todo = list(checks())
    print(f"1..{len(todo)}")
    failed = 0
    for i, (name, command) in enumerate(todo, 1):
        done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, errors="replace")
        if done.returncode:
            failed += 1
            print("".join(f"# {line}\n" for line in done.stdout.splitlines()[-60:]), end="")
        print(f"{'not ok' if done.returncode else 'ok'} {i} {name}", flush=True)
    for cache in glob.glob(f"{TOP}/**/__pycache__", recursive=True):
        subprocess.run(["rm", "-rf", cache], check=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
