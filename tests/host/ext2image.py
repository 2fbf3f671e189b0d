"""Small ext2 images: made by mke2fs, and read just enough to know where their metadata lie."""
import os
import struct
import subprocess

ENV = dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin")


def scratch():
    """Where an image that is written often, and flushed, should lie: in memory, or None (anywhere)."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def mke2fs(out, kib, *options, tree=None, block_size=4096, kind="ext2"):
    with open(out, "wb") as f:
        f.truncate(kib << 10)
    where = ["-d", tree] if tree else []
    subprocess.run(["mke2fs", "-q", "-F", "-t", kind, "-b", str(block_size), *where, *options, out], check=True,
                   env=ENV)
    return out


def debugfs(image, *commands):
    """Change @image; what debugfs says."""
    done = subprocess.run(["debugfs", "-w", "-f", "-", image], input="\n".join(commands) + "\n", check=True, env=ENV,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


def e2fsck(image):
    """(clean?, output)"""
    status, text = run_e2fsck(image, "-fn")
    return status == 0, text


def run_e2fsck(image, options):
    """(exit status, output)"""
    done = subprocess.run(["e2fsck", options, image], env=ENV, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


class Image:
    """The metadata of one image in memory (data: a bytearray)."""

    def __init__(self, data):
        self.data = data
        u32 = lambda i: struct.unpack_from("<I", data, 1024 + i)[0]
        self.inodes_count, self.blocks_count, self.first_data_block = u32(0), u32(4), u32(20)
        self.block_size = 1024 << u32(24)
        self.inodes_per_group = u32(40)
        self.inode_size = struct.unpack_from("<H", data, 1024 + 88)[0]
        self.groups = -(-(self.blocks_count - self.first_data_block) // u32(32))

    def u32s(self, block):
        return struct.unpack_from(f"<{self.block_size // 4}I", self.data, block * self.block_size)

    def group(self, g):
        """Its block bitmap, inode bitmap, inode table."""
        return struct.unpack_from("<3I", self.data, (self.first_data_block + 1) * self.block_size + g * 32)

    def inode_at(self, ino):
        """The byte offset of inode @ino."""
        g, i = divmod(ino - 1, self.inodes_per_group)
        return self.group(g)[2] * self.block_size + i * self.inode_size

    def pointers(self, ino):
        return struct.unpack_from("<15I", self.data, self.inode_at(ino) + 40)

    def used_inodes(self):
        for ino in [2, *range(11, self.inodes_count + 1)]:
            mode, links = (struct.unpack_from("<H", self.data, self.inode_at(ino) + at)[0] for at in (0, 26))
            if mode and links:
                yield ino, mode

    def mode(self, ino):
        return struct.unpack_from("<H", self.data, self.inode_at(ino))[0]

    def _leaves(self, block, height, left):
        """The data blocks below @block, at most @left of them; 0: a hole."""
        if not height:
            return [block]
        span, out = (self.block_size // 4) ** (height - 1), []
        for child in self.u32s(block) if block else [0] * (self.block_size // 4):
            if len(out) >= left:
                break
            out += self._leaves(child, height - 1, left - len(out)) if child else [0] * span
        return out

    def read(self, ino):
        """The content of a file or directory."""
        at = self.inode_at(ino)
        size = struct.unpack_from("<I", self.data, at + 4)[0]
        count = -(-size // self.block_size)
        pointers = self.pointers(ino)
        blocks = list(pointers[:12])
        for height in (1, 2, 3):
            if len(blocks) < count:
                blocks += self._leaves(pointers[11 + height], height, count - len(blocks))
        bs, hole = self.block_size, bytes(self.block_size)
        return b"".join(bytes(self.data[b * bs:(b + 1) * bs]) if b else hole for b in blocks[:count])[:size]

    def entries(self, ino):
        """(name, inode) of each entry of a directory but "." and ".."."""
        data, at = self.read(ino), 0
        while at < len(data):
            number, length, name_length = struct.unpack_from("<IHB", data, at)
            name = data[at + 8:at + 8 + name_length].decode("latin-1")
            if number and name not in (".", ".."):
                yield name, number
            at += length

    def tree(self, ino=2, prefix=""):
        """Path -> inode, of everything below a directory."""
        out = {}
        for name, number in self.entries(ino):
            out[prefix + name] = number
            if self.mode(number) >> 12 == 4:
                out |= self.tree(number, prefix + name + "/")
        return out

    def indirect_blocks(self, ino):
        found = []
        for height, top in enumerate(self.pointers(ino)[12:]):
            level = [top] if top else []
            for _ in range(height + 1):
                found += level
                level = [b for parent in level for b in self.u32s(parent) if b] if _ < height else []
        return found

    def regions(self):
        """Kind -> the blocks (or, for inodes, byte offsets) that hold metadata of this kind."""
        out = {"bitmap": [], "inode": [], "dir": [], "indirect": [], "group": [self.first_data_block + 1]}
        for g in range(self.groups):
            out["bitmap"] += self.group(g)[:2]
        for ino, mode in self.used_inodes():
            out["inode"].append(self.inode_at(ino))
            if mode >> 12 in (4, 8):
                out["indirect"] += self.indirect_blocks(ino)
            if mode >> 12 == 4:
                out["dir"] += [b for b in self.pointers(ino)[:12] if b]
        return out
