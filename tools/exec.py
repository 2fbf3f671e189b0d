#!/usr/bin/env python3
"""make exec PROG=./a.out ARGS='...' [WITH=dir]: run one static Linux program on Pteron.

The program is process 1's child; its output is this terminal's, its exit status ours.  The folder WITH is
there as /with, on a disk of its own, and what the program changed in it is copied back.
"""
import dataclasses
import filecmp
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

from machine import build, from_environment

EXEC_BASE, SIGNALLED = 0x40, 63


def image_of(tree, out, mib):
    with open(out, "wb") as f:
        f.truncate(mib << 20)
    env = dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-d", tree, out], check=True, env=env)


def tree_mib(tree):
    total = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(tree) for f in files
                if not os.path.islink(os.path.join(d, f)))
    return (total >> 20) * 5 // 4 + 32


def program_disk(work, prog, args, files=()):
    """An ext2 image with the program, its arguments, and @files: (name in /exec, path here)."""
    tree = os.path.join(work, "exec")
    os.mkdir(tree)
    name = os.path.basename(prog)
    for there, here in ((name, prog), *files):
        shutil.copy(here, f"{tree}/{there}")
    with open(f"{tree}/.argv", "w", encoding="utf-8") as f:
        f.write("".join(word + "\0" for word in ["/exec/" + name, *args]))
    image_of(tree, f"{work}/exec.img", tree_mib(tree))
    return f"{work}/exec.img"


def copy_back(image, folder, work):
    """What is on the image and not, or not the same, in the folder.  Nothing is deleted on the host."""
    tree = os.path.join(work, "back")
    os.mkdir(tree)
    env = dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin")
    subprocess.run(["debugfs", "-R", f"rdump / {tree}", image], check=True, env=env, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    for d, _, files in os.walk(tree):
        rel = os.path.relpath(d, tree)
        if rel.split(os.sep)[0] == "lost+found":
            continue
        os.makedirs(os.path.join(folder, rel), exist_ok=True)
        for name in files:
            new, old = os.path.join(d, name), os.path.join(folder, rel, name)
            if not os.path.exists(old) or not filecmp.cmp(new, old, shallow=False):
                shutil.copy(new, old)


def output_of(command):
    """Stream the console; lines of the kernel itself (before the program starts) go to stderr only if asked."""
    verbose = os.environ.get("VERBOSE")
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    started = False
    for line in process.stdout:
        if not started and line.strip() == b"init: exec":
            started = True
        elif started or verbose:
            sys.stdout.buffer.write(line.replace(b"\r\n", b"\n"))
            sys.stdout.flush()
    return process.wait()


def main():
    env = os.environ.get
    prog, folder = env("PROG"), env("WITH")
    if not prog or not os.path.isfile(prog):
        sys.exit("usage: make exec PROG=./a.out ARGS='...' [WITH=dir]")
    m = from_environment(cmdline="quiet root=vda exec=vdb" + (" with=vdc" if folder else ""))
    build(m)
    with tempfile.TemporaryDirectory() as work:
        disks = [f"{m.out}/root.img,snapshot=on", program_disk(work, prog, shlex.split(env("ARGS") or ""))]
        if folder:
            image_of(folder, f"{work}/with.img", tree_mib(folder))
            disks.append(f"{work}/with.img")
        status = output_of(dataclasses.replace(m, disks=tuple(disks)).command())
        if folder:
            copy_back(f"{work}/with.img", folder, work)
    guest = status >> 1
    if not status & 1 or guest < EXEC_BASE:
        sys.exit(f"the machine ended with status {status}")
    sys.exit(128 if guest - EXEC_BASE == SIGNALLED else guest - EXEC_BASE)


if __name__ == "__main__":
    main()
