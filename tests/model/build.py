"""Builds programs of the model-based tester: the machine of tools/host.py, the sources here, and a main()."""
import concurrent.futures
import glob
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
import host  # noqa: E402  pylint: disable=wrong-import-position

PARTS = ["drive", "inject", "mirrored", "op", "ops", "ops_access", "ops_file", "ops_map", "ops_range", "ops_reclaim", "oracle", "oracle_mremap", "oracle_range", "run", "shrink", "touch"]
# (-fno-builtin: the kernel's memset() must not become a call of memset(); -w: warnings are gcc's affair)
FUZZER = ["-fsanitize=address,undefined,fuzzer-no-link", "-fno-sanitize-recover=all", "-fno-builtin", "-w"]


def newest(paths):
    return max(os.stat(p).st_mtime_ns for p in paths)


def program(main, fmt, variant="asan"):
    """The program with tests/@main.c; its path."""
    flags = host.MACHINE + host.VARIANTS[variant] + host.format_flags(fmt)
    base = f"{host.OUT}/{variant}/{fmt}"
    sources = [f"tests/model/{p}.c" for p in PARTS] + [f"tests/{main}.c"]
    objects = [host.compile_object(s, f"{base}/{s[:-2]}.o", flags) for s in sources] + [host.machine(fmt, variant, host.pool.map)]
    binary = f"{base}/{main.replace('/', '-')}"
    if not os.path.exists(binary) or os.stat(binary).st_mtime_ns < newest(objects):
        with host.replaced(binary) as new:
            host.run(["gcc", *[f for f in flags if f.startswith(("-fsanitize", "--coverage", "-pthread"))], *objects, "-o", new])
    return binary


def clang_object(source, target, flags):
    if not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        host.run(["clang", *flags, "-c", source, "-o", target])
    return target


def have_libfuzzer():
    return bool(glob.glob("/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a")) and os.path.exists("/usr/bin/clang")


def fuzzer(fmt, out):
    """The program of libFuzzer: everything compiled by clang, so that it sees which lines an input reaches."""
    flags = host.MACHINE + ["-DKASAN=1", *FUZZER]
    todo = [(s, f"{out}/{s[:-2]}.o", flags + host.format_flags(fmt)) for s, _, _ in host.machine_objects(fmt, "asan")]
    own = [(f"tests/model/{p}.c", f"{out}/tests/model/{p}.o", flags + host.format_flags(fmt)) for p in PARTS]
    own.append(("tests/fuzz/libfuzzer.c", f"{out}/libfuzzer.o", flags + host.format_flags(fmt)))
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        objects = list(pool.map(lambda o: clang_object(*o), todo + own))
    machine = f"{out}/machine.o"
    host.run(["ld", "-r", "-o", machine, *objects[:len(todo)]])
    host.run(["objcopy", *[f"--localize-symbol={s}" for s in host.LOCAL], machine])
    binary = f"{out}/fuzzer-{fmt}"
    host.run(["clang", "-fsanitize=address,undefined,fuzzer", "-pthread", *objects[len(todo):], machine, "-o", binary])
    return binary
