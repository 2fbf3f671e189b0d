#!/usr/bin/env python3
"""A real gdb against both stubs, QEMU's and the kernel's own: breakpoints in both rings, steps over the borders between
them, a hardware watchpoint on a page-table entry, backtraces through trap frames.  KTAP on stdout.

usage: test_stub.py ARCH PAGING [SCENE...]
"""
import os
import random
import signal
import sys
import time

from stub_machine import Guest, Line
from ktap import Report  # pylint: disable=wrong-import-order; stub_machine knows where

SYSCALL = {"x86_64": r"syscall", "i386": r"int +\$0x80"}
# Table levels: bits of the index; the size of an entry; where memory is in the kernel's half.
GEOMETRY = {"4level": ([9, 9, 9, 9], 8, 0xffff888000000000), "pae": ([2, 9, 9], 8, 0xc0000000), "2level": ([10, 10], 4, 0xc0000000)}

RINGS = """
hbreak main
continue
python
at("main"); print("ring", ring(), text("bt 1"))
def faults():
    return sum(value("cpus[%d].faults" % i) for i in range(1))
def readable():
    return "Cannot access" not in instruction()
def tf():
    return int(re.search("0x[0-9a-f]+", text("p/x $eflags"))[0], 16) >> 8 & 1
n = 0
while readable() and n < 60:
    text("stepi"); n += 1
before, pc = faults(), value("$pc")
text("stepi")
at("faulting-step"); print("unmapped", n < 60, "faults", faults() - before, "moved", 0 < value("$pc") - pc < 16, "ring", ring())
text("delete")
if ring() == 0:
    text("hbreak *%d" % pc); text("continue"); text("delete"); text("stepi")
    print("then faults", faults() - before, "moved", 0 < value("$pc") - pc < 16, "ring", ring())
text("hbreak close"); text("continue"); text("delete")
at("close"); print("ring", ring(), text("bt 1"))
found = step_to(r"{syscall}", 40)
pc = value("$pc")
text("stepi")
at("syscall-step"); print("found", found, "moved", value("$pc") - pc, "ring", ring(), "tf", tf())
if ring() == 0:
    print(text("x/i $pc"))
    text("hbreak *%d" % (pc + 2)); text("continue"); text("delete")
text("stepi")
at("after"); print("ring", ring(), "moved", value("$pc") not in (pc, pc + 2))

def interrupted():
    f = gdb.newest_frame()
    while f and f.type() != gdb.SIGTRAMP_FRAME:
        f = f.older()
    return f.older().pc() if f and f.older() else 0
text("break mm_fault_user")
for _ in range(40):
    text("continue")
    if 0 < interrupted() < 0xc0000000:
        break
at("fault"); print("ring", ring()); print(text("bt"))
text("delete"); text("finish")
found = step_to(r"^iret", 3000)
target = value("*(unsigned long *)$sp")
text("stepi")
at("iret-step"); print("found", found, "ring", ring(), "there", value("$pc") == target, "tf", tf())

text("break user_copy"); text("continue"); text("delete")
at("copy"); print("ring", ring()); print(text("bt"))
before = value("$sp")
text("finish")
at("copied"); print("ring", ring())

# An entry of a table that is there, and in which the fault puts something.
def entry_of(root, va):
    bits, size, direct = {geometry}
    shift = 12 + sum(bits)
    table = root
    for level, b in enumerate(bits):
        shift -= b
        where = direct + (table & ~0xfff) + (va >> shift & (1 << b) - 1) * size
        if level + 1 == len(bits):
            return where
        entry = value("*(unsigned %s *)%d" % ("long long" if size == 8 else "int", where)) & 0xffffffffff
        if not entry & 1:
            return None
        table = entry
text("break mm_fault_user")
where = None
for _ in range(60):
    text("continue")
    where = entry_of(value("mm->pt.root_pa"), value("addr"))
    if where and not value("*(unsigned %s *)%d" % ("long long" if {geometry}[1] == 8 else "int", where)):
        break
text("delete")
at("entry"); print("found", where is not None)
print(text("watch *(unsigned %s *)%d" % ("long long" if {geometry}[1] == 8 else "int", where or 0)))
print(text("continue"))
print(text("bt"))
text("delete")
text("break upcall_syscall"); text("continue")
at("syscall"); print("ring", ring(), text("bt"))
end
kill
"""


def rings(report, arch, paging, stub):
    """Both stubs, the same script: what is on one side is on the other."""
    with Guest(arch, paging, "gdb=wait" if stub == "kernel" else "", stub, stopped=stub == "qemu") as guest:
        script = ("hbreak kernel_main\ncontinue\ndelete\n" if stub == "qemu" else "") + RINGS
        out = guest.gdb(script.replace("{syscall}", SYSCALL[arch]).replace("{geometry}", repr(GEOMETRY[paging])))
        console = guest.text
    inside = stub == "qemu"   # QEMU's steps go into the kernel, the kernel's own go through it
    failed = report.failed
    for part, pattern, name in (
            ("main", r"ring 3 #0 +main", "a breakpoint in ring 3, on a page that was not there when it was set"),
            ("faulting-step", r"unmapped True faults 0 moved False ring 0[\s\S]*then faults [1-9]\d* moved True ring 3" if inside else
             r"unmapped True faults [1-9]\d* moved True ring 3", "a step across a page fault"),
            ("close", r"ring 3 #0 .*close", "another breakpoint in ring 3"),
            ("syscall-step", r"found True[^\0]*ring 0 tf 0[^\0]*(syscall_entry|vector_stubs)" if inside else
             r"found True moved 2 ring 3 tf 0", "a step across a system call"),
            ("after", r"ring 3 moved True", "and one behind it"),
            ("fault", r"ring 0[^\0]*mm_fault[^\0]*signal handler called>\s+#\d+ +(0x0|\w+ \()",
             "backtrace from a breakpoint in ring 0 through the trap frame to ring 3"),
            ("iret-step", r"found True ring 3 there True tf 0", "a step across iret"),
            ("copy", r"ring 0\s+#0 .*user_copy[^\0]*signal handler called", "backtrace out of assembly"),
            ("copied", r"ring 0", "finish"),
            ("entry", r"found True\s+Hardware watchpoint[^\0]*Old value = 0\s+New value = [1-9][^\0]*mm_fault",
             "a hardware watchpoint on a page-table entry sees the fault fill it"),
            ("syscall", r"ring 0 #0 +upcall_syscall[^\0]*signal handler called", "backtrace through a system call's frame")):
        report.matches(out.get(part, ""), pattern, f"{name}, stub {stub}")
    report.tell(failed, out[""] + console)


ATTACH = """
python
import os, signal, threading
at("attached"); print(text("info threads"))
at("regs"); print(text("info registers")); print(text("p $cr3"), text("p $efer"), text("p $xmm0.uint128"))
at("monitor"); print(text("monitor help")); print(text("monitor tasks")); print(text("monitor log")); print(text("monitor vmstat"))
print(text("monitor nonsense"))
at("pt"); print(text("monitor pt %x" % value("&cpus")))
at("memory"); print(text("x/2x 0")); print(text("p boot_info.cmdline")); print(text("set var cpus[0].major_faults = cpus[0].major_faults"))
at("task"); text("thread 3"); print(text("bt")); text("thread 1")
def later():
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(1.0, later).start()
at("interrupted"); print(text("continue"))
text("break sys_getppid"); print(text("info breakpoints"))
at("refused"); print(text("break trap_entry"), text("continue"))
end
detach
"""


def attach(report, arch, paging):
    """A machine that runs on two CPUs is stopped, looked at, let go."""
    with Guest(arch, paging, "gdb=on", smp=2) as guest:
        report.check(guest.prompt(), "a machine with gdb=on comes up", guest.text)
        failed, out = report.failed, guest.gdb(ATTACH)
        for part, pattern, name in (
                ("attached", r"Thread 1 .*cpu0[^\0]*Thread 2 .*cpu1[^\0]*kswapd", "attach to a running machine: CPUs and tasks"),
                ("regs", r"cr0 [^\0]*cr3 [^\0]*= 0x|cr0 [^\0]*cr3 ", "control registers are there"),
                ("monitor", r"tasks +every CPU[^\0]*kswapd[^\0]*Pteron,[^\0]*pgscan_kswapd[^\0]*no such command", "monitor commands"),
                ("pt", r"level 0 .*page .*grant=rw", "monitor pt decodes a walk"),
                ("memory", r"Cannot access memory[^\0]*gdb=on", "memory that is not there is refused, other is read"),
                ("task", r"arch_context_switch[^\0]*schedule[^\0]*kernel_thread_start|schedule", "backtrace of a thread that sleeps"),
                ("interrupted", r"SIGINT", "Ctrl-C stops it")):
            report.matches(out.get(part, ""), pattern, name)
        report.matches(out.get("refused", ""), r"Command aborted", "no breakpoint on the way to the debugger")
        report.tell(failed, out[""])
        report.check(guest.alive(), "detached, the machine goes on", guest.text)

        line = Line(guest)
        report.check(line.ask(b"?") is not None, "another gdb may come")
        line.packet(b"c")
        time.sleep(0.2)
        guest.send(b"\x1d")
        report.check((line.reply() or b"").startswith(b"T02"), "the console's key stops the machine")
        line.packet(b"D")
        report.check(line.reply() == b"OK" and guest.alive(), "and it goes on", guest.text)


STORM = """
python
text("break mm_fault_user")
threads = set()
for _ in range(40):
    text("continue")
    threads.add(gdb.selected_thread().num if "mm_fault" in text("bt 1") else -1)
at("storm"); print("threads", sorted(threads))
at("registers"); print(text("thread apply all -q p $pc"))
text("delete")
end
detach
"""


def storm(report, arch, paging):
    """Breakpoints that all CPUs meet all the time."""
    with Guest(arch, paging, "gdb=on", smp=2) as guest:
        guest.prompt()
        for _ in range(2):
            guest.send(b"(while :; do ls -l /bin >/dev/null; done) &\r")
        failed, out = report.failed, guest.gdb(STORM, 150)
        report.matches(out.get("storm", ""), r"threads \[1, 2\]", "both CPUs meet breakpoints, one stop at a time")
        report.tell(failed, out[""])
        guest.send(b"kill %1 %2; wait\r")
        report.check(guest.alive(), "no breakpoint is left behind", guest.text[-2000:])


def dying(report, arch, paging):
    """The machine is looked at when it has died."""
    for crash, status in (("panic", 37), ("null", 39), ("double", 41)):
        with Guest(arch, paging, f"gdb=panic crash={crash}", smp=2) as guest:
            began = guest.expect("PANIC|EXCEPTION")
            out = guest.gdb("python\nat('info'); print(text('info threads'))\nend\nbt\nthread 2\nbt 2\nthread 1\n"
                            "monitor log\npython\nat('end'); print(text('continue'))\nend\n")
            report.check(began, f"a kernel that dies of {crash} waits", guest.text)
            report.matches(out[""], rf"crash_{crash}|arch_lose_stack", f"{crash}: the place is found")
            report.matches(out[""], r"Thread 2 .*cpu1", f"{crash}: the other CPU is shown")
            ended = guest.status()
            report.check(ended == status, f"{crash}: let go, it ends as it would have", f"{ended}\n{out['']}\n{guest.text}")


def random_packets(line, dice, count):
    """Well-formed ones that say nonsense, ones broken in every way; none that asks for what would do harm if it were granted."""
    heads = [b"g", b"p", b"m", b"q", b"Q", b"H", b"T", b"Z", b"z", b"v", b"vCont;", b"qXfer:features:read:", b"qXfer:threads:read::",
             b"qRcmd,", b"qThreadExtraInfo,", b"G", b"?", b"!", b"R", b"b", b"_", b"\x80", b"", b"qSupported", b"vCont;s:", b"M", b"P"]
    tails = [b"0123456789abcdef,:;=-", bytes(range(256))]
    for i in range(count):
        size = 5000 if i % 400 == 7 else dice.choice((0, 1, 3, 9, 40))
        body = dice.choice(heads) + bytes(dice.choices(dice.choice(tails), k=size))
        kind = dice.randrange(6)
        if body[:1] in (b"M", b"P") or body.startswith(b"vCont;"):
            kind = 0            # said so that it cannot be taken for an order
            body = body.replace(b":", b"~").replace(b"=", b"~").replace(b"c", b"~").replace(b"C", b"~").replace(b"s", b"~").replace(b"S", b"~")
        body = body.replace(b"\x03", b"?").replace(b"$", b"?").replace(b"#", b"?").replace(b"}", b"?")
        if body[:1] in (b"c", b"C", b"s", b"S", b"D", b"k", b"X") or body.startswith((b"vKill", b"qRcmd,7265")):
            continue
        if kind == 1:
            line.raw(b"$" + body + b"#zz")
        elif kind == 2:
            line.raw(b"$" + body + b"#%02x" % ((sum(body) + 1) & 255))
        elif kind == 3:
            line.raw(body + b"$" + body[:3] + b"$m0,4#fd")
        elif kind == 4:
            line.raw(b"+-" * dice.randrange(4) + b"$" + b"#00")
        else:
            line.packet(body)
        line.drain(0.003)


def noise(report, arch, paging):
    """Protocol noise does no harm; without gdb= there is nobody to hear it."""
    seed = int(os.environ.get("SEED") or random.randrange(1 << 30))
    print(f"# SEED={seed}")
    with Guest(arch, paging, "gdb=on", smp=2) as guest:
        guest.prompt()
        line = Line(guest)
        report.check((line.ask(b"qSupported") or b"").startswith(b"PacketSize="), "a hand-made gdb is answered")
        before = line.ask(b"m%x,4" % 0xc0101000 if arch == "i386" else b"mffffffff80101000,4")
        random_packets(line, random.Random(seed), 1000)
        line.raw(b"$m0,0#00+++")
        line.drain(1)
        line.ask(b"qSupported")
        after = line.ask(b"m%x,4" % 0xc0101000 if arch == "i386" else b"mffffffff80101000,4")
        report.check(before and before == after, f"after 1000 random packets it still answers (SEED={seed})", f"{before} {after}")
        line.packet(b"D")
        report.check(line.reply() == b"OK", "and lets go")
        report.check(guest.alive(), "and the machine is well", guest.text)
        start = len(guest.text)
        guest.send(b"suite 'mm.z*,signal.traps*,bad.flags*'; echo done=$?\r")
        report.check(guest.expect(r"done=0", start), "programs run", guest.text)
    with Guest(arch, paging, "") as guest:
        guest.prompt()
        line = Line(guest)
        line.raw(b"\x03")
        line.packet(b"?")
        report.check(line.silence(1), "without gdb= nothing answers")
        guest.send(b"\x1d\r")
        report.check(guest.alive(), "and no key stops the machine", guest.text)


SCENES = {"qemu": lambda r, a, p: rings(r, a, p, "qemu"), "kernel": lambda r, a, p: rings(r, a, p, "kernel"),
          "attach": attach, "storm": storm, "dying": dying, "noise": noise}


def main():
    arch, paging, *scenes = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = Report(f"{arch} {paging}")
    for scene in scenes or SCENES:
        SCENES[scene](report, arch, paging)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
