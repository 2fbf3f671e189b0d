#!/usr/bin/env python3
"""T4-03: the typed entry layer costs nothing.  Looks at machine code with objdump; KTAP to stdout.

- on x86-64 a read of a live entry, locked or not, is one mov (and ret);
- where empty entries are zero, making a table of a zeroed page is no instruction at all;
- on every format clear, exchange and clear-young are locked instructions, and nothing calls a library;
- PAE stores the high word between two stores of the low word, and uses cmpxchg8b.
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMPILERS = {
    "amd64": ["x86_64-linux-gnu-gcc", "-m64", "-mno-red-zone", "-mcmodel=kernel", "-DBITS=64"],
    "pae": ["i686-linux-gnu-gcc", "-m32", "-march=i686", "-DBITS=32"],
    "scrambled": ["x86_64-linux-gnu-gcc", "-m64", "-mno-red-zone", "-mcmodel=kernel", "-DBITS=64"],
    "i386": ["i686-linux-gnu-gcc", "-m32", "-march=i686", "-DBITS=32"],
}
FLAGS = ["-O2", "-DDEBUG=0", "-std=gnu11", "-ffreestanding", "-fno-pic", "-fno-strict-aliasing", "-fomit-frame-pointer",
         "-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-mgeneral-regs-only", "-fcf-protection=none",
         "-iquote", ".", "-I", "arch/include", "-I", "arch/x86/include"]


def disassemble(name, directory):
    """{function: [instruction text]} and the undefined symbols."""
    obj = os.path.join(directory, name + ".o")
    subprocess.run(COMPILERS[name] + FLAGS + ["-DPTE_FORMAT_%s=1" % name, "-c", os.path.join(HERE, "pte.c"), "-o", obj],
                   cwd=ROOT, check=True)
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", obj], check=True, stdout=subprocess.PIPE, text=True).stdout
    functions, current = {}, None
    for line in text.splitlines():
        start = re.match(r"[0-9a-f]+ <(\w+)>:", line)
        if start:
            current = functions.setdefault(start.group(1), [])
        elif current is not None and re.match(r"\s+[0-9a-f]+:\t", line):
            instruction = " ".join(line.split("\t")[1].split())
            if not re.match(r"(data16 |cs )*nop|xchg %ax,%ax|lea 0x0\(%e?si", instruction):
                current.append(instruction)
    undefined = subprocess.run(["nm", "-u", obj], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[1::2]
    return functions, undefined


def one_mov(code):
    return len(code) == 2 and code[0].startswith("mov (%rdi),%rax") and code[1] == "ret"


def pae_store_order(code):
    """Stores through the pointer, as offsets: low, high, low."""
    stores = [re.search(r"(0x4)?\((%e(?!sp)\w+)\)$", i) for i in code if i.startswith("mov")]
    return [s.group(1) for s in stores if s] == [None, "0x4", None]


def checks(name, code, undefined):
    """(ok, what, evidence) of each check."""
    if name in ("amd64", "scrambled"):
        for function in ("codegen_get", "codegen_get_lockless"):
            yield one_mov(code[function]), function + " is one mov", code[function]
    if name == "pae":
        yield pae_store_order(code["codegen_set"]), "set stores low, high, low", code["codegen_set"]
        for function in ("codegen_get_and_clear", "codegen_cmpxchg"):
            yield any("lock cmpxchg8b" in i for i in code[function]), function + " is cmpxchg8b", code[function]
    else:
        yield any(i.startswith("xchg") for i in code["codegen_get_and_clear"]), "get_and_clear is xchg", code["codegen_get_and_clear"]
        yield any("lock cmpxchg" in i for i in code["codegen_cmpxchg"]), "cmpxchg is locked", code["codegen_cmpxchg"]
    if name == "i386":
        for function in ("codegen_get", "codegen_get_lockless"):
            loads = [i for i in code[function] if re.match(r"mov \(%e\w+\),", i)]
            yield len(loads) == 1, function + " loads once", code[function]
    if name != "scrambled":
        yield code["codegen_table_init"] == ["ret"], "a new table costs nothing", code["codegen_table_init"]
    yield any(i.startswith("lock ") for i in code["codegen_clear_young"]), "clear_young is locked", code["codegen_clear_young"]
    calls = [i for function in code.values() for i in function if i.startswith("call")]
    yield not calls and not [u for u in undefined if u != "pte_nx_mask"], "nothing is called", calls + undefined


def main():
    number = failed = 0
    print("KTAP version 1")
    with tempfile.TemporaryDirectory() as directory:
        for name in COMPILERS:
            code, undefined = disassemble(name, directory)
            for ok, what, evidence in checks(name, code, undefined):
                number += 1
                print("%sok %d - T4-03 %s: %s" % ("" if ok else "not ", number, name, what))
                if not ok:
                    failed += 1
                    print("\n".join("#   " + line for line in evidence))
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
