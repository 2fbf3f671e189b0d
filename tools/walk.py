#!/usr/bin/env python3
"""make walk: the guided walk of docs/book: QEMU before its first instruction, and a gdb that knows the kernel, its
commands and the program.  T=4 goes to the fourth stop first."""
import glob
import os
import signal
import subprocess
import sys
import tempfile

from debug import start_qemu, wait_for
from machine import TOP, build, from_environment

HINTS = """
The walk begins before the first instruction.  Read docs/book/README.md, and
    source docs/book/01-first-instruction.gdb
then 02 and so on.  `help pteron` and `help pt` tell of the commands; 'quit' ends the machine, too.
"""


def stop(number):
    """The script of a stop."""
    found = glob.glob(f"{TOP}/docs/book/{int(number):02}-*.gdb")
    if not found:
        sys.exit(f"there is no stop {number}")
    return found[0]


def main():
    os.environ["SMP"] = os.environ.get("SMP") or "2"
    m = from_environment(cmdline="root=vda init=/bin/walk")
    scripts = [f"{TOP}/docs/book/start.gdb"] + ([stop(os.environ["T"])] if os.environ.get("T") else [])
    build(m)
    m.disks = (f"{m.out}/root.img,snapshot=on",)
    with tempfile.TemporaryDirectory() as work:
        qemu = start_qemu(m, "qemu", f"unix:{work}/gdb", work, False)
        wait_for(qemu, lambda: os.path.exists(f"{work}/gdb"), 30, "QEMU")
        command = ["gdb", "-n", "-q", "-ex", "set confirm off", "-ex", "set pagination off", "-ex", f"file {m.kernel}",
                   "-ex", f"target remote {work}/gdb"]
        for script in scripts:
            command += ["-ex", f"source {script}"]
        print(HINTS, flush=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return subprocess.run(command, cwd=TOP, check=False).returncode
        finally:
            qemu.kill()
            qemu.wait()


if __name__ == "__main__":
    sys.exit(main())
