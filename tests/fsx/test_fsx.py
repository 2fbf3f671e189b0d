#!/usr/bin/env python3
"""fsx: one file, four threads, every way to read and write it; the same program on Linux and on Pteron.  KTAP.

usage: test_fsx.py [CONFIG...]     host x86_64-4level i386-pae i386-2level; default: all
FSX_OPS=n operations (default: a short share; 1,000,000 with LONG=1), FSX_SEED=n repeats a thread's choices.
"""
import dataclasses
import os
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
sys.path.insert(0, f"{TOP}/tests/host")
# pylint: disable=wrong-import-position
import guest
from exec import program_disk
from ext2image import e2fsck, mke2fs, scratch
from ktap import Report
from machine import Machine

COMPILER = {"x86_64": "x86_64-linux-gnu-gcc", "i386": "i686-linux-gnu-gcc"}
EXEC_DONE = (0x40 << 1) | 1
LONG = os.environ.get("LONG") == "1"
# Block size of the disk, and operations without and with LONG=1.
CONFIGS = {"host": (0, 100000, 1000000), "x86_64-4level": (4096, 30000, 1000000), "i386-pae": (1024, 15000, 200000),
           "i386-2level": (2048, 15000, 200000)}


def compile_fsx(arch, out):
    subprocess.run([COMPILER[arch], "-static", "-pthread", "-O1", "-Wall", "-Wextra", "-o", out,
                    f"{TOP}/tests/fsx/fsx.c"], check=True)


def on_host(work, seed, operations):
    with tempfile.TemporaryDirectory(dir=f"{TOP}/build") as folder:
        command = [f"{work}/fsx-x86_64", "-s", str(seed), "-n", str(operations), f"{folder}/file"]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=600)
    return done.returncode == 0 and "fsx: done" in done.stdout, done.stdout.splitlines()


def on_pteron(work, config, seed, operations, block_size):
    arch, paging = config.split("-")
    folder = tempfile.mkdtemp(dir=work)
    image = mke2fs(f"{folder}/disk.img", 8192, block_size=block_size)
    words = ["-s", str(seed), "-n", str(operations), "-m", "vdc", "/mnt/file"]
    program = program_disk(folder, f"{work}/fsx-{arch}", words)
    m = Machine(arch=arch, paging=paging, smp=4, cmdline="root=vda exec=vdb")
    m = dataclasses.replace(m, disks=(f"{m.out}/root.img,snapshot=on", program, image))
    outcome = guest.run(m, f"fsx-{config}", 60 + operations // 250)
    clean, said = e2fsck(image)
    good = outcome.status == EXEC_DONE and "fsx: done" in outcome.lines
    return good and clean, outcome.lines[-60:] + ([] if clean else said.splitlines())


def main():
    env = os.environ.get
    chosen = sys.argv[1:] or list(CONFIGS)
    seed = int(env("FSX_SEED") or env("SEED") or time.time_ns() // 1000 % 1000000 + 1)
    os.makedirs(guest.LOGS, exist_ok=True)
    report = Report()
    report.note(f"FSX_SEED={seed}")
    with tempfile.TemporaryDirectory(dir=scratch()) as work:
        for arch in COMPILER:
            compile_fsx(arch, f"{work}/fsx-{arch}")
        for config in chosen:
            block_size, short, long = CONFIGS[config]
            operations, began = int(env("FSX_OPS") or (long if LONG else short)), time.monotonic()
            if config == "host":
                good, lines = on_host(work, seed, operations)
            else:
                good, lines = on_pteron(work, config, seed, operations, block_size)
            report.check(good, f"fsx, {operations} operations, {config}", "\n".join(lines))
            report.note(f"{time.monotonic() - began:.1f} s")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
