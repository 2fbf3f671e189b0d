"""Run one kernel under QEMU, stream or keep its console, and read KTAP out of it."""
import dataclasses
import os
import re
import subprocess
import threading
import time

from machine import EXIT_PASS, TOP, status_name

RESULT = re.compile(r"^(ok|not ok) \d+ (?:- )?(.*?)\s*(?:# (SKIP|TODO)\b ?(.*))?$")
LOGS = os.path.join(TOP, "build", "log")


@dataclasses.dataclass
class Result:
    name: str
    passed: bool
    skipped: bool = False
    detail: str = ""


@dataclasses.dataclass
class Outcome:
    status: int             # QEMU's exit status; -1: killed for taking too long
    results: list
    log: str
    seconds: float
    lines: list


def parse(lines):
    results = []
    for line in lines:
        match = RESULT.match(line.strip())
        if match:
            word, name, directive, reason = match.groups()
            results.append(Result(name, word == "ok", directive == "SKIP", reason or ""))
    return results


def run(m, name, seconds, show=None):
    """Boot @m; its console goes to build/log/@name.log and, line by line, to show()."""
    os.makedirs(LOGS, exist_ok=True)
    path = os.path.join(LOGS, name + ".log")
    lines, began = [], time.monotonic()
    killed = threading.Event()
    with open(path, "w", encoding="utf-8") as log:
        log.write(" ".join(m.command()) + "\n")
        process = subprocess.Popen(m.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        def give_up():
            killed.set()
            process.kill()
        timer = threading.Timer(seconds, give_up)
        timer.start()
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            lines.append(line)
            log.write(line + "\n")
            log.flush()
            if show:
                show(line)
        status = process.wait()
        timer.cancel()
    status = -1 if killed.is_set() else status
    return Outcome(status, parse(lines), path, time.monotonic() - began, lines)


def verdict(outcome, expect=EXIT_PASS):
    """The machine itself as one more test: did it end as it should?"""
    what = "time limit" if outcome.status == -1 else status_name(outcome.status)
    return Result(f"the machine ends with '{status_name(expect)}'", outcome.status == expect, detail=what)
