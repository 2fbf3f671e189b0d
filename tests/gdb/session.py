"""session.py - for tests that drive a real gdb: boot a kernel with /bin/walk under QEMU's stub, run a script, cut its
output into parts at lines of the form "@name"."""
import os
import re
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
from machine import Machine, build    # noqa: E402  pylint: disable=wrong-import-position

PRELUDE = ["set confirm off", "set pagination off", "set width 0", "set python print-stack full"]


class Session:
    """What a script printed: parts by name; what the machine printed on its console."""

    def __init__(self, out, console):
        self.out, self.console = out, console
        self.parts = {}
        words = re.split(r"^@(\S+)\n", out, flags=re.M)
        for name, text in zip(words[1::2], words[2::2]):
            self.parts[name] = text

    def part(self, name):
        return self.parts.get(name, "")


def part(name, *commands):
    """Lines of a script whose output becomes a part."""
    return "\n".join([f"echo @{name}\\n", *commands, "echo @-\\n"]) + "\n"


def wait_for(path):
    for _ in range(200):
        if os.path.exists(path):
            return
        time.sleep(0.05)
    raise RuntimeError("QEMU did not start")


def gdb(commands, script, seconds):
    """Run @commands, then @script; all that gdb says."""
    with tempfile.NamedTemporaryFile("w", suffix=".gdb", encoding="utf-8") as f:
        f.write(script)
        f.flush()
        words = ["gdb", "-nx", "-q", "-batch"]
        for c in PRELUDE + commands:
            words += ["-ex", c]
        try:
            return subprocess.run([*words, "-x", f.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                                  text=True, errors="replace", check=False, cwd=TOP).stdout
        except subprocess.TimeoutExpired as e:
            return (e.stdout or b"").decode("utf-8", "replace") + "\n(time limit)\n"


def machine(arch, paging, **changes):
    m = Machine(arch=arch, paging=paging, smp=2, mem="96", cmdline="root=vda init=/bin/walk", **changes)
    build(m)
    m.disks = (f"{m.out}/root.img,snapshot=on",)
    return m


def live(m, script, work, stop="kernel_main", seconds=120):
    """Boot @m, stop at @stop (None: before its first instruction), and run @script with the commands loaded."""
    socket, console = f"{work}/gdb", f"{work}/console"
    process = subprocess.Popen([*m.command(serial=f"file:{console}"), "-S", "-gdb", f"unix:{socket},server=on,wait=off"],
                               stdin=subprocess.DEVNULL)
    try:
        wait_for(socket)
        commands = [f"file {m.kernel}", f"target remote {socket}"]
        if stop:
            commands += [f"hbreak {stop}", "continue", "delete"]
        commands += [f"add-symbol-file {m.out}/user/walk", f"source {TOP}/tools/gdb/pteron.py"]
        out = gdb(commands, script, seconds)
    finally:
        process.kill()
        process.wait()
    with open(console, encoding="utf-8", errors="replace") as f:
        return Session(out, f.read().replace("\r", ""))


def dump(m, core, script, seconds=60):
    """The same on a saved dump."""
    out = gdb([f"file {m.kernel}", f"core-file {core}", f"source {TOP}/tools/gdb/pteron.py"], script, seconds)
    return Session(out, "")
