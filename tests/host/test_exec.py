#!/usr/bin/env python3
"""`make exec` from outside: arguments, output, exit status, a folder there and back, both widths.  KTAP."""
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
from ktap import Report  # pylint: disable=wrong-import-position

PROGRAM = r"""
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
	char line[64] = "";
	FILE *in = fopen("/with/in.txt", "r"), *out = fopen("/with/sub/out.txt", "w");
	if (!in || !out || !fgets(line, sizeof line, in))
		return 1;
	printf("%d arguments, last '%s', read %s", argc - 1, argv[argc - 1], line);
	fprintf(out, "%zu bits, %s", sizeof(long) * 8, line);
	return fclose(out) ? 2 : 7;
}
"""


def run_one(report, arch, compiler, bits):
    with tempfile.TemporaryDirectory() as work:
        with open(f"{work}/p.c", "w", encoding="utf-8") as f:
            f.write(PROGRAM)
        subprocess.run([compiler, "-static", "-O1", "-o", f"{work}/p", f"{work}/p.c"], check=True)
        os.makedirs(f"{work}/with/sub")
        with open(f"{work}/with/in.txt", "w", encoding="utf-8") as f:
            f.write("hello\n")
        env = dict(os.environ, ARCH=arch, PAGING="", PROG=f"{work}/p", ARGS="one 'two words'", WITH=f"{work}/with")
        done = subprocess.run([f"{TOP}/tools/exec.py"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=100, check=False)
        report.check("2 arguments, last 'two words', read hello" in done.stdout, f"exec {arch}: output and arguments", done.stdout)
        report.check(done.returncode == 7, f"exec {arch}: exit status", f"status {done.returncode}")
        path = f"{work}/with/sub/out.txt"
        text = open(path, encoding="utf-8").read() if os.path.exists(path) else "(no file)"
        report.check(text == f"{bits} bits, hello\n", f"exec {arch}: the folder comes back", text)


def main():
    report = Report()
    run_one(report, "x86_64", "x86_64-linux-gnu-gcc", 64)
    run_one(report, "i386", "i686-linux-gnu-gcc", 32)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
