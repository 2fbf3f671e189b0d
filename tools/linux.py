#!/usr/bin/env python3
"""Run a static program on the distribution's Linux 6.12 in the same emulator, for comparison.

usage: linux.py PROGRAM [ARGUMENT...]

The kernel comes from the distribution's package, fetched with apt into build/cache at need; the program is /init's one
child in an initramfs.  The settings are the strongest honest ones (docs/platform.md).
"""
import dataclasses
import glob
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

import guest
from machine import TOP

META = "linux-image-6.12-cloud-amd64"
CACHE = os.path.join(TOP, "build", "cache")
SETTINGS = ("console=ttyS0 quiet panic=-1 mitigations=off no5lvl init_on_alloc=0 nokaslr norandmaps audit=0 "
            "randomize_kstack_offset=off")


def package():
    """The name of the kernel's own package, which the meta package depends on."""
    text = subprocess.run(["apt-cache", "depends", META], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.split()[-1] for line in text.splitlines() if "Depends:" in line][0]


def kernel():
    """A path to vmlinuz, or None if it cannot be had."""
    path = f"{CACHE}/linux-6.12"
    if os.path.exists(path):
        return path
    try:
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", package()], cwd=d, check=True,
                           timeout=600, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            subprocess.run(["dpkg-deb", "-x", glob.glob(f"{d}/*.deb")[0], f"{d}/x"], check=True)
            os.makedirs(CACHE, exist_ok=True)
            shutil.copy(glob.glob(f"{d}/x/boot/vmlinuz-*")[0], path + ".tmp")
            os.replace(path + ".tmp", path)
    except (subprocess.SubprocessError, OSError, IndexError) as e:
        print(f"Linux 6.12 cannot be had: {e}", file=sys.stderr)
        return None
    return path


def cpio_entry(name, mode, content, number):
    """One member of a "newc" archive: a header of hexadecimal numbers, the name, the content, each padded to 4 bytes."""
    def padded(data):
        return data + bytes(-len(data) % 4)
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    return padded(("070701" + "".join(f"{f:08x}" for f in fields) + name).encode() + b"\0") + padded(content)


def initramfs(out, program, arguments, before=(), files=()):
    """An archive with busybox, the program, and an /init that runs it, after the commands @before, and powers off.  @files:
    (name in the root, path here)."""
    subprocess.run([f"{TOP}/tools/fetch_busybox.py", "x86_64", f"{CACHE}/busybox-x86_64"], check=True)
    name = os.path.basename(program)
    script = ("#!/busybox sh\n/busybox mount -t proc proc /proc\n/busybox mount -t tmpfs tmp /tmp\n"
              + "".join(f"/busybox {command}\n" for command in before) +
              f"/{name} {shlex.join(arguments)}\n/busybox echo \"program's status $?\"\n/busybox poweroff -f\n")
    members = [(folder, 0o040755, b"") for folder in ("dev", "proc", "tmp", "sys", "mnt")] + [("init", 0o100755, script.encode())]
    for member, path in (("busybox", f"{CACHE}/busybox-x86_64"), (name, program), *files):
        with open(path, "rb") as f:
            members.append((member, 0o100755, f.read()))
    members.append(("TRAILER!!!", 0, b""))
    with open(out, "wb") as f:
        f.write(b"".join(cpio_entry(*member, number) for number, member in enumerate(members, 1)))


@dataclasses.dataclass
class LinuxMachine:
    """What guest.run() boots."""
    kernel: str
    initrd: str
    mem: str = "1024"
    icount: bool = True
    disks: tuple = ()
    words: str = ""

    def _accel(self):
        if not self.icount:
            return ["-accel", "tcg,thread=multi"]
        return ["-icount", "shift=0,align=off,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01T00:00:00,clock=vm",
                "-accel", "tcg,thread=single"]

    def _disks(self):
        """NVMe, whose driver needs no module."""
        return [word for i, path in enumerate(self.disks)
                for word in ("-drive", f"if=none,id=d{i},format=raw,file={path}", "-device", f"nvme,drive=d{i},serial=d{i}")]

    def command(self):
        return ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max,-erms,-fsrm", "-m", self.mem, "-smp", "1",
                *self._accel(), *self._disks(), "-nodefaults", "-display", "none", "-no-reboot", "-monitor", "none",
                "-serial", "stdio", "-kernel", self.kernel, "-initrd", self.initrd, "-append", f"{SETTINGS} {self.words}".strip()]


def boot(program, arguments, name="linux", seconds=900, before=(), files=(), **changes):
    """Boot it with the program (initramfs() says how); the Outcome, or None if there is no Linux."""
    vmlinuz = kernel()
    if not vmlinuz:
        return None
    initrd = f"{TOP}/build/{name}.cpio"
    initramfs(initrd, program, arguments, before, files)
    return guest.run(LinuxMachine(vmlinuz, initrd, **changes), name, seconds)


def run(program, arguments, name="linux", seconds=900):
    """The console's lines, or None if there is no Linux or the program failed."""
    outcome = boot(program, arguments, name, seconds)
    if not outcome:
        return None
    if outcome.status != 0 or "program's status 0" not in [line.strip() for line in outcome.lines]:
        print(f"the program did not end well on Linux; see {outcome.log}", file=sys.stderr)
        return None
    return outcome.lines


def main():
    lines = run(sys.argv[1], sys.argv[2:])
    print("\n".join(lines or []))
    return 0 if lines else 1


if __name__ == "__main__":
    sys.exit(main())
