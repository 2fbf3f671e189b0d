#!/usr/bin/env python3
"""The interactive shell, typed at over the serial line as a person would.  KTAP on stdout."""
import dataclasses
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
from ktap import Report  # noqa: E402  pylint: disable=wrong-import-position
from machine import Machine  # noqa: E402  pylint: disable=wrong-import-position

INTERRUPT = "sleep 100"  # and, once it runs, Ctrl-C

STEPS = (
    ("arithmetic", "echo a$((6*7))b", r"a42b"),
    ("a pipe", "echo one two three | wc -w", r"^\s*3\s*$"),
    ("a file is written and read", "echo hello > /tmp/x; cat /tmp/x /tmp/x", r"hello\s+hello"),
    ("the disk is ext2", "mount | grep ' / '", r"on / type ext2"),
    ("ls -l", "ls -l /bin/suite", r"-rwx.*suite"),
    ("background and wait", "sleep 1 & wait; echo waited=$?", r"waited=0"),
    ("exit status", "false; echo status=$?", r"status=1"),
    ("line editing: erase", "echo wrongg\x7f", r"^wrong\s*$"),
    ("interrupt", INTERRUPT, r"\^C"),
    ("after the interrupt", "echo alive", r"^alive"),
    ("the mosaic", "demo mosaic 4096 | tail -5; echo mosaic=$?", r"mosaic=0"),
    ("the mosaic in colour", "demo mosaic 1024; echo picture=$?", r"\x1b\[38;5;\d+;48;5;\d+m[^\0]*1024 tiles tried: 0 wrong\s+picture=0"),
    ("the steps in colour", "demo mosaic steps; echo steps=$?", r"\x1b\[38;5;16;48;5;\d+mD[^\0]*7\. All [^\0]*1 vma,[^\0]*steps=0"),
    ("the steps without", "NO_COLOR=1 demo mosaic steps; echo plain=$?",
     r"5\. What may be written is written\s+[A-P]+ {4}[.rD]{32}\s[^\0\x1b]*plain=0"),
    ("entries, for people", "cat /proc/self/ptes", r"^[0-9a-f]+-[0-9a-f]+ +\d+ anon +rw-p RDYW +0\s"),
)


class Console:
    """A QEMU whose serial line is our two pipes."""

    def __init__(self, m):
        self.text, self.begun = "", time.monotonic()
        self.process = subprocess.Popen(m.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        threading.Thread(target=self.pump, daemon=True).start()

    def pump(self):
        while chunk := os.read(self.process.stdout.fileno(), 4096):
            self.text += chunk.decode("utf-8", "replace")

    def expect(self, pattern, start, seconds=30):
        """The end of the first match at or after @start, or None."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            if match := re.compile(pattern, re.M).search(self.text.replace("\r", ""), start):
                return match.end()
            time.sleep(0.05)
        return None

    def send(self, line):
        start = len(self.text.replace("\r", ""))
        self.process.stdin.write(line.encode() + b"\r")
        self.process.stdin.flush()
        return start


def main():
    m = Machine(cmdline="root=vda")
    m = dataclasses.replace(m, disks=(f"{m.out}/root.img,snapshot=on",))
    console = Console(m)
    report = Report()
    report.check(console.expect(r"\$ |# ", 0) is not None, "a prompt appears")
    report.note(f"after {time.monotonic() - console.begun:.2f} s")
    for name, line, pattern in STEPS:
        start = console.send(line)
        if line is INTERRUPT:
            time.sleep(1)
            console.process.stdin.write(b"\x03")
            console.process.stdin.flush()
        echo = console.expect(re.escape(line.split("\x7f")[0][:8]), start, 5) or start
        report.check(console.expect(pattern, echo) is not None, name)
    console.send("poweroff")
    try:
        console.process.wait(20)
        good = True
    except subprocess.TimeoutExpired:
        console.process.kill()
        good = False
    report.check(good, "poweroff ends the machine")
    report.note(console.text.replace("\r", ""))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
