"""kernel.py - what every command needs of the kernel: symbols, lists and trees, threads, processes, names of files."""
import gdb

from record import Record, c_string, containing, enum_names, enum_value, layout, memory, number

PAGE_SHIFT = 12
PAGE = 1 << PAGE_SHIFT
_constants = {}


def symbol(name, file=None):
    """A global or, with @file, a static variable."""
    try:
        return gdb.parse_and_eval(f"'{file}'::{name}" if file else name)
    except gdb.error as e:
        raise gdb.GdbError(f"this kernel has no {name}: are its symbols loaded?") from e


def address_of(name, file=None):
    return int(symbol(name, file).address)


def constant(name):
    """A symbol of the linker script: its address is the value."""
    if name not in _constants:
        _constants[name] = int(gdb.parse_and_eval(f"(unsigned long)&{name}"))
    return _constants[name]


def word_bits():
    return 8 * gdb.lookup_type("unsigned long").sizeof


def parse_number(text):
    """A number or any expression of gdb, as an unsigned address."""
    try:
        value = gdb.parse_and_eval(text)
    except gdb.error:
        try:
            value = gdb.parse_and_eval("0x" + text)  # a bare number as /proc prints it
        except gdb.error as e:
            raise gdb.GdbError(f"what is {text}? ({e})") from e
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_STRUCT):
        value = value.address
    return int(value) & ((1 << word_bits()) - 1)


def parse_signed(text):
    value = parse_number(text)
    return value - (1 << word_bits()) if value >> word_bits() - 1 else value


def physical(pa, size):
    """Physical memory that the kernel always reaches."""
    return memory(constant("direct_base") + pa, size)


# -- lists and trees -------------------------------------------------------------------------------------------

def list_nodes(head):
    """The addresses of the links of a struct list."""
    at = number(head)
    while at != head:
        yield at
        at = number(at)


def list_of(head, name, member):
    for node in list_nodes(head):
        yield containing(name, member, node)


def rb_nodes(node):
    """The nodes of a red-black tree below @node, in order."""
    stack = []
    while node or stack:
        while node:
            n = Record("struct rb_node", node)
            stack.append(n)
            node = n.left
        n = stack.pop()
        yield n.address
        node = n.right


def itree_overlapping(root, index):
    """The nodes of an interval tree (address of struct itree_root) that hold @index."""
    rb = layout("struct itree_node").offset("rb")
    todo = [number(root)]
    while todo:
        at = todo.pop()
        if not at:
            continue
        n = Record("struct itree_node", at - rb)
        if n.subtree_last < index:
            continue
        links = Record("struct rb_node", at)
        todo.append(links.left)
        if n.first <= index:
            todo.append(links.right)
            if index <= n.last:
                yield n


def radix_entries(tree, mark=None):
    """(index, pointer) of a radix tree (address of the struct), of those with @mark only if it is given."""
    t = Record("struct radix_tree", tree)
    yield from _radix_below(t.root, t.height, 0, mark, _radix_bits()) if t.height else ()


def _radix_bits():
    slots = next(f for f in layout("struct radix_node").type.fields() if f.name == "slot").type
    return (slots.range()[1] + 1).bit_length() - 1


def _radix_below(node, height, base, mark, bits):
    word = word_bits() // 8
    kind = layout("struct radix_node")
    data = memory(node, kind.size)
    marks = kind.offset("marks")
    per_mark = next(f for f in kind.type.fields() if f.name == "marks").type.target().sizeof
    for i in range(1 << bits):
        below = int.from_bytes(data[i * word:(i + 1) * word], "little")
        if not below:
            continue
        if mark is not None:
            byte = data[marks + mark * per_mark + i // 8]
            if not byte >> i % 8 & 1:
                continue
        index = base << bits | i
        if height == 1:
            yield index, below
        else:
            yield from _radix_below(below, height - 1, index, mark, bits)


# -- threads and processes ---------------------------------------------------------------------------------------

def threads():
    return list_of(address_of("threads", "kernel/sched/thread.c"), "struct thread", "all_link")


def processes():
    return list_of(address_of("process_list"), "struct process", "all_link")


def process_by_pid(pid):
    for p in processes():
        if p.pid == pid:
            return p
    raise gdb.GdbError(f"no process {pid}")


def cpu_count():
    return int(symbol("cpu_count"))


def cpu_record(cpu):
    return Record("struct cpu", address_of("cpus") + cpu * layout("struct cpu").size)


def selected_cpu():
    """The CPU that gdb's selected thread is: QEMU's stub and its dumps number them from 1."""
    thread = gdb.selected_thread()
    if not thread:
        raise gdb.GdbError("there is no machine: connect to one, or open a dump")
    cpu = thread.ptid[1] - 1
    return cpu if 0 <= cpu < cpu_count() else 0


def current_thread():
    """The kernel's thread that gdb's selected thread runs: by its kernel stack, or in ring 3 by the CPU.  None: too early."""
    if not cpu_count():
        return None
    if not int(gdb.parse_and_eval("$cs")) & 3:
        sp = int(gdb.parse_and_eval("$sp")) & ((1 << word_bits()) - 1)
        for t in threads():
            if t.stack and t.stack <= sp <= t.stack_top:
                return t
    at = cpu_record(selected_cpu()).current
    return Record("struct thread", at) if at else None


def process_of(thread):
    return Record("struct process", thread.process) if thread and thread.process else None


def process_wanted(text=None):
    """The process that a command is about: the one named, or the one that runs; if none does, the only one there is."""
    if text:
        return process_by_pid(parse_number(text))
    p = process_of(current_thread())
    if p:
        return p
    alive = [p for p in processes() if p.mm]
    if len(alive) == 1:
        return alive[0]
    raise gdb.GdbError("no process runs here: say which (PID), or select a thread that has one")


def mm_of(process):
    if not process.mm:
        raise gdb.GdbError(f"process {process.pid} has no address space")
    return Record("struct mm", process.mm)


def process_of_mm(mm):
    """The first process with the address space at @mm, or None."""
    return next((p for p in processes() if p.mm == mm), None)


def mm_of_pt(pt):
    """The address of the struct mm whose page table is at @pt."""
    return pt - layout("struct mm").offset("pt")


def who_has(mm):
    """"1 walk" for the address space at @mm."""
    p = process_of_mm(mm)
    return f"{p.pid} {p.text('comm')}" if p else f"mm {mm:#x}"


# -- ranges --------------------------------------------------------------------------------------------------------

def vmas(mm):
    """Of a struct mm's Record, by address."""
    rb = layout("struct vma").offset("rb")
    for node in rb_nodes(number(mm.at("vmas"))):
        yield Record("struct vma", node - rb)


def vma_at(mm, address):
    """The range that holds @address, or the next one above it, or None."""
    return next((v for v in vmas(mm) if address < v.end), None)


def vma_has(vma, flag):
    return bool(vma.flags & enum_value(flag))


def vma_pgoff(vma, va):
    return vma.pgoff + ((va - vma.start) >> PAGE_SHIFT)


# -- names of files --------------------------------------------------------------------------------------------------

def dentry_path(at):
    """As /proc shows it."""
    words, d = [], Record("struct dentry", at)
    dead = d.dead
    while True:
        if d.parent == d.address:
            if not d.covers:
                break
            d = Record("struct dentry", d.covers)
            continue
        words.append(c_string(d.name))
        d = Record("struct dentry", d.parent)
    return "/" + "/".join(reversed(words)) + (" (deleted)" if dead else "")


def file_path(at):
    f = Record("struct file", at)
    return dentry_path(f.dentry) if f.dentry else f"/{f.text('name')} (deleted)"


def _open_files():
    for p in processes():
        if not p.mm:
            continue
        for v in vmas(Record("struct mm", p.mm)):
            if v.file:
                yield v.file
        if p.files:
            yield from _files_of(p.files)


def _files_of(files):
    array = Record("struct fd_array", Record("struct files", files).array)
    word = word_bits() // 8
    data = memory(array.files, array.size * word)
    for i in range(array.size):
        at = int.from_bytes(data[i * word:(i + 1) * word], "little")
        if at:
            yield at


def object_name(obj):
    """Of the struct vm_object at @obj: the name of a file that is open or mapped, else file system and inode number."""
    inode = Record("struct vm_object", obj).host
    if not inode:
        return f"object {obj:#x}"
    for at in _open_files():
        if Record("struct file", at).inode == inode:
            return file_path(at)
    i = Record("struct inode", inode)
    kind = c_string(Record("struct super", i.super).type) if i.super else "no file system"
    return f"{kind} inode {i.ino}"


def flag_names(word, names):
    """The names of the bits set in @word."""
    return [name for bit, name in sorted(names.items()) if word >> bit & 1]


def page_flags():
    names = enum_names("page_flag", "PG_")
    names.pop(enum_value("PG_FLAG_COUNT"), None)
    return names


class Command(gdb.Command):
    """A command whose run() gets the words of the line."""
    name = ""
    usage = ""
    most = 1   # words

    def __init__(self):
        super().__init__(self.name, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) > self.most:
            raise gdb.GdbError(f"usage: {self.usage} (an expression with spaces wants quotes)")
        self.run(*words)

    def run(self, *words):
        raise NotImplementedError
