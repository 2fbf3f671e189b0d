#!/usr/bin/env python3
"""make host: unit tests of kernel sources in an ordinary process, with sanitizers; must-not-compile tests; codegen.

A unit test tests/unit/test_x.c names what it links in a line:   links: kernel/lib/x.c kernel/lib/y.c
A script tests/*/run*.py prints KTAP itself.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = f"{TOP}/build/host"
FLAGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-iquote", TOP,
         "-I", f"{TOP}/arch/include", "-I", f"{TOP}/tests/unit/include", "-pthread", "-DDEBUG=1", "-DKASAN=0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def unit(source):
    """Build and run one unit test; its KTAP."""
    name = os.path.basename(source)[:-2]
    with open(source, encoding="utf-8") as f:
        text = f.read()
    links = re.findall(r"links:\s*(.*?)(?:\*/|\n)", text)
    files = links[0].split() if links else []
    binary = f"{OUT}/{name}"
    build = subprocess.run(["gcc", *FLAGS, source, *[f"{TOP}/{f}" for f in files], "-o", binary],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if build.returncode:
        return f"not ok 1 {name} builds\n" + re.sub("^", "# ", build.stdout, flags=re.M)
    return script([binary], name)


def script(command, name):
    try:
        done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
                              check=False, errors="replace")
    except subprocess.TimeoutExpired:
        return f"not ok 1 {name}: time limit"
    lines = []
    for line in done.stdout.splitlines():
        match = re.match(r"(ok|not ok) (\d+) (?:- )?(.*)", line)
        lines.append(f"{match[1]} {match[2]} {name}: {match[3]}" if match else "# " + line.removeprefix("# "))
    if done.returncode and not any(x.startswith("not ok") for x in lines):
        lines.append(f"not ok 0 {name} exits with {done.returncode}")
    return "\n".join(lines)


def main():
    os.makedirs(OUT, exist_ok=True)
    jobs = [(unit, s) for s in sorted(glob.glob(f"{TOP}/tests/unit/test_*.c")) if "test_pte" not in s]
    for path in sorted(glob.glob(f"{TOP}/tests/unit/run*.py") + glob.glob(f"{TOP}/tests/must-not-compile/run.py") +
                       glob.glob(f"{TOP}/tests/codegen/run*.py")):
        name = os.path.relpath(path, f"{TOP}/tests").removesuffix(".py").removesuffix("/run")
        jobs.append((lambda p, n=name: script([sys.executable, p], n), path))
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        outputs = list(pool.map(lambda job: job[0](job[1]), jobs))
    text = "\n".join(outputs)
    print(text)
    return 1 if re.search(r"^not ok", text, re.M) else 0


if __name__ == "__main__":
    sys.exit(main())
