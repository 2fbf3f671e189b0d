#!/usr/bin/env python3
"""The commands of tools/gdb on a live machine and on a dump of it, their answers held against what the program in the
machine saw itself (/proc, /dev/mm) and against each other.  KTAP on stdout.

usage: test_commands.py ARCH PAGING
"""
import difflib
import re
import sys
import tempfile

from session import dump, live, machine, part
from ktap import Report  # pylint: disable=wrong-import-order; session knows where

COMMANDS = "pt maps vma page ptes fault pins dirty locks trace tasks log".split()
LEVELS = {"4level": 4, "pae": 3, "2level": 2, "scrambled": 4}
# What is asked at the last stop, live and of the dump; @memory is the first page of the program's anonymous memory.
SCENE = "".join((
    part("pt-anon", "pt {anon:#x}"), part("pt-child", "pt {anon:#x} 2"), part("pt-swapped", "pt {swapped:#x} 1"),
    part("pt-remapped", "pt {remapped:#x} 1"), part("pt-none", "pt {none:#x} 1"), part("pt-absent", "pt 0x10000 1"),
    part("maps", "maps 1"), part("vma", "vma {window:#x} 1"), part("vma-none", "vma 16 1"), part("ptes", "ptes 1"),
    part("page-anon", "page {anon:#x} 1"), part("page-file", "page {file:#x} 1"), part("page-window", "page {window:#x} 1"),
    part("pins", "pins"), part("dirty", "dirty"), part("trace", "trace 40"), part("log", "log"), part("tasks", "tasks"),
    part("task", "tasks 2"), part("locks", "locks"), part("fault-none", "fault 16 read 1"),
    part("fault-write", "fault {remapped:#x} write 1"), part("fault-forbidden", "fault {none:#x} read 1"),
    part("fault-swapped", "fault {swapped:#x} read 1")))


def may_fail(name, command):
    """A part whose command is allowed to be refused."""
    return part(name, f"python\ntry:\n  gdb.execute('{command}')\nexcept gdb.error as e:\n  print(e)\nend")


def stops():
    """The way to the last stop."""
    text = "".join(part("help-" + c, "help " + c) for c in COMMANDS)
    text += may_fail("pt-kernel", "pt kernel_main") + may_fail("fault-early", "fault")
    text += "hbreak stop_touch\ncontinue\n" + part("touch-pt", "pt memory") + part("touch-fault", "fault memory")
    text += "break mm_fault_user\ncontinue\n" + part("read-fault", "fault") + "continue\n" + part("write-fault", "fault")
    text += "delete\nhbreak stop_cow\ncontinue\n" + part("cow-page", "page memory") + "break fault_cow\ncontinue\n"
    text += part("cow-fault", "fault") + part("cow-locks", "locks")
    text += "delete\nhbreak stop_store\ncontinue\n" + part("clean", "dirty") + part("store-fault", "fault memory write")
    text += "delete\nhbreak stop_writeback\ncontinue\n" + part("stored", "dirty")
    text += "break clean_entry\ncontinue\n" + part("mkclean-locks", "locks")
    text += "delete\nhbreak stop_forbidden\ncontinue\nbreak signal_force_fault\ncontinue\n" + part("segv-fault", "fault")
    text += "delete\nhbreak stop_locks\ncontinue\n" + part("waiting", "locks")
    return text + "delete\nhbreak stop_scene\ncontinue\n"


def scene_addresses(console):
    """What the program said of itself: {name: {field: number}}."""
    found = {}
    for name, rest in re.findall(r"^entry (\S+) (.*)$", console, re.M):
        fields = dict(f.split("=") for f in rest.split())
        found[name] = {k: int(v, 16 if k in ("addr", "pfn") else 10) for k, v in fields.items()}
    return found


def shown(console, path):
    """What the program printed of a file."""
    match = re.search(rf"^<<< {re.escape(path)}\n(.*?)^>>>$", console, re.M | re.S)
    return match.group(1) if match else "(nothing)"


def levels_of(text):
    return [int(n) for n in re.findall(r"^  level (\d)", text, re.M)]


def check_stops(r, s, paging):
    def paragraph(name, pattern, what):
        r.matches(" ".join(s.part(name).split()), pattern, what)

    x = "rwx" if paging == "2level" else "rw-"
    for c in COMMANDS:
        r.check(len(s.part("help-" + c).splitlines()) >= 2 and "not documented" not in s.part("help-" + c),
                f"help {c}", s.part("help-" + c))
    if paging == "scrambled":
        r.matches(s.part("pt-kernel"), "user addresses only", "pt of a kernel address says why it cannot")
    else:
        r.matches(s.part("pt-kernel"), r"level [01] .*page .*grant (r-x|rwx) .*kernel", "pt of a kernel address ends at its page")
    paragraph("fault-early", "no fault", "fault before there is one is refused")
    r.matches(s.part("touch-pt"), r"none$|no table below", "pt of memory that was never touched")
    paragraph("touch-fault", r"private anonymous.*no entry.*page of zeros is mapped, read-only", "fault foretells a read")
    paragraph("read-fault", rf"reads 0x.*begins here.*{x}.*fault_anon", "fault in mm_fault_user: a read")
    paragraph("write-fault", r"stores to 0x.*shared page of zeros.*fault_cow", "fault in mm_fault_user: a store to the zero page")
    r.check(len(re.findall("mapped at .*its family", s.part("cow-page"))) == 2 and "mapcount 2" in s.part("cow-page"),
            "page after fork: two entries, found by the family", s.part("cow-page"))
    paragraph("cow-fault", r"being handled.*2 entries map the page.*copy of its own", "fault in fault_cow: a copy")
    r.matches(s.part("cow-locks"), r"MMAP .*of process (\d) walk\n  held by thread \1 \(walk\), for reading", "locks in a fault")
    r.matches(s.part("clean"), "no page is dirty", "dirty: nothing yet")
    paragraph("store-fault", r"/walk\.dat.*first since the page was clean", "fault foretells a write notice")
    r.matches(s.part("stored"), r"^/walk\.dat, inode \d+, 16 pages cached; dirty: 1 \(page 0\)", "dirty: the page stored to")
    r.matches(s.part("mkclean-locks"), r"^PAGE .*\n  held by thread 1 .*page lock", "locks in writeback: the page's")
    r.matches(s.part("mkclean-locks"), r"^PTL .* of the entries of 0x[\s\S]*^MAPS|^MAPS[\s\S]*^PTL .* of the entries of 0x",
              "locks in writeback: the reverse links', the table's")
    paragraph("segv-fault", r"stores to.*page 14 of the file.*entry's own grant.*SEGV_ACCERR",
              "fault before a signal: forbidden by the entry's own grant")
    r.matches(s.part("waiting"), r"MMAP .*\n  held by thread \d+ \(walk\), for reading\n  WAITED FOR by thread \d+ \(walk\) to write",
              "locks: who holds and who waits")


def check_scene(r, s, seen, paging):
    def paragraph(name, pattern, what):
        r.matches(" ".join(s.part(name).split()), pattern, what)

    x = "rwx" if paging == "2level" else "rw-"
    levels = list(range(LEVELS[paging] - 1, -1, -1))
    text = s.part("pt-anon")
    r.check(levels_of(text) == levels and f"frame {seen['anon']['pfn']:#x}, grant {x} write" in text,
            "pt: every level, and the frame that the kernel names", f"{seen['anon']}\n{text}")
    r.check(f"frame {seen['anon']['pfn']:#x}," not in s.part("pt-child") and "frame 0x" in s.part("pt-child"),
            "pt of another process: the page before the copy", s.part("pt-child"))
    r.matches(s.part("pt-swapped"), rf"swap +slot {seen['swapped']['pgoff']} of area 0, grant {x} exclusive", "pt: a swap entry")
    r.matches(s.part("pt-remapped"), rf"file +page {seen['remapped']['pgoff']} of the object, grant {x}", "pt: a file entry")
    r.matches(s.part("pt-none"), rf"page +frame {seen['none']['pfn']:#x}, grant ---", "pt: a page that nobody may touch")
    r.matches(s.part("pt-absent"), "nothing|no table below", "pt: no table")
    maps = re.sub(r" <.*>$", "", s.part("maps"), flags=re.M)
    r.check(maps == shown(s.console, "/proc/self/maps"), "maps is /proc/self/maps", difference(maps, shown(s.console, "/proc/self/maps")))
    r.matches(s.part("maps"), "memfd:window.*<nonlinear, own grants>", "maps marks the nonlinear range")
    r.check(s.part("ptes") == shown(s.console, "/proc/self/ptes"), "ptes is /proc/self/ptes",
            difference(s.part("ptes"), shown(s.console, "/proc/self/ptes")))
    r.matches(s.part("vma"), r"flags: .*nonlinear manyprots[\s\S]*is page 0 of 16[\s\S]*entries: 7 file, 9 page", "vma")
    r.matches(s.part("vma-none"), "lies in no range; the next one", "vma of a hole")
    for name in ("anon", "file", "window"):
        e, text = seen[name], s.part("page-" + name)
        r.check(f"frame {e['pfn']:#x}," in text and f"refs {e['refs']}, mapcount {e['mapcount']}, pins {e['pins_w']} for" in text
                and f"mapped at {e['addr']:#x} in process 1" in text, f"page: counts as the kernel gives them, and the entry ({name})",
                f"{e}\n{text}")
    r.matches(s.part("page-file"), r"page 0 of /walk\.dat[\s\S]*linear: the object's links", "page: a file's, linear")
    r.matches(s.part("page-window"), r"page 15 of /memfd:window[\s\S]*off position: the nonlinear index", "page: off position")
    r.check("2 pins are out" in s.part("pins") and s.part("pins").count("pinned: 1 for writing") == 2, "pins", s.part("pins"))
    r.matches(s.part("dirty"), r"^/walk\.dat, .*dirty: 1 \(page 1\)", "dirty")
    r.matches(s.part("trace"), rf"flush .*{seen['file']['addr']:#x}-", "trace: a flush")
    r.matches(s.part("trace"), rf"mkclean +1 walk +{seen['file']['addr']:#x} page .* WAD- => page .* -A--\n.*verdict .*clean",
              "trace: writeback's steps in order")
    log = [line for line in s.part("log").splitlines() if line]
    r.check(len(log) > 5 and [x for x in s.console.splitlines() if x in log][:len(log)] == log, "log is what the console shows",
            s.part("log"))
    r.matches(s.part("tasks"), r"^ +1 +1 walk +runs on cpu [01] ", "tasks: who runs")
    r.matches(s.part("tasks"), r"^ +2 +2 walk +interruptible .* pipe_read|pipe_wait", "tasks: where a thread sleeps")
    r.matches(s.part("task"), r"schedule[\s\S]*pipe_[\s\S]*sys_read[\s\S]*upcall_syscall", "tasks TID: the way into the sleep")
    r.matches(s.part("locks"), "no lock is held", "locks: none")
    paragraph("fault-none", "No range holds that address[^:]*: SIGSEGV", "fault: outside every range")
    paragraph("fault-write", r"page 13 of the file, not its linear place.*fault_file", "fault: a file entry")
    paragraph("fault-forbidden", r"own grant counts here, ---.*SEGV_ACCERR", "fault: no grant at all")
    paragraph("fault-swapped", r"swap slot.*fault_swap", "fault: a swap entry")


def difference(a, b):
    return "\n".join(difflib.unified_diff(b.splitlines(), a.splitlines(), "the program", "gdb", lineterm="", n=0))


def main():
    arch, paging = sys.argv[1:]
    m = machine(arch, paging)
    r = Report(f"{arch} {paging}")
    with tempfile.TemporaryDirectory() as work:
        core = f"{work}/core"
        where = r"""python
import re
entries = dict(re.findall(r"^entry (\S+) addr=(\S+)", open("CONSOLE").read(), re.M))
for line in SCENE.format(**{k: int(v, 16) for k, v in entries.items()}).splitlines():
    gdb.execute(line)
end
""".replace("CONSOLE", f"{work}/console").replace("SCENE", repr(SCENE))
        s = live(m, stops() + where + f"monitor dump-guest-memory -p {core}\nkill\n", work)
        check_stops(r, s, paging)
        seen = scene_addresses(s.console)
        if len(seen) < 7:
            print(re.sub(r"^", "# ", s.out[-6000:] + s.console[-2000:], flags=re.M))
            r.check(False, "the program came to its last stop")
            return r.end()
        check_scene(r, s, seen, paging)
        d = dump(m, core, SCENE.format(**{k: e["addr"] for k, e in seen.items()}))
        for name in re.findall(r"@(\S+?)\\n", SCENE):
            if name != "-":
                r.check(d.part(name) == s.part(name) != "", f"the same of a dump: {name}", difference(d.part(name), s.part(name)) or d.out)
    return r.end()


if __name__ == "__main__":
    sys.exit(main())
