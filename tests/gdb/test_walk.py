#!/usr/bin/env python3
"""The guided walk of docs/book: every stop's script is run, and what gdb says must be what the book shows.  KTAP on stdout.

usage: test_walk.py ARCH PAGING [--record]

The book's pages show x86-64; what the other formats say is in walk-PAGING.txt beside this file.  Numbers that differ from
run to run are compared by where they come again: the first address of a page is the same thing as every later one like it.
--record writes what gdb says into the book (or that file): read the difference before you believe it.
"""
import difflib
import glob
import os
import re
import sys
import tempfile

from session import TOP, live, machine
from ktap import Report  # pylint: disable=wrong-import-order; session knows where

BOOK = f"{TOP}/docs/book"
CHATTER = re.compile(r"^(\[|Thread \d+ received|Temporary breakpoint|Hardware assisted|Breakpoint \d+ at|\d+\t|0x[0-9a-f]+\t|warning:"
                     r"|Continuing|$)")


def stops():
    return sorted(glob.glob(f"{BOOK}/[0-9]*.gdb"))


def name_of(path):
    return os.path.basename(path)[:-len(".gdb")]


def script():
    """All stops in one session, each command shown as it is given."""
    text = f"source {BOOK}/start.gdb\n"
    for path in stops():
        with open(path, encoding="utf-8") as f:
            lines = [line for line in f if not line.startswith("source ")]
        text += f"echo @{name_of(path)}\\n\nset trace-commands on\n{''.join(lines)}set trace-commands off\necho @-\\n\n"
    return text + "kill\n"


def tidy(text):
    """What the book shows of gdb's words: commands, where it stopped, and answers."""
    lines = []
    for line in text.splitlines():
        line = re.sub(r"^\+(?!set trace-commands)", "(gdb) ", line)
        hit = re.match(r"^Thread .* hit .*?reakpoint [\d.]+, (?:0x[0-9a-f]+ in )?(\S+) \(.*\) (?:at|\(\) at) (\S+):\d+$", line)
        if hit:
            lines.append(f"{hit.group(1)} () at {hit.group(2)}")
        elif not CHATTER.match(line) and "trace-commands" not in line:
            lines.append(line.rstrip())
    return lines


def without_interrupts(lines):
    """Less the locks that an interrupt happens to hold on the other CPU."""
    return [line for i, line in enumerate(lines) if line != "no lock is held"
            and ("held by an interrupt" not in "".join(lines[i:i + 2]) or "held by thread" in line or line.startswith("(gdb)"))]


def comparable(lines):
    """The same with what differs from run to run replaced: numbers by the order of their first coming."""
    lines = without_interrupts(lines)
    seen, found = {}, []

    def number(match):
        return "H" + str(seen.setdefault(match.group(0).lstrip("0x"), len(seen)))

    for line in lines:
        line = re.sub(r"^  flags (?!:).*", "  flags", line)
        line = re.sub(r"^ *\d+ cpu\d", "tick cpu", line)
        line = re.sub(r"^\$\d+ = ", "$ = ", line)
        line = re.sub(r"^(#\d+) +(0x[0-9a-f]+ in )?(\w+) .*", r"\1 \3", line)
        line = re.sub(r"inode \d+|\b[0-9a-f]{2}:[0-9a-f]{2} \d+", "inode", line)
        line = re.sub(r"\d+ MiB", "MiB", line)
        line = re.sub(r"\[ *\d+\]", "[i]", line)
        line = re.sub(r"\b(0x[0-9a-f]{3,}|[0-9a-f]{8,})\b", number, line)
        line = re.sub(r" +", " ", line)
        found.append(line)
    return paragraphs(found)


def paragraphs(lines):
    """`fault` breaks its lines by their length, which is the numbers': one line for each paragraph."""
    joined = []
    for line in lines:
        if joined and joined[-1].startswith("Process ") and not line.startswith("(gdb)"):
            joined[-1] += " " + line
        else:
            joined.append(line)
    return joined


# -- the book ----------------------------------------------------------------------------------------------------------

def book_lines(page):
    """All that stands in the page's fenced blocks."""
    with open(page, encoding="utf-8") as f:
        blocks = re.findall(r"^```\n(.*?)^```$", f.read(), re.M | re.S)
    return "".join(blocks).splitlines()


def record_book(page, lines):
    """Put the answers behind the commands that the page's blocks show."""
    answers, at = [], -1
    for line in lines:
        if line.startswith("(gdb) "):
            answers.append([line])
        elif answers:
            answers[-1].append(line)

    def fill(block):
        nonlocal at
        text = "```\n"
        for line in block.group(1).splitlines():
            if line.startswith("(gdb) "):
                at += 1
                assert answers[at][0] == line, f"{page}: the script says {answers[at][0]}, the page {line}"
                text += "\n".join(answers[at]) + "\n"
        return text + "```"

    with open(page, encoding="utf-8") as f:
        text = re.sub(r"^```\n(.*?)^```$", fill, f.read(), flags=re.M | re.S)
    assert at == len(answers) - 1, f"{page} leaves out {answers[at + 1][0]}"
    with open(page, "w", encoding="utf-8") as f:
        f.write(text)


def other_path(paging):
    return f"{TOP}/tests/gdb/walk-{paging}.txt"


def other_lines(paging):
    """{stop: lines} of a format that the book does not show."""
    with open(other_path(paging), encoding="utf-8") as f:
        words = re.split(r"^@(\S+)\n", f.read(), flags=re.M)
    return {name: text.splitlines() for name, text in zip(words[1::2], words[2::2])}


def record(s, paging):
    if paging == "4level":
        for path in stops():
            record_book(f"{BOOK}/{name_of(path)}.md", tidy(s.part(name_of(path))))
        return
    with open(other_path(paging), "w", encoding="utf-8") as f:
        for path in stops():
            f.write(f"@{name_of(path)}\n" + "".join(line + "\n" for line in tidy(s.part(name_of(path)))))


def expected(name, paging):
    return book_lines(f"{BOOK}/{name}.md") if paging == "4level" else other_lines(paging).get(name, [])


def walk(m):
    with tempfile.TemporaryDirectory() as work:
        return live(m, script(), work, stop=None)


def difference(s, path, paging):
    """Between what is expected and what gdb said at a stop; "" if there is none."""
    want, have = comparable(expected(name_of(path), paging)), comparable(tidy(s.part(name_of(path))))
    return "\n".join(difflib.unified_diff(want, have, "the book", "gdb", lineterm="", n=1))


def main():
    arch, paging = sys.argv[1:3]
    m = machine(arch, paging)
    s = walk(m)
    if "--record" in sys.argv:
        print(s.out[-3000:])
        record(s, paging)
        return 0
    r = Report(f"{arch} {paging}")
    if any(difference(s, path, paging) for path in stops()):
        s = walk(m)    # on a busy machine gdb can meet a breakpoint twice: such a thing does not happen again
    for path in stops():
        diff = difference(s, path, paging)
        r.check(not diff and s.part(name_of(path)), f"docs/book/{name_of(path)}", diff or s.out)
    return r.end()


if __name__ == "__main__":
    sys.exit(main())
