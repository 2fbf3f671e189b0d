#!/usr/bin/env python3
"""make replay T=name: run a test of the ring-3 suite on one CPU and record it, run the recording, and debug that.

  T=name         the test (a glob, as TESTS= of make guest)
  GDB_SCRIPT=f   gdb in batch mode with that script on the recording, instead of a gdb to type at
  GDB=no         record, replay, compare; no gdb

A recording runs again exactly as it ran, to the instruction, as often as one likes.  What works and what does not:
docs/debugging.md.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from debug import COMMANDS
from machine import EXIT_FAIL, EXIT_PASS, build, from_environment, status_name

SECONDS = 300
HINTS = """
The recording is stopped at kernel_main.  Try:
    break FUNCTION, continue       as ever; it always comes out the same
    watch *(unsigned long *)ENTRY  each store to a page-table entry
    monitor info replay            how many instructions so far
    reverse-continue, reverse-stepi    may hang; Ctrl-C then (docs/debugging.md)
"""


def command(m, work, how):
    """QEMU's, recording or replaying: time by instructions, disks through blkreplay, a place for snapshots."""
    icount = f"shift=3,rr={how},rrfile={work}/recording,rrsnapshot=init"
    words = m.command(serial=f"file:{work}/{how}.log")
    words[words.index("-accel") + 1] = "tcg,thread=single"
    return [*words, "-icount", icount, "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1",
            "-drive", f"file={work}/disk,format=qcow2,if=none,id=direct",
            "-drive", "driver=blkreplay,if=none,image=direct,id=root",
            "-device", "virtio-blk-pci,drive=root,disable-legacy=on",
            "-drive", f"file={work}/snapshots,if=none,format=qcow2,id=snapshots"]


def run(m, work, how):
    """(status, console, seconds) of a run to the end."""
    began = time.monotonic()
    try:
        status = subprocess.run(command(m, work, how), stdin=subprocess.DEVNULL, timeout=SECONDS, check=False).returncode
    except subprocess.TimeoutExpired:
        status = -1
    with open(f"{work}/{how}.log", encoding="utf-8", errors="replace") as f:
        return status, f.read(), time.monotonic() - began


def debug(m, work, script):
    stub = f"{work}/gdb"
    qemu = subprocess.Popen([*command(m, work, "replay"), "-S", "-gdb", f"unix:{stub},server=on,wait=off"],
                            stdin=subprocess.DEVNULL, start_new_session=True)
    lines = ["set confirm off", "set pagination off", f"file {m.kernel}", f"target remote {stub}"]
    if os.path.exists(COMMANDS):
        lines.append(f"source {COMMANDS}")
    lines += ["hbreak kernel_main", "continue", "delete"]
    with open(f"{work}/start.gdb", "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    try:
        while not os.path.exists(stub) and qemu.poll() is None:
            time.sleep(0.05)
        if not script:
            print(HINTS, flush=True)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.run(["gdb", "-n", "-q", *(["-batch"] if script else []), "-x", f"{work}/start.gdb",
                               *(["-x", script] if script else [])], check=False).returncode
    finally:
        qemu.kill()
        qemu.wait()


def main():
    test, script = os.environ.get("T") or "mm.*", os.environ.get("GDB_SCRIPT")
    if not shutil.which("qemu-img"):
        sys.exit("make replay needs qemu-img (apt-get install qemu-utils)")
    m = from_environment(smp=1, cmdline=f"root=vda tests={test} suite.seed=1 " + (os.environ.get("APPEND") or ""))
    build(m)
    with tempfile.TemporaryDirectory() as work:
        # Both have the snapshot of the beginning in them, from which a replay starts.
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{work}/snapshots", "64M"], check=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", f"{m.out}/root.img", f"{work}/disk"], check=True)
        status, first, seconds = run(m, work, "record")
        print(first)
        print(f"recorded: {status_name(status)}, {seconds:.1f} s, {os.path.getsize(work + '/recording') >> 10} KiB", flush=True)
        if status not in (EXIT_PASS, EXIT_FAIL):
            print("the recording did not come to its end; it can be debugged as far as it goes")
        status2, second, seconds = run(m, work, "replay")
        same = first == second and status == status2
        print(f"replayed: {status_name(status2)}, {seconds:.1f} s, the console is {'the same' if same else 'NOT the same'}", flush=True)
        if os.environ.get("GDB") == "no":
            return 0 if same else 1
        return debug(m, work, script)


if __name__ == "__main__":
    sys.exit(main())
