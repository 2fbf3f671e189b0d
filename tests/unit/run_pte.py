#!/usr/bin/env python3
"""Build and run tests/unit/test_pte.c for the three entry formats on this machine; KTAP to stdout.

usage: run_pte.py [all]     "all" also decodes each of the 2^32 values of the 4-byte format (minutes)
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = ["tests/unit/test_pte.c", "tests/contract/table.c", "tests/contract/views.c", "tests/contract/pte_soft.c",
           "tests/contract/pte_page.c", "tests/contract/hw_pte.c", "arch/x86/mm/pte_view.c", "kernel/lib/harness.c"]
FORMATS = [
    ("amd64", ["x86_64-linux-gnu-gcc", "-m64", "-DBITS=64"]),
    ("pae", ["i686-linux-gnu-gcc", "-static", "-march=i686", "-DBITS=32"]),
    ("i386", ["i686-linux-gnu-gcc", "-static", "-march=i686", "-DBITS=32"]),
]
FLAGS = ["-std=gnu11", "-O2", "-g", "-DDEBUG=1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fwrapv",
         "-fno-builtin", "-iquote", ".", "-I", "arch/include", "-I", "arch/x86/include"]


def main():
    failed = 0
    print("KTAP version 1\n1..%d" % len(FORMATS), flush=True)
    with tempfile.TemporaryDirectory() as tmp:
        for number, (name, compiler) in enumerate(FORMATS, 1):
            binary = os.path.join(tmp, name)
            built = subprocess.run(compiler + FLAGS + ["-DPTE_FORMAT_%s=1" % name] + SOURCES + ["-o", binary], cwd=ROOT)
            ok = built.returncode == 0
            if ok:
                run = subprocess.run([binary] + sys.argv[1:], stdout=subprocess.PIPE, text=True)
                ok = run.returncode == 0
                sys.stdout.write("".join("  %s\n" % line for line in run.stdout.splitlines()))
            print("%sok %d - unit.pte.%s" % ("" if ok else "not ", number, name), flush=True)
            failed += not ok
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
