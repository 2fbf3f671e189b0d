#!/usr/bin/env python3
"""The corpus of tests/fuzz/corpus on every format; LONG=1: also libFuzzer and AFL for a while.  FORMATS='amd64', FUZZ_SECONDS=60.

	tests/fuzz/run.py build FORMAT      builds the programs of libFuzzer and AFL, prints where they are
"""
import glob
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "model"))
import build  # noqa: E402  pylint: disable=wrong-import-position
from build import host  # noqa: E402  pylint: disable=wrong-import-position

CORPUS = f"{build.TOP}/tests/fuzz/corpus"
SECONDS = host.option("FUZZ_SECONDS", "60")  # for each fuzzer and format
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
    program = build.libfuzzer(fmt)
    found = f"{os.path.dirname(program)}/found"
    os.makedirs(found, exist_ok=True)
    ok, output = run([program, f"-max_total_time={SECONDS}", "-max_len=405", "-close_fd_mask=0",
                      f"-artifact_prefix={os.path.dirname(program)}/", found, CORPUS])
    return report(ok, f"{fmt} libFuzzer", output if ok != "ok" else output[-300:])


def afl(fmt):
    """A sequence takes some milliseconds under the sanitizers: the whole corpus and a minute, then what crashed."""
    if not build.have_afl():
        return report("ok", f"{fmt} AFL # SKIP afl++ is not installed")
    program = build.afl(fmt)
    out = f"{os.path.dirname(program)}/out"
    shutil.rmtree(out, ignore_errors=True)
    os.environ.update(AFL_SKIP_CPUFREQ="1", AFL_NO_UI="1", AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES="1", AFL_NO_AFFINITY="1")
    ok, output = run(["afl-fuzz", "-V", SECONDS, "-t", "5000+", "-i", CORPUS, "-o", out, "--", program, "@@"])
    crashes = glob.glob(f"{out}/default/crashes/id*") + glob.glob(f"{out}/default/hangs/id*")
    return report("not ok" if crashes else ok, f"{fmt} AFL", "\n".join([output[-1500:] if crashes or ok != "ok" else "", *crashes, *stats(out)]))


def stats(out):
    """What AFL says it did."""
    try:
        with open(f"{out}/default/fuzzer_stats", encoding="utf-8") as f:
            return [line.strip() for line in f if line.startswith(("execs_done", "corpus_count", "edges_found", "bitmap_cvg"))]
    except OSError:
        return []


def main():
    files = sorted(glob.glob(f"{CORPUS}/*"))
    formats = host.option("FORMATS").split() or host.FORMATS
    failed = 0
    if sys.argv[1:2] == ["build"]:
        print(build.program("fuzz/afl", sys.argv[2]), build.libfuzzer(sys.argv[2]), *([build.afl(sys.argv[2])] if build.have_afl() else []))
        return 0
    for fmt in formats:
        failed += replay(fmt, files)
    failed += from_stdin(formats[0], files[0])
    if host.option("LONG"):
        for fmt in [f for f in ("tiny2", "amd64") if f in formats]:
            failed += libfuzzer(fmt)
            failed += afl(fmt)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
