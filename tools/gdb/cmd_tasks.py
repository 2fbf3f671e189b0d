"""cmd_tasks.py - tasks: every thread, what it does, and where it sleeps."""
import gdb

import kernel
from record import Record, enum_names, memory

SLEEPERS = ("schedule", "switch_to", "sync_", "wait_", "thread_", "arch_context_switch", "stack_switch", "finish_switch", "mutex_lock_slow", "rwsem_", "sched_", "block_until")


def function_at(pc):
    """The function that is called at the return address @pc, not one that is inlined into it."""
    block, name = gdb.block_for_pc(pc - 1), None
    while block:
        name = block.function.name if block.function else name
        block = block.superblock
    if name:
        return name
    text = gdb.execute(f"info symbol {pc - 1:#x}", to_string=True)
    return text.split()[0] if " in section" in text else f"{pc:#x}"


def return_addresses(thread):
    """Of a thread that was switched out: its frames' return addresses, innermost first (debug kernels keep the chain)."""
    word = kernel.word_bits() // 8
    frame = Record("struct switch_frame", Record("struct arch_context", thread.address).sp)
    yield frame.ip
    bp = frame.bp
    while thread.stack and thread.stack <= bp < thread.stack_top - 2 * word:
        data = memory(bp, 2 * word)
        following, pc = (int.from_bytes(data[i * word:(i + 1) * word], "little") for i in range(2))
        yield pc
        if following <= bp:
            return
        bp = following


def running(thread):
    """The CPU that runs it now, or None."""
    for cpu in range(kernel.cpu_count()):
        if kernel.cpu_record(cpu).current == thread.address:
            return cpu
    return None


def call_chain(thread):
    return [function_at(pc) for pc in return_addresses(thread)]


def waits_in(thread):
    """The innermost function that is not part of going to sleep."""
    for name in call_chain(thread):
        if not name.startswith(SLEEPERS):
            return name
    return ""


def state_text(thread):
    cpu = running(thread)
    if cpu is not None:
        return f"runs on cpu {cpu}"
    name = enum_names("thread_state", "THREAD_").get(thread.state, f"state {thread.state}")
    return "waits for a cpu" if name == "running" else name


def line(thread):
    p = kernel.process_of(thread)
    where = "" if running(thread) is not None or thread.state >= kernel.enum_value("THREAD_NEW") else waits_in(thread)
    return (f"{thread.tid:5} {p.pid if p else '-':>5} {thread.text('name'):15} {state_text(thread):16} {thread.cpu:3} "
            f"{'user' if thread.pt else 'kernel':6} {where}").rstrip()


class Tasks(kernel.Command):
    """Every thread: its process, what it does, its CPU, and where in the kernel it sleeps.

tasks [TID]

With TID: that thread's way into its sleep, function by function.  (Kernel threads have negative numbers.)"""
    name, usage = "tasks", "tasks [TID]"

    def run(self, *words):
        if words:
            self.one(kernel.parse_signed(words[0]))
            return
        print(f"{'tid':>5} {'pid':>5} {'name':15} {'state':16} cpu {'kind':6} sleeps in")
        for t in sorted(kernel.threads(), key=lambda t: t.tid):
            print(line(t))

    @staticmethod
    def one(tid):
        t = next((t for t in kernel.threads() if t.tid == tid), None)
        if not t:
            raise gdb.GdbError(f"no thread {tid}")
        print(line(t))
        if running(t) is None and t.state < kernel.enum_value("THREAD_NEW"):
            for pc in return_addresses(t):
                print(f"  {pc:#x} {function_at(pc)}")


Tasks()
