#!/usr/bin/env python3
"""A real gdb on a booting kernel: breakpoints, backtraces and steps in ring 0 and ring 3.  KTAP on stdout.

usage: run.py ARCH PAGING
"""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
from ktap import Report  # pylint: disable=wrong-import-position

SCRIPT = """
printf "@entry\\n"
add-symbol-file {init}
hbreak main
continue
printf "@ring3 cs=%d\\n", $cs & 3
bt
stepi
stepi
printf "@stepped cs=%d\\n", $cs & 3
delete
break mm_fault
continue
printf "@fault addr=%#lx\\n", (unsigned long)addr
bt
finish
printf "@finish\\n"
delete
break upcall_syscall
continue
printf "@syscall cs=%d\\n", $cs & 3
bt
delete
hbreak *frame_ip(tf)
continue
printf "@back cs=%d\\n", $cs & 3
kill
"""

CHECKS = (
    ("gdb stops at kernel_main", r"kernel_main"),
    ("break mm_fault stops in ring 0", r"@fault addr=0x[0-9a-f]+"),
    ("bt goes from mm_fault through the trap", r"upcall_page_fault"),
    ("finish returns from mm_fault", r"@fault[\s\S]*Value returned is[\s\S]*@finish"),
    ("a breakpoint in ring 3 is hit", r"@ring3 cs=3"),
    ("bt works in ring 3", r"@ring3 cs=3\s+#0\s+main"),
    ("stepi works in ring 3", r"@stepped cs=3"),
    ("a system call is entered", r"@syscall cs=0"),
    ("the program is met again after its system call", r"@back cs=3"),
)


def main():
    arch, paging = sys.argv[1:]
    config = f"{arch}-{paging}-debug"
    env = dict(os.environ, ARCH=arch, PAGING=paging, BUILD="debug", FW="direct", STUB="qemu")
    with tempfile.NamedTemporaryFile("w", suffix=".gdb", encoding="utf-8") as script:
        script.write(SCRIPT.format(init=f"{TOP}/build/{config}/user/init"))
        script.flush()
        env["GDB_SCRIPT"] = script.name
        try:
            done = subprocess.run([f"{TOP}/tools/debug.py"], env=env, stdout=subprocess.PIPE, timeout=150,
                                  stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
            out = done.stdout
        except subprocess.TimeoutExpired as e:
            out = (e.stdout or b"").decode("utf-8", "replace") + "\n(time limit)\n"
    report = Report(f"{arch} {paging}")
    report.note(out)
    for name, pattern in CHECKS:
        report.check(re.search(pattern, out), name)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
