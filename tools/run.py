#!/usr/bin/env python3
"""make run: boot Pteron with a shell on this terminal.  Ctrl-A X leaves."""
import os
import sys

from machine import TOP, build, from_environment, make_iso


def main():
    m = from_environment()
    m.cmdline = f"root={m.disk_name(0)} " + os.environ.get("APPEND", "")
    build(m)
    root = f"{m.out}/root.img"
    if m.fw == "direct":
        m.disks = (root,)
    else:
        m.iso = make_iso(m, f"{TOP}/build/run.iso", os.environ.get("APPEND", ""))
    m.extra = ("-boot", "menu=off")
    print(f"{m.config}, FW={m.fw}: Ctrl-A X leaves", flush=True)
    command = m.command(serial="mon:stdio")
    command[command.index("-monitor"):command.index("-monitor") + 2] = []
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
