#!/usr/bin/env python3
"""make_bigfile.py FILE: write the 64 MiB input of `reverse64m`: page i begins with u64 i."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bigfile  # noqa: E402


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "wb") as out:
        for page in range(bigfile.PAGES):
            out.write(bigfile.before(page))


if __name__ == "__main__":
    main()
