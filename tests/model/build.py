"""Builds programs of the model-based tester: the machine of tools/host.py, the sources here, and a main()."""
import glob
import os
import shutil
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tools")
import host  # noqa: E402  pylint: disable=wrong-import-position

PARTS = ["drive", "inject", "mirrored", "op", "ops", "ops_access", "ops_file", "ops_map", "ops_range", "ops_reclaim", "oracle", "oracle_mremap",
         "oracle_range", "run", "shrink", "sites", "touch"]
# (-fno-builtin: the kernel's memset() must not become a call of memset(); -w: warnings are gcc's affair)
CLANG = ["-DKASAN=1", *host.ASAN, "-fno-builtin", "-w"]
host.VARIANTS["libfuzzer"] = [*CLANG, "-fsanitize=fuzzer-no-link"]
host.VARIANTS["afl"] = CLANG


def newest(paths):
    return max(os.stat(p).st_mtime_ns for p in paths)


def program(main, fmt, variant=None):
    """The program with tests/@main.c; its path."""
    variant = variant or host.main_variant()
    base = f"{host.OUT}/{variant}/{fmt}"
    sources = [f"tests/model/{p}.c" for p in PARTS] + [f"tests/{main}.c"]
    objects = list(host.pool.map(lambda s: host.compile_object(s, f"{base}/{s[:-2]}.o", host.flags_of(s, fmt, variant)), sources))
    objects.append(host.machine(fmt, variant, host.pool.map))
    binary = f"{base}/{main.replace('/', '-')}"
    if not os.path.exists(binary) or os.stat(binary).st_mtime_ns < newest(objects):
        with host.replaced(binary) as new:
            host.run([*host.linker(variant), *objects, "-o", new])
    return binary


def have_libfuzzer():
    return bool(glob.glob("/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a")) and shutil.which("clang")


def have_afl():
    return shutil.which("afl-fuzz") and shutil.which("afl-clang-fast")


def instrumented(fmt, variant, main, compiler, *link):
    """tests/fuzz/@main.c with everything compiled by @compiler, so that the fuzzer sees which lines an input reaches."""
    out = f"{host.OUT}/{variant}/{fmt}"
    machine_sources = [o[0] for o in host.machine_objects(fmt, variant)]
    sources = [*machine_sources, *[f"tests/model/{p}.c" for p in PARTS], f"tests/fuzz/{main}.c"]
    objects = list(host.pool.map(lambda s: host.compile_object(s, f"{out}/{s[:-2]}.o", host.flags_of(s, fmt, variant), compiler), sources))
    machine = f"{out}/machine.o"
    host.run(["ld", "-r", "-o", machine, *objects[:len(machine_sources)]])
    host.run(["objcopy", *[f"--localize-symbol={s}" for s in host.LOCAL], machine])
    binary = f"{out}/{main}"
    host.run([compiler, *link, "-pthread", *objects[len(machine_sources):], machine, "-o", binary])
    return binary


def libfuzzer(fmt):
    return instrumented(fmt, "libfuzzer", "libfuzzer", "clang", "-fsanitize=address,undefined,fuzzer")


def afl(fmt):
    return instrumented(fmt, "afl", "afl", "afl-clang-fast", "-fsanitize=address,undefined")
