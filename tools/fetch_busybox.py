#!/usr/bin/env python3
"""The distribution's busybox-static for one architecture, from its package, without touching the system.

usage: fetch_busybox.py x86_64|i386 OUT

The package of a foreign architecture is found through a private apt state, so nothing is added to the
machine's own configuration.  Exit status 1 when it cannot be had: the caller uses the shell in user/ then.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

DEBIAN = {"x86_64": "amd64", "i386": "i386"}


def apt_options(root, arch):
    """Options that give apt an index of its own for @arch below @root, with the machine's sources and keys."""
    for d in ("lists/partial", "cache/archives/partial"):
        os.makedirs(f"{root}/{d}", exist_ok=True)
    open(f"{root}/status", "w").close()
    return ["-qq", "-o", f"APT::Architecture={arch}", "-o", f"APT::Architectures::={arch}",
            "-o", f"Dir::State={root}", "-o", f"Dir::State::lists={root}/lists",
            "-o", f"Dir::State::status={root}/status", "-o", f"Dir::Cache={root}/cache",
            "-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none"]


def fetch(arch, out):
    with tempfile.TemporaryDirectory() as root:
        options = apt_options(root, DEBIAN[arch])
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=root, timeout=300)
        subprocess.run(["apt-get", *options, "update"], check=False, **quiet)
        subprocess.run(["apt-get", *options, "download", "busybox-static"], check=True, **quiet)
        deb = glob.glob(f"{root}/busybox-static_*.deb")[0]
        subprocess.run(["dpkg-deb", "-x", deb, f"{root}/x"], check=True, **quiet)
        found = [p for p in (f"{root}/x/bin/busybox", f"{root}/x/usr/bin/busybox") if os.path.exists(p)]
        os.makedirs(os.path.dirname(out), exist_ok=True)
        shutil.copy(found[0], out)


def main():
    arch, out = sys.argv[1:]
    if os.path.exists(out):
        return 0
    try:
        fetch(arch, out)
    except (subprocess.SubprocessError, OSError, IndexError) as e:
        print(f"busybox for {arch} cannot be had ({e}); using our own shell", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
