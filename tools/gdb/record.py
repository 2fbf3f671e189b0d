"""record.py - structures of the kernel as Python objects, their layout taken from the debug information.

Reading one costs one request to the stub, not one for each member.
"""
import struct

import gdb

_layouts = {}
_CODES = {1: "bB", 2: "hH", 4: "iI", 8: "qQ"}


def memory(address, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.MemoryError as e:
        raise gdb.GdbError(f"cannot read {size} bytes at {address:#x}") from e


def _number(kind):
    """The struct code of a scalar type, or None."""
    kind = kind.strip_typedefs()
    if kind.code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_BOOL):
        return _CODES[kind.sizeof][1]
    if kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_CHAR):
        return _CODES[kind.sizeof][1 if kind.code == gdb.TYPE_CODE_ENUM or not kind.is_signed else 0]
    return None


def _members(kind, base, found):
    """Scalars by name -> (offset, code); aggregates by name -> (offset, None); anonymous ones are looked through."""
    for f in kind.strip_typedefs().fields():
        if not hasattr(f, "bitpos"):
            continue
        at = base + f.bitpos // 8
        if not f.name:
            _members(f.type, at, found)
            continue
        found[f.name] = (at, _number(f.type))


class Layout:
    """Where the members of struct @name are."""

    def __init__(self, name):
        self.type = gdb.lookup_type(name)
        self.size = self.type.sizeof
        self.members = {}
        _members(self.type, 0, self.members)

    def offset(self, path):
        """Of "a.b" in bytes."""
        at, kind = 0, self.type
        for word in path.split("."):
            inner = {}
            _members(kind, 0, inner)
            at += inner[word][0]
            kind = next(f.type for f in _flat(kind) if f.name == word)
        return at


def _flat(kind):
    for f in kind.strip_typedefs().fields():
        if f.name:
            yield f
        else:
            yield from _flat(f.type)


def layout(name):
    if name not in _layouts:
        _layouts[name] = Layout(name)
    return _layouts[name]


class Record:
    """One structure in memory: its scalar members are attributes, at() gives the address of any member."""

    def __init__(self, name, address, data=None):
        self._layout = layout(name)
        self._data = data if data is not None else memory(address, self._layout.size)
        self.address = address

    def __getattr__(self, name):
        try:
            offset, code = self._layout.members[name]
        except KeyError:
            raise AttributeError(name) from None
        if code is None:
            raise AttributeError(f"{name} is no scalar: use at()")
        return struct.unpack_from("<" + code, self._data, offset)[0]

    def at(self, path):
        return self.address + self._layout.offset(path)

    def value(self):
        """The same as a gdb.Value."""
        return gdb.Value(self.address).cast(self._layout.type.pointer()).dereference()

    def text(self, name):
        """A char array."""
        offset = self._layout.members[name][0]
        size = next(f.type for f in _flat(self._layout.type) if f.name == name).sizeof
        return self._data[offset:offset + size].split(b"\0")[0].decode("utf-8", "replace")


def containing(name, member, address):
    """The struct @name whose @member is at @address."""
    return Record(name, address - layout(name).offset(member))


def number(address, size=None, signed=False):
    """An integer in memory; without @size a word of the machine."""
    size = size or gdb.lookup_type("unsigned long").sizeof
    return int.from_bytes(memory(address, size), "little", signed=signed)


def c_string(address, limit=4096):
    if not address:
        return ""
    return gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string("utf-8", "replace", length=-1)[:limit]


def enum_names(name, prefix=""):
    """{number: name} of an enumeration, without the prefix, in small letters."""
    found = {}
    for f in gdb.lookup_type("enum " + name).fields():
        if f.name.startswith(prefix):
            found.setdefault(int(f.enumval), f.name[len(prefix):].lower().replace("_", "-"))
    return found


def enum_value(name):
    """An enumerator's number."""
    return int(gdb.parse_and_eval(name))
