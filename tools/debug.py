#!/usr/bin/env python3
"""make debug: a machine that waits, and a gdb connected to it.

  STUB=qemu     QEMU's stub: halted at its first instruction, stopped at kernel_main
  STUB=kernel   the kernel's own, at the second serial port, stopped before memory is set up (docs/debugging.md)
  FW=           direct, bios or uefi: the latter two from an ISO
  CONSOLE=tmux  the machine's console in a pane beside gdb; else it goes to a file
  PORT=n        where another gdb may connect instead; by default a number of this user's own

GDB_SCRIPT=file runs gdb in batch mode with that script instead (the test suite does).
"""
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import tty

from machine import TOP, build, from_environment, make_iso

HINTS = """
Pteron is stopped {where}.  Try:
    break mm_fault          stop at every page fault of a program
    continue                bt, finish, up, info locals; Ctrl-C stops the machine
    info threads            {threads}
    add-symbol-file build/{config}/user/init    then: break main
{more}The console {console}.  'quit' ends both.
From elsewhere, with this gdb gone:  gdb -n build/{config}/kernel.elf -ex 'target remote {address}'
"""
KERNEL_HINTS = """    monitor help            what the kernel itself can tell
    watch VARIABLE          stop when it changes: four debug registers
"""
COMMANDS = f"{TOP}/tools/gdb/pteron.py"
BOOT_SECONDS = {"direct": 60, "bios": 120, "uefi": 240}


def free_port():
    """One of this user's ten."""
    first = 20000 + os.getuid() % 4000 * 10
    for port in range(first, first + 10):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    sys.exit(f"ports {first} to {first + 9} are all in use; give another one with PORT=")


def address(script, work):
    """Where the stub listens: as QEMU and as gdb call it."""
    if script:
        return f"unix:{work}/gdb", f"{work}/gdb"
    port = int(os.environ.get("PORT") or free_port())
    return f"tcp:127.0.0.1:{port}", f"localhost:{port}"


def line(name, listens):
    """A serial line or stub that listens there, as QEMU's chardev."""
    kind, _, where = listens.partition(":")
    place = f"path={where}" if kind == "unix" else "host={},port={}".format(*where.split(":"))
    return ["-chardev", f"socket,id={name},{place},server=on,wait=off"]


def start_qemu(m, stub, listens, work, console):
    """The machine, its console recorded in {work}/console.log."""
    gdb = line("gdb", listens) + (["-S", "-gdb", "chardev:gdb"] if stub == "qemu" else [])
    serial = f"socket,id=console,path={work}/console,server=on,wait={'on' if console else 'off'}"
    command = [*m.command(serial="chardev:console"), *gdb, "-chardev", f"{serial},logfile={work}/console.log"]
    if stub == "kernel":
        command += ["-serial", "chardev:gdb"]
    # Its own session: Ctrl-C is for gdb.
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def wait_for(process, ready, seconds, what):
    for _ in range(seconds * 20):
        if ready():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    sys.exit(f"{what} did not come")


def said(path, text):
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8", errors="replace") as f:
        return text in f.read()


def show_console(path):
    """This terminal is the machine's console, until the machine ends."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        before = termios.tcgetattr(0)
        tty.setraw(0)
        try:
            while True:
                for ready in select.select([0, s], [], [])[0]:
                    data = os.read(0, 1024) if ready == 0 else s.recv(4096)
                    if not data:
                        return
                    if ready == 0:
                        s.sendall(data)
                    else:
                        os.write(1, data)
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def in_tmux():
    """Be inside tmux, starting one if need be."""
    if not shutil.which("tmux"):
        sys.exit("CONSOLE=tmux needs tmux (apt-get install tmux)")
    if not os.environ.get("TMUX"):
        os.execvp("tmux", ["tmux", "new-session", sys.executable, os.path.abspath(__file__)])


def gdb_command(m, stub, at, script, work):
    lines = ["set confirm off", "set pagination off", f"file {m.kernel}", f"target remote {at}"]
    if os.path.exists(COMMANDS):
        lines.append(f"source {COMMANDS}")
    if stub == "qemu":
        lines += ["hbreak kernel_main", "continue", "delete"]
    with open(f"{work}/start.gdb", "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    return ["gdb", "-n", "-q", *(["-batch"] if script else []), "-x", f"{work}/start.gdb", *(["-x", script] if script else [])]


def machine(stub):
    m = from_environment(cmdline=("root=vda " if os.environ.get("FW", "direct") in ("", "direct") else "") +
                         ("gdb=wait,panic " if stub == "kernel" else "") + (os.environ.get("APPEND") or ""))
    build(m)
    if m.fw == "direct":
        m.disks = (f"{m.out}/root.img,snapshot=on",)
    else:
        m.iso = make_iso(m, f"{m.out}/debug-{os.getpid()}.iso", m.cmdline)
    return m


def main():
    script, stub = os.environ.get("GDB_SCRIPT"), os.environ.get("STUB") or "qemu"
    console = not script and os.environ.get("CONSOLE") == "tmux"
    if stub not in ("qemu", "kernel"):
        sys.exit("STUB=qemu or STUB=kernel")
    if console:
        in_tmux()
    m = machine(stub)
    with tempfile.TemporaryDirectory() as work:
        listens, at = address(script, work)
        qemu = start_qemu(m, stub, listens, work, console)
        try:
            wait_for(qemu, lambda: os.path.exists(f"{work}/console"), 30, "QEMU")
            if console:
                subprocess.run(["tmux", "split-window", "-d", sys.executable, os.path.abspath(__file__), "--console",
                                f"{work}/console"], check=True)
            if stub == "kernel":
                wait_for(qemu, lambda: said(f"{work}/console.log", "gdb: at the second"), BOOT_SECONDS[m.fw], "the kernel")
            if not script:
                print(HINTS.format(config=m.config, where="at kernel_main" if stub == "qemu" else "at its beginning",
                                   threads="the CPUs" if stub == "qemu" else "CPUs and tasks", address=at,
                                   more=KERNEL_HINTS if stub == "kernel" else "",
                                   console="is in the other pane" if console else f"goes to {work}/console.log"), flush=True)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            return subprocess.run(gdb_command(m, stub, at, script, work), check=False).returncode
        finally:
            qemu.kill()
            qemu.wait()
            if m.iso:
                os.unlink(m.iso)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--console"]:
        sys.exit(show_console(sys.argv[2]))
    sys.exit(main())
