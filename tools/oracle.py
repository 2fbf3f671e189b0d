#!/usr/bin/env python3
"""make oracle: the same binaries on Linux 6.12 and here, line by line (docs/oracle.md).

COUNT=1000 generated sequences from SEED=1 on, of STEPS=30 calls; ARCH=i386: 32-bit programs, on Linux's 64-bit kernel.
TESTS='T0-*': the ring-3 suite on both kernels, too.  RECORD=1: keep Linux's answers in tests/oracle/recorded-ARCH.txt, which
`oracle.py --recorded` compares without Linux.

What differs is looked up in tests/oracle/known.py.  A sequence with a known difference runs again without the step that
differed, so that the rest of it is compared; one that nobody knows is shrunk to the fewest steps that show it.
"""
import collections
import dataclasses
import os
import re
import sys
import tempfile

import exec as pteron_exec
import guest
import linux
from machine import TOP, Machine, build, from_environment, suite_disks, suite_words

sys.path.insert(0, f"{TOP}/tests/oracle")
from known import KNOWN, SUITE  # noqa: E402  pylint: disable=wrong-import-position

STEPS = 30
BATCH = 2500        # sequences in a boot
DETAILED = 300      # of which everything is printed
ROUNDS = 8          # of leaving out steps with known differences
SHRUNK = int(os.environ.get("SHRUNK") or 3)  # differences that are worked on
RECORDED = 300
LINUX_BEFORE = (# one page a fault, and no huge ones: what is mapped is then what was touched
                "sh -c 'echo 4096 > /sys/kernel/debug/fault_around_bytes'",
                "sh -c 'echo never > /sys/kernel/mm/transparent_hugepage/enabled'")
LINUX = Machine(mem="512")
LINUX_WORDS = "nopku"  # else memory that may only be executed cannot be read


# -- two kernels ------------------------------------------------------------------------------------------------------------
class Linux:
    name = "Linux"

    def __init__(self, m):
        self.program = f"{m.out}/user/oracle"

    def run(self, arguments, files):
        outcome = linux.boot(self.program, arguments, "oracle-linux", 1800, LINUX, LINUX_BEFORE, files, LINUX_WORDS)
        if not outcome:
            sys.exit("there is no Linux to ask")
        return [line.strip() for line in outcome.lines]

    def path(self, name):
        return f"/{name}"


class Pteron:
    name = "Pteron"

    def __init__(self, m):
        self.m = m
        build(m)

    def run(self, arguments, files):
        with tempfile.TemporaryDirectory() as work:
            program = pteron_exec.program_disk(work, f"{self.m.out}/user/oracle", arguments, files)
            m = dataclasses.replace(self.m, cmdline="quiet root=vda exec=vdb", disks=(f"{self.m.out}/root.img,snapshot=on", program))
            outcome = guest.run(m, f"oracle-{m.arch}-{m.paging}", 1800)
        return [line.strip() for line in outcome.lines]

    def path(self, name):
        return f"/exec/{name}"


SEED_LINE = re.compile(r"^seed (\d+) ([0-9a-f]{16})$")


def sums(kernel, first, count):
    """{seed: sum of what it printed}"""
    lines = kernel.run([str(first), str(count), str(STEPS)], ())
    return {int(match[1]): match[2] for match in map(SEED_LINE.match, lines) if match}


def texts(kernel, sequences):
    """{sequence: its lines}; a sequence is (seed, steps left out)."""
    names = {f"{seed}-{','.join(map(str, left_out))}" if left_out else str(seed): (seed, left_out) for seed, left_out in sequences}
    found, lines = {}, None
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("".join(f"{name}\n" for name in names))
        f.flush()
        said = kernel.run(["-l", kernel.path("list"), str(STEPS)], (("list", f.name),))
    for line in said:
        word, _, name = line.partition(" ")
        if word == "sequence" and name in names:
            lines = found[names[name]] = []
        elif lines is not None:
            lines.append(line)
    if lines:  # the last one is followed by what the kernel says as it ends
        del lines[max((i for i, line in enumerate(lines) if line.startswith("= files")), default=len(lines)) + 1:]
    return found


# -- comparing ---------------------------------------------------------------------------------------------------------------
STEP_LINE = re.compile(r"^(\d+|=)(c*) (.*)$")
LOOKS = ("maps", "mincore", "pagemap", "contents", "files")


@dataclasses.dataclass(frozen=True)
class Difference:
    step: int         # or -1: of what is looked at in the end
    call: str
    linux: str
    pteron: str
    before: str = dataclasses.field(default="", compare=False)   # what both printed up to there

    @property
    def signature(self):
        """What makes two differences the same kind: no numbers."""
        return (re.split(r"[(,]", self.call)[0].split(" p")[0], *(re.sub(r"\bp?\d+(\+\d+)?|\b[0-9a-f]{5,8}\b", "#", side)[:40] for side in (self.linux, self.pteron)))

    def known(self):
        """(what is known of it, the step that caused it), or None."""
        for k in KNOWN:
            if re.match(k.call, self.call) and re.match(k.linux, self.linux) and re.match(k.pteron, self.pteron) and \
                    k.also(self.linux, self.pteron):
                cause = re.match(r"(?:[^\n]*\n)*" + k.after, self.before) if k.after else None
                if cause or not k.after:
                    return k, int(cause[1]) if cause else self.step
        return None


def split(line):
    """(step, call, result) of a line; a "c" before the call: in a forked child."""
    match = STEP_LINE.match(line)
    if not match:
        return -1, "", line
    step, depth, text = -1 if match[1] == "=" else int(match[1]), match[2], match[3]
    call, _, result = text.partition(" ") if text.split(" ")[0] in LOOKS and " = " not in text else text.partition(" = ")
    return step, f"{depth} {call}".strip(), result


def differences(one, other):
    """All lines that differ, until the sequences take different ways."""
    for i, (a, b) in enumerate(zip(one, other)):
        if a == b:
            continue
        (step, call, left), (step_b, call_b, right) = split(a), split(b)
        if (step, call) != (step_b, call_b):
            left, right = a, b
        yield Difference(step, call, left, right, "\n".join(one[:i]) + "\n")
    if len(one) != len(other):
        yield Difference(-1, "end", f"{len(one)} lines", f"{len(other)} lines: {other[-1] if other else ''}")


def first_unknown(one, other):
    """(the first difference that nobody knows or None, what is known of the first one that a step caused, and the step, or None)"""
    for d in differences(one, other):
        known = d.known()
        if not known:
            return d, None
        if known[1] >= 0:
            return None, known
    return None, None


@dataclasses.dataclass
class Findings:
    unknown: dict = dataclasses.field(default_factory=dict)                       # sequence -> Difference
    known: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    cut_short: int = 0                                                              # still differ after ROUNDS, in known ways


def compare(kernels, sequences, findings):
    """Compare in full; steps that differ in known ways are left out and the rest is run again."""
    for left in range(ROUNDS, -1, -1):
        again = []
        for i in range(0, len(sequences), DETAILED):
            one, other = (texts(kernel, sequences[i:i + DETAILED]) for kernel in kernels)
            for sequence in sequences[i:i + DETAILED]:
                unknown, known = first_unknown(one.get(sequence, []), other.get(sequence, []))
                if unknown:
                    findings.unknown[sequence] = unknown
                elif known:
                    findings.known[known[0].name] += 1
                    again.append((sequence[0], tuple(sorted({*sequence[1], known[1]}))))
        sequences = again
        if not sequences:
            return
    findings.cut_short += len(sequences)


def generated(kernels, first, count):
    findings, differing = Findings(), []
    for begin in range(first, first + count, BATCH):
        n = min(BATCH, first + count - begin)
        one, other = (sums(kernel, begin, n) for kernel in kernels)
        differing += [(seed, ()) for seed in range(begin, begin + n) if one.get(seed) != other.get(seed) or seed not in one]
        print(f"# {begin + n - first} sequences, {len(differing)} not the same at once", flush=True)
    compare(kernels, differing, findings)
    return findings


# -- shrinking ----------------------------------------------------------------------------------------------------------------
def shorter(sequence):
    """The same with fewer steps: pieces of every size left out."""
    seed, out = sequence
    kept = [i for i in range(STEPS) if i not in out]
    for size in (16, 8, 4, 2, 1):
        for i in range(0, len(kept), size):
            if len(kept) > size:
                yield seed, tuple(sorted({*out, *kept[i:i + size]}))


def shrink(kernels, found):
    """@found: {sequence: difference}; a list of the same, as short as they get."""
    work, done = dict(found), []
    while work:
        candidates = {c: sequence for sequence in work for c in shorter(sequence)}
        one, other = (texts(kernel, list(candidates)) for kernel in kernels)
        better = {}
        for c, sequence in candidates.items():
            unknown, _ = first_unknown(one.get(c, []), other.get(c, []))
            if unknown and unknown.signature == work[sequence].signature and len(c[1]) > len(better.get(sequence, sequence)[1]):
                better[sequence] = c
        done += [(s, d) for s, d in work.items() if s not in better]
        work = {better[s]: d for s, d in work.items() if s in better}
    return done


def show(kernels, sequence):
    one, other = (texts(kernel, [sequence]).get(sequence, []) for kernel in kernels)
    print(f"# SEED={sequence[0]} without steps {','.join(map(str, sequence[1])) or '-'}")
    for a, b in zip(one, other):
        if a == b:
            print(f"    {a}")
        else:
            print(f"L   {a}\nP   {b}")


def report(kernels, findings, count):
    for name, n in findings.known.most_common():
        print(f"# known: {n:5} {name}")
    kinds = collections.defaultdict(list)
    for sequence, d in findings.unknown.items():
        kinds[d.signature].append((sequence, d))
    for signature, members in sorted(kinds.items(), key=lambda item: -len(item[1])):
        sequence, d = members[0]
        print(f"# {len(members)} times, as in SEED={sequence[0]} step {d.step}: {d.call}: Linux {d.linux[:300]} | Pteron {d.pteron[:300]}")
    first = {members[0][0]: members[0][1] for _, members in sorted(kinds.items(), key=lambda item: -len(item[1]))[:SHRUNK]}
    for sequence, _ in shrink(kernels, first):
        show(kernels, sequence)
    good = not findings.unknown
    print(f"# {count} sequences: {len(findings.unknown)} with unexplained differences in {len(kinds)} kinds; "
          f"{sum(findings.known.values())} known differences; {findings.cut_short} cut short by them")
    print(f"{'ok' if good else 'not ok'} 1 {count} generated sequences do what they do on Linux")
    return good


# -- the ring-3 suite ---------------------------------------------------------------------------------------------------------------
def suite_on_linux(m, glob):
    """{title: Result}; its root is in memory, and /mnt an ext2 file system on a disk."""
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(f"{work}/empty")
        pteron_exec.image_of(f"{work}/empty", f"{work}/disk", 64)
        outcome = linux.boot(f"{m.out}/user/suite", [glob], "suite-linux", 3600, dataclasses.replace(LINUX, disks=(f"{work}/disk",)),
                             (*LINUX_BEFORE, "mount -t ext2 /dev/vda /mnt"), words=LINUX_WORDS)
    return {r.name: r for r in outcome.results}


def suite_here(m, glob):
    m = dataclasses.replace(m, disks=suite_disks(m), cmdline=suite_words(m) + f"tests={glob}")
    return {r.name: r for r in guest.run(m, "suite-pteron", 3600).results}


def compare_suite(m, glob):
    """Whatever runs on both passes on both."""
    theirs, ours = suite_on_linux(m, glob), suite_here(m, glob)
    both = [name for name, r in theirs.items() if name in ours and not r.skipped and not ours[name].skipped]
    odd = [name for name, r in theirs.items() if not r.passed and name not in SUITE]
    odd += [name for name in both if not ours[name].passed] or ([] if both else ["nothing ran on both"])
    for name in odd:
        print(f"# {name}: Linux {'passes' if theirs[name].passed else 'fails'}" if name in theirs else f"# {name}")
    for name, why in SUITE.items():
        if name in theirs and not theirs[name].passed:
            print(f"# known: {name}: {why}")
    print(f"# {len(theirs)} tests on Linux, {sum(r.skipped for r in theirs.values())} of them skipped; {len(both)} ran on both")
    print(f"{'not ok' if odd else 'ok'} 2 the ring-3 suite has the same results on Linux", flush=True)
    return not odd


# -- recorded answers ------------------------------------------------------------------------------------------------------------------
def recorded_path(m):
    return f"{TOP}/tests/oracle/recorded-{m.arch}.txt"


def record(m, kernels):
    """The first sequences in which nothing differs, and what Linux makes of them."""
    one, other = (sums(kernel, 1, 2 * RECORDED) for kernel in kernels)
    same = [seed for seed in sorted(one) if one[seed] == other.get(seed)][:RECORDED]
    with open(recorded_path(m), "w", encoding="ascii") as f:
        f.write("".join(f"{seed} {one[seed]}\n" for seed in same))
    print(f"# {len(same)} answers of Linux recorded")
    return len(same) == RECORDED


def compare_recorded(m):
    with open(recorded_path(m), encoding="ascii") as f:
        want = {int(seed): answer for seed, answer in map(str.split, f)}
    got = sums(Pteron(m), min(want), max(want) - min(want) + 1)
    odd = [seed for seed, answer in want.items() if got.get(seed) != answer]
    for seed in odd[:10]:
        print(f"# SEED={seed}: not what Linux answered; see: make oracle ARCH={m.arch} SEED={seed} COUNT=1 TESTS=none")
    print(f"{'not ok' if odd else 'ok'} 1 {len(want)} recorded sequences ({m.arch}): {len(odd)} differ")
    return not odd


# -- the list of known ones ------------------------------------------------------------------------------------------------------
def documented():
    with open(f"{TOP}/docs/abi.md", encoding="utf-8") as f:
        text = " ".join(f.read().split())
    missing = [k.name for k in KNOWN if k.abi not in text]
    for name in missing:
        print(f"# docs/abi.md does not say what known.py says of '{name}'")
    return not missing


def main():
    env = os.environ.get
    m = from_environment()
    good = documented()
    if "--recorded" in sys.argv:
        return 0 if compare_recorded(m) and good else 1
    kernels = (Linux(m), Pteron(m))
    if env("RECORD") == "1":
        return 0 if record(m, kernels) else 1
    first, count, glob = int(env("SEED") or 1), int(env("COUNT") or 1000), env("TESTS") or "*"
    if count:
        good &= report(kernels, generated(kernels, first, count), count)
    if glob != "none":
        good &= compare_suite(m, glob)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
