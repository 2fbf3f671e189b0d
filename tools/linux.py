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


def initramfs(out, program, arguments):
    """An archive with busybox, the program, and an /init that runs it and powers off."""
    subprocess.run([f"{TOP}/tools/fetch_busybox.py", "x86_64", f"{CACHE}/busybox-x86_64"], check=True)
    script = ("#!/busybox sh\n/busybox mount -t proc proc /proc\n/busybox mount -t tmpfs tmp /tmp\n"
              f"/program {shlex.join(arguments)}\n/busybox echo \"program's status $?\"\n/busybox poweroff -f\n")
    members = [(name, 0o040755, b"") for name in ("dev", "proc", "tmp")] + [("init", 0o100755, script.encode())]
    for name, path in (("busybox", f"{CACHE}/busybox-x86_64"), ("program", program)):
        with open(path, "rb") as f:
            members.append((name, 0o100755, f.read()))
    members.append(("TRAILER!!!", 0, b""))
    with open(out, "wb") as f:
        f.write(b"".join(cpio_entry(*member, number) for number, member in enumerate(members, 1)))


@dataclasses.dataclass
class LinuxMachine:
    """What guest.run() boots."""
    kernel: str
    initrd: str
    mem: str = "1024"

    def command(self):
        return ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max,-erms,-fsrm", "-m", self.mem, "-smp", "1",
                "-icount", "shift=0,align=off,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01T00:00:00,clock=vm",
                "-accel", "tcg,thread=single", "-nodefaults", "-display", "none", "-no-reboot", "-monitor", "none",
                "-serial", "stdio", "-kernel", self.kernel, "-initrd", self.initrd, "-append", SETTINGS]


def run(program, arguments, name="linux", seconds=900):
    """The console's lines, or None if there is no Linux or the program failed."""
    vmlinuz = kernel()
    if not vmlinuz:
        return None
    initrd = f"{TOP}/build/{name}.cpio"
    initramfs(initrd, program, arguments)
    outcome = guest.run(LinuxMachine(vmlinuz, initrd), name, seconds)
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
