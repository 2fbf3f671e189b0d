#!/usr/bin/env python3
"""Make the root file system: an ext2 image with init, the programs of user/ and tests/user/, a shell.

usage: make_root.py --arch ARCH --programs DIR --out IMAGE [--size MIB] [--add HOST:GUEST ...] [--sources]
"""
import argparse
import os
import shutil
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APPLETS = """[ ash awk basename cat chmod chown clear cmp cp cut date dd df diff dirname dmesg du echo env expr
false find free grep head hexdump hostname id kill killall less ln ls md5sum mkdir mkfifo mknod mktemp more mount mv
nproc od pidof printenv printf ps pwd readlink realpath rm rmdir sed seq sh sha1sum sha256sum sleep sort stat stty
sync tail tar tee test time touch top tr true tty umount uname uniq uptime usleep vi watch wc which whoami xargs xxd
yes""".split()
DIRECTORIES = "bin sbin dev proc tmp with exec mnt etc root var usr".split()
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/hostname": "pteron\n",
    "etc/profile": "export PATH=/bin:/sbin HOME=/root PS1='pteron:\\w\\$ '\n",
}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def install_shell(tree, arch, programs):
    """busybox with its applets as links, or the small shell of user/."""
    busybox = os.path.join(TOP, "build", "cache", f"busybox-{arch}")
    if subprocess.run([f"{TOP}/tools/fetch_busybox.py", arch, busybox], check=False).returncode == 0:
        shutil.copy(busybox, f"{tree}/bin/busybox")
        for applet in APPLETS:
            os.symlink("busybox", f"{tree}/bin/{applet}")
    else:
        shutil.copy(f"{programs}/sh", f"{tree}/bin/sh")


def populate(tree, args):
    for d in DIRECTORIES:
        os.makedirs(f"{tree}/{d}")
    for path, text in FILES.items():
        write(f"{tree}/{path}", text)
    install_shell(tree, args.arch, args.programs)
    for name in sorted(os.listdir(args.programs)):
        if os.access(f"{args.programs}/{name}", os.X_OK) and os.path.isfile(f"{args.programs}/{name}"):
            where = "sbin" if name == "init" else "bin"
            if name != "sh":
                shutil.copy(f"{args.programs}/{name}", f"{tree}/{where}/{name}")
    if args.sources:
        ignore = shutil.ignore_patterns("build", ".git", "__pycache__")
        shutil.copytree(TOP, f"{tree}/src", ignore=ignore, symlinks=True)
    for pair in args.add:
        host, guest = pair.split(":")
        target = f"{tree}/{guest.lstrip('/')}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        (shutil.copytree if os.path.isdir(host) else shutil.copy)(host, target)


def make_image(tree, out, mib, block_size):
    tmp = out + ".tmp"
    with open(tmp, "wb") as f:
        f.truncate(mib << 20)
    env = dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-b", str(block_size), "-d", tree, "-E", "root_owner=0:0", tmp],
                   check=True, env=env)
    os.replace(tmp, out)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--arch", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--size", type=int, default=64)
    p.add_argument("--block-size", type=int, default=4096)
    p.add_argument("--add", action="append", default=[])
    p.add_argument("--sources", action="store_true")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as tree:
        populate(tree, args)
        make_image(tree, args.out, args.size, args.block_size)


if __name__ == "__main__":
    main()
