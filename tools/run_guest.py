#!/usr/bin/env python3
"""make guest [TESTS='T0-*']: the ring-3 suite on one machine, its console streamed to this terminal."""
import dataclasses
import os
import sys

import guest
from machine import EXIT_PASS, TOP, build, from_environment, make_iso, suite_disks, suite_words


def main():
    glob = os.environ.get("TESTS") or "*"
    m = from_environment()
    build(m)
    words = f"tests={glob} " + (os.environ.get("APPEND") or "")
    if m.fw == "direct":
        m = dataclasses.replace(m, disks=suite_disks(m), cmdline=suite_words(m) + words)
    else:
        m.iso = make_iso(m, f"{TOP}/build/guest.iso", words)
    outcome = guest.run(m, "guest", int(os.environ.get("SECONDS_MAX") or 900), lambda line: print(line, flush=True))
    passed = sum(r.passed and not r.skipped for r in outcome.results)
    failed = sum(not r.passed for r in outcome.results)
    skipped = sum(r.skipped for r in outcome.results)
    print(f"{guest.verdict(outcome).detail}; {outcome.seconds:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if outcome.status == EXIT_PASS and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
