#!/usr/bin/env python3
"""ext2 on the simulated machine: mke2fs makes an image, tests/unit/test_image.c mounts it and writes through mappings from
several CPUs, e2fsck and debugfs judge it.  KTAP to stdout."""
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FORMATS = os.environ.get("FORMATS") or "amd64 pae"
PAGES = 64
ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"}


def output(*command):
    done = subprocess.run(command, cwd=TOP, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def judge(image):
    """What is wrong with the image afterwards; empty: nothing."""
    status, said = output("e2fsck", "-fn", image)
    problems = [] if status == 0 else ["e2fsck: " + said.decode(errors="replace")]
    _, listed = output("debugfs", "-R", "ls -p /", image)
    names = [line.split("/")[5] for line in listed.decode().splitlines() if line.startswith("/")]
    if not {"hello", "pages", "hole", "dir"} <= set(names) or "gone" in names:
        problems.append(f"names: {names}")
    with tempfile.NamedTemporaryFile() as f:
        output("debugfs", "-R", f"dump /pages {f.name}", image)
        data = f.read()
    wrong = [p for p in range(PAGES) if int.from_bytes(data[p * 4096:p * 4096 + 8], "little") != 0x1000000 * p + 0xbeef]
    if len(data) != PAGES * 4096 or wrong:
        problems.append(f"{len(data)} bytes, wrong pages {wrong}")
    return problems


def run_format(fmt, folder):
    image = f"{folder}/{fmt}.img"
    with open(f"{folder}/hello", "w", encoding="ascii") as f:
        f.write("hello, world\n")
    os.makedirs(f"{folder}/tree", exist_ok=True)
    os.replace(f"{folder}/hello", f"{folder}/tree/hello")
    output("mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-d", f"{folder}/tree", image, "8192")
    variant = ["coverage"] if os.environ.get("COVERAGE") else []
    status, said = output("tools/host.py", "build", fmt, "tests/unit/test_image.c", *variant)
    if status:
        return [said.decode(errors="replace")]
    status, said = output(said.decode().split()[-1], image)
    return [said.decode(errors="replace")] if status else judge(image)


def main():
    formats = [f for f in FORMATS.split() if f in ("amd64", "pae")]
    failed = 0
    print(f"1..{len(formats)}")
    for number, fmt in enumerate(formats, 1):
        with tempfile.TemporaryDirectory() as folder:
            problems = run_format(fmt, folder)
        for line in "\n".join(problems).splitlines():
            print("# " + line)
        print(f"{'not ok' if problems else 'ok'} {number} - ext2 over an image, {fmt}", flush=True)
        failed += bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
