"""The bytes of the 64 MiB file of issue 2, before and after `reverse64m`; shared by make_bigfile.py and
check_reverse64m.py, and equal to made() and rewritten() in tests/user/bigfile.c."""
import array
import sys

PAGE = 4096
PAGES = 16384
WORDS = PAGE // 8
MASK = (1 << 64) - 1
XOR = 0x5054455F4F4E2121


def made(page):
    base = page * 0x9E3779B97F4A7C15
    words = [(base + w * 0xBF58476D1CE4E5B9) & MASK for w in range(WORDS)]
    words[0] = page
    return words


def rewritten(page):
    return [w ^ XOR for w in made(page)]


def writable(page):
    """Does the entry that shows this page allow writing? Entry i shows page PAGES - 1 - i; NONE, R, RW."""
    return (PAGES - 1 - page) % 3 == 2


def pack(words):
    data = array.array("Q", words)
    if sys.byteorder != "little":
        data.byteswap()
    return data.tobytes()


def before(page):
    return pack(made(page))


def after(page):
    return pack(rewritten(page) if writable(page) else made(page))
