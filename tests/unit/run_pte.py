#!/usr/bin/env python3
"""Build and run, for every entry format, tests/unit/test_pte.c and tests/unit/test_pte_values.c; KTAP to stdout.

usage: run_pte.py [all]     "all" (or LONG=1) also decodes each of the 2^32 values of the 4-byte format, and more of
                            the 8-byte ones: a minute on two CPUs
"""
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMON = ["tests/contract/views.c", "arch/x86/mm/pte_view.c", "kernel/lib/harness.c"]
CONTRACT = ["tests/unit/test_pte.c", "tests/contract/table.c", "tests/contract/pte_soft.c", "tests/contract/pte_page.c",
            "tests/contract/pte_huge.c", "tests/contract/hw_pte.c", "tests/contract/pte_format.c", "arch/x86/mm/pte_format.c"]
VALUES = ["tests/unit/test_pte_values.c", "kernel/lib/printf.c"]
X86_64 = ["x86_64-linux-gnu-gcc", "-m64", "-DBITS=64"]
I386 = ["i686-linux-gnu-gcc", "-static", "-march=i686", "-DBITS=32"]
FORMATS = {"amd64": X86_64, "pae": I386, "i386": I386, "scrambled": X86_64}
FLAGS = ["-std=gnu11", "-g", "-DDEBUG=1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fwrapv",
         "-fno-builtin", "-pthread", "-iquote", ".", "-I", "arch/include", "-I", "arch/x86/include"]
ALL = "all" in sys.argv[1:] or os.environ.get("LONG") == "1"


def programs():
    """(name, compiler, optimisation, format, sources, arguments)"""
    for name, compiler in FORMATS.items():
        yield "pte." + name, compiler, ["-O2"], name, CONTRACT, []
    for name, compiler in FORMATS.items():
        words = ["all"] * ALL + [str(os.cpu_count())]
        if ALL:  # the 4-byte format is a 32-bit machine's, but a 64-bit program is twice as fast
            compiler = X86_64 if name == "i386" else compiler
        yield "pte_values." + name, compiler, ["-O3", "-flto=auto"], name, VALUES, words


def build(program, directory):
    name, compiler, optimise, form, sources, _ = program
    binary = os.path.join(directory, name)
    return binary, subprocess.run([*compiler, *FLAGS, *optimise, f"-DPTE_FORMAT_{form}=1", *sources, *COMMON, "-o", binary],
                                  cwd=ROOT, check=False).returncode == 0


def main():
    failed = 0
    todo = list(programs())
    print(f"KTAP version 1\n1..{len(todo)}", flush=True)
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(os.cpu_count()) as pool:
        built = list(pool.map(lambda program: build(program, directory), todo))
        for number, (program, (binary, ok)) in enumerate(zip(todo, built), 1):
            if ok:
                run = subprocess.run([binary, *program[5]], stdout=subprocess.PIPE, text=True, check=False)
                ok = run.returncode == 0
                sys.stdout.write("".join(f"  {line}\n" for line in run.stdout.splitlines()))
            print(f"{'' if ok else 'not '}ok {number} - unit.{program[0]}", flush=True)
            failed += not ok
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
