#!/usr/bin/env python3
"""Disks from outside: small blocks, disks that are refused, damaged ones, I/O errors, none at all.  KTAP.

usage: test_disks.py [PART...]    parts: blocks refuse crafted fuzz errors silent full exec none

DISK_ROUNDS damaged images are made from DISK_SEED (default: from the clock; it is printed).  The images of a
boot that failed stay in build/log, with the command that repeats it.
"""
import dataclasses
import json
import os
import random
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
sys.path.insert(0, f"{TOP}/tests/host")
# pylint: disable=wrong-import-position
import guest
from exec import program_disk
from ext2image import Image, debugfs, e2fsck, mke2fs
from ktap import Report
from machine import EXIT_PASS, Machine, status_name

COMPILER = {"x86_64": "x86_64-linux-gnu-gcc", "i386": "i686-linux-gnu-gcc"}
EXEC_DONE, EXIT_PANIC = (0x40 << 1) | 1, 37
DISKS_PER_BOOT = 10
REPORT = Report()


def check(name, good, detail=""):
    return REPORT.check(good, name, detail)


def tail(outcome, n=25):
    return "\n".join(outcome.lines[-n:]) + f"\nlog: {outcome.log}"


def machine(arch):
    return Machine(arch=arch, paging="pae" if arch == "i386" else "4level")


def compile_worker(work):
    for arch, compiler in COMPILER.items():
        subprocess.run([compiler, "-static", "-O1", "-Wall", "-o", f"{work}/disk_work-{arch}",
                        f"{TOP}/tests/host/disk_work.c"], check=True)


def boot(work, arch, name, words, disks=(), extra=(), seconds=40, options=""):
    """Run disk_work with @words: the disks are vdc, vdd...  The exit status must be its own."""
    tree = tempfile.mkdtemp(dir=work)
    m = machine(arch)
    program = program_disk(tree, f"{work}/disk_work-{arch}", [str(w) for w in words])
    m = dataclasses.replace(m, cmdline=f"root=vda exec=vdb {options}", extra=tuple(extra),
                            disks=(f"{m.out}/root.img,snapshot=on", program, *disks))
    outcome = guest.run(m, f"disks-{name}-{arch}", seconds)
    shutil.rmtree(tree)
    return outcome


def ended(name, outcome):
    """It came to its end, by its own will, with no test failed in it."""
    return check(f"{name}: the machine goes on to its end", outcome.status == EXEC_DONE and "done" in outcome.lines,
                 f"{'time limit' if outcome.status == -1 else status_name(outcome.status)}\n" + tail(outcome))


def repeat_results(prefix, outcome):
    for r in outcome.results:
        check(f"{prefix}: {r.name}", r.passed, tail(outcome))


def names(n, kind="virtio"):
    return [f"nvme{i}n1" if kind == "nvme" else f"vd{chr(ord('c') + i)}" for i in range(n)]


# -- the root file system with small blocks ------------------------------------------------------------------------

def part_blocks(work):
    for arch, block_size in (("x86_64", 1024), ("x86_64", 2048), ("i386", 1024)):
        m = dataclasses.replace(machine(arch), smp=2)
        image = f"{work}/root-{arch}-{block_size}.img"
        subprocess.run([f"{TOP}/tools/make_root.py", "--arch", arch, "--programs", f"{m.out}/user", "--out", image,
                        "--block-size", str(block_size)], check=True)
        tests = "disk*,ext2*,mmap*,T0-01*,T0-17*,T0-23*"
        m = dataclasses.replace(m, disks=(image,), cmdline=f"root=vda tests={tests}")
        outcome = guest.run(m, f"disks-blocks-{arch}-{block_size}", 60)
        bad = [r.name for r in outcome.results if not r.passed]
        what = f"{block_size}-byte blocks, {arch}"
        check(f"{what}: the ring-3 tests pass", outcome.status == EXIT_PASS and not bad and len(outcome.results) > 20,
              f"failed: {bad}\n" + tail(outcome))
        clean, text = e2fsck(image)
        check(f"{what}: e2fsck finds nothing", clean, text)
        with open(image, "rb") as f:
            f.seek(1024)
            state = struct.unpack_from("<H", f.read(1024), 58)[0]
        check(f"{what}: it is marked clean", state == 1, f"state {state}")
        os.unlink(image)


# -- disks that are not for us -------------------------------------------------------------------------------------

def poke(image, offset, fmt, *values):
    with open(image, "r+b") as f:
        f.seek(offset)
        f.write(struct.pack(fmt, *values))


def refusal_cases(work):
    """(name, image, errnos of mount (0: mounted), errno of creating a file, what the console says)."""
    cases = []

    def case(name, errnos, console, create=None, make=None, **options):
        image = f"{work}/{name.replace(' ', '-')}.img"
        if not os.path.exists(image):
            mke2fs(image, 2048, **options)
        if make:
            make(image)
        cases.append((name, image, errnos, create, console))

    def raw(name, content):
        with open(f"{work}/{name}.img", "wb") as f:
            f.write(content)

    raw("zeros", bytes(1 << 20))
    raw("random", random.Random(1).randbytes(1 << 20))
    raw("tiny", bytes(512))
    case("zeros", (22,), "not an ext2")
    case("random", (22,), "not an ext2")
    case("tiny", (5, 22), "")
    mke2fs(f"{work}/ext4.img", 4096, kind="ext4")
    case("ext4", (22,), "unknown features")
    case("unknown incompat", (22,), "unknown features 0x10000",
         make=lambda i: debugfs(i, "set_super_value feature_incompat 0x10002"))
    case("unknown ro_compat", (0,), "read-only", create=30,
         make=lambda i: debugfs(i, "set_super_value feature_ro_compat 0x8003"))
    case("cut off", (22,), "larger than its device", make=lambda i: os.truncate(i, 1 << 20))
    case("block size", (22,), "block size", make=lambda i: poke(i, 1024 + 24, "<I", 9))
    case("block size of 2 to the 31", (22,), "block size", make=lambda i: poke(i, 1024 + 24, "<I", 0xffffffff))
    case("no inodes", (22,), "bad group size", make=lambda i: poke(i, 1024 + 40, "<I", 0))
    case("no blocks in a group", (22,), "bad group size", make=lambda i: poke(i, 1024 + 32, "<I", 0))
    case("first inode 0", (22,), "first inode", make=lambda i: poke(i, 1024 + 84, "<I", 0))
    case("inode size 0", (22,), "inode size", make=lambda i: poke(i, 1024 + 88, "<H", 0))
    case("group descriptors", (22,), "group descriptor",
         make=lambda i: poke(i, 4096, "<8I", *range(0x7fffff00, 0x7fffff08)))
    case("root is a file", (22, 5), "root is no directory",
         make=lambda i: debugfs(i, "set_inode_field <2> mode 0100644"))
    case("root is deleted", (5,), "deleted inode", make=lambda i: debugfs(i, "set_inode_field <2> links_count 0"))
    case("good", (0,), "", create=0)
    return cases


def part_refuse(work):
    for arch in ("x86_64", "i386"):
        cases = refusal_cases(work)
        before = [open(c[1], "rb").read() for c in cases]
        outcome = boot(work, arch, "refuse", ["mounts", *names(len(cases))], [c[1] for c in cases])
        ended(f"refuse, {arch}", outcome)
        for disk, old, (name, image, errnos, create, console) in zip(names(len(cases)), before, cases):
            said = [x for x in outcome.lines if x.startswith(f"disk {disk}: mount ")]
            found = re.match(r"disk \w+: mount (\d+)(?: create (\d+) umount (\d+))?", said[0]) if said else None
            good = found and int(found[1]) in errnos and (found[2] is None or int(found[2]) == create)
            check(f"{name}, {arch}: mount says {errnos}", good, said or tail(outcome))
            told = any(re.search(f"ext2: (/dev/)?{disk}: ", x) and console in x for x in outcome.lines)
            check(f"{name}, {arch}: a line on the console", told or name == "good", tail(outcome, 60))
            same = open(image, "rb").read() == old
            check(f"{name}, {arch}: " + ("written and consistent" if create == 0 else "not a byte is changed"),
                  e2fsck(image)[0] and not same if create == 0 else same)
            os.unlink(image)


# -- damage at random ----------------------------------------------------------------------------------------------

def make_tree(tree):
    rng = random.Random(7)
    for d in ("a/b/c/d", "e", "many", "empty"):
        os.makedirs(f"{tree}/{d}")
    for i, size in enumerate((0, 1, 100, 1024, 4096, 5000, 13000, 60000, 300000)):
        for where in ("", "a/b/", "e/"):
            if size < 100000 or not where:
                with open(f"{tree}/{where}f{i}", "wb") as f:
                    f.write(rng.randbytes(size))
    for i in range(60):
        with open(f"{tree}/many/a-name-to-fill-the-directory-{i}", "w", encoding="utf-8") as f:
            f.write(str(i))
    with open(f"{tree}/sparse", "wb") as f:
        f.truncate(900000)
        f.seek(500000)
        f.write(b"middle")
    os.link(f"{tree}/f3", f"{tree}/e/linked")
    os.symlink("f4", f"{tree}/short")
    os.symlink("x" * 200, f"{tree}/long")


def damage_value(rng, image):
    return rng.choice((0, 1, 2, 0xff, 0xffff, 0x7fffffff, 0xffffffff, rng.randrange(image.blocks_count),
                       rng.randrange(image.blocks_count), rng.randrange(64), rng.getrandbits(32)))


def damage_super(rng, image):
    at = 1024 + rng.choice((0, 4, 8, 12, 16, 20, 24, 32, 40, 56, 58, 76, 84, 88, 92, 96, 100))
    struct.pack_into(rng.choice(("<I", "<H")), image.data, at, damage_value(rng, image) & 0xffff)


def damage_inode(rng, image, at):
    """One field: more than half of the time a block pointer, size or mode."""
    field, fmt = rng.choice(((0, "<H"), (4, "<I"), (26, "<H"), (28, "<I"), (32, "<I"), (104, "<I"), (108, "<I"),
                             *[(40 + 4 * i, "<I") for i in (0, 1, 5, 12, 13, 14)]))
    value = damage_value(rng, image)
    if field == 0:
        value = rng.choice((0, 0o010644, 0o020644, 0o040755, 0o060644, 0o100644, 0o120777, 0o140777, 0o170777))
    struct.pack_into(fmt, image.data, at + field, value & (0xffff if fmt == "<H" else 0xffffffff))


def damage_block(rng, image, block, regions):
    base, size = block * image.block_size, image.block_size
    how = rng.randrange(6)
    if how == 0:      # bytes
        for _ in range(rng.randrange(1, 16)):
            image.data[base + rng.randrange(size)] = rng.randrange(256)
    elif how <= 3:    # a word, near the start more often
        at = rng.randrange(min(size, rng.choice((32, 128, size)))) & ~3
        struct.pack_into("<I", image.data, base + at, damage_value(rng, image))
    elif how == 4:    # a number of another metadata block, itself too: loops
        at = rng.randrange(size) & ~3
        struct.pack_into("<I", image.data, base + at, rng.choice([block, *regions["dir"], *regions["indirect"]]))
    else:
        image.data[base:base + size] = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))


def damage_dir(rng, image, block, regions):
    """An entry that leads to another inode, so that directories form loops and files have too many names."""
    at, base = 0, block * image.block_size
    entries = []
    while at < image.block_size:
        length = struct.unpack_from("<H", image.data, base + at + 4)[0]
        entries.append(base + at)
        at += max(length, 12)
    at = rng.choice(entries)
    if rng.randrange(4) == 0:
        struct.pack_into("<H", image.data, at + 4, rng.randrange(0, image.block_size + 8))
    else:
        ino = rng.choice([i for i, mode in image.used_inodes() if stat.S_ISDIR(mode) or rng.randrange(3) == 0] or [2])
        struct.pack_into("<I", image.data, at, ino)
    del regions


def damaged(base, rng):
    """A damaged copy of the image @base."""
    image = Image(bytearray(base))
    regions = image.regions()
    for _ in range(rng.choice((1, 2, 4, 8, 20))):
        kind = rng.choice(("bitmap", "inode", "inode", "inode", "dir", "dir", "loop", "loop", "indirect", "indirect",
                           "group", "super"))
        if kind == "super":
            if rng.randrange(3) == 0:
                damage_super(rng, image)
        elif kind == "inode":
            damage_inode(rng, image, rng.choice(regions["inode"]))
        elif kind == "loop":
            damage_dir(rng, image, rng.choice(regions["dir"]), regions)
        elif kind == "group":
            if rng.randrange(3) == 0:
                damage_block(rng, image, regions["group"][0], regions)
        else:
            damage_block(rng, image, rng.choice(regions[kind]), regions)
    return bytes(image.data)


def fuzz_boot(work, arch, seed, rounds, bases, tag):
    """One boot with the damaged images numbered @rounds."""
    images = []
    for i in rounds:
        rng = random.Random(f"{seed}-{i}")
        images.append(f"{work}/fuzz-{i}.img")
        while True:
            try:
                content = damaged(bases[i % len(bases)], rng)
                break
            except (struct.error, IndexError):  # the damage hit what the next damage is looked up by
                continue
        with open(images[-1], "wb") as f:
            f.write(content)
    outcome = boot(work, arch, f"fuzz-{tag}", ["fuzz", seed, *names(len(images))], [i + ",snapshot=on" for i in images],
                   seconds=45)
    good = ended(f"damaged disks {rounds[0]} to {rounds[-1]}, {arch}", outcome)
    stuck = [x for x in outcome.lines if re.match(r"disk \w+: umount [^0]", x)]
    good &= check(f"damaged disks {rounds[0]} to {rounds[-1]}, {arch}: each is unmounted", not stuck, stuck)
    mounted = sum(bool(re.match(r"disk \w+: mount 0", x)) for x in outcome.lines)
    print(f"# {mounted} of {len(images)} could be mounted; {outcome.seconds:.1f} s", flush=True)
    for image in images:
        if not good:
            shutil.copy(image, f"{guest.LOGS}/disks-{os.path.basename(image)}")
        os.unlink(image)
    if not good:
        print(f"# images kept: {guest.LOGS}/disks-fuzz-N.img   repeat: DISK_SEED={seed} DISK_FIRST={rounds[0]} "
              f"DISK_ROUNDS={len(rounds)} tests/host/test_disks.py fuzz")
    return mounted


def part_fuzz(work):
    env = os.environ.get
    seed, rounds = int(env("DISK_SEED") or time.time()), int(env("DISK_ROUNDS") or 60)
    first = int(env("DISK_FIRST") or 0)
    print(f"# DISK_SEED={seed} DISK_ROUNDS={rounds}", flush=True)
    os.makedirs(f"{work}/tree")
    make_tree(f"{work}/tree")
    bases = []
    for block_size in (1024, 4096, 1024, 2048):
        options = ("-g", "1024") if block_size == 1024 else ()
        path = mke2fs(f"{work}/base.img", 3072, "-N", "256", *options, tree=f"{work}/tree", block_size=block_size)
        bases.append(open(path, "rb").read())
    todo = list(range(first, first + rounds))
    mounted = 0
    for b in range(0, len(todo), DISKS_PER_BOOT):
        arch = "i386" if b // DISKS_PER_BOOT % 4 == 3 else "x86_64"
        mounted += fuzz_boot(work, arch, seed, todo[b:b + DISKS_PER_BOOT], bases, b)
    check("damaged disks: most can be mounted, so the test tests something", mounted * 3 >= rounds, mounted)


def part_crafted(work):
    tree = f"{work}/crafted"
    for d in ("p/twin1/x", "p/x", "a/b"):
        os.makedirs(f"{tree}/{d}")
    for name, content in (("kept", b"kept"), ("bomb", b"x"), ("raw", b"raw." * 4096)):
        with open(f"{tree}/{name}", "wb") as f:
            f.write(content)
    for arch in ("x86_64", "i386"):
        image = mke2fs(f"{work}/crafted.img", 4096, tree=tree)
        number = lambda path, image=image: int(re.search(r"Inode: (\d+)", debugfs(image, f"stat {path}"))[1])
        debugfs(image, f"ln <{number('/p')}> /p/self", "ln <2> /p/root", f"ln <{number('/a')}> /a/b/up",
                f"ln <{number('/p/twin1')}> /p/twin2", f"freei <{number('/kept')}>")
        layout = Image(bytearray(open(image, "rb").read()))
        blocks = layout.pointers(number("/raw"))[:4]
        for height in range(3):
            poke(image, blocks[height] * 4096, "<1024I", *[blocks[height + 1]] * 1024)
        bomb = layout.inode_at(number("/bomb"))
        poke(image, bomb + 40 + 14 * 4, "<I", blocks[0])
        poke(image, bomb + 28, "<I", 0x7fffffff)
        outcome = boot(work, arch, "crafted", ["crafted", "vdc"], [image])
        repeat_results(f"crafted, {arch}", outcome)
        ended(f"crafted, {arch}", outcome)


# -- I/O errors ----------------------------------------------------------------------------------------------------

def failing_disk(n, image, *rules, kind, writes=None):
    """Requests fail as the rules say, or, after @writes writes, all."""
    block = {"driver": "blkdebug", "node-name": f"bd{n}", "image": {"driver": "file", "filename": image},
             "inject-error": [{"event": "none", "errno": 5, **r} for r in rules]}
    if writes:
        block["set-state"] = [{"event": "write_aio", "state": i, "new_state": i + 1} for i in range(1, writes + 1)]
        block["inject-error"] = [{"event": event, "state": writes + 1, "errno": 5}
                                 for event in ("write_aio", "read_aio", "flush_to_disk")]
    return ["-blockdev", json.dumps(block), "-blockdev", f"driver=raw,file=bd{n},node-name=n{n}",
            "-device", f"nvme,drive=n{n},serial={n}" if kind == "nvme" else
            f"virtio-blk-pci,drive=n{n},disable-legacy=on,werror=report,rerror=report"]


DIES_AFTER = 12     # writes


def part_errors(work):
    os.makedirs(f"{work}/errors")
    for name in ("file", "second", "third"):
        with open(f"{work}/errors/{name}", "wb") as f:
            f.write(random.Random(name).randbytes(16384))
    base = mke2fs(f"{work}/errors.img", 4096, "-I", "1024", tree=f"{work}/errors")
    layout = Image(bytearray(open(base, "rb").read()))
    inode = {n: int(re.search(r"Inode: (\d+)", debugfs(base, f"stat /{n}"))[1]) for n in ("file", "second", "third")}
    sector = {n: layout.pointers(i)[1] * 8 for n, i in inode.items()}
    rules = [[{"iotype": "read", "sector": sector["file"]}],
             [{"iotype": "write", "sector": sector[n], "once": True} for n in sector],
             [{"iotype": "write", "sector": sector["file"]}],
             [{"iotype": "read", "sector": layout.inode_at(inode["file"]) // 512}],
             [{"iotype": "flush"}],
             [{"iotype": "read", "sector": sector["file"], "once": True}],
             [{"iotype": "write", "sector": layout.inode_at(inode["file"]) // 512, "once": True}],
             DIES_AFTER,
             [{"iotype": "read", "sector": 2}]]
    if rules[3][0]["sector"] // 8 == layout.inode_at(2) // 4096:
        raise RuntimeError("the file's inode shares its block with the root's")
    for kind, arch in [(k, a) for k in ("virtio", "nvme") for a in ("x86_64", "i386")]:
        images, extra, what = [], [], f"errors, {kind}, {arch}"
        for i, rule in enumerate(rules):
            images.append(f"{work}/errors-{i}.img")
            shutil.copy(base, images[-1])
            dies = rule is DIES_AFTER
            extra += failing_disk(i, images[-1], *(() if dies else rule), kind=kind, writes=rule if dies else None)
        outcome = boot(work, arch, f"errors-{kind}", ["errors", *names(len(rules), kind)], extra=extra, seconds=60)
        repeat_results(what, outcome)
        ended(what, outcome)
        kinds = ("read", "write", "write", "read", "flush", "read", "write", "(read|write|flush)", "read")
        for disk, failed in zip(names(len(rules), kind), kinds):
            check(f"{what}: {disk}: a line on the console",
                  any(re.match(f"{disk}: {failed} error", x) for x in outcome.lines), tail(outcome, 60))
        data = open(images[1], "rb").read()
        check(f"{what}: what failed once is on the disk afterwards",
              data[sector["file"] * 512:][:4096] == b"A" * 4096 and data[sector["second"] * 512:][:1] == b"m" and
              data[sector["third"] * 512:][:1] == b"T")
        for i in (1, 6):
            check(f"{what}: disk {i} is consistent", e2fsck(images[i])[0], e2fsck(images[i])[1])
        original = open(base, "rb").read()[sector["file"] * 512:][:4].hex()
        check(f"{what}: the page that could not be read at first is right",
              f"page 1 begins with {original}" in outcome.lines, tail(outcome, 60))
        check_dead_disk(what, outcome, images[7], layout.pointers(inode["file"])[:4])


def check_dead_disk(what, outcome, image, blocks):
    """Each page of "file" is of the last round that was durable for it, or of the one that failed."""
    durable = [int(x.split()[1]) for x in outcome.lines if x.startswith("durable ")]
    data = open(image, "rb").read()
    good = bool(durable)
    for page, block in enumerate(blocks):
        rounds = [r for r in range(1, durable[0] + 2) if r % 4 == page] if durable else []
        kept = max((r for r in rounds if r <= durable[0]), default=0)
        content = data[block * 4096:][:4096]
        good &= not kept or any(content == bytes([r]) * 4096 for r in rounds if r >= kept)
    check(f"{what}: what was durable when the disk died is on it", good, (durable, tail(outcome, 60)))


# -- a disk that does not answer -----------------------------------------------------------------------------------

def part_silent(work):
    """Writes take minutes; the driver is told to wait two seconds."""
    for arch in ("x86_64", "i386"):
        image = mke2fs(f"{work}/silent.img", 8192)
        extra = ["-drive", f"if=none,id=silent,format=raw,file={image},throttling.bps-write=4096",
                 "-device", "nvme,drive=silent,serial=silent"]
        outcome = boot(work, arch, "silent", ["silent", "nvme0n1"], extra=extra, seconds=60, options="nvme.patience=2")
        repeat_results(f"silent, {arch}", outcome)
        ended(f"silent, {arch}", outcome)
        check(f"silent, {arch}: a line on the console", any("nvme0n1: no answer" in x for x in outcome.lines), tail(outcome))


# -- full disks, programs that are cut off, no disk ----------------------------------------------------------------

def part_full(work):
    for arch, block_size in (("x86_64", 1024), ("i386", 4096)):
        image = mke2fs(f"{work}/full.img", 2048, block_size=block_size)
        outcome = boot(work, arch, "full", ["full", "vdc"], [image])
        repeat_results(f"{arch}, {block_size}-byte blocks", outcome)
        ended(f"a full disk, {arch}", outcome)
        clean, text = e2fsck(image)
        check(f"a full disk, {arch}: e2fsck finds nothing", clean, text)


def damaged_programs(whole):
    """Name -> content: the ELF file @whole, cut off in various places or with one bad number."""
    wide = whole[4] == 2
    at = lambda narrow_offset, wide_offset: wide_offset if wide else narrow_offset
    phoff = struct.unpack_from("<Q" if wide else "<I", whole, at(28, 32))[0]
    files = {"whole": whole, "empty": b"", "magic": whole[:4], "header": whole[:50], "no-segments": whole[:phoff + 20],
             "one-page": whole[:4096], "half": whole[:len(whole) // 2],
             "other-width": whole[:4] + bytes([3 - whole[4]]) + whole[5:]}
    for name, where, fmt, value in (("phoff", at(28, 32), "<I", 0xfffffff0), ("phnum", at(44, 56), "<H", 0xffff),
                                    ("phentsize", at(42, 54), "<H", 1), ("vaddr", phoff + at(8, 16), "<I", 0xfffff000),
                                    ("filesz", phoff + at(16, 32), "<I", 0xffffffff),
                                    ("memsz", phoff + at(20, 40), "<I", 0)):
        bad = bytearray(whole)
        struct.pack_into(fmt, bad, where, value)
        files[name] = bytes(bad)
    return files


def part_exec(work):
    with open(f"{work}/seven.c", "w", encoding="utf-8") as f:
        f.write("int main(void) { return 7; }\n")
    for arch, compiler in COMPILER.items():
        tree = f"{work}/exec-{arch}"
        os.makedirs(tree)
        subprocess.run([compiler, "-static", "-o", f"{work}/seven", f"{work}/seven.c"], check=True)
        for name, content in damaged_programs(open(f"{work}/seven", "rb").read()).items():
            with open(f"{tree}/elf-{name}", "wb") as f:
                f.write(content)
            os.chmod(f"{tree}/elf-{name}", 0o755)
        image = mke2fs(f"{work}/exec.img", 20480, tree=tree)
        outcome = boot(work, arch, "exec", ["exec", "vdc"], [image])
        repeat_results(f"damaged programs, {arch}", outcome)
        ended(f"damaged programs, {arch}", outcome)


def part_none(work):
    m = machine("x86_64")
    zeros = f"{work}/zeros-root.img"
    with open(zeros, "wb") as f:
        f.truncate(1 << 20)
    empty = mke2fs(f"{work}/empty-root.img", 1024)
    nothing = "no root file system"
    for name, disks, words, sentence in (("no disk", (), "", nothing),
                                         ("no disk of that name", (empty,), "root=vdz", nothing + " on 'vdz'"),
                                         ("a root that is not ext2", (zeros,), "root=vda", nothing + " on 'vda'"),
                                         ("a root with no init", (empty,), "root=vda", "cannot run /sbin/init")):
        outcome = guest.run(dataclasses.replace(m, disks=disks, cmdline=words), "disks-none", 20)
        check(f"{name}: a sentence, and the machine ends", outcome.status == EXIT_PANIC and
              any(sentence in x for x in outcome.lines), tail(outcome))


PARTS = {"blocks": part_blocks, "refuse": part_refuse, "crafted": part_crafted, "fuzz": part_fuzz,
         "errors": part_errors, "silent": part_silent, "full": part_full,
         "exec": part_exec, "none": part_none}


def main():
    os.makedirs(guest.LOGS, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        compile_worker(work)
        for name in sys.argv[1:] or PARTS:
            began = time.monotonic()
            PARTS[name](work)
            print(f"# {name}: {time.monotonic() - began:.1f} s", flush=True)
    return REPORT.end()


if __name__ == "__main__":
    sys.exit(main())
