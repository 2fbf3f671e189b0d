#!/usr/bin/env python3
"""make host: kernel sources in an ordinary process, with sanitizers; must-not-compile tests; codegen.

A test is a C program tests/unit/test_*.c; a line of its opening comment says what it is:

  links: kernel/lib/x.c kernel/lib/y.c      it, and these sources, on the bare process
  machine: all                              on the simulated machine (docs/host.md), once for every format;
  machine: amd64 tiny2                      or for these
  tsan: amd64                               also with real threads under the thread sanitizer, in LONG=1
  args: A=1 / long-args: A=100              arguments; the second in LONG=1
  with: files                               the machine has the block layer and file systems too
  without: sanitizers                       (with links:) the source under test is one

A script tests/*/run*.py prints KTAP itself.

All tests of one machine are linked into one program (tests/unit/main.c), unless TESTS= chooses: then each is one.

usage: host.py [TESTS=GLOB] [FORMATS='amd64 pae'] [LONG=1] [COVERAGE=1] [SEED=n] [TSAN=1]      (also as environment)
       host.py build FORMAT TEST.c [asan|tsan|coverage]     build one machine test, print where it is
       host.py machine FORMAT [asan|tsan|coverage]          build the machine, print its relocatable object
"""
import concurrent.futures
import contextlib
import fnmatch
import functools
import glob
import os
import re
import subprocess
import sys
import threading

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = f"{TOP}/build/host"
FORMATS = ["amd64", "pae", "i386", "scrambled", "tiny2", "tiny4"]
# (-fno-var-tracking: a quarter of the compiler's time, for what only a debugger with optimised code could show)
WARN = ["-std=gnu11", "-g", "-fno-var-tracking", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-iquote", "."]
# (-fno-sanitize: the address sanitizer sees these accesses itself; the kernel is compiled with -fwrapv.  A quarter of the time)
ASAN = ["-fsanitize=address,undefined", "-fno-sanitize=object-size,null,pointer-overflow", "-fno-sanitize-recover=all"]

# Tests on the bare process.
UNIT = [*WARN, "-O1", "-I", "arch/include", "-I", "tests/unit/include", "-pthread", "-DDEBUG=1", "-DKASAN=0"]

# The simulated machine.
MACHINE = [*WARN, "-I", "arch/include", "-I", "arch/host/include", "-I", "arch/x86/include", "-pthread", "-DDEBUG=1", "-DBITS=64",
           "-fno-omit-frame-pointer"]
VARIANTS = {
    "asan": ["-DKASAN=1", *ASAN],
    "tsan": ["-DKASAN=0", "-fsanitize=thread", "-Wno-tsan", "--param=tsan-distinguish-volatile=1"],
    "coverage": ["-DKASAN=0", "-DCOVERAGE", "--coverage"],
}
FILES = ["kernel/fs/*.c", "kernel/fs/ext2/*.c", "kernel/dev/block.c", "kernel/dev/stable.c",
         "kernel/dev/random.c", "arch/host/disk/*.c"]  # with: files
COMMON = ["kernel/lib/*.c", "kernel/sync/*.c", "kernel/main/panic.c", "arch/host/os/*.c"]  # know no entries
SOURCES = ["mm/*/*.c", "arch/host/*.c", "arch/host/sim/*.c", "arch/x86/mm/pte_view.c",
           "arch/x86/mm/pte_format.c", "tests/contract/*.c"]
LEFT_OUT = ["mm/debug/kasan.c", "kernel/lib/ubsan.c", "kernel/lib/ksyms.c", "kernel/lib/stack_guard.c", "kernel/lib/tap.c",
            "kernel/fs/dev_dma.c", "kernel/fs/gup_test.c", "kernel/fs/user_pins.c",
            "kernel/fs/dev_edu.c", "kernel/fs/dev_mirror.c", "kernel/fs/dev_mm.c", "kernel/fs/dev_vmm.c",
            "kernel/fs/userfaultfd.c", "kernel/fs/uffd_ioctl.c"]
# Compiled faster than they run: nothing waits for these.
QUICK = ("tests/unit/", "tests/contract/", "kernel/fs/", "kernel/dev/", "arch/host/disk/")
COVERED = 90  # per cent of the lines of each file of mm/, at least
# The kernel's own functions of these names stay its own; the test and the C library have theirs.
LOCAL = """memchr memcmp memcpy memmove memset snprintf strchr strcmp strcpy strcspn strlen strncmp strnlen strrchr strspn strstr
           strtol strtoul vsnprintf""".split()


def option(name, default=""):
    """From the command line (NAME=value) or the environment."""
    for word in sys.argv[1:]:
        if word.startswith(name + "="):
            return word[len(name) + 1:]
    return os.environ.get(name) or default


class BuildError(Exception):
    pass


def run(command):
    done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if done.returncode:
        raise BuildError(done.stdout)
    return done.stdout


# -- building: an object is made again when a file it was made from, or its command, changes ---------------------------------
pool = concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count())
locks = {}
locks_lock = threading.Lock()


@functools.lru_cache(maxsize=None)
def mtime(path):
    try:
        return os.stat(os.path.join(TOP, path)).st_mtime_ns
    except OSError:
        return None


def fresh(target, command):
    """Is @target newer than everything its .d file names, and was it made by this command?"""
    try:
        with open(target + ".d", encoding="utf-8") as f:
            words = f.read().replace("\\\n", " ").split(":", 1)[1].split()
        with open(target + ".cmd", encoding="utf-8") as f:
            if f.read() != " ".join(command):
                return False
        made = os.stat(target).st_mtime_ns
    except (OSError, IndexError):
        return False
    return all((mtime(w) or made + 1) <= made for w in words)


@contextlib.contextmanager
def replaced(target):
    """A name to make @target under: whoever builds the same beside us sees the old one or the new one, and no half."""
    new = f"{target}.{os.getpid()}.{threading.get_ident()}"
    yield new
    os.replace(new, target)


def compile_object(source, target, flags, compiler="gcc"):
    command = [compiler, *flags, "-c", source, "-o", target]
    if fresh(target, command):
        return target
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with replaced(target) as new:
        run([*command[:-1], new, "-MMD", "-MT", target, "-MF", target + ".d"])
    with open(target + ".cmd", "w", encoding="utf-8") as f:
        f.write(" ".join(command))
    return target


def expand(patterns):
    found = [os.path.relpath(p, TOP) for pattern in patterns for p in sorted(glob.glob(f"{TOP}/{pattern}"))]
    return [p for p in found if p not in LEFT_OUT]


def flags_of(source, fmt, variant):
    """What a source of the machine, or of a test on it, is compiled with; @fmt None: it knows no entries."""
    format_flags = [f"-DPTE_FORMAT_{fmt}=1", f'-DPTERON_FORMAT="{fmt}"'] if fmt else []
    return [*MACHINE, *VARIANTS[variant], *format_flags, "-O0" if source.startswith(QUICK) else "-O1"]


def linker(variant):
    return ["gcc", "-pthread", *[f for f in VARIANTS[variant] if f.startswith(("-fsanitize", "--coverage"))]]


def machine_objects(fmt, variant, files=False):
    """(source, object, flags) of everything in the machine."""
    base = f"{OUT}/{variant}"
    for source in expand(COMMON):
        yield source, f"{base}/common/{source[:-2]}.o", flags_of(source, None, variant)
    for source in expand(SOURCES + (FILES if files else [])):
        yield source, f"{base}/{fmt}/{source[:-2]}.o", flags_of(source, fmt, variant)


def only_one(fmt, variant):
    """A lock for those who link for this machine."""
    with locks_lock:
        return locks.setdefault((fmt, variant), threading.RLock())


def older(target, objects):
    return not os.path.exists(target) or os.path.islink(target) or os.stat(target).st_mtime_ns < max(os.stat(o).st_mtime_ns for o in objects)


def machine(fmt, variant="asan", map_=map, files=False):
    """The machine of one format as one relocatable object; its path."""
    with only_one(fmt, variant):
        objects = list(map_(lambda o: compile_object(*o), list(machine_objects(fmt, variant, files))))
        target = f"{OUT}/{variant}/{fmt}/machine{'-files' if files else ''}.o"
        if older(target, objects):
            with replaced(target) as new:
                run(["ld", "-r", "-o", new, *objects])
                run(["objcopy", *[f"--localize-symbol={s}" for s in LOCAL], new])
        return target


def header(source):
    """The key: value lines of a test's opening comment."""
    with open(os.path.join(TOP, source), encoding="utf-8") as f:
        comment = f.read().split("*/")[0]
    return {m[1]: m[2].split() for m in re.finditer(r"^ \*\s+(links|machine|tsan|args|long-args|with|without):\s*(.*)$", comment, re.M)}


def stem(source):
    return os.path.basename(source)[:-2]


def test_object(source, fmt, variant):
    """(source, object, flags): its main() has another name, so that one program may have many."""
    return source, f"{OUT}/{variant}/{fmt}/{source[:-2]}.o", [*flags_of(source, fmt, variant), f"-Dmain={stem(source)}_main"]


def program(name, tests, fmt, variant, map_=map):
    """These machine tests as one program, which is the one whose name it is called by; its path."""
    base = f"{OUT}/{variant}/{fmt}"
    names = f"-DTESTS(X)={' '.join(f'X({stem(t)})' for t in tests)}"
    objects = [compile_object(*test_object(t, fmt, variant)) for t in tests]
    objects.append(compile_object("tests/unit/main.c", f"{base}/tests/main/{name}.o", [*flags_of("tests/unit/main.c", fmt, variant), names]))
    objects.append(machine(fmt, variant, map_, any(header(t).get("with") == ["files"] for t in tests)))
    if older(binary := f"{base}/{name}", objects):
        with replaced(binary) as new:
            run([*linker(variant), *objects, "-o", new])
    return binary


def compiles(source, fmt, variant):
    try:
        return compile_object(*test_object(source, fmt, variant))
    except BuildError:
        return None


def test_binary(source, fmt, variant="asan", map_=map, tests=None):
    """A machine test for one format; its path.  @tests: those it shares its program with, as far as they can be compiled."""
    if not tests:
        return program(stem(source), [source], fmt, variant, map_)
    compile_object(*test_object(source, fmt, variant))
    with only_one(fmt, variant):
        shared = program("unit", [t for t in tests if compiles(t, fmt, variant)], fmt, variant)
    with replaced(f"{os.path.dirname(shared)}/{stem(source)}") as new:
        os.symlink(os.path.basename(shared), new)
    return f"{os.path.dirname(shared)}/{stem(source)}"


# -- running --------------------------------------------------------------------------------------------------------------------
def script(command, name, env=None):
    """Run something that prints KTAP; its lines, each test's name preceded by @name."""
    try:
        done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, errors="replace",
                              timeout=10800 if option("LONG") else 300, env={**os.environ, **(env or {})})
    except subprocess.TimeoutExpired:
        return f"not ok 1 {name}: time limit"
    lines = []
    for line in done.stdout.splitlines():
        match = re.match(r"(ok|not ok) (\d+) (?:- )?(.*)", line)
        lines.append(f"{match[1]} {match[2]} {name}: {match[3]}" if match else "# " + line.removeprefix("# "))
    if done.returncode and not any(x.startswith("not ok") for x in lines):
        lines.append(f"not ok 0 {name} exits with {done.returncode}")
    return "\n".join(lines)


def unbuilt(name, error):
    return f"not ok 1 {name} builds\n" + re.sub("^", "# ", str(error), flags=re.M)


def unit(source):
    """Build and run a test on the bare process."""
    name = stem(source)
    head = header(source)
    sources = [source, *head.get("links", [])]
    try:
        if option("COVERAGE"):
            base = f"{OUT}/coverage/{name}"
            objects = [compile_object(s, f"{base}/{s[:-2]}.o", [*UNIT, "--coverage"]) for s in sources]
            run(["gcc", "-pthread", "--coverage", *objects, "-o", binary := f"{base}/{name}"])
        else:
            run(["gcc", *UNIT, *([] if "without" in head else ASAN), *sources, "-o", binary := f"{OUT}/{name}"])
    except BuildError as error:
        return unbuilt(name, error)
    return script([binary], name)


def machine_test(source, fmt, variant):
    name = f"{stem(source)}.{fmt}" + ("" if variant == "asan" else f".{variant}")
    head = header(source)
    args = head.get("long-args", head.get("args", [])) if option("LONG") else head.get("args", [])
    env = {"SEED": option("SEED")} if option("SEED") else {}
    if variant == "tsan":
        env["THREADS"] = "1"
    try:
        binary = test_binary(source, fmt, variant, tests=together.get((fmt, variant)))
    except BuildError as error:
        return unbuilt(name, error)
    return script([binary, *args], name, env)


def formats_of(words):
    wanted = option("FORMATS").split() or FORMATS
    return [f for f in (FORMATS if words == ["all"] else words) if f in wanted]


def main_variant():
    return "coverage" if option("COVERAGE") else "asan"


def jobs():
    """(name, function) of everything there is to run; what takes longest first."""
    for path in expand(["tests/model/run*.py", "tests/protocol/run*.py", "tests/unit/run*.py", "tests/must-not-compile/run.py",
                        "tests/codegen/run*.py", "tests/fuzz/run*.py"]):
        name = path.removeprefix("tests/").removesuffix(".py").removesuffix("/run")
        yield name, functools.partial(script, [sys.executable, f"{TOP}/{path}"], name)
    for source in expand(["tests/unit/test_*.c"]):
        head = header(source)
        name = stem(source)
        if "machine" in head:
            for fmt in formats_of(head["machine"]):
                yield f"{name}.{fmt}", functools.partial(machine_test, source, fmt, main_variant())
        elif "links" in head:
            yield name, functools.partial(unit, source)
        if option("LONG") or option("TSAN"):
            for fmt in formats_of(head.get("tsan", [])):
                yield f"{name}.{fmt}.tsan", functools.partial(machine_test, source, fmt, "tsan")


together = {}  # (format, variant): the tests that have one program


def needed_objects(chosen):
    """(source, object, flags) of all that the jobs need, but for what is linked for one job alone."""
    machines = {}  # (format, variant): tests
    for job in chosen.values():
        if job.func is machine_test:
            machines.setdefault(job.args[1:], []).append(job.args[0])
    if not option("TESTS"):
        together.update(machines)
    if "model" in chosen or "fuzz" in chosen:
        for fmt in formats_of(["all"]):
            machines.setdefault((fmt, main_variant()), [])
            yield from ((s, f"{OUT}/{main_variant()}/{fmt}/{s[:-2]}.o", flags_of(s, fmt, main_variant())) for s in expand(["tests/model/*.c"]))
    for machine_, tests in machines.items():
        yield from machine_objects(*machine_)
        yield from (test_object(t, *machine_) for t in tests)


def build_all(chosen):
    """Object by object in parallel; errors come out again in the tests."""
    def quietly(o):
        try:
            compile_object(*o)
        except BuildError:
            pass
    list(pool.map(quietly, {o[1]: o for o in needed_objects(chosen)}.values()))


def executed_lines():
    """{source of mm/: {line: executed?}}: gcov of every object of the run, the formats added up."""
    lines = {}
    for data in glob.glob(f"{OUT}/coverage/*/mm/**/*.gcda", recursive=True):
        text = subprocess.run(["gcov", "-t", data], cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
        source = None
        for line in text.splitlines():
            part = [p.strip() for p in line.split(":", 2)]
            if len(part) == 3 and part[1] == "0" and part[2].startswith("Source:"):
                source = part[2].removeprefix("Source:")
            elif len(part) == 3 and source and source.startswith("mm/") and source.endswith(".c") and part[0] != "-":
                seen = lines.setdefault(source, {})
                seen[int(part[1])] = seen.get(int(part[1]), False) or not part[0].startswith(("#", "="))
    return lines


def coverage():
    """Lines of mm/ that were executed, by file; a test's result: are there enough of each?"""
    lines = executed_lines()
    few = []
    for path in sorted(os.path.relpath(p, TOP) for p in glob.glob(f"{TOP}/mm/*/*.c")):
        seen = lines.get(path, {})
        share = 100 * sum(seen.values()) / len(seen) if seen else 0
        missed = sorted(n for n in seen if not seen[n])
        print(f"# coverage {path}: {share:.1f} % of {len(seen)} lines" + (f"; not {' '.join(map(str, missed[:20]))}" if missed else ""))
        if share <= COVERED:
            few.append(path)
    print(f"{'not ok' if few else 'ok'} 1 coverage: more than {COVERED} % of each file of mm/ {' '.join(few)}")
    return bool(few)


def main():
    os.makedirs(OUT, exist_ok=True)
    command = [w for w in sys.argv[1:] if "=" not in w]
    try:
        if command[:1] == ["build"]:
            print(test_binary(os.path.relpath(os.path.abspath(command[2]), TOP), command[1], *command[3:], map_=pool.map))
            return 0
        if command[:1] == ["machine"]:
            print(machine(command[1], *command[2:], map_=pool.map))
            return 0
    except BuildError as error:
        sys.exit(str(error))
    chosen = {n: job for n, job in jobs() if fnmatch.fnmatch(n, option("TESTS", "*"))}
    if option("COVERAGE"):
        for old in glob.glob(f"{OUT}/coverage/**/*.gcda", recursive=True):
            os.unlink(old)
    build_all(chosen)
    failed = False
    for text in pool.map(lambda job: job(), chosen.values()):
        print(text, flush=True)
        failed |= bool(re.search(r"^not ok", text, re.M))
    if option("COVERAGE"):
        failed |= coverage() and option("TESTS", "*") == "*"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
