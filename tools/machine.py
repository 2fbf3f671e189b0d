"""The QEMU command line, in one place: how a Pteron kernel is started for each ARCH, PAGING and FW.

Facts about firmware and devices are from trying them; see docs/platform.md.
"""
import dataclasses
import os
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXIT_PASS, EXIT_FAIL = 33, 35            # QEMU's status for the guest's 0x10, 0x11 (arch/include/arch/cpu.h)
EXIT_NAMES = {33: "pass", 35: "tests failed", 37: "panic", 39: "unexpected exception", 41: "double fault",
              43: "the CPU lacks what this kernel needs", 45: "out of memory at boot", 0: "reset or power-off"}
OVMF = "/usr/share/OVMF/OVMF_{}_4M.fd"


EDU_MASK = "0xffffffff"                  # the driver cannot ask the device: edu.dma_mask=; without it, 28 bits are assumed
EDU_MASK_IOMMU = "0x7fffffffffff"        # every address of a program


@dataclasses.dataclass
class Machine:
    arch: str = "x86_64"
    paging: str = "4level"
    build: str = "debug"
    san: str = ""              # "kasan": a debug build with the address sanitizer
    raw: bool = False          # entry values are bare integers (make RAW=1)
    fw: str = "direct"
    smp: int = 1
    mem: str = "512"
    cpu: str = "max"
    accel: str = "tcg"
    icount: bool = False
    iommu: bool = False        # x86_64: an IOMMU in front of the devices (docs/secondary.md)
    cmdline: str = ""
    disk: str = "virtio"       # or "nvme": what all of these are
    disks: tuple = ()          # paths; "path,snapshot=on" style options may follow a comma
    initrd: str = ""           # with fw direct: the root file system's image, if it is to be in memory
    iso: str = ""              # with fw bios or uefi
    extra: tuple = ()

    @property
    def config(self):
        return f"{self.arch}-{self.paging}-{self.san or self.build}{'-raw' if self.raw else ''}"

    @property
    def out(self):
        return os.path.join(TOP, "build", self.config)

    @property
    def kernel(self):
        return os.path.join(self.out, "kernel.elf")

    def qemu(self):
        """An i386 kernel gets qemu-system-i386, so that gdb sees registers of its width; but PAE with more than
        4 GiB, and UEFI, want the 64-bit machine only for x86_64."""
        return "qemu-system-" + self.arch

    @property
    def edu_mask(self):
        return EDU_MASK_IOMMU if self.iommu else EDU_MASK

    def _accel(self):
        if self.icount:
            return ["-icount", "shift=0,align=off,sleep=off", "-seed", "1",
                    "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-accel", "tcg,thread=single"]
        return ["-accel", "kvm" if self.accel == "kvm" else "tcg,thread=multi"]

    def _boot(self):
        if self.fw == "direct":
            return ["-kernel", self.kernel, *(["-initrd", self.initrd] if self.initrd else []),
                    "-append", f"{self.cmdline} edu.dma_mask={self.edu_mask}"]
        media = ["-drive", f"if=none,id=cd,format=raw,readonly=on,file={self.iso}",
                 "-device", "ide-cd,drive=cd,bootindex=0"]
        if self.fw == "bios":
            return media
        return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF.format('CODE')}",
                "-drive", f"if=pflash,format=raw,unit=1,snapshot=on,file={OVMF.format('VARS')}"] + media

    def disk_name(self, i):
        """What the kernel calls the disk number @i."""
        return f"nvme{i}n1" if self.disk == "nvme" else f"vd{chr(ord('a') + i)}"

    def _disks(self):
        args = []
        for i, disk in enumerate(self.disks):
            device = f"nvme,drive=d{i},serial=d{i}" if self.disk == "nvme" else f"virtio-blk-pci,drive=d{i},disable-legacy=on"
            args += ["-drive", f"if=none,id=d{i},format=raw,file={disk}", "-device", device]
        return args

    def _iommu(self):
        """48 bits, so that a program's addresses fit; QEMU wants it before the devices that it is in front of."""
        return ["-device", "intel-iommu,aw-bits=48"] if self.iommu else []

    def command(self, serial="stdio"):
        return [self.qemu(), "-machine", "q35", "-cpu", self.cpu, "-m", str(self.mem), "-smp", str(self.smp),
                *self._accel(), "-nodefaults", "-display", "none", "-no-reboot", "-monitor", "none",
                "-serial", serial, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
                *self._iommu(), "-device", f"edu,dma_mask={self.edu_mask}", *self._boot(), *self._disks(), *self.extra]


def from_environment(**changes):
    """A Machine as the make variables ask for it."""
    env = os.environ.get
    arch = env("ARCH") or "x86_64"
    m = Machine(arch=arch, paging=env("PAGING") or ("pae" if arch == "i386" else "4level"),
                build=env("BUILD") or "debug", san=env("SAN") or "", fw=env("FW") or "direct", smp=int(env("SMP") or 1),
                mem=env("MEM") or ("1024" if env("SAN") else "512"), accel=env("ACCEL") or "tcg", icount=env("ICOUNT") == "1",
                iommu=env("IOMMU") == "1", disk=env("DISK") or "virtio")
    return dataclasses.replace(m, **changes)


def make(*targets, **variables):
    """Build with the project's own Makefile."""
    words = [f"{k}={v}" for k, v in variables.items()]
    subprocess.run(["make", "-s", "-C", TOP, f"-j{os.cpu_count()}", *words, *targets], check=True)


def build(m):
    make("kernel", "root", ARCH=m.arch, PAGING=m.paging, BUILD=m.build, SAN=m.san, RAW="1" if m.raw else "")


def build_kernel(m):
    make("kernel", ARCH=m.arch, PAGING=m.paging, BUILD=m.build, SAN=m.san, RAW="1" if m.raw else "")


SLOW_READS = 400  # a second


def slow_disk():
    """A small ext2 disk with /big on it, of few reads a second: who waits for it waits long enough to be seen.
    Tests find it by the word suite.slow=vdb."""
    path = os.path.join(TOP, "build", "slow.img")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tempfile.TemporaryDirectory() as tree:
            with open(f"{tree}/big", "wb") as f:
                f.write(b"".join(i.to_bytes(8, "little") * 512 for i in range(256)))
            new = f"{path}.{os.getpid()}"
            with open(new, "wb") as f:
                f.truncate(8 << 20)
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-d", tree, new], check=True,
                           env=dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin"))
        os.replace(new, path)
    return f"{path},snapshot=on,throttling.iops-read={SLOW_READS}"


def swap_disk():
    """16 MiB made by mkswap(8), with two bad pages. Tests find it by the word suite.swap=vdc."""
    path = os.path.join(TOP, "build", "swap.img")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        new = f"{path}.{os.getpid()}"
        with open(new, "wb") as f:
            f.truncate(16 << 20)
        subprocess.run(["mkswap", "-q", "-L", "suite", new], check=True,
                       env=dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin"))
        with open(new, "r+b") as f:  # mkswap finds bad pages by reading; these it did not find
            f.seek(1032)
            f.write((2).to_bytes(4, "little"))
            f.seek(1536)
            f.write((3).to_bytes(4, "little") + (4095).to_bytes(4, "little"))
        os.replace(new, path)
    return f"{path},snapshot=on"


def suite_disks(m):
    """What the ring-3 suite finds: vda, its root, vdb, the slow one, and vdc, to swap to."""
    return (f"{m.out}/root.img,snapshot=on", slow_disk(), swap_disk())


def suite_words(m):
    """For the kernel's command line: which disk is which."""
    return f"root={m.disk_name(0)} suite.slow={m.disk_name(1)} suite.swap={m.disk_name(2)} "


FORMATS = (("x86_64", "4level"), ("i386", "pae"), ("i386", "2level"))
SCRAMBLED = ("x86_64", "scrambled")  # generic code on entries that no processor walks (arch/x86/mm/shadow.c); for tests only


def make_iso(m, out, words):
    """The hybrid ISO with all three kernels, which boots @m's at once with @words on its command line."""
    entries = []
    for arch, paging in FORMATS:
        other = dataclasses.replace(m, arch=arch, paging=paging)
        make("kernel", "ramdisk", ARCH=arch, PAGING=paging, BUILD=m.build)
        entries.append(f"{arch}-{paging}={other.kernel},{other.out}/ramdisk.img")
    subprocess.run([f"{TOP}/tools/make_iso.sh", out, f"{m.arch}-{m.paging}", *entries, "--", *words.split(),
                    f"edu.dma_mask={m.edu_mask}"], check=True)
    return out


def status_name(status):
    return EXIT_NAMES.get(status, f"status {status}")
