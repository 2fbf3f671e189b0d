"""Commands that understand Pteron's memory.  In gdb, with the kernel's symbols loaded:

    (gdb) source tools/gdb/pteron.py
    (gdb) help pteron

They read memory and symbols only, so they work on a machine that is stopped, through whatever stub, and on a saved dump
(docs/book/README.md says how to make one).  One file for each noun; what they share:

    record.py    structures of the kernel, read at once       kernel.py   lists, trees, threads, processes, files
    entry.py     the entry format and the walk                rmap.py     from a page to the entries that map it
"""
import importlib
import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


class Pteron(gdb.Command):
    """Commands about Pteron's memory; each has its own help."""

    def __init__(self):
        super().__init__("pteron", gdb.COMMAND_DATA, prefix=True)

    def invoke(self, argument, from_tty):
        gdb.execute("help pteron")


Pteron()

# A module for each noun; importing it makes its commands.
for noun in ("dirty", "fault", "locks", "log", "maps", "page", "pt", "ptes", "tasks"):
    importlib.import_module("cmd_" + noun)
