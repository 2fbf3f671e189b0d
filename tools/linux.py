#!/usr/bin/env python3
"""Run a static program on the distribution's Linux 6.12 in the same emulator, for comparison.

usage: linux.py PROGRAM [ARGUMENT...]

The kernel comes from the distribution's package, fetched with apt into build/cache at need; the program is /init's one
child in an initramfs.  The settings are the strongest honest ones (docs/platform.md).
"""
import dataclasses
import glob
import lzma
import os
import shlex
import subprocess
import sys
import tempfile

import guest
import machine

META = "linux-image-6.12-cloud-amd64"
CACHE = os.path.join(machine.TOP, "build", "cache")
SETTINGS = ("console=ttyS0 quiet panic=-1 mitigations=off no5lvl init_on_alloc=0 nokaslr norandmaps audit=0 "
            "randomize_kstack_offset=off transparent_hugepage=madvise zswap.enabled=0")


def package():
    """The name of the kernel's own package, which the meta package depends on."""
    text = subprocess.run(["apt-cache", "depends", META], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.split()[-1] for line in text.splitlines() if "Depends:" in line][0]


KERNEL = f"{CACHE}/linux-6.12"
DISK_DRIVER = f"{CACHE}/linux-6.12-virtio_blk.ko"


def keep(content, path):
    with open(path + ".tmp", "wb") as f:
        f.write(content)
    os.replace(path + ".tmp", path)


def unpack(where):
    """From the package's folder @where into the cache."""
    with open(glob.glob(f"{where}/boot/vmlinuz-*")[0], "rb") as f:
        keep(f.read(), KERNEL)
    with lzma.open(glob.glob(f"{where}/lib/modules/*/kernel/drivers/block/virtio_blk.ko.xz")[0]) as f:
        keep(f.read(), DISK_DRIVER)


def download(name, where):
    """The distribution's package @name, unpacked in @where/x; False if it cannot be had."""
    try:
        subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", name], cwd=where, check=True, timeout=600,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["dpkg-deb", "-x", glob.glob(f"{where}/*.deb")[0], f"{where}/x"], check=True)
    except (subprocess.SubprocessError, OSError, IndexError) as e:
        print(f"{name} cannot be had: {e}", file=sys.stderr)
        return False
    return True


def kernel():
    """A path to vmlinuz, or None if it cannot be had."""
    if os.path.exists(KERNEL) and os.path.exists(DISK_DRIVER):
        return KERNEL
    try:
        with tempfile.TemporaryDirectory() as d:
            if not download(package(), d):
                return None
            os.makedirs(CACHE, exist_ok=True)
            unpack(f"{d}/x")
    except (subprocess.SubprocessError, OSError, IndexError) as e:
        print(f"Linux 6.12 cannot be had: {e}", file=sys.stderr)
        return None
    return KERNEL


# What /init mounts, the type being the device's name too.
MOUNTS = {"proc": "/proc", "sysfs": "/sys", "devtmpfs": "/dev", "debugfs": "/sys/kernel/debug", "tmpfs": "/tmp"}


def cpio_entry(name, mode, content, number):
    """One member of a "newc" archive: a header of hexadecimal numbers, the name, the content, each padded to 4 bytes."""
    def padded(data):
        return data + bytes(-len(data) % 4)
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    return padded(("070701" + "".join(f"{f:08x}" for f in fields) + name).encode() + b"\0") + padded(content)


def initramfs(out, program, arguments, before=(), files=()):
    """An archive with busybox, the program, and an /init that runs it, after the busybox commands @before, and powers off.
    @files: (name in the root, path here)."""
    subprocess.run([f"{machine.TOP}/tools/fetch_busybox.py", "x86_64", f"{CACHE}/busybox-x86_64"], check=True)
    mounts = "".join(f"/busybox mount -t {kind} {kind} {where}\n" for kind, where in MOUNTS.items())
    first = "".join(f"/busybox {command}\n" for command in before)
    program_name = os.path.basename(program)
    script = (f"#!/busybox sh\n{mounts}/busybox insmod /virtio_blk.ko\n{first}"
              f"/{program_name} {shlex.join(arguments)}\n/busybox echo \"program's status $?\"\n/busybox poweroff -f\n")
    members = [(name, 0o040755, b"") for name in ("dev", "proc", "sys", "tmp", "mnt")]
    members.append(("init", 0o100755, script.encode()))
    for name, path in (("busybox", f"{CACHE}/busybox-x86_64"), (program_name, program), ("virtio_blk.ko", DISK_DRIVER), *files):
        with open(path, "rb") as f:
            members.append((name, 0o100755, f.read()))
    members.append(("TRAILER!!!", 0, b""))
    with open(out, "wb") as f:
        f.write(b"".join(cpio_entry(*member, number) for number, member in enumerate(members, 1)))


@dataclasses.dataclass
class LinuxMachine(machine.Machine):
    """The same machine with another kernel: what guest.run() boots."""
    vmlinuz: str = ""
    words: str = ""     # more of its command line

    def _boot(self):
        return ["-kernel", self.vmlinuz, "-initrd", self.initrd, "-append", f"{SETTINGS} {self.words}".strip()]


# What the costs in docs/ were counted on.
COUNTING = machine.Machine(mem="1024", icount=True, cpu="max,-erms,-fsrm")


def boot(program, arguments, name="linux", seconds=900, m=COUNTING, before=(), files=(), words=""):
    """Boot it with the program (initramfs() says how); the Outcome, or None if there is no Linux.  @m: with which QEMU options."""
    vmlinuz = kernel()
    if not vmlinuz:
        return None
    initrd = f"{machine.TOP}/build/{name}.cpio"
    initramfs(initrd, program, arguments, before, files)
    fields = {f.name: getattr(m, f.name) for f in dataclasses.fields(m)}
    return guest.run(LinuxMachine(**dict(fields, vmlinuz=vmlinuz, initrd=initrd, words=words)), name, seconds)


def run(program, arguments, name="linux", seconds=900, m=COUNTING):
    """The console's lines, or None if there is no Linux or the program failed."""
    outcome = boot(program, arguments, name, seconds, m)
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
