"""What QEMU's blklogwrites wrote down: every write and flush of a disk, in order (the format of dm-log-writes)."""
import dataclasses
import struct

MAGIC = 0x6A736677736872
FLUSH, DISCARD = 1, 4


@dataclasses.dataclass
class Entry:
    offset: int      # in bytes, on the disk
    data: bytes      # empty: a flush
    flush: bool      # what is before this entry is durable


def read(path):
    with open(path, "rb") as f:
        log = memoryview(f.read())
    magic, version, _, sector = struct.unpack_from("<QQQI", log)
    if (magic, version) != (MAGIC, 1):
        raise ValueError(f"{path}: not a log of writes")
    at, entries = sector, []
    while at + sector <= len(log):
        where, count, flags, _ = struct.unpack_from("<QQQQ", log, at)
        if not count and not flags:
            break    # the file is longer than the log
        at += sector
        size = 0 if flags & DISCARD else count * sector
        entries.append(Entry(where * sector, bytes(log[at:at + size]), bool(flags & FLUSH)))
        at += size
    return entries


class Disk:
    """The disk as time goes on: what is durable, and what a cut may take away."""

    def __init__(self, image, entries, block_size):
        self.durable = bytearray(image)
        self.entries, self.block_size = entries, block_size
        self.flushed = 0    # entries below it are in self.durable

    def advance(self, cut):
        """Go to the point before entry number @cut: everything up to the last flush becomes durable."""
        last = max((i for i in range(self.flushed, cut) if self.entries[i].flush), default=self.flushed)
        for e in self.entries[self.flushed:last]:
            self.durable[e.offset:e.offset + len(e.data)] = e.data
        self.flushed = last

    def image(self, cut, rng, share):
        """The disk after a cut before entry @cut: of each block that is not durable, the write survives with the
        probability @share.  A block is written whole or not at all."""
        self.advance(cut)
        out = bytearray(self.durable)
        for e in self.entries[self.flushed:cut]:
            for at in range(0, len(e.data), self.block_size):
                if share >= 1 or rng.random() < share:
                    piece = e.data[at:at + self.block_size]
                    out[e.offset + at:e.offset + at + len(piece)] = piece
        return out
