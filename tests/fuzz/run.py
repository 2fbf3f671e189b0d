#!/usr/bin/env python3
"""The corpus of tests/fuzz/corpus on every format; LONG=1: also libFuzzer for a while.  FORMATS='amd64', FUZZ_SECONDS=60.

	tests/fuzz/run.py build FORMAT      builds the programs of libFuzzer and AFL, prints where they are
"""
import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "model"))
import build  # noqa: E402  pylint: disable=wrong-import-position
from build import host  # noqa: E402  pylint: disable=wrong-import-position

CORPUS = f"{build.TOP}/tests/fuzz/corpus"
number = 0


def report(ok, name, output=""):
    global number
    number += 1
    for line in output.strip().splitlines()[-60:]:
        print("# " + line.removeprefix("# "))
    print(f"{ok} {number} {name}", flush=True)
    return ok == "not ok"


def run(command, stdin=None):
    done = subprocess.run(command, cwd=build.TOP, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, timeout=3000)
    return "not ok" if done.returncode else "ok", done.stdout


def replay(fmt, files):
    ok, output = run([build.program("model/main", fmt), *[f"file={f}" for f in files]])
    return report(ok, f"{fmt} corpus, {len(files)} files", output if ok != "ok" else "")


def from_stdin(fmt, path):
    with open(path, "rb") as f:
        ok, output = run([build.program("fuzz/afl", fmt)], f)
    return report(ok, f"{fmt} a sequence from standard input", output if ok != "ok" else "")


def libfuzzer(fmt):
    if not build.have_libfuzzer():
        return report("ok", f"{fmt} libFuzzer # SKIP clang or its run-time library (libclang-rt-dev) is not installed")
    out = f"{host.OUT}/fuzz/{fmt}"
    os.makedirs(f"{out}/found", exist_ok=True)
    ok, output = run([build.fuzzer(fmt, out), f"-max_total_time={host.option('FUZZ_SECONDS', '60')}", "-max_len=405", "-close_fd_mask=0",
                      f"-artifact_prefix={out}/", f"{out}/found", CORPUS])
    return report(ok, f"{fmt} libFuzzer", output if ok != "ok" else output[-300:])


def main():
    files = sorted(glob.glob(f"{CORPUS}/*"))
    formats = host.option("FORMATS").split() or host.FORMATS
    failed = 0
    if sys.argv[1:2] == ["build"]:
        print(build.program("fuzz/afl", sys.argv[2]), build.fuzzer(sys.argv[2], f"{host.OUT}/fuzz/{sys.argv[2]}"))
        return 0
    for fmt in formats:
        failed += replay(fmt, files)
    failed += from_stdin(formats[0], files[0])
    if host.option("LONG"):
        for fmt in [f for f in ("tiny2", "amd64") if f in formats]:
            failed += libfuzzer(fmt)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
