#!/usr/bin/env python3
"""The models of our protocols, explored whole with Spin; KTAP to stdout.

Each *.pml but tso.pml is a model; a line " *   -DNAME  text" of its heading names a mutant.  The model must have no
error, and no statement that is never reached; every mutant must have an error.

  run.py [MODEL]...               those, or all; of all only the first mutant of each, unless LONG=1, MUTANTS=all or TESTS= asks for more
  run.py --trace MODEL [MUTANT]   the steps that lead to the error
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
# Nearly all the time is the compiler's, so it does not optimise.  No partial order reduction: every interleaving.
COMPILE = ["gcc", "-O0", "-w", "-DSAFETY", "-DNOREDUCE", "-o", "verifier", "pan.c"]
LIMITS = ["-m100000", "-w20"]  # depth of the search; hash table of 2^20 slots: grows slow, not wrong
# Control flow, and the store buffers at work: what a replay does not show.
UNINTERESTING = r"\(1\)|else|IF|DO|\.?\(?goto.*|pending.*|newest.*|buffer.*|\(?\(?(nfull|empty).*|(cell|value) = 0"


def models(names):
    found = sorted(os.path.basename(p)[:-4] for p in glob.glob(f"{HERE}/*.pml"))
    return [m for m in found if m != "tso" and (not names or m in names)]


def mutants(model):
    with open(f"{HERE}/{model}.pml", encoding="utf-8") as f:
        heading = f.read().split("*/")[0]
    return re.findall(r"^ \* +-D(\w+) +(.*)$", heading, re.M)


def said(command, folder):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def explore(model, mutant, folder):
    """What the verifier says. => @folder: for this run alone"""
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"), dirs_exist_ok=True)
    for step in (["spin", *([f"-D{mutant}"] if mutant else []), "-a", f"{model}.pml"], COMPILE):
        status, text = said(step, folder)
        if status:
            return f"{step[0]} fails:\n{text}"
    return said(["./verifier", *LIMITS], folder)[1]


def unreached(text):
    """Statements of the model that no run comes to; a process that never ends does not reach its end."""
    states = re.findall(r"^\t(\S+:\d+), state \d+, \"(.*)\"$", text, re.M)
    return [f"{where} {what}" for where, what in states if what != "-end-"]


def judge(mutant, text):
    """(why it fails or None, a remark)"""
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"(\d+) states, stored", text)
    if not errors or not states:
        return "no verdict:\n" + text, ""
    first = re.search(r"^pan:1: (.*) \(at depth", text, re.M)
    if mutant and first:
        broken = not first[1].startswith(("assertion violated", "invalid end state"))
        return ("the mutant itself is broken: " + first[1] if broken else None), first[1]
    if mutant:
        return "no error is found", ""
    if int(errors[1]):
        return f"{first[1] if first else 'an error'}; see run.py --trace", ""
    if re.search(r"Search not completed|max search depth|out of memory|hash table .* full", text):
        return "the search is not complete:\n" + text, ""
    never = unreached(text)
    return ("never reached:\n" + "\n".join(never) if never else None), f"{states[1]} states"


def case(model, mutant):
    with tempfile.TemporaryDirectory() as folder:
        return judge(mutant, explore(model, mutant, folder))


def step(line, sources):
    """One step of Spin's replay as "process, what it does, where, the comment there"; None: nothing happens."""
    found = re.match(r" *\d+:\tproc +\d+ \((\w+):.*\) (\S+):(\d+) \(state \d+\)\t\[(.*)\]$", line)
    if not found or re.fullmatch(UNINTERESTING, found[4]):
        return None
    process, name, number, what = found.groups()
    comment = re.search(r"/\*.*?\*/", sources[name][int(number) - 1])
    return f"{process:12} {what:50} {name}:{number} {comment[0] if comment else ''}".rstrip()


def trace(model, mutant=None):
    with tempfile.TemporaryDirectory() as folder:
        explore(model, mutant, folder)
        command = ["spin", *([f"-D{mutant}"] if mutant else []), "-t", "-p", f"{model}.pml"]
        text = said(command, folder)[1]
    sources = {}
    for path in glob.glob(f"{HERE}/*.pml"):
        with open(path, encoding="utf-8") as f:
            sources[os.path.basename(path)] = f.read().splitlines()
    print("\n".join(filter(None, (step(line, sources) for line in text.splitlines()))))
    print("\n".join(re.findall(r"^spin:.*$|^\t\t(?!pending|newest).*$", text, re.M)))


def main():
    env = os.environ.get
    if not shutil.which("spin"):
        print("KTAP version 1\n1..1\nok 1 - models # SKIP spin is not installed: tools/setup.sh")
        return 0
    if sys.argv[1:2] == ["--trace"]:
        return trace(*sys.argv[2:4])
    each = None if sys.argv[1:] or env("LONG") or env("TESTS") or env("MUTANTS") == "all" else 1
    cases = [(m, name, text) for m in models(sys.argv[1:]) for name, text in [(None, ""), *mutants(m)[:each]]]
    print(f"KTAP version 1\n1..{len(cases)}")
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda c: case(c[0], c[1]), cases)
        for number, ((model, mutant, text), (why, remark)) in enumerate(zip(cases, results), 1):
            what = f"{mutant} is found: {text}" if mutant else f"holds, {remark}"
            print(f"{'not ' if why else ''}ok {number} - {model}: {what}", flush=True)
            if why:
                print("# " + why.strip().replace("\n", "\n# "))
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
