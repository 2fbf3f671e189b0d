"""What the disk may and must hold after the writer's first n operations, of which the first m are promised.

Every operation that was begun may or may not have reached the disk, so for everything there is a set of what it may
be: for a block of a file the contents it had since it was last promised, for a size the sizes, for a name the files.
A promise shrinks these sets to what is true at that moment.

    fsync, fdatasync           the file: content, size, and the name it has
    msync, O_SYNC              the blocks in its range; size and name too
    fsync of a directory       the names in it
    sync                       everything

Besides, a file that was promised to exist and that nobody has removed must be there under one of the names it may
have, and a name that is replaced by rename leads to the old file or to the new one, never nowhere.
"""
import array
import dataclasses
import stat

PAGE = 4096
ANYTHING = None


@dataclasses.dataclass
class File:
    number: int
    is_dir: bool = False
    now: bytearray = dataclasses.field(default_factory=bytearray)
    backed: set = dataclasses.field(default_factory=set)     # blocks that have a place on the disk
    sizes: set = dataclasses.field(default_factory=lambda: {0})
    blocks: dict = dataclasses.field(default_factory=dict)   # block -> list of contents, if there are several
    durable: bool = False     # a name of it was promised
    removed: bool = False     # its last name is gone, perhaps
    names: set = dataclasses.field(default_factory=set)

    def block(self, i, size):
        return bytes(self.now[i * size:(i + 1) * size]).ljust(size, b"\0")


class Model:
    def __init__(self, block_size):
        self.bs = block_size
        self.files = {}
        self.now = {}         # path -> file number
        self.may = {}         # path -> set of file numbers and None, where more than one is possible
        self.count = 0

    # -- operations, as the writer prints them ----------------------------------------------------------------------

    def apply(self, op, kind, args):
        getattr(self, "op_" + kind)(op, *args)

    def _file(self, path):
        return self.files[self.now[path]]

    def _name(self, path, number):
        self.may.setdefault(path, {self.now.get(path)}).add(number)
        old = self.now.get(path)
        if old is not None:
            f = self.files[old]
            f.names.discard(path)
            f.removed |= not f.names
        if number is None:
            self.now.pop(path, None)
        else:
            self.now[path] = number
            self.files[number].names.add(path)

    def _new(self, path, is_dir):
        self.count += 1
        self.files[self.count] = File(self.count, is_dir)
        self._name(path, self.count)

    def op_create(self, _, path):
        self._new(path, False)

    def op_mkdir(self, _, path):
        self._new(path, True)

    def op_unlink(self, _, path):
        self._name(path, None)

    op_rmdir = op_unlink

    def op_rename(self, _, old, new):
        number = self.now[old]
        self._name(new, number)
        self._name(old, None)

    def op_link(self, _, old, new):
        self._name(new, self.now[old])

    def _touch(self, f, first, last, surely=True):
        """Blocks @first to @last - 1 are about to change, and those of their pages get places on the disk (or, not
        @surely, they may): until they are written there, they hold anything."""
        per_page = PAGE // self.bs
        end = max(last, -(-len(f.now) // self.bs))
        for i in range(first // per_page * per_page, min(-(-last // per_page) * per_page, end)):
            if i not in f.blocks and (i not in f.backed or first <= i < last):
                f.blocks[i] = [f.block(i, self.bs)]
            if i not in f.backed:
                f.blocks[i].append(ANYTHING)
                if surely:
                    f.backed.add(i)

    def _resize(self, f, size):
        old = len(f.now)
        f.sizes.add(size)
        if size > old:
            if old % PAGE:
                end = min(old // PAGE * PAGE + PAGE, size)
                self._touch(f, old // self.bs, -(-end // self.bs), surely=False)
            f.now += bytes(size - old)
            return
        if size % PAGE:
            self._touch(f, size // self.bs, size // self.bs + 1, surely=False)
        for i in range(size // self.bs, -(-old // self.bs)):
            f.blocks.setdefault(i, [f.block(i, self.bs)])
            if i * self.bs >= size:
                f.backed.discard(i)
        del f.now[size:]
        for i in range(size // self.bs, -(-old // self.bs)):
            f.blocks[i].append(f.block(i, self.bs))

    def _change(self, op, f, offset, length):
        if offset > len(f.now):
            self._resize(f, offset)
        first, last = offset // self.bs, -(-(offset + length) // self.bs)
        self._touch(f, first, last)
        words = array.array("I", ((op << 16 | w & 0xFFFF) for w in range(offset // 4, (offset + length) // 4)))
        f.now[offset:offset + length] = words.tobytes()
        f.sizes.add(len(f.now))
        for i in range(first, last):
            f.blocks[i].append(f.block(i, self.bs))

    def op_write(self, op, path, offset, length, *_):
        self._change(op, self._file(path), int(offset), int(length))

    def op_store(self, op, path, offset, length):
        self._change(op, self._file(path), int(offset), int(length))

    def op_dma(self, _, path, offset, length):
        """A device is storing there: until it has stopped, the pages may hold anything, on the disk too."""
        f, first, last = self._file(path), int(offset) // self.bs, (int(offset) + int(length)) // self.bs
        self._touch(f, first, last)
        for i in range(first, last):
            f.blocks[i].append(ANYTHING)

    def op_dmaend(self, _, path, offset, length, last):
        """It has stopped, and its last store is in each u64."""
        f, offset, length = self._file(path), int(offset), int(length)
        self._touch(f, offset // self.bs, (offset + length) // self.bs)
        f.now[offset:offset + length] = array.array("Q", [int(last)]).tobytes() * (length // 8)
        for i in range(offset // self.bs, (offset + length) // self.bs):
            f.blocks[i].append(f.block(i, self.bs))

    def op_truncate(self, _, path, size):
        self._resize(self._file(path), int(size))

    def _nothing(self, *_):
        pass

    op_fsync = op_fdatasync = op_msync = op_dirsync = op_sync = _nothing

    # -- promises ---------------------------------------------------------------------------------------------------

    def promise(self, kind, args):
        getattr(self, "promise_" + kind)(*args)

    def _settle_name(self, path):
        self.may.pop(path, None)
        number = self.now.get(path)
        if number is not None:
            self.files[number].durable = True
        parent = path.rpartition("/")[0]
        if number is not None and parent in self.now:
            self._settle_name(parent)
        self._bury()

    def _bury(self):
        """Files that no name can lead to any more."""
        possible = set(self.now.values()).union(*self.may.values())
        self.files = {n: f for n, f in self.files.items() if n in possible}

    def _settle(self, path, first=0, last=1 << 40):
        f = self._file(path)
        f.sizes = {len(f.now)}
        f.blocks = {i: v for i, v in f.blocks.items() if not first <= i < last}
        self._settle_name(path)

    def promise_fsync(self, path):
        self._settle(path)

    promise_fdatasync = promise_fsync

    def promise_msync(self, path, offset, length, *_):
        self._settle(path, int(offset) // self.bs, -(-(int(offset) + int(length)) // PAGE) * PAGE // self.bs)

    promise_write = promise_msync

    def promise_dirsync(self, path=""):
        for name in list(self.may):
            if name.rpartition("/")[0] == path:
                self._settle_name(name)

    def promise_sync(self):
        for name in list(self.may):
            self._settle_name(name)
        for f in self.files.values():
            f.sizes, f.blocks = {len(f.now)}, {}

    # -- the disk ---------------------------------------------------------------------------------------------------

    def check(self, image):
        """What is wrong with @image (ext2image.Image, after e2fsck): a list of sentences."""
        found = image.tree()
        wrong, seen = [], set()
        for path in sorted(set(self.now) | set(self.may) | set(found)):
            if path == "lost+found" or path.startswith("lost+found/"):
                continue
            allowed = self.may.get(path, {self.now.get(path)})
            if path not in found:
                if None not in allowed and not self._parent_may_miss(path):
                    wrong.append(f"{path} is not there; it is file {sorted(allowed)}")
                continue
            reasons = {n: self._compare(self.files[n], image, found[path]) for n in allowed if n is not None}
            matches = [n for n, reason in reasons.items() if not reason]
            seen.update(matches)
            if not matches:
                why = "; ".join(f"not file {n}: {r}" for n, r in reasons.items())
                wrong.append(f"{path}: {why or 'unexpected'}")
        for f in self.files.values():
            if f.durable and not f.removed and f.number not in seen:
                wrong.append(f"file {f.number}, now {sorted(f.names)}, is lost")
        return wrong

    def _parent_may_miss(self, path):
        parent = path.rpartition("/")[0]
        return bool(parent) and None in self.may.get(parent, {self.now.get(parent)})

    def _compare(self, f, image, ino):
        """Why inode @ino cannot be file @f; empty: it can."""
        mode = image.mode(ino)
        if stat.S_ISDIR(mode) != f.is_dir:
            return "a directory" if not f.is_dir else "not a directory"
        if f.is_dir:
            return ""
        data = image.read(ino)
        if not self._size_ok(f, len(data)):
            return f"{len(data)} bytes, not {sorted(f.sizes)}"
        if data == f.now:
            return ""
        for i in range(-(-len(data) // self.bs)):
            problem = self._block_wrong(f, i, data[i * self.bs:(i + 1) * self.bs])
            if problem:
                return problem
        return ""

    def _size_ok(self, f, size):
        """e2fsck makes a file as large as its blocks, if these were on the disk first."""
        return size in f.sizes or (len(f.sizes) > 1 and size % self.bs == 0 and size < max(f.sizes) + self.bs)

    def _block_wrong(self, f, i, block):
        versions = f.blocks.get(i, [f.block(i, self.bs)])
        if ANYTHING in versions or any(v[:len(block)] == block for v in versions):
            return ""
        size = len(block) // 4 * 4
        words = [array.array("I", v[:size]) for v in versions]
        for w, word in enumerate(array.array("I", block[:size])):
            if all(v[w] != word for v in words):
                return (f"word {i * self.bs // 4 + w} (block {i}) is {word:#x} (of operation {word >> 16}), "
                        f"not {', '.join(hex(v[w]) for v in words)}")
        return ""
