#!/usr/bin/env python3
"""make debug: QEMU halted at its first instruction and a gdb connected to it, stopped at the kernel's entry.

GDB_SCRIPT=file runs gdb in batch mode with that script instead (the test suite does).
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

from machine import build, from_environment

HINTS = """
Pteron is stopped at kernel_main.  Try:
    break mm_fault          stop at every page fault of a program
    continue                bt, finish, up, info locals
    add-symbol-file build/{config}/user/init    then: break main
Ctrl-C stops the machine, 'quit' ends both.
"""


def start_qemu(m, socket):
    command = [*m.command(serial=f"file:{m.out}/debug.log"),
               "-S", "-gdb", f"unix:{socket},server=on,wait=off"]
    # Its own session: Ctrl-C is for gdb.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    for _ in range(200):
        if os.path.exists(socket):
            return process
        time.sleep(0.05)
    sys.exit("QEMU did not start")


def main():
    script = os.environ.get("GDB_SCRIPT")
    m = from_environment(cmdline="root=vda " + os.environ.get("APPEND", ""))
    build(m)
    m.disks = (f"{m.out}/root.img,snapshot=on",)
    with tempfile.TemporaryDirectory() as work:
        qemu = start_qemu(m, f"{work}/gdb")
        command = ["gdb", "-nx", "-q", *(["-batch"] if script else []), "-ex", "set confirm off",
                   "-ex", "set pagination off", "-ex", f"file {m.kernel}", "-ex", f"target remote {work}/gdb",
                   "-ex", "hbreak kernel_main", "-ex", "continue", "-ex", "delete"]
        if script:
            command += ["-x", script]
        else:
            print(HINTS.format(config=m.config), f"The console goes to {m.out}/debug.log", flush=True)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return subprocess.run(command, check=False).returncode
        finally:
            qemu.kill()
            qemu.wait()


if __name__ == "__main__":
    sys.exit(main())
