#!/usr/bin/env python3
"""T4-01: programs that must not compile, each for the reason it names; KTAP to stdout.

Every *.c here but control.c says in a line "// expect: TEXT" what the compiler must complain about.  All of them
are tried on every entry format.
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FORMATS = {
    "amd64": ["x86_64-linux-gnu-gcc", "-m64", "-DBITS=64"],
    "pae": ["i686-linux-gnu-gcc", "-m32", "-march=i686", "-DBITS=32"],
    "scrambled": ["x86_64-linux-gnu-gcc", "-m64", "-DBITS=64"],
    "i386": ["i686-linux-gnu-gcc", "-m32", "-march=i686", "-DBITS=32"],
}
FLAGS = ["-fsyntax-only", "-std=gnu11", "-ffreestanding", "-mgeneral-regs-only", "-DDEBUG=1", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-parameter", "-Wmissing-prototypes", "-iquote", ".", "-I", "arch/include", "-I", "arch/x86/include"]


def compile_one(path, name):
    """(compiled?, what the compiler said)"""
    command = FORMATS[name] + FLAGS + ["-DPTE_FORMAT_%s=1" % name, path]
    run = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL="C"))
    return run.returncode == 0, run.stderr


def problem(path, name):
    """Why the case fails, or None."""
    compiled, said = compile_one(path, name)
    if os.path.basename(path) == "control.c":
        return None if compiled else "the control does not compile:\n" + said
    expect = re.search(r"^// expect: (.*)$", open(path).read(), re.M).group(1)
    if compiled:
        return "it compiles"
    errors = [line for line in said.splitlines() if "error:" in line]
    return None if any(expect in line for line in errors) else "expected %r, got:\n%s" % (expect, said)


def main():
    names = [f for f in os.listdir(HERE) if f.endswith(".c")]
    names.sort(key=lambda f: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", "0" + f if f == "control.c" else f)])
    cases = [(f, name) for f in names for name in FORMATS]
    print("KTAP version 1\n1..%d" % len(cases))
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda case: problem(os.path.join(HERE, case[0]), case[1]), cases)
        for number, (case, why) in enumerate(zip(cases, results), 1):
            print("%sok %d - T4-01 %s %s" % ("not " if why else "", number, case[0][:-2], case[1]))
            if why:
                print("# " + why.replace("\n", "\n# "))
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
