"""stub_machine.py - for tests of the debugger inside the kernel: a machine whose console is typed at and whose second serial
port is a socket; a real gdb in batch mode; a gdb's line spoken by hand."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
from machine import Machine, build    # noqa: E402  pylint: disable=wrong-import-position

# What every script begins with: what gdb says is cut at lines "@name" into parts.
PYTHON = """
python
import re
def text(command):
    try:
        return gdb.execute(command, to_string=True)
    except gdb.error as e:
        return "(error: %s)" % e
def at(name):
    print("@" + name, flush=True)
def value(expression):
    return int(gdb.parse_and_eval("(unsigned long)(%s)" % expression))
def instruction():
    return text("x/i $pc").strip().split(":", 1)[-1].strip()
def ring():
    return value("$cs") & 3
def step_to(what, limit):
    for _ in range(limit):
        if re.search(what, instruction()):
            return True
        text("stepi")
    return False
end
"""


class Guest:
    """A running machine.  Its console: send(), expect(); .port: the socket of the second serial port, or of QEMU's stub."""

    def __init__(self, arch, paging, words, stub="kernel", smp=1, stopped=False):
        self.m = Machine(arch=arch, paging=paging, smp=smp, mem="96", cmdline="root=vda " + words)
        self.m.disks = (f"{self.m.out}/root.img,snapshot=on",)
        self.folder = tempfile.TemporaryDirectory()
        self.port, self.text = f"{self.folder.name}/gdb", ""
        self.m.extra = (("-chardev", f"socket,id=gdb,path={self.port},server=on,wait=off", "-serial", "chardev:gdb")
                        if stub == "kernel" else ("-gdb", f"unix:{self.port},server=on,wait=off"))
        self.process = subprocess.Popen([*self.m.command(), *(["-S"] if stopped else [])], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self._pump, daemon=True).start()
        while not os.path.exists(self.port):
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def _pump(self):
        while chunk := os.read(self.process.stdout.fileno(), 4096):
            self.text += chunk.decode("utf-8", "replace").replace("\r", "")

    def expect(self, pattern, start=0, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if re.compile(pattern, re.M).search(self.text, start):
                return True
            if self.process.poll() is not None:
                return bool(re.compile(pattern, re.M).search(self.text, start))
            time.sleep(0.02)
        return False

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def prompt(self):
        return self.expect(r"pteron:.*# ")

    def alive(self):
        """The shell still answers."""
        start = len(self.text)
        self.send(b"echo a$((40+2))b\r")
        return self.expect("a42b", start)

    def gdb(self, script, seconds=120):
        """Run a script in gdb, connected; {part: text}, all of it under ''."""
        with tempfile.NamedTemporaryFile("w", suffix=".gdb", encoding="utf-8") as f:
            f.write(PYTHON + script)
            f.flush()
            command = ["gdb", "-nx", "-q", "-batch"]
            for line in ("set confirm off", "set pagination off", "set width 0", f"file {self.m.kernel}",
                         f"add-symbol-file {self.m.out}/user/init", f"target remote {self.port}"):
                command += ["-ex", line]
            try:
                out = subprocess.run([*command, "-x", f.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                     timeout=seconds, errors="replace", check=False, stdin=subprocess.DEVNULL).stdout
            except subprocess.TimeoutExpired as e:
                out = (e.stdout or b"").decode("utf-8", "replace") + "\n(time limit)\n"
        words = re.split(r"^@(\S+)\n", out, flags=re.M)
        return {"": out, **dict(zip(words[1::2], words[2::2]))}

    def status(self, seconds=60):
        """How the machine ended."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return -1


class Line:
    """The protocol by hand.  What comes is read at once, whatever we do: a line that nobody reads stops the other side, which
    then reads nothing either."""

    def __init__(self, guest):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(guest.port)
        self.received = b""
        self.news = threading.Condition()
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self):
        try:
            while chunk := self.socket.recv(65536):
                with self.news:
                    self.received += chunk
                    self.news.notify_all()
        except OSError:
            pass    # the machine has gone

    def raw(self, data):
        self.socket.sendall(data)

    def packet(self, body):
        self.raw(b"$" + body + b"#%02x" % (sum(body) & 255))

    def _frame(self):
        return re.search(rb"\$([^$#]*)#[0-9a-f]{2}", self.received)

    def reply(self, seconds=30):
        """The next packet from the other side, acknowledged; None: there was none."""
        with self.news:
            if not self.news.wait_for(self._frame, seconds):
                return None
            match = self._frame()
            self.received = self.received[match.end():]
        self.raw(b"+")
        return match[1]

    def ask(self, body, seconds=30):
        self.packet(body)
        return self.reply(seconds)

    def silence(self, seconds):
        """Nothing comes."""
        with self.news:
            return not self.news.wait_for(lambda: self.received, seconds)

    def drain(self, seconds):
        """Forget what comes, and acknowledge it, whatever it is."""
        while not self.silence(seconds):
            with self.news:
                self.received = b""
            self.raw(b"+")
