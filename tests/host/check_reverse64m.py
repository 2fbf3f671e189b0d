#!/usr/bin/env python3
"""check_reverse64m.py IMAGE [PATH_IN_IMAGE]

After `reverse64m` ran in Pteron and the machine is off: `e2fsck -fn` must find nothing, and the file that
debugfs reads from the image must have exactly the expected bytes.  Default path: /bigfile.
Prints KTAP lines; exit status 0: as expected; 1: not."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import bigfile  # noqa: E402
from ktap import Report  # noqa: E402

# Debian keeps e2fsprogs in sbin, which is not in everybody's PATH.
ENV = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin", LC_ALL="C")


def fsck(image):
    run = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True, env=ENV)
    if run.returncode:
        print("# " + (run.stdout + run.stderr).replace("\n", "\n# "))
        print(f"# e2fsck -fn exits with {run.returncode}")
    return run.returncode == 0


def dump(image, path, to):
    run = subprocess.run(["debugfs", "-R", f"dump {path} {to}", image], capture_output=True, text=True, env=ENV)
    if run.returncode or not os.path.exists(to) or "File not found" in run.stderr:
        print("# " + (run.stdout + run.stderr).replace("\n", "\n# "))
        print(f"# debugfs cannot read {path}")
        return False
    return True


def compare(file):
    size = os.path.getsize(file)
    if size != bigfile.PAGES * bigfile.PAGE:
        print(f"# {size} bytes, expected {bigfile.PAGES * bigfile.PAGE}")
        return False
    wrong = []
    with open(file, "rb") as data:
        for page in range(bigfile.PAGES):
            got = data.read(bigfile.PAGE)
            if got != bigfile.after(page):
                wrong.append((page, got))
    for page, got in wrong[:5]:
        state = "as it was before" if got == bigfile.before(page) else "neither old nor new: " + got[:16].hex()
        print(f"# page {page} (writable: {bigfile.writable(page)}) is {state}")
    if wrong:
        print(f"# {len(wrong)} of {bigfile.PAGES} pages are wrong")
    return not wrong


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    image = sys.argv[1]
    path = sys.argv[2] if len(sys.argv) == 3 else "/bigfile"
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "big")
        clean = fsck(image)
        right = dump(image, path, file) and compare(file)
    report = Report()
    report.check(clean, "e2fsck -fn is clean")
    report.check(right, f"every byte of {path} is as reverse64m should leave it")
    sys.exit(report.end())


if __name__ == "__main__":
    main()
